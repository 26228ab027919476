"""Pages for people who have neither node nor account: what stands on them, and how it looks."""
