"""Bulletins that their sender takes back: the order, the answers of those who have them."""
