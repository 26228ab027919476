"""One bulletin, to be read."""
