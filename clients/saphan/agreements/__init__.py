"""Agreements on their way: terms, drafts, renewals, orders, the page to sign."""
