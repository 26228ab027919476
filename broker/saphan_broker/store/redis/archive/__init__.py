"""The archive of the Redis engine: what is full or finished leaves the memory (ADR 0015)."""
