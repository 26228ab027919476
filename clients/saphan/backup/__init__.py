"""A node's backups: data in one file, keys in another, both sealed to k of n custodians."""
