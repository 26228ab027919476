"""Many processes serve, one holds the lease: it sequences and signs (docs/adr/0016)."""
