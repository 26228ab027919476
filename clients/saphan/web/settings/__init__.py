"""What the officer chooses."""
