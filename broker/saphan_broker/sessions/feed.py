"""The feed of one session: everything in its agency's corridors, in log order.

The pump keeps cursors only: what was sent, what was told, what is unacknowledged. Rows come from
the store, or from what all pumps share of the newest commits. A receiver that stalls stops its own
pump at the window's edge and costs at most `LIMITS.feed_window_bytes` of it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from saphan_protocol.batch import item_root
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_schemas.codec import decode, encode
from saphan_schemas.frames import AnchorProof, DirectoryLeaves, Feed, FeedEntry, Witnessed
from saphan_schemas.limits import KIB, LIMITS
from saphan_schemas.records import BROKER, BatchSignature, Blob, Header, HeadRef, Urgency

from saphan_broker.at_rest import open_header, open_record, open_stanza_row
from saphan_broker.listeners import Listener
from saphan_broker.logs.log_book import Published
from saphan_broker.sessions.deferring import choose, there, wanted_bytes
from saphan_broker.sessions.feed_window import Window
from saphan_broker.sessions.late_texts import Texts
from saphan_broker.sessions.telling import News, Telling
from saphan_broker.state import State
from saphan_broker.store.base import AnchorRow, BulletinRow, FeedRow, SignatureKey

Send = Callable[[bytes], Awaitable[None]]

FRAME_ITEMS = 128
"""Entries of one frame: a few milliseconds of work, so that sessions take turns."""
BREATH = 16
"""Entries made before other tasks of the event loop get their turn, about 1 ms."""
ENTRY_BYTES = KIB
"""What an entry costs beside header and ciphertext: path, statement, item, stanza."""
KNOWN_SIGNATURES = 4096
"""Batch signatures that a session is known to have; a forgotten one is sent again."""
OWN_SECONDS = 0.05
"""An agency's own statements wait so long for company: it knows them, its requests are answered,
and every frame costs its node a head to verify and a sync of its disk."""
LEAVES_BYTES = 32 * KIB
"""Leaves and agreements of one frame: 4 s at 64 kbit/s. What a cut line has brought it keeps."""
LEAVES_AT_ONCE = 1024


class FeedPump:
    """Sends one session its directory leaves and its entries, each under a signed head.

    Args:
        after: evidence index up to which the node has everything; None: nothing.
        directory: size of the directory head it knows (0: none).
        leaves: directory leaves it holds, verified or not.
        evidence: size of the evidence head it knows (0: none).
        check: raises when the session's key may not be fed any more.
    """

    def __init__(
        self,
        state: State,
        listener: Listener,
        send: Send,
        after: int | None,
        *,
        directory: int,
        leaves: int,
        evidence: int,
        check: Callable[[], object],
    ) -> None:
        self._check = check
        self._state = state
        self._listener = listener
        self._agency = listener.agency
        self._send = send
        self._after = after
        self._directory = leaves
        self._directory_known = directory
        self._directory_note = b""
        new_here = bool(state.chain) and after is None
        self._texts = Texts(state, self._agency, 0 if new_here else leaves)
        self._evidence = evidence
        self._telling = Telling(
            listener.agency, evidence, 0 if after is None else after + 1, state.clock()
        )
        self._anchor = -1
        self._own_since: float | None = None
        self.sparing = False
        """The node fetches the ciphertexts of routine bulletins when it can afford them."""
        self._window = Window(lambda: asyncio.get_running_loop().time() * 1000)
        self._known: OrderedDict[SignatureKey, None] = OrderedDict()

    @property
    def behind(self) -> int:
        """Leaves under the newest signed head that this session has not been fed yet."""
        head = self._state.evidence.published
        fed = 0 if self._after is None else self._after + 1
        return 0 if head is None else max(0, head.size - fed)

    def acknowledge(self, after: int) -> None:
        """The node has stored everything up to `after`."""
        self._window.acknowledge(after)
        self._listener.wake()

    async def run(self) -> None:
        """Feed until cancelled; an error of the store ends the session."""
        changed = self._listener.changed
        while True:
            changed.clear()
            self._check()
            head = self._state.evidence.published
            # The directory first: it is at least as new as any anchor under `head`.
            await self._send_directory()
            sent = head is not None and await self._send_entries(head)
            news = None if head is None else self._news(head)
            if news is not None and news[0] <= 0:
                await self._tell(news[1])
                continue
            if sent:
                continue
            wait = None if news is None else news[0] / 1000
            try:
                async with asyncio.timeout(self._sooner(wait)):
                    await changed.wait()
            except TimeoutError:
                continue

    def _sooner(self, wait: float | None) -> float | None:
        """Seconds until something must be done even if nothing changes."""
        if self._own_since is None:
            return wait
        own = self._own_since + OWN_SECONDS - asyncio.get_running_loop().time()
        return own if wait is None else min(own, wait)

    # --- directory --------------------------------------------------------------------------------

    async def _send_directory(self) -> None:
        book = self._state.registry
        while (head := book.published) is not None and self._directory < head.size:
            # All frames under one head: the node believes nothing before the last leaf is there.
            while self._directory < head.size:
                await self._send_leaves(head)
            self._directory_known = head.size
        if head is not None:
            for some in self._texts.fresh(self._directory):
                await self._send(encode(DirectoryLeaves(head.note, head.size, (), (), some)))
        if head is not None and self._listener.take_directory():
            self._directory_note = head.note
            await self._send(encode(DirectoryLeaves(head.note, head.size, (), (), ())))

    async def _send_leaves(self, head: Published) -> None:
        """One frame of directory leaves, with the agreements and orders, on them and to hold, that
        are this agency's."""
        known, start = self._directory_known, self._directory
        stop = min(head.size, start + LEAVES_AT_ONCE)
        found = await self._state.store.leaves("directory", start, stop)
        own = self._state.directory.packages(self._agency, start, stop)
        leaves = _fitting(found, start, own)
        end = start + len(leaves)
        note = b"" if head.note == self._directory_note else head.note
        frame = DirectoryLeaves(
            note,
            start,
            await self._state.registry.source.prove(lambda: head.consistency(known)),
            tuple(leaves),
            tuple(package for index, package in own.items() if index < end),
        )
        await self._send(encode(frame))
        self._directory, self._directory_note = end, head.note
        self._texts.told(index for index in own if index < end)

    # --- entries ----------------------------------------------------------------------------------

    async def _send_entries(self, head: Published) -> bool:
        """One frame of entries; False if there are none, or the window is closed."""
        if not self._listener.entries or self._window.items <= 0 or self._window.bytes <= 0:
            return False
        self._listener.entries = False  # before the look: what comes after it sets the flag again
        rows = await self._rows(head)
        if not rows:
            # A newer head came out while this one was looked at: its flag was taken back above,
            # and an unset flag would let `_send_head` pass over its entries.
            self._listener.entries |= self._state.evidence.published is not head
            self._own_since = None
            return False
        self._listener.entries = True
        if self._may_wait(rows):
            return False
        rows, anchor = await self._one_anchor(rows)
        chosen = self._choose(rows)
        entries, wanted = await self._entries(chosen, head)
        last = chosen[-1][0].entry.index
        await self._send_feed(head, entries, await self._signatures(wanted), anchor, last)
        return True

    def _choose(self, rows: list[FeedRow]) -> list[tuple[FeedRow, bool]]:
        """The rows of a frame, and whether their ciphertexts go with them."""
        window = self._window
        if not window.careful:
            return [(row, not self._put_off(row)) for row in rows]
        idle = not window.pace.on_way
        chosen = choose(rows, window.bytes, self._urgency, most=window.longest, idle=idle)
        return [(row, here and not self._put_off(row)) for row, here in chosen]

    def _put_off(self, row: FeedRow) -> bool:
        """Whether a ciphertext waits until it is fetched, whatever the line carries.

        It is lost, which ends no feed; or the node's day has cost enough.
        """
        body = row.bulletin
        if body is None:
            return False
        return not there(body) or (self.sparing and self._urgency(body) == "routine")

    def _urgency(self, body: BulletinRow) -> Urgency:
        header = open_header(self._state.keys, body)
        return decode(Header, header, LIMITS.header_bytes, "header").urgency

    async def _rows(self, head: Published) -> list[FeedRow]:
        """What comes next and has room: from memory if this session keeps up."""
        items = min(FRAME_ITEMS, self._window.items)
        size = wanted_bytes(self._window.bytes, self._window.careful)
        asked = (self._agency, self._after, head.size, items, size)
        rows = self._state.recent_rows.feed(*asked)
        return await self._state.store.feed(*asked) if rows is None else rows

    def _may_wait(self, rows: Sequence[FeedRow]) -> bool:
        """Whether these are only the agency's own statements, and not for OWN_SECONDS already."""
        own = all(row.entry.issuer == self._agency and row.stanza is None for row in rows)
        now = asyncio.get_running_loop().time()
        since = now if self._own_since is None else self._own_since
        waits = own and len(rows) < FRAME_ITEMS and now < since + OWN_SECONDS
        self._own_since = since if waits else None
        return waits

    async def _one_anchor(self, rows: list[FeedRow]) -> tuple[list[FeedRow], AnchorRow | None]:
        """The rows up to the next anchor, and the anchor by which all of them are judged."""
        first, last = rows[0].entry.index, rows[-1].entry.index
        store, newest = self._state.store, self._state.anchor
        if newest is not None and newest.index < first:
            return rows, newest
        between, anchor = await asyncio.gather(store.anchors(first, last + 1), store.anchor(first))
        if between:
            rows = [row for row in rows if row.entry.index < between[0].index]
        return rows, anchor

    async def _entries(
        self, rows: Sequence[tuple[FeedRow, bool]], head: Published
    ) -> tuple[tuple[FeedEntry, ...], dict[SignatureKey, int]]:
        prove = self._state.evidence.source.prove
        wanted: dict[SignatureKey, int] = {}
        entries = []
        for place, (row, here) in enumerate(rows):
            if place % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            index = row.entry.index
            path = await prove(lambda: head.inclusion(index))  # noqa: B023
            entries.append(self._entry(row, here, path, wanted))
        return tuple(entries), wanted

    def _entry(
        self, row: FeedRow, here: bool, path: tuple[bytes, ...], wanted: dict[SignatureKey, int]
    ) -> FeedEntry:
        """`here`: the ciphertext goes with it."""
        keys, entry = self._state.keys, row.entry
        record = open_record(keys, entry)
        item = None if entry.issuer in (self._agency, BROKER) else record.item
        if item is not None:
            root = item_root(item, _kind(entry.event), record.statement)
            wanted[item.key, item.size, root] = entry.index
        receives = entry.recipient == self._agency
        body = row.bulletin if receives else None
        stanza = row.stanza if receives else None
        return FeedEntry(
            entry.index,
            record.entry,
            record.salt,
            path,
            record.statement,
            item,
            None if body is None else open_header(keys, body),
            None if body is None else _ciphertext(body, here),
            None if stanza is None else open_stanza_row(keys, stanza),
            () if body is None else body.attachments,
        )

    async def _signatures(self, wanted: dict[SignatureKey, int]) -> tuple[BatchSignature, ...]:
        """Signatures this session has not been sent; the set of sent ones is bounded."""
        fresh = {key: at for key, at in wanted.items() if key not in self._known}
        found = self._state.recent.find(fresh)
        if missing := {key: at for key, at in fresh.items() if key not in found}:
            found |= await self._state.store.signatures(missing)
        for key in wanted:
            self._known[key] = None
            self._known.move_to_end(key)
        while len(self._known) > KNOWN_SIGNATURES:
            self._known.popitem(last=False)
        return tuple(found.values())

    # --- heads ------------------------------------------------------------------------------------

    def _news(self, head: Published) -> tuple[int, News] | None:
        """What it should be told without entries, and in how many ms."""
        # Entries that wait a little, or for room, bring their head themselves.
        busy = self._own_since is not None or self._listener.entries
        if not busy and (asked := self._listener.take_asked()) is not None:
            self._telling.ask(asked)
        agreed = self._state.directory.agreements_of(self._agency)
        policies = [one.text.witnesses for one in agreed]
        wanted = max((policy.quorum for policy in policies), default=1)
        own = bool(policies) and all(policy.own_counts for policy in policies)
        cosigned, now = self._state.evidence.cosigned, self._state.clock()
        return self._telling.next(head, cosigned, max(1, wanted), now, own=own, busy=busy)

    async def _tell(self, news: News) -> None:
        """A head that brings nothing else, and who else has cosigned it."""
        if news.head is not None:
            await self._send_head(news.head)
        if news.lines:
            book = self._state.evidence
            root = book.cosigned[news.size].head.root
            lines = b"".join(news.lines.values())
            self._telling.showed(news, self._state.clock())
            await self._send(encode(Witnessed(HeadRef(book.origin, news.size, root), lines)))

    async def _send_head(self, head: Published) -> None:
        """There is no entry up to the newest one: it moves an idle agency's cursor."""
        newest, after = None, self._after if self._after is not None else 0
        if head is self._state.evidence.published and not self._listener.entries:
            newest = await self._state.store.anchor(head.size)
            after = max(after, head.size - 1)
        await self._send_feed(head, (), (), newest, after)

    async def _send_feed(
        self,
        head: Published,
        entries: tuple[FeedEntry, ...],
        signatures: tuple[BatchSignature, ...],
        anchor: AnchorRow | None,
        after: int,
    ) -> None:
        source, start = self._state.evidence.source, self._evidence
        proof = None
        if anchor is not None and anchor.index > self._anchor:
            path = await source.prove(lambda: head.inclusion(anchor.index))
            proof = AnchorProof(anchor.index, anchor.size, anchor.root, path)
            self._anchor = anchor.index
        consistency = await source.prove(lambda: head.consistency(start))
        note = b"" if head.note == self._telling.note else head.note
        frame = encode(Feed(note, start, consistency, proof, signatures, entries, after))
        self._evidence, self._after = head.size, after
        covered = entries[-1].index + 1 if entries else None
        self._telling.told(head, self._state.clock(), covered)
        if entries:
            self._window.add(after, len(entries), len(frame))
        await self._send(frame)
        signed = self._state.evidence.cosigned.get(head.size)
        # Perhaps at another process; a witness signs the same head once.
        if signed is None or self._agency not in signed.lines:
            self._state.lag.told(self._agency, head.size)


def _ciphertext(body: BulletinRow, here: bool) -> bytes | Blob:
    return body.ciphertext if here else Blob(body.ciphertext_length, body.ciphertext_digest)


def _kind(event: str) -> str:
    """PAE type of an entry's statement from the event it is stored under."""
    return CONSIGNMENT_TYPE if event in ("submitted", "consigned") else f"saphan/{event}/1"


def _fitting(leaves: list[bytes], start: int, packages: Mapping[int, bytes]) -> list[bytes]:
    """The first leaves that fit into one frame with their agreements, at least one."""
    size = 0
    for place, leaf in enumerate(leaves):
        size += len(leaf) + len(packages.get(start + place, b""))
        if place and size > LEAVES_BYTES:
            return leaves[:place]
    return leaves
