"""What came for the officer."""
