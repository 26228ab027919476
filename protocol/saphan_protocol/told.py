"""Batch signatures that one session has sent already: each travels once, its items may follow.

Both ends keep the same small window, first in, first out, over the frames in their order: the one
that receives keeps twice as many, so whatever the sender leaves out is still there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from saphan_schemas.records import BatchSignature

from saphan_protocol.batch import RootRef

SENT: Final = 16
"""Batches that a sender takes for known: a backlog of 1,024 bulletins has as many."""
KEPT: Final = 2 * SENT
"""Batches that a receiver keeps of a session, 3.6 KB each."""


class Sent:
    """What the sending end has sent."""

    def __init__(self) -> None:
        self._known: OrderedDict[RootRef, None] = OrderedDict()

    def fresh(self, batches: Iterable[BatchSignature]) -> tuple[BatchSignature, ...]:
        """Those that must go with this frame; from now on they are known."""
        found = tuple(one for one in batches if _ref(one) not in self._known)
        for one in found:
            self._known[_ref(one)] = None
            if len(self._known) > SENT:
                self._known.popitem(last=False)
        return found


class Kept:
    """What the receiving end has of them."""

    def __init__(self) -> None:
        self._batches: OrderedDict[RootRef, BatchSignature] = OrderedDict()

    def take(self, batches: Iterable[BatchSignature]) -> dict[RootRef, BatchSignature]:
        """Add those of a frame that hold; gives all that its items may refer to."""
        for one in batches:
            self._batches.pop(_ref(one), None)
            self._batches[_ref(one)] = one
        found = dict(self._batches)
        while len(self._batches) > KEPT:
            self._batches.popitem(last=False)
        return found


def _ref(batch: BatchSignature) -> RootRef:
    return batch.key, batch.size, batch.root
