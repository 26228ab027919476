"""Forms, drafts, attachments, preview."""
