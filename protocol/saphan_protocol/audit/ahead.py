"""Signatures checked beside the audit: who gives it hands checks them while entries are judged.

Packs are read some items ahead, and each signature that comes is begun. Nothing of the verdict
depends on it: a signature that was not begun, or does not hold beside, is checked in its turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol

from saphan_schemas.errors import SaphanError
from saphan_schemas.packs import PackEntry, PackItem, PackSignature
from saphan_schemas.records import BatchSignature, Role

from saphan_protocol.batch import VerifiedRoots, signed_bytes
from saphan_protocol.directory import Directory
from saphan_protocol.keys import VerifyingKey

AHEAD_ITEMS: Final = 2_048
"""Items of one pack that are read ahead, about 1.5 KB each, 30 KB at the most."""


Begin = Callable[[BatchSignature], None]


class Beside(Protocol):
    """Other processes or threads."""

    def begin(self, batch: BatchSignature, key: VerifyingKey, message: bytes) -> None:
        """Begin to check `batch.signature` by `key` over `message`."""

    def holds(self, batch: BatchSignature) -> bool:
        """Whether exactly this signature was begun and holds; waits for one that was begun."""


class RootsBeside(VerifiedRoots):
    """The signatures that hold: checked here before, or beside."""

    __slots__ = ("_beside",)

    def __init__(self, beside: Beside) -> None:
        super().__init__()
        self._beside = beside

    def holds(self, batch: BatchSignature) -> bool:
        """As `VerifiedRoots.holds`."""
        if super().holds(batch):
            return True
        if not self._beside.holds(batch):
            return False
        self.add(batch)
        return True


def begin_by(beside: Beside, directory: Directory) -> Begin:
    """What begins a signature that comes by, if its key is enrolled at all."""

    def begin(batch: BatchSignature) -> None:
        info = directory.find(batch.key)
        if info is not None and info.role is Role.NODE:  # nobody else signs what is in a pack
            key = directory.verifying(batch.key)
            beside.begin(batch, key, signed_bytes(key.role, batch.size, batch.root))

    return begin


def read_ahead(items: Iterable[PackItem], begin: Begin) -> Iterator[PackItem]:
    """The same items; what reading them raises comes where it would have come."""
    source, failed, ended = iter(items), None, False
    held: deque[PackItem] = deque()
    width = 1
    while True:
        width = min(width + 1, AHEAD_ITEMS)  # little of a pack whose turn has not come
        # Agreements, of up to 8 MiB, are not read ahead: no check of theirs is begun.
        while not ended and len(held) < width and (not held or _read_on(held[-1])):
            try:
                item = next(source)
            except StopIteration:
                ended = True
                break
            except SaphanError as error:
                ended, failed = True, error
                break
            if isinstance(item, PackSignature):
                begin(item.batch)
            held.append(item)
        if held:
            yield held.popleft()
        elif failed is not None:
            raise failed
        else:
            return


def _read_on(item: PackItem) -> bool:
    return isinstance(item, PackSignature | PackEntry)
