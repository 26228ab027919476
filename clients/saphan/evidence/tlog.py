"""One bulletin's entries as C2SP tlog-proofs, and the policy they are checked with.

Other people's tools read them: for each entry the leaf as it was logged, and its proof; once the
policy, which names the log's keys and the agencies whose witness keys the directory has.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from saphan_protocol.admission import due_day
from saphan_protocol.checkpoint import KeyPair
from saphan_protocol.directory import Directory
from saphan_protocol.evidence import MAX_ENTRY_BYTES, entry_leaf, leaf_of, statement_leaf
from saphan_protocol.notes import KeyType, parse_vkey, verifier_key
from saphan_protocol.pins import Pins
from saphan_protocol.tlog_policy import agencies_policy, format_policy
from saphan_protocol.tlog_proof import TlogProof, format_proof
from saphan_schemas.bodies import known_types
from saphan_schemas.codec import decode
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS
from saphan_schemas.packs import PackEntry
from saphan_schemas.records import Entry, Header, Role

from saphan.audit.records import CONSIGNMENTS
from saphan.evidence.placing import Placing
from saphan.evidence.story import Story, corridors
from saphan.node.proving.witness_policy import UNAGREED, policy


@dataclass(frozen=True, slots=True)
class LeafProof:
    """A leaf of the evidence log and its proof, as texts of files; `event` is in their names."""

    index: int
    event: str
    leaf: bytes
    proof: bytes


def leaf_proofs(story: Story, placing: Placing) -> Iterator[LeafProof]:
    """Every entry that the store can prove.

    Raises:
        OperatorError: `evidence_headless`: there is none.
    """
    entries = story.entries()
    places = placing.settle((told.place for told in entries), story.unwitnessed())
    notes = {note.size: note.note for note in placing.notes(p.head for p in places.values())}
    if not notes:
        raise OperatorError(
            "evidence_headless",
            "the node's store holds no signed head under which anything could be shown",
            field="id",
            hint="start the node, wait until it has caught up with the broker, and try again",
        )
    for told in entries:
        place, shown = places.get(told.place.index), told.found.entry
        leaf = _leaf(shown, told.event)
        if place is not None and leaf is not None:
            proof = TlogProof(place.index, place.path, notes[place.head])
            yield LeafProof(place.index, told.event, leaf, format_proof(proof))


def proof_policy(db: sqlite3.Connection, story: Story, agency: str, pins: Pins) -> bytes:
    """The text of the policy: the strictest of the agreements of this bulletin's corridors."""
    directory = _replayed(db)
    pairs = corridors(story.entries())
    found = [policy(directory, pair) for pair in pairs] or [UNAGREED]
    own = all(one.own_counts for one in found)
    agencies = {
        name: _pair(name, key.public)
        for name in directory.agencies()
        if own or name != agency
        for key in directory.keys(name, Role.WITNESS)[-1:]
    }
    logs = tuple(parse_vkey(vkey) for vkey in pins.evidence.vkeys)
    quorum = min(max(one.quorum for one in found), len(agencies))
    return format_policy(agencies_policy(logs, agencies, quorum))


def _leaf(shown: PackEntry, event: str) -> bytes | None:
    """The leaf that the log holds for an entry; None where the header is lost."""
    record = decode(Entry, shown.entry, MAX_ENTRY_BYTES, "entry")
    first = event == CONSIGNMENTS[0]
    if not first:
        return statement_leaf(record, shown.entry, shown.statement, shown.salt)
    if shown.header is None:
        return None
    due = due_day(decode(Header, shown.header, LIMITS.header_bytes, "header"))
    return entry_leaf(leaf_of(record, True), shown.entry, shown.salt, due)


def _replayed(db: sqlite3.Connection) -> Directory:
    """The directory as the node has it."""
    directory, types = Directory(), {known.name: known.digest for known in known_types()}
    for (leaf,) in db.execute("SELECT leaf FROM leaves ORDER BY idx"):
        directory.apply(leaf, types)
    for (package,) in db.execute("SELECT package FROM agreements ORDER BY position"):
        directory.add_package(package)
    return directory


def _pair(name: str, public: bytes) -> KeyPair:
    return (
        verifier_key(name, KeyType.COSIGNATURE_ED25519, public[:32]),
        verifier_key(name, KeyType.COSIGNATURE_MLDSA44, public[32:]),
    )
