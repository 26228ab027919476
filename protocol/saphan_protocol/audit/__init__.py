"""The offline audit: everything that can be proven of both logs without any private key."""
