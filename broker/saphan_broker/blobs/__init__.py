"""Sealed attachments as files beside the store: brought in pieces, kept, given in pieces."""
