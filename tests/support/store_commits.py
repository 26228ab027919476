"""Valid commits for any store: bulletins between made-up agencies, with real leaves and tiles."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from saphan_broker.store.base import (
    AnchorRow,
    BulletinRow,
    Commit,
    DeliveryRow,
    EntryRow,
    Log,
    LogHead,
    StanzaRow,
    Store,
)
from saphan_protocol.merkle import leaf_hash
from saphan_protocol.tile_tree import TileTree
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import BatchSignature, Blobs

START = 1_790_000_000_000
"""Time of the first commit, ms."""


def digest(*parts: object) -> bytes:
    """32 bytes that only these parts give."""
    return hashlib.sha256(repr(parts).encode()).digest()


@dataclass
class Story:
    """Writes one log's history commit by commit, remembering what the next one needs."""

    log: Log = "evidence"
    time: int = START
    tree: TileTree = field(default_factory=lambda: TileTree(0, {}, _no_tile))
    corridors: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    body_bytes: int = 64
    attachments: Blobs = ()
    due_day: int = 30_000
    record_day: int = 33_000

    @classmethod
    async def resumed(cls, store: Store, log: Log = "evidence") -> Story:
        """Continue from what a store holds."""
        state = await store.state(log)
        tree = TileTree(state.head.size, await store.edge_tiles(log), _no_tile)
        ends = {}
        for entry in await store.entries(0, state.head.size):
            ends[entry.sender, entry.recipient] = (entry.number, entry.index)
        return cls(log=log, time=state.time, tree=tree, corridors=ends)

    @property
    def head(self) -> LogHead:
        return LogHead(self.tree.size, self.tree.root())

    def leaves(self, leaves: list[bytes], **rows: object) -> Commit:
        """A commit of these leaves, on the head this story has reached."""
        expected = self.head
        self.tree, tiles = self.tree.grow([leaf_hash(leaf) for leaf in leaves])
        self.time += 1000
        return Commit(
            log=self.log,
            expected=expected,
            head=self.head,
            time=self.time,
            leaves=leaves,
            tiles=tiles,
            **rows,  # type: ignore[arg-type]
        )

    def bulletins(
        self, number: int, sender: str = "la.ospp", recipient: str = "kh.gpo", name: object = 0
    ) -> Commit:
        """One commit that admits `number` bulletins from sender to recipient."""
        first = self.tree.size
        return self.admission([digest(name, first, i) for i in range(number)], sender, recipient)

    def admission(
        self, ids: Sequence[bytes], sender: str = "la.ospp", recipient: str = "kh.gpo"
    ) -> Commit:
        """One commit that admits bulletins with these ids."""
        first = self.tree.size
        entries = [
            self.entry(first + i, sender, recipient, "submitted", id_) for i, id_ in enumerate(ids)
        ]
        root = digest("root", first, ids)
        signature = BatchSignature(digest("key", sender), 8, root, bytes(3373))
        return self.leaves(
            [digest("leaf", id_) for id_ in ids],
            entries=entries,
            bulletins=[self.bulletin(id_, sender) for id_ in ids],
            deliveries=[
                self.delivery(id_, sender, recipient, first + i) for i, id_ in enumerate(ids)
            ],
            stanzas=[
                StanzaRow(
                    bulletin=id_, recipient=recipient, due_day=self.due_day, sealed=bytes(1200)
                )
                for id_ in ids
            ],
            signatures=[signature],
            statements={
                (id_, digest("said", id_), recipient): first + i for i, id_ in enumerate(ids)
            },
            corridors={(sender, recipient): self.corridors[sender, recipient]},
        )

    def event(
        self, delivery: DeliveryRow, event: str, state: str, deadline: int | None = None
    ) -> Commit:
        """One commit with one receipt of the delivery's recipient."""
        index = self.tree.size
        pair = (delivery.sender, delivery.recipient)
        entry = self.entry(index, *pair, event, delivery.bulletin)
        after = {"state": state, "last": index, "deadline": deadline}
        identity = digest(event, delivery.bulletin)
        return self.leaves(
            [digest("leaf", identity)],
            entries=[entry],
            deliveries=[DeliveryRow(**{**_fields(delivery), **after})],  # type: ignore[arg-type]
            statements={(delivery.bulletin, identity, delivery.recipient): index},
            corridors={pair: self.corridors[pair]},
        )

    def refusal(self, id_: bytes, agency: str = "la.ospp") -> Commit:
        """One commit that says that a bulletin was refused, in its sender's own corridor."""
        index = self.tree.size
        entry = self.entry(index, agency, agency, "refused", id_)
        identity = digest("refused", id_, index)
        return self.leaves(
            [digest("leaf", identity)],
            entries=[entry],
            statements={(id_, identity, agency): index},
            corridors={(agency, agency): self.corridors[agency, agency]},
        )

    def anchor(self, size: int) -> Commit:
        """One commit with an anchor leaf only."""
        row = AnchorRow(self.tree.size, size, digest("directory", size))
        return self.leaves([digest("anchor", row)], anchors=[row])

    def bulletin(self, id_: bytes, sender: str) -> BulletinRow:
        return BulletinRow(
            id=id_,
            sender=sender,
            nonce=digest("nonce", id_)[:16],
            header_identity=digest("header", id_),
            ciphertext_length=self.body_bytes,
            ciphertext_digest=digest("ciphertext", id_),
            due_day=self.due_day,
            record_day=self.record_day,
            expires=START + DAY_MS,
            attachments=self.attachments,
            header=b"header " + id_,
            ciphertext=(id_ * (self.body_bytes // 32 + 1))[: self.body_bytes],
        )

    def delivery(self, id_: bytes, sender: str, recipient: str, index: int) -> DeliveryRow:
        return DeliveryRow(
            bulletin=id_,
            recipient=recipient,
            sender=sender,
            state="submitted",
            submitted=index,
            last=index,
            consignments=1,
            expires=START + DAY_MS,
            answer_by=None,
            due_day=self.due_day,
            deadline=START + DAY_MS + index,
        )

    def entry(
        self, index: int, sender: str, recipient: str, event: str, bulletin: bytes
    ) -> EntryRow:
        number = self.corridors.get((sender, recipient), (0, 0))[0] + 1
        self.corridors[sender, recipient] = (number, index)
        return EntryRow(
            index=index,
            sender=sender,
            recipient=recipient,
            number=number,
            event=event,
            bulletin=bulletin,
            issuer=sender if event == "submitted" else recipient,
            time=self.time + 1000,
            record_day=self.record_day,
            record=b"record " * 20,
        )


def _fields(row: DeliveryRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


def _no_tile(level: int, n: int) -> bytes:
    raise AssertionError(f"tile {level}/{n} is not needed for growing")
