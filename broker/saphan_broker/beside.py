"""What a store keeps beside leaves of the directory log: agreements, orders, bundles of schemas.

Agreements, orders on them and hold orders belong to the directory's state, and are few and small.
Bundles have up to 512 KiB and are read one at a time, when somebody asks.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import groupby
from typing import Final, Protocol

from saphan_protocol.directory import is_commitment
from saphan_protocol.registrations import check_bundle, parse_registration
from saphan_schemas.errors import InvalidInput

BUNDLES: Final = 4
"""Kept in memory, 2 MiB at most: nodes ask for one part after the other."""


class Beside(Protocol):
    """What is read; every store has it."""

    async def packages(self, start: int, stop: int) -> dict[int, bytes]: ...


async def agreements_beside(
    source: Beside, start: int, leaves: Sequence[bytes]
) -> dict[int, bytes]:
    """Agreements and orders of these leaves, the first of which is at `start`; no bundle is read.

    Raises:
        OperatorError: what reading raises.
    """
    found: dict[int, bytes] = {}
    numbered = enumerate(leaves, start)
    for wanted, run in groupby(numbered, key=lambda one: is_commitment(one[1])):
        indices = [index for index, _leaf in run]
        if wanted:
            found |= await source.packages(indices[0], indices[-1] + 1)
    return found


def is_bundle(bundle: bytes, signed: bytes) -> bool:
    """Whether these bytes are what a registration names."""
    try:
        check_bundle(parse_registration(signed)[0], bundle)
    except InvalidInput:
        return False
    return True


class Bundles:
    """Bundles of agencies' own schemas, by the index of the leaf that registers them."""

    def __init__(self) -> None:
        self._recent: OrderedDict[int, bytes] = OrderedDict()

    async def read(self, source: Beside, index: int) -> bytes | None:
        """The bundle; None: the store has lost it.

        Raises:
            OperatorError: what reading raises.
        """
        bundle = self._recent.get(index)
        if bundle is None:
            bundle = (await source.packages(index, index + 1)).get(index)
            if bundle is None:
                return None
            self._recent[index] = bundle
            if len(self._recent) > BUNDLES:
                self._recent.popitem(last=False)
        return bundle
