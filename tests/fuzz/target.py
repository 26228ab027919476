"""What is fuzzed: one parser, real inputs to begin with, and the errors that it promises."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from saphan_schemas.errors import InvalidInput, SaphanError
from saphan_schemas.limits import KIB

Form = Literal["msgpack", "json", "text", "bytes"]

MOST_BYTES: Final = 64 * KIB
"""Inputs are longer only where a target says so; bombs have the full length that is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One row of the table.

    Args:
        name: room and subject, also the name of its folder of kept inputs.
        parse: what meets the bytes; anything but a return or one of `errors` is a fault.
        seeds: makes inputs that are taken, so that changed ones come far.
        form: what they are made of, for the mutator.
        errors: what the parser promises to raise.
        longest: bytes of a bomb, the most that the parser looks at.
        slow: gets a tenth of the inputs: signatures, keys and whole bundles take their time.
        seeds_refused: true where a real input cannot be taken here, such as for want of a key.
    """

    name: str
    parse: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    form: Form
    errors: tuple[type[Exception], ...] = (InvalidInput,)
    longest: int = MOST_BYTES
    slow: bool = False
    seeds_refused: bool = False


def text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    """A parser of text as one of bytes; what is no UTF-8 never comes so far."""

    @functools.wraps(parse)
    def parse_bytes(data: bytes) -> object:
        return parse(data.decode("utf-8", "replace"))

    return parse_bytes


ANY_OF_OURS: Final = (SaphanError,)
"""Where several families may answer: a file that is exposed, a format of a later release."""
