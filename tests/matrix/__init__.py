"""The fault matrix: every effect of every use case fails in every way; the oracle judges."""
