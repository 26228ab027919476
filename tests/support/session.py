"""A small node for tests: a real WebSocket, real proofs checked, nothing kept on disk."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import aiohttp
import msgspec
from saphan_protocol.batch import sign_one
from saphan_protocol.checkpoint import Head, cosign_lines, verify_head
from saphan_protocol.evidence import commitment, entry_leaf, leaf_of, statement_leaf
from saphan_protocol.identity import sha256
from saphan_protocol.merkle import leaf_hash, verify_consistency, verify_inclusion
from saphan_protocol.notes import parse_vkey
from saphan_protocol.pins import Pins
from saphan_schemas.codec import decode, encode
from saphan_schemas.frames import (
    Ack,
    Answer,
    Challenge,
    Closing,
    Cosign,
    DirectoryLeaves,
    Feed,
    FeedEntry,
    FetchPart,
    FetchStanzas,
    FromBroker,
    Held,
    Login,
    Offer,
    Part,
    PartFetched,
    Ping,
    Register,
    Result,
    Stanzas,
    State,
    StatementItem,
    Submission,
    Submit,
    Welcome,
    Witnessed,
    session_context,
)
from saphan_schemas.limits import LIMITS
from saphan_schemas.proof_frames import AskProofs, Proofs
from saphan_schemas.records import BatchSignature, Blob, Blobs, Entry, HeadRef
from saphan_schemas.schema_frames import AskSchema, SchemaBundle

from support.agency import Agency

_decoder = msgspec.msgpack.Decoder(FromBroker)
_requests = itertools.count(1)


class Line:
    """One session. Every head, consistency and inclusion that arrives is verified.

    Args:
        ack: whether feed frames are acknowledged as they come.
    """

    def __init__(self, agency: Agency, pins: Pins, clock: Callable[[], int], ack: bool) -> None:
        self.agency = agency
        self.pins = pins
        self.clock = clock
        self.ack = ack
        self.entries: dict[int, tuple[Entry, FeedEntry]] = {}
        self.signatures: dict[tuple[bytes, int, bytes], BatchSignature] = {}
        self.leaves: list[bytes] = []
        self.packages: list[bytes] = []
        self.anchors: list[tuple[int, int]] = []
        self.heads: dict[str, Head] = {}
        self.notes: dict[tuple[str, ...], bytes] = {}
        self.witnessed: list[Witnessed] = []
        self.after: int | None = None
        self.token = ""
        self.closing: Closing | None = None
        self.held: dict[int, tuple[int, ...]] = {}
        """By offer: what the broker has said last that it holds."""
        self.refused: dict[int, Result] = {}
        """By offer: why the broker takes no more of it."""
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._changed = asyncio.Condition()
        self._http: aiohttp.ClientSession | None = None
        self._ws: aiohttp.ClientWebSocketResponse | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def ws(self) -> aiohttp.ClientWebSocketResponse:
        assert self._ws is not None
        return self._ws

    # --- life -------------------------------------------------------------------------------------

    async def connect(self, url: str, **login: Any) -> None:
        """Open, log in (with fields replaced as told) and start to read."""
        self._http = aiohttp.ClientSession()
        self._ws = await self._http.ws_connect(f"{url}/v1/session", compress=0)
        self.closing = None
        asked = await self._next()
        assert isinstance(asked, Challenge), asked
        made = self.login(asked)
        if login:
            made = msgspec.structs.replace(made, **login)
        await self.ws.send_bytes(encode(made))
        welcome = await self._next()
        if isinstance(welcome, Closing):
            self.closing = welcome
            return
        assert isinstance(welcome, Welcome), welcome
        self.token = welcome.token
        self._reading = asyncio.create_task(self._read())

    def login(self, asked: Challenge) -> Login:
        """A signed login with everything this line knows."""
        refs = {origin: head.ref for origin, head in self.heads.items()}
        nonce = self.agency.random()
        context = session_context(
            asked.evidence, asked.nonce, nonce, None, refs.get(asked.evidence)
        )
        return Login(
            agency=self.agency.name,
            key=self.agency.node.key_id,
            nonce=nonce,
            heads=tuple(refs.values()),
            after=self.after,
            clock=self.clock(),
            tls=None,
            signature=sign_one(
                self.agency.node, "saphan/session/1", encode(context), self.agency.random()
            ),
            leaves=len(self.leaves),
        )

    async def close(self) -> None:
        """Drop the line."""
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading
        if self._ws is not None:
            await self._ws.close()
        if self._http is not None:
            await self._http.close()

    # --- requests ---------------------------------------------------------------------------------

    async def submit(
        self, items: Sequence[Submission], *signatures: BatchSignature
    ) -> tuple[Result, ...]:
        """Submit and wait for the answer."""
        return await (await self.send_submit(items, *signatures))

    async def send_submit(
        self, items: Sequence[Submission], *signatures: BatchSignature
    ) -> Awaitable[tuple[Result, ...]]:
        """Submit; the answer is awaited later."""
        number, answer = self._ask()
        await self.ws.send_bytes(encode(Submit(number, tuple(items), signatures)))
        return answer

    async def state(
        self, items: Sequence[StatementItem], *signatures: BatchSignature
    ) -> tuple[Result, ...]:
        """Send statements and wait for the answer."""
        number, answer = self._ask()
        await self.ws.send_bytes(encode(State(number, tuple(items), signatures)))
        results: tuple[Result, ...] = await answer
        return results

    async def register(
        self,
        operation: bytes | None = None,
        agreement: bytes | None = None,
        order: bytes | None = None,
        schema: bytes | None = None,
        hold: bytes | None = None,
    ) -> Result:
        """Register an operation, an agreement, an order, an own schema or a hold order."""
        number, answer = self._ask()
        frame = Register(number, operation, agreement, order, schema, hold)
        await self.ws.send_bytes(encode(frame))
        results: tuple[Result, ...] = await answer
        return results[0]

    async def schema(self, name: str, offset: int = 0, length: int = 1 << 17) -> SchemaBundle:
        """Bytes of a registered bundle."""
        number, answer = self._ask()
        await self.ws.send_bytes(encode(AskSchema(number, name, offset, length)))
        found: SchemaBundle = await answer
        return found

    async def stanzas(self, *bulletins: bytes) -> tuple[bytes | None, ...]:
        """Fetch stanzas."""
        number, answer = self._ask()
        await self.ws.send_bytes(encode(FetchStanzas(number, bulletins)))
        found: tuple[bytes | None, ...] = await answer
        return found

    async def prove(
        self,
        head: HeadRef,
        indices: Sequence[int] = (),
        sizes: Sequence[int] = (),
        fresh: int = 0,
    ) -> Proofs:
        """Ask for paths under a head, and for its note not older than `fresh` (ms)."""
        number, answer = self._ask()
        frame = AskProofs(number, head, tuple(indices), tuple(sizes), fresh)
        await self.ws.send_bytes(encode(frame))
        found: Proofs = await answer
        return found

    # --- parts ------------------------------------------------------------------------------------

    async def offer(self, blobs: Blobs) -> int:
        """Offer attachments and wait for what the broker says; `held` and `refused` keep it."""
        number = next(_requests)
        await self.ws.send_bytes(encode(Offer(number, blobs)))
        await self.until(lambda: number in self.held or number in self.refused)
        return number

    async def part(self, offer: int, place: int, offset: int, data: bytes) -> None:
        """Send one part; what is held then comes into `held`."""
        await self.ws.send_bytes(encode(Part(offer, place, offset, data)))

    async def bring(self, sealed: Sequence[bytes], part: int = LIMITS.part_bytes) -> int:
        """Offer sealed attachments and send what the broker lacks; gives the bytes sent."""
        blobs = tuple(Blob(len(data), sha256(data)) for data in sealed)
        number = await self.offer(blobs)
        assert number not in self.refused, self.refused[number]
        sent = 0
        for place, (data, held) in enumerate(zip(sealed, self.held[number], strict=True)):
            for offset in range(held, len(data), part):
                await self.part(number, place, offset, data[offset : offset + part])
                sent += len(data[offset : offset + part])
        lengths = tuple(len(data) for data in sealed)
        await self.until(lambda: self.held[number] == lengths or number in self.refused)
        return sent

    async def fetch_part(
        self, bulletin: bytes, place: int, offset: int = 0, length: int = LIMITS.part_bytes
    ) -> PartFetched:
        """Fetch bytes of a bulletin."""
        number, answer = self._ask()
        await self.ws.send_bytes(encode(FetchPart(number, bulletin, place, offset, length)))
        found: PartFetched = await answer
        return found

    async def fetch_whole(self, bulletin: bytes, place: int) -> bytes:
        """Fetch a part of a bulletin to its end."""
        whole = bytearray()
        while data := (await self.fetch_part(bulletin, place, len(whole))).data:
            whole += data
        return bytes(whole)

    async def cosign(self, head: Head, time: int | None = None) -> None:
        """Send this agency's witness lines over a head."""
        witness = self.agency.witness
        at = self.clock() // 1000 if time is None else time
        lines = cosign_lines(witness.ed25519, witness.mldsa44, self.agency.name, head.text, at)
        await self.ws.send_bytes(encode(Cosign(head.ref, lines)))

    def _ask(self) -> tuple[int, asyncio.Future[Any]]:
        number = next(_requests)
        future = self._answers[number] = asyncio.get_running_loop().create_future()
        return number, future

    # --- waiting ----------------------------------------------------------------------------------

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until something that arrives makes it true."""
        async with self._changed:
            await self._changed.wait_for(true)

    async def entry(self, index: int) -> tuple[Entry, FeedEntry]:
        """The feed's entry at a log index."""
        await self.until(lambda: index in self.entries)
        return self.entries[index]

    async def closed(self) -> Closing:
        """Wait for the broker's Closing."""
        await self.until(lambda: self.closing is not None)
        assert self.closing is not None
        return self.closing

    async def ended(self) -> None:
        """Wait until nothing more can arrive."""
        assert self._reading is not None
        await self._reading

    # --- reading ----------------------------------------------------------------------------------

    async def _next(self) -> Any:
        message = await self.ws.receive()
        if message.type is not aiohttp.WSMsgType.BINARY:
            return None
        return _decoder.decode(message.data)

    async def _read(self) -> None:
        while (frame := await self._next()) is not None:
            await self._take(frame)
            async with self._changed:
                self._changed.notify_all()
        for future in self._answers.values():
            if not future.done():
                future.cancel()
        async with self._changed:
            self._changed.notify_all()

    async def _take(self, frame: Any) -> None:
        if isinstance(frame, Answer) and frame.request not in self._answers:
            (self.refused[frame.request],) = frame.results
        elif isinstance(frame, Answer):
            self._answers.pop(frame.request).set_result(frame.results)
        elif isinstance(frame, Held):
            self.held[frame.request] = frame.held
        elif isinstance(frame, PartFetched | Proofs | SchemaBundle):
            self._answers.pop(frame.request).set_result(frame)
        elif isinstance(frame, Stanzas):
            self._answers.pop(frame.request).set_result(frame.stanzas)
        elif isinstance(frame, DirectoryLeaves):
            self._head(self.pins.directory.vkeys, frame)
            assert frame.start == len(self.leaves)
            self.leaves += frame.leaves
            self.packages += frame.agreements
        elif isinstance(frame, Feed):
            self._feed(frame)
            if self.ack:
                await self.ws.send_bytes(encode(Ack(frame.next)))
        elif isinstance(frame, Witnessed):
            self.witnessed.append(frame)
        elif isinstance(frame, Closing):
            self.closing = frame
        else:
            assert isinstance(frame, Ping), frame

    def _head(self, vkeys: tuple[str, ...], frame: Feed | DirectoryLeaves) -> Head:
        first, second = (parse_vkey(vkey) for vkey in vkeys)
        note = frame.note or self.notes[vkeys]
        self.notes[vkeys] = note
        head = verify_head(note, (first, second))
        known = self.heads.get(head.origin)
        if known is not None and known.note != head.note:
            assert frame.start == known.size
            verify_consistency(known.size, head.size, known.root, head.root, frame.consistency)
        self.heads[head.origin] = head
        return head

    def _feed(self, frame: Feed) -> None:
        head = self._head(self.pins.evidence.vkeys, frame)
        if frame.anchor is not None:
            self.anchors.append((frame.anchor.index, frame.anchor.size))
        for batch in frame.signatures:
            self.signatures[batch.key, batch.size, batch.root] = batch
        for given in frame.entries:
            entry = decode(Entry, given.entry, 1024, "entry")
            self._check_inclusion(head, entry, given)
            self.entries[given.index] = (entry, given)
        assert frame.next < head.size
        self.after = frame.next

    @staticmethod
    def _check_inclusion(head: Head, entry: Entry, given: FeedEntry) -> None:
        """A first consignment's leaf shows the due-day: either form must be in the tree."""
        assert len(commitment(given.salt, given.entry)) == 32
        leaves = []
        if given.header is not None or entry.type == "saphan/consignment/1":
            leaves.append(entry_leaf(leaf_of(entry, False), given.entry, given.salt))
        if given.header is not None:
            from saphan_protocol.admission import due_day
            from saphan_schemas.records import Header

            header = decode(Header, given.header, 8192, "header")
            leaves.append(
                entry_leaf(leaf_of(entry, True), given.entry, given.salt, due_day(header))
            )
        if entry.type != "saphan/consignment/1":
            leaves.append(statement_leaf(entry, given.entry, given.statement, given.salt))
        if given.header is None and entry.type == "saphan/consignment/1":
            return  # the sender knows its own header; this small node does not keep it
        for leaf in leaves:
            with suppress(Exception):
                verify_inclusion(given.index, head.size, leaf_hash(leaf), given.path, head.root)
                return
        raise AssertionError(f"entry {given.index} is not in the tree")


def seen(line: Line) -> HeadRef | None:
    """The newest evidence head a line has verified."""
    head = line.heads.get(line.pins.evidence.origin)
    return None if head is None else head.ref
