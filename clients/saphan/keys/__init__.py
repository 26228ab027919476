"""Secret keys in files and on tokens, and what opens them."""
