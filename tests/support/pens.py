"""Something that signs anything, where a test asks whether anything was signed."""

from __future__ import annotations


class Pen:
    """Signs whatever head it is asked to, and counts how often."""

    def __init__(self) -> None:
        self.signed = 0

    def __call__(self) -> bytes:
        self.signed += 1
        return b"second"
