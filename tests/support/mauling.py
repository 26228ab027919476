"""Changed bytes, and the one who must refuse them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from saphan_schemas.errors import SaphanError


@dataclass(frozen=True)
class Guarded:
    """Exact bytes of one object and the function that judges them.

    Args:
        name: what the object is, and who judges it.
        judge: takes the bytes as they come; returns for the unchanged ones, and for no others.
        codes: every code it refuses changed bytes with; an exhaustive run meets all of them.
        rare: codes that only few values lead to: a run may miss them.
        stride: an exhaustive run changes every so many-th byte (1: all), by what a judgement costs.
        values: how many other values each of them is given (255: all).
        cut: whether longer and shorter bytes are other bytes to this judge.
    """

    name: str
    data: bytes
    judge: Callable[[bytes], object]
    codes: frozenset[str]
    rare: frozenset[str] = frozenset()
    stride: int = 1
    values: int = 8
    cut: bool = True

    def refusal(self, mauled: bytes) -> str:
        """The code with which changed bytes are refused.

        Raises:
            AssertionError: they were taken, or refused with a code that is not this judge's.
        """
        try:
            self.judge(mauled)
        except SaphanError as error:
            if error.code in self.codes | self.rare:
                return error.code
            raise AssertionError(f"{self.name}: {error} at {self._where(mauled)}") from None
        raise AssertionError(f"{self.name}: taken with a change at {self._where(mauled)}")

    def _where(self, mauled: bytes) -> str:
        pairs = enumerate(zip(self.data, mauled, strict=False))
        at = next((i for i, (a, b) in pairs if a != b), min(len(self.data), len(mauled)))
        return f"{at} of {len(self.data)}: {self.data[at : at + 4]!r} to {mauled[at : at + 4]!r}"

    def maulings(self) -> Iterator[bytes]:
        """Every `stride`-th byte changed to `values` others, in one fixed order."""
        for at in range(0, len(self.data), self.stride):
            for value in self._others(at):
                yield replaced(self.data, at, value)

    def _others(self, at: int) -> Iterator[int]:
        old = self.data[at]
        if self.values >= 255:
            yield from (value for value in range(256) if value != old)
        elif self.values >= 8:
            yield from (old ^ (1 << bit) for bit in range(8))
        else:
            # Neighbouring positions get other bits, so that all eight are tried.
            yield from (old ^ (1 << ((at + 3 * k) % 8)) for k in range(self.values))

    def cuts(self) -> Iterator[bytes]:
        """Too short by one byte, by half, by all but one; and too long."""
        if not self.cut:
            return
        data = self.data
        for length in sorted({0, 1, len(data) // 2, len(data) - 1}):
            yield data[:length]
        yield from (data + b"\x00", data + b"\xc0", data + data, data[1:])


def replaced(data: bytes, at: int, value: int) -> bytes:
    """`data` with the byte at `at` replaced."""
    return b"%b%c%b" % (data[:at], value, data[at + 1 :])


def named(*guarded: Guarded) -> dict[str, Guarded]:
    """A table by name; a name stands once."""
    table = {one.name: one for one in guarded}
    assert len(table) == len(guarded)
    return table


def codes(text: str) -> frozenset[str]:
    """Codes separated by spaces."""
    return frozenset(text.split())
