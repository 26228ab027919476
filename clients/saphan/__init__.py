"""Saphan, what agencies use: SDK, node, officer, auditor, and the ceremony that makes keys."""
