"""The local HTTP interface: who asks, what they may do, and the answers."""
