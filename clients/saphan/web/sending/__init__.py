"""What was sent, and what waits."""
