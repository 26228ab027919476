"""Launch, lock and unlock."""
