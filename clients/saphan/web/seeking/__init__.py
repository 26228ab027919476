"""Search in what this desk may see."""
