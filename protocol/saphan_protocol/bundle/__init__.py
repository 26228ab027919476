"""The evidence bundle: everything that one file proves about one bulletin, without any key."""
