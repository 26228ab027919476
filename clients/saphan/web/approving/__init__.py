"""What waits for a second signature."""
