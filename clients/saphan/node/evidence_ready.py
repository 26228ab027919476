"""What a bulletin's evidence needs and the feed did not bring, fetched while the line is open.

1. A fresh signature over the directory, witnessed as the agreement asks: until when no key was
   revoked. The feed shows a directory head only when the directory has grown, and a growing log
   closes its entries with an anchor within the hour: this is for what nothing closes yet.
2. Paths of anchors that an older release was told without keeping them.

Each answer is checked and durable before it counts; without a line everything else stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from saphan_protocol.checkpoint import KeyPair, verify_head
from saphan_protocol.evidence import anchor_leaf
from saphan_protocol.merkle import leaf_hash, verify_inclusion
from saphan_protocol.notes import parse_vkey
from saphan_protocol.shared_paths import read_path
from saphan_schemas.directory_records import WitnessPolicy
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS, SECOND_MS
from saphan_schemas.proof_frames import Proofs
from saphan_schemas.records import HeadRef

from saphan.node.anchors import encoded_path
from saphan.node.engine import Engine
from saphan.node.heads import cleaned
from saphan.node.logs import Logs
from saphan.node.proving.witness_policy import policy, witnessed
from saphan.node.rows.db import Database
from saphan.node.wire.asking import Asking
from saphan.node.wire.line import Line

Anchor = tuple[int, int, bytes]
"""Index in the evidence log, size and root of the directory."""

PAUSES_S: Final = (0.5, 1.0, 4.0, 2.0)
"""How long other agencies' witnesses are given to sign what they are shown; an answer takes 11 KB,
so it is not asked for more often. What was shown less than `LIMITS.head_asked_ms` before is shown
again after the third pause, and has the fourth."""
_PATHLESS: Final = (
    "SELECT DISTINCT a.idx, a.size, a.root FROM anchors a WHERE a.path IS NULL AND a.idx IN ("
    " SELECT (SELECT max(b.idx) FROM anchors b WHERE b.idx < e.idx) FROM entries e"
    "  WHERE e.bulletin = ?1 UNION"
    " SELECT (SELECT min(b.idx) FROM anchors b WHERE b.idx > e.idx) FROM entries e"
    "  WHERE e.bulletin = ?1) AND a.idx >= ?2 ORDER BY a.idx LIMIT ?3"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the directory head must be: not older than `since` (ms), and witnessed by then by as
    many as each of these policies asks for."""

    since: int
    policies: tuple[WitnessPolicy, ...]


class EvidenceReady:
    """Makes one node's store ready for evidence."""

    def __init__(self, agency: str, db: Database, logs: Logs, engine: Engine, line: Line) -> None:
        self._agency = agency
        self._db = db
        self._logs = logs
        self._engine = engine
        self._line = line

    @property
    def _keys(self) -> KeyPair:
        first, second = (parse_vkey(vkey) for vkey in self._logs.pins.directory.vkeys)
        return first, second

    async def prepare(self, bulletin: bytes) -> int | None:
        """Fetch what is lacking; POSIX seconds of the newest directory head, None before any.

        Raises:
            Unavailable: `line_down`, `no_answer`; InvalidInput: the answer does not hold.
        """
        asking, engine = self._line.asking(), self._engine
        wanted = await engine.in_reading(lambda: self._wanted(bulletin))
        if wanted is not None:
            await self._refresh(asking, wanted)
        lacking = await engine.in_reading(lambda: self._pathless(bulletin))
        newest = self._logs.seen()
        if lacking and newest is not None:
            found = await asking.prove(newest, [index for index, _, _ in lacking])
            await engine.in_frames(lambda: self._take_paths(newest, lacking, found))
        known = self._logs.directory_heads.newest
        return None if known is None else known.time

    def _wanted(self, bulletin: bytes) -> Wanted | None:
        """Of the entries that no later anchor closes; None if there are none."""
        rows = self._db.rows(
            "SELECT sender, recipient, max(time) FROM entries e WHERE bulletin = ?"
            " AND NOT EXISTS (SELECT 1 FROM anchors a WHERE a.idx > e.idx)"
            " GROUP BY sender, recipient",
            (bulletin,),
        )
        with self._logs.lock:
            policies = tuple(policy(self._logs.directory, (a, b)) for a, b, _ in rows)
        return Wanted(max(time for _, _, time in rows), policies) if rows else None

    async def _refresh(self, asking: Asking, wanted: Wanted) -> None:
        """Step 1; without enough lines after the last look it stays a gap."""
        for pause in (*PAUSES_S, 0):
            if await self._refreshed(asking, wanted):
                return
            await asyncio.sleep(pause)

    async def _refreshed(self, asking: Asking, wanted: Wanted) -> bool:
        """Whether the directory head is as new as that, and so are enough lines on it."""
        known = self._logs.directory_heads.newest
        if known is None:
            return True  # nothing to be refreshed
        head = HeadRef(self._logs.pins.directory.origin, known.size, known.root)
        found = await asking.prove(head, fresh=wanted.since)
        return await self._engine.in_frames(lambda: self._take_note(head, found, wanted))

    def _take_note(self, asked: HeadRef, found: Proofs, wanted: Wanted) -> bool:
        if not found.note:
            return False  # the directory has grown, and the feed brings the newer head
        head = verify_head(found.note, self._keys)
        if head.ref != asked:
            raise InvalidInput(
                "head_differs", "another head came than was asked for", field="proofs.note"
            )
        with self._logs.lock:
            head = cleaned(self._logs.directory, head)
        with self._db.transaction() as tx:
            self._logs.directory_heads.keep(tx, head)
        self._logs.directory_heads.adopt(head)
        since = wanted.since // SECOND_MS
        names = {line.name for line in head.cosignatures if line.time >= since}
        enough = all(witnessed(one, self._agency, names) for one in wanted.policies)
        return head.time >= since and enough

    def _pathless(self, bulletin: bytes) -> list[Anchor]:
        first = self._logs.first  # nobody is asked about a log that was lost
        rows = self._db.rows(_PATHLESS, (bulletin, first, LIMITS.proof_items))
        return [(place - first, size, root) for place, size, root in rows]

    def _take_paths(self, head: HeadRef, anchors: Sequence[Anchor], found: Proofs) -> None:
        """Step 2."""
        if found.code is not None:
            return  # a gap of the bundle, no more
        if len(found.inclusion) != len(anchors):
            raise InvalidInput("malformed", "other paths came than were asked for", field="proofs")
        rows = []
        for (index, size, root), places in zip(anchors, found.inclusion, strict=True):
            path = read_path(found.hashes, places)
            verify_inclusion(index, head.size, leaf_hash(anchor_leaf(size, root)), path, head.root)
            rows.append((head.size, encoded_path(path), self._logs.first + index))
        with self._db.transaction() as tx:
            tx.executemany("UPDATE anchors SET head_size = ?, path = ? WHERE idx = ?", rows)
