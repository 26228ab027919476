"""The life of one delivery as a state space, searched whole (docs/model.md)."""
