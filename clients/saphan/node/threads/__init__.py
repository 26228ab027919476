"""Threads as this node's store has them."""
