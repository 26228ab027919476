"""The two logs: their trees, heads, signers, and their newest rows."""
