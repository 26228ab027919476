"""What this agency's hold orders keep from being destroyed, here and at the broker."""
