"""A broker's two logs in memory, kept honestly or not, and the record packs about them.

A test says what happens; `Logbook` numbers, dates and logs it as a broker does. Every part of an
entry can be given otherwise, which is how a broker that cheats is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from saphan_protocol.admission import due_day
from saphan_protocol.agreement import AGREEMENT_TYPE
from saphan_protocol.audit.report import Report
from saphan_protocol.audit.verdict import audit
from saphan_protocol.checkpoint import cosign_lines, format_checkpoint, log_lines
from saphan_protocol.directory import (
    agreement_leaf,
    operation_leaf,
    order_leaf,
    schema_leaf,
    types_leaf,
)
from saphan_protocol.evidence import CONSIGNMENT_TYPE, anchor_leaf, entry_leaf
from saphan_protocol.identity import identity
from saphan_protocol.merkle import EMPTY_ROOT, leaf_hash, root_of
from saphan_protocol.notes import add_lines, format_vkey
from saphan_protocol.operation import parse_agreement_package
from saphan_protocol.pack import pack_stream
from saphan_protocol.pins import Pins
from saphan_protocol.registrations import parse_schema_package
from saphan_protocol.tile_tree import Tiles, TileTree
from saphan_schemas.bodies import known_types
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import LogPin, SignedOrder, Types
from saphan_schemas.frames import ORDER_BYTES, StatementItem, Submission
from saphan_schemas.packs import PACK_FORMAT, PackEntry, PackHead, PackItem
from saphan_schemas.records import (
    BROKER,
    BatchSignature,
    Blob,
    Entry,
    Event,
    LeafType,
    SealedDetail,
    statement_of,
    statement_type,
)

from support.agency import Agency, Bytes, Made, agreement
from support.ceremony import NOW
from support.log_keys import log_pair, signer

ORIGINS = ("bridge.test/directory/1", "bridge.test/evidence/1")


def _pin(origin: str) -> LogPin:
    first, second = log_pair(origin)
    return LogPin(origin, (format_vkey(first), format_vkey(second)))


PINS = Pins(name="bridge.test", directory=_pin(ORIGINS[0]), evidence=_pin(ORIGINS[1]))
TYPES = {known.name: known.digest for known in known_types()}


class Log:
    """One log: leaves, tiles, signed head. A `LogSource` of the audit."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.keys = signer(f"{origin.rpartition('/')[0]}/1")
        self.kept: list[bytes] = []
        self.signed: bytes | None = None
        self.lines: list[bytes] = []
        self.with_tiles = True

    def root(self, size: int | None = None) -> bytes:
        return root_of([leaf_hash(leaf) for leaf in self.kept[:size]])

    def sign(self, time: int) -> None:
        """Sign the head of everything that is there, at `time` in ms."""
        text = format_checkpoint(self.origin, len(self.kept), self.root())
        self.signed = self.head(text, time // 1000)
        self._tiles = self.tiles()

    def head(self, text: bytes, seconds: int) -> bytes:
        """A head's text, signed by the log's keys: a successor has those of the first one."""
        return log_lines(*self.keys, self.origin, text, seconds)

    def tiles(self) -> Tiles:
        tree = TileTree(0, {}, lambda level, n: b"")
        return tree.append([leaf_hash(leaf) for leaf in self.kept])

    def note(self) -> bytes:
        assert self.signed is not None
        return add_lines(self.signed, b"".join(self.lines)) if self.lines else self.signed

    def leaves(self, size: int) -> Iterator[bytes]:
        yield from self.kept

    def tree(self, size: int) -> TileTree | None:
        if not self.with_tiles:
            return None
        return TileTree(size, self._tiles, lambda level, n: self._tiles[level, n])


class Logbook:
    """A broker with agencies that have one agreement; `time` moves with every commit."""

    def __init__(self, agencies: Sequence[Agency], now: int = NOW, **terms: Any) -> None:
        self.agencies = {agency.name: agency for agency in agencies}
        self.time = now
        self.directory, self.evidence, self.pins = Log(ORIGINS[0]), Log(ORIGINS[1]), PINS
        self.package = agreement(agencies, *PINS.lasting, now, **terms)
        self.orders: list[bytes] = []
        self.notes: list[bytes] = []
        self.shown: list[tuple[PackEntry, BatchSignature | None]] = []
        self.corridors: dict[tuple[str, str], tuple[int, int | None]] = {}
        self.random = Bytes("logbook")
        signed = parse_agreement_package(self.package)
        self.name = identity(AGREEMENT_TYPE, signed.agreement)
        self.directory.kept += [
            types_leaf(Types(known_types())),
            *(operation_leaf(agency.enrolment()) for agency in agencies),
            agreement_leaf(signed.salt, signed.agreement),
        ]
        self.anchor()

    def anchor(self, size: int | None = None, root: bytes | None = None) -> int:
        """State the directory's size and root, or what is given in their place."""
        size = len(self.directory.kept) if size is None else size
        own = self.directory.root(size) if size else EMPTY_ROOT
        self.evidence.kept.append(anchor_leaf(size, own if root is None else root))
        return len(self.evidence.kept) - 1

    def register(self, operation: bytes) -> None:
        """Log a directory operation, and the anchor that makes it count."""
        self.directory.kept.append(operation_leaf(operation))
        self.anchor()

    def schema(self, package: bytes) -> None:
        """Log an agency's own schema, and the anchor that makes it count."""
        _record, given = parse_schema_package(package)
        self.directory.kept.append(schema_leaf(given.registration))
        self.anchor()

    def order(self, package: bytes) -> None:
        """Log an order on the agreement, and the anchor that makes it count."""
        signed = decode(SignedOrder, package, ORDER_BYTES, "order")
        self.orders.append(package)
        self.directory.kept.append(order_leaf(signed.salt, signed.order))
        self.anchor()

    # --- entries ----------------------------------------------------------------------------------

    def enter(
        self,
        corridor: tuple[str, str],
        kind: LeafType,
        type_: str,
        statement: bytes,
        *,
        salt: bytes | None = None,
        batch: BatchSignature | None = None,
        due: int | None = None,
        target: int | None = None,
        entry: dict[str, Any] | None = None,
        **shown: Any,
    ) -> int:
        """Log an entry; `entry` and `shown` replace fields of the record and of the pack's."""
        index = len(self.evidence.kept)
        number, previous = self.corridors.get(corridor, (0, None))
        fields: dict[str, Any] = {
            "sender": corridor[0],
            "recipient": corridor[1],
            "number": number + 1,
            "previous": previous,
            "time": self.time,
            "type": type_,
            "statement": identity(type_, statement),
        }
        record = Entry(**(fields | (entry or {})))
        self.corridors[corridor] = (record.number, index)
        salt = self.random() if salt is None else salt
        body = encode(record)
        self.evidence.kept.append(entry_leaf(kind, body, salt, due, target))
        pack: dict[str, Any] = {
            "index": index,
            "entry": body,
            "salt": salt,
            "statement": statement,
            "item": None,
            "header": None,
            "ciphertext": None,
        }
        self.shown.append((PackEntry(**(pack | shown)), batch))
        return index

    def submit(
        self, sender: str, to: str, made: Made | None = None, **changes: Any
    ) -> tuple[Made, int]:
        """A bulletin of `sender` is admitted for `to`."""
        agency = self.agencies[sender]
        made = agency.bulletin([to], self.time) if made is None else made
        (item,), batch = agency.submissions([made], [self.agencies[to]])
        return made, self.admit(made, item, batch, (sender, to), **changes)

    def admit(
        self,
        made: Made,
        item: Submission,
        batch: BatchSignature,
        corridor: tuple[str, str],
        **changes: Any,
    ) -> int:
        """Log a consignment as the first one, or as a later one with `kind=CONSIGNED`."""
        given: dict[str, Any] = {
            "kind": LeafType.SUBMITTED,
            "due": due_day(made.header),
            "item": item.item,
            "header": made.header_bytes,
            "ciphertext": Blob(len(made.ciphertext), made.ciphertext_digest),
            "attachments": made.blobs,
        } | changes
        if given["kind"] is LeafType.CONSIGNED:
            given["due"] = None
        return self.enter(
            corridor,
            type_=CONSIGNMENT_TYPE,
            statement=item.consignment,
            salt=item.salts[0],
            batch=batch,
            **given,
        )

    def state(
        self,
        event: Event,
        made: Made,
        corridor: tuple[str, str],
        code: str | None = None,
        by: str | None = None,
        *,
        target: int | None = None,
        detail: SealedDetail | bytes | None = None,
        **changes: Any,
    ) -> int:
        """A node's statement about a bulletin is logged."""
        agency = self.agencies[by or corridor[1]]
        about = [(made.bulletin_id, made.ciphertext_digest)]
        (item,), batch = agency.statements(event, about, corridor, self.time, code, detail, target)
        return self.log_statement(item, batch, target=target, **changes)

    def log_statement(self, said: StatementItem, batch: BatchSignature, **changes: Any) -> int:
        """Log a signed statement; a second time if asked."""
        given: dict[str, Any] = {"salt": said.salt, "batch": batch, "item": said.item} | changes
        return self.enter(
            (said.sender, said.recipient),
            LeafType[said.event.name],
            statement_type(said.event),
            said.statement,
            **given,
        )

    def broker_states(
        self,
        event: Event,
        made: Made,
        corridor: tuple[str, str],
        code: str | None,
        *,
        target: int | None = None,
        **changes: Any,
    ) -> int:
        """The broker's own event."""
        about = (made.bulletin_id, made.ciphertext_digest)
        body = encode(statement_of(event, *about, BROKER, self.time, code, target=target))
        given: dict[str, Any] = {"target": target} | changes
        return self.enter(corridor, LeafType[event.name], statement_type(event), body, **given)

    def deliver(self, sender: str, to: str) -> Made:
        """A bulletin's whole good life: submitted, handed over, accepted, read."""
        made, _ = self.submit(sender, to)
        for event in (Event.HANDOVER, Event.ACCEPTED, Event.READ):
            self.time += 1000
            self.state(event, made, (sender, to))
        return made

    # --- the audit --------------------------------------------------------------------------------

    def sign(self) -> None:
        """Sign both heads over what is there now."""
        self.directory.sign(self.time)
        self.evidence.sign(self.time)

    def show_head(self, *witnesses: Agency, time: int | None = None, lag: int = 1) -> None:
        """Packs made from now on show the head of what is there, cosigned `lag` seconds later."""
        seconds = (self.time if time is None else time) // 1000
        text = format_checkpoint(
            self.evidence.origin, len(self.evidence.kept), self.evidence.root()
        )
        note = self.evidence.head(text, seconds)
        for agency in witnesses:
            key = agency.witness
            lines = cosign_lines(key.ed25519, key.mldsa44, agency.name, text, seconds + lag)
            note = add_lines(note, lines)
        self.notes.append(note)

    def pack(self, only: Sequence[int] | None = None, **head: Any) -> list[PackItem]:
        """A pack of all entries, or of those at the given indices."""
        size = len(self.evidence.kept)
        fields: dict[str, Any] = {
            "format": PACK_FORMAT,
            "maker": BROKER,
            "made": self.time,
            "directory": self.directory.origin,
            "evidence": self.evidence.origin,
            "start": 0,
            "stop": size,
        }
        entries = [
            (entry, batch) for entry, batch in self.shown if only is None or entry.index in only
        ]
        stream = pack_stream(
            PackHead(**(fields | head)), [self.package, *self.orders], entries, self.notes
        )
        return list(stream)

    def audit(self, *packs: Sequence[PackItem], sign: bool = True, **options: Any) -> Report:
        """Sign (unless told not to), and audit with all entries opened, or with these packs."""
        if sign:
            self.sign()
        given = packs or (self.pack(),)
        named = [(f"pack {place}", iter(items)) for place, items in enumerate(given)]
        return audit(self.pins, self.directory, self.evidence, named, TYPES, **options)
