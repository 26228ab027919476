"""What the measurements count: bytes that came more than once, whatever order they came in."""

from __future__ import annotations

import pytest

from benchmarks.carried import _twice

A, B = b"a" * 33, b"b" * 33


@pytest.mark.parametrize(
    ("ranges", "twice"),
    [
        ([], 0),
        ([(A, 0, 10), (A, 10, 10), (B, 0, 10)], 0),
        ([(A, 10, 10), (A, 0, 10)], 0),
        ([(A, 0, 10), (A, 0, 10)], 10),
        ([(A, 0, 10), (A, 5, 10)], 5),
        ([(A, 5, 2), (A, 0, 10), (B, 5, 2), (B, 0, 10)], 4),
        ([(A, 0, 10), (A, 2, 3), (A, 20, 5), (A, 19, 2)], 4),
    ],
)
def test_only_what_came_again_is_counted(ranges: list[tuple[bytes, int, int]], twice: int) -> None:
    assert _twice(ranges) == twice
