"""Every parser that meets the network or a file, and bytes that nobody meant (docs/fuzzing.md)."""
