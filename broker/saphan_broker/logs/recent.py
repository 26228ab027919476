"""Batch signatures that were just logged, so that feeds need not read them back from the store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from saphan_schemas.records import BatchSignature

from saphan_broker.store.base import SignatureKey

KEPT: Final = 512
"""About 2 MB; what is older is read from the store."""


class RecentSignatures:
    """The newest logged signatures; owned by the event loop."""

    def __init__(self) -> None:
        self._kept: OrderedDict[SignatureKey, BatchSignature] = OrderedDict()

    def add(self, logged: Iterable[BatchSignature]) -> None:
        """Remember signatures whose commit is durable."""
        for batch in logged:
            self._kept[batch.key, batch.size, batch.root] = batch
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def find(self, keys: Iterable[SignatureKey]) -> dict[SignatureKey, BatchSignature]:
        """Those that are remembered."""
        return {key: self._kept[key] for key in keys if key in self._kept}
