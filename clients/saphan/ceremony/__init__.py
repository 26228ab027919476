"""Ceremonies of an agency's roots: drafts carried by hand, signed apart, finished once."""
