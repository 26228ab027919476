"""The Redis and Valkey engine: several processes over one log (docs/adr/0013)."""
