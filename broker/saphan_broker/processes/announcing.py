"""What the holder tells the others as soon as a head is signed; one message for each turn."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final

from saphan_schemas.limits import LIMITS

from saphan_broker.logs.log_book import Published
from saphan_broker.processes.channel import Channel
from saphan_broker.processes.peers import Peers
from saphan_broker.processes.wire import NewestHead, News
from saphan_broker.state import State

HASHES: Final = 2 * LIMITS.commit_items
"""Of new leaves in one message, 32 KiB; who hears of more reads the store."""


class Announcing:
    """The `listeners.Elsewhere` of the process that sequences; owned by the event loop."""

    def __init__(self, state: State, channel: Channel, peers: Peers) -> None:
        self._state = state
        self._channel = channel
        self._peers = peers
        self._told = 0
        self._due = False
        self._agencies: set[str] | None = set()
        self._asked: int | None = None
        self._witnesses: set[str] | None = set()

    def begin(self) -> None:
        """This process sequences from now on: everybody looks at everything once."""
        self._told = 0
        self.published(None)

    def published(self, agencies: Collection[str] | None) -> None:
        """A head is out; None: its entries may be anyone's."""
        if agencies is None or self._agencies is None:
            self._agencies = None
        else:
            self._agencies.update(agencies)
        self._soon()

    def ask(self, agencies: Collection[str] | None, since: int) -> bool:
        """Have witnesses shown a head of since then; False if none of them is known elsewhere."""
        self._asked = since if self._asked is None else min(self._asked, since)
        if agencies is None or self._witnesses is None:
            self._witnesses = None
        else:
            self._witnesses.update(agencies)
        self._soon()
        return self._peers.total() > 0 if agencies is None else self._peers.serve(agencies)

    def total(self) -> int:
        """Open sessions elsewhere."""
        return self._peers.total()

    def _soon(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        """Who comes later reads the store, and once a second anyway."""
        published, directory = self._state.evidence.published, self._state.registry.published
        size = 0 if published is None else published.size
        agencies, witnesses = self._agencies, self._witnesses
        start, self._told, self._due = self._told, size, False
        self._agencies, asked, self._asked, self._witnesses = set(), self._asked, None, set()
        if not self._peers.known:
            return
        news = News(
            start=min(start, size),
            stop=size,
            agencies=None if agencies is None else tuple(sorted(agencies)),
            asked=asked,
            witnesses=None if witnesses is None else tuple(sorted(witnesses)),
            directory=0 if directory is None else directory.size,
            anchored=self._state.anchored,
            head=None if published is None else _newest(published, start),
        )
        self._channel.tell(news)


def _newest(head: Published, start: int) -> NewestHead | None:
    """The head with the hashes of its new leaves; None where that is too much for a message."""
    if head.size - start > HASHES:
        return None
    hashes = head.tree.newest_hashes(start, head.size)
    return None if hashes is None else NewestHead(head.root, head.time, head.note, hashes)
