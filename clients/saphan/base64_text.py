"""Bytes as text, in JSON files and in the local API: standard base64."""

from __future__ import annotations

import base64


def text_of(data: bytes) -> str:
    """The bytes as base64, padded, on one line."""
    return base64.b64encode(data).decode()


def bytes_of(text: str) -> bytes:
    """The bytes of base64 text.

    Raises:
        ValueError: it has other characters, or a wrong length.
    """
    return base64.b64decode(text, validate=True)
