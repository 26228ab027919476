"""What each sign means, and which keys do what."""
