"""The two logs of a bundle: pins, signed heads, the whole directory, witnesses (V2 to V6, V8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from saphan_schemas.bundles import BundleHead, BundleLeaves, BundleNote
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import LeafType, Role

from saphan_protocol.bundle.facts import HeadSeen, WitnessSeen
from saphan_protocol.bundle.reading import BundleReader, disordered, large
from saphan_protocol.bundle.report import BundleStep
from saphan_protocol.bundle.trail import Trail
from saphan_protocol.checkpoint import Head, KeyPair, verify_cosignatures, verify_head
from saphan_protocol.directory import Directory
from saphan_protocol.merkle import Frontier, leaf_hash, verify_consistency
from saphan_protocol.notes import KeyType, parse_note, parse_vkey, verifier_key
from saphan_protocol.pins import Pins, format_pins, parse_pins

_COMMITMENTS: Final = frozenset({LeafType.AGREEMENT, LeafType.ORDER})


@dataclass(slots=True)
class Logs:
    """What V2 to V6 have shown; nothing of it is believed more than the pins are.

    Args:
        heads: of the evidence log, by size; `linked`: sizes shown to continue the one before.
        roots: the directory's root at every size.
        committed: directory leaves that show nothing of what may be sent: agreements and orders.
    """

    pins: Pins
    directory_head: Head
    heads: dict[int, Head]
    linked: set[int]
    directory: Directory = field(default_factory=Directory)
    roots: list[bytes] = field(default_factory=list)
    committed: list[int] = field(default_factory=list)
    seen: list[HeadSeen] = field(default_factory=list)


def bundled_pins(head: BundleHead, own: Pins | None, trail: Trail) -> Pins:
    """Step V2: the pins are a pin file's; if the reader has its own, they are these.

    Raises:
        InvalidInput: `pins_malformed`, `vkey_*`. Refused: `pins_foreign`.
    """
    trail.at(BundleStep.PINS)
    name = head.directory.origin.partition("/")[0]
    pins = parse_pins(
        format_pins(Pins(name=name, directory=head.directory, evidence=head.evidence))
    )
    if own is not None and own.lasting != pins.lasting:
        raise Refused(
            "pins_foreign",
            f"the bundle rests on other log keys of {name} than the given pin file names",
            field="bundle.pins",
            hint="take the pin file of the broker that the bundle is about; if it is that, the "
            "bundle proves nothing",
        )
    return pins


def read_logs(
    reader: BundleReader, pins: Pins, known_types: Mapping[str, bytes], trail: Trail
) -> Logs:
    """Steps V3 to V6.

    Raises:
        InvalidInput, Refused: where `trail` stands.
    """
    notes = list(reader.of(BundleNote))
    if [note.log for note in notes[:2]] != ["directory", "evidence"] or any(
        note.log == "directory" for note in notes[1:]
    ):
        raise disordered("one head of the directory log stands first, those of the other follow")
    if notes[0].consistency:
        raise disordered("the directory's head has nothing to continue")
    trail.at(BundleStep.DIRECTORY_HEAD)
    directory = verify_head(notes[0].note, _keys(pins, "directory"))
    logs = Logs(pins, directory, {}, set())
    _read_heads(notes[1:], logs, trail)
    _replay(reader, logs, dict(known_types), trail)
    return logs


def _keys(pins: Pins, log: str) -> KeyPair:
    pin = pins.directory if log == "directory" else pins.evidence
    first, second = (parse_vkey(text) for text in pin.vkeys)
    return first, second


def _read_heads(notes: list[BundleNote], logs: Logs, trail: Trail) -> None:
    """Step V4: each head holds; a later one is shown to continue the one before, or is a gap."""
    keys = _keys(logs.pins, "evidence")
    last: Head | None = None
    for note in notes:
        trail.at(BundleStep.EVIDENCE_HEADS)
        head = verify_head(note.note, keys)
        if last is not None and head.size <= last.size:
            raise disordered("heads of the evidence log stand by rising size")
        if last is None or note.consistency:
            _check_continues(last, head, note)
            logs.linked.add(head.size)
        else:
            trail.gap("heads_unlinked", count=head.size)
        logs.heads[head.size] = last = head


def _check_continues(last: Head | None, head: Head, note: BundleNote) -> None:
    if last is None and note.consistency:
        raise disordered("the first head has nothing to continue")
    if last is not None:
        verify_consistency(last.size, head.size, last.root, head.root, note.consistency)


def _replay(reader: BundleReader, logs: Logs, known_types: dict[str, bytes], trail: Trail) -> None:
    """Steps V5 and V6: all leaves, each replayed, and they make the signed root."""
    head, frontier = logs.directory_head, Frontier()
    if head.size > LIMITS.bundle_leaves:
        raise large(f"more than {LIMITS.bundle_leaves:,} directory leaves")
    logs.roots.append(frontier.root())
    for part in reader.of(BundleLeaves):
        trail.at(BundleStep.DIRECTORY_LEAVES, part.start)
        _check_part(part, frontier.size, head)
        for leaf in part.leaves:
            trail.at(BundleStep.DIRECTORY_REPLAY, frontier.size)
            logs.directory.apply(leaf, known_types)
            if leaf[0] in _COMMITMENTS:
                logs.committed.append(frontier.size)
            frontier.append(leaf_hash(leaf))
            logs.roots.append(frontier.root())
    trail.at(BundleStep.DIRECTORY_LEAVES)
    if frontier.size != head.size:
        raise InvalidInput(
            "log_short",
            f"the directory log has {head.size} leaves by its head, and {frontier.size} are here",
            field="bundle.leaves",
            hint="a bundle holds the whole directory: less cannot show that nothing was revoked",
        )
    if frontier.root() != head.root:
        raise InvalidInput(
            "root_differs", "the leaves do not make the root that the head signs", field="head.root"
        )


def _check_part(part: BundleLeaves, size: int, head: Head) -> None:
    if part.start != size:
        raise InvalidInput(
            "log_short",
            f"leaf {part.start} of the directory comes where leaf {size} must",
            field="bundle.leaves",
        )
    if size + len(part.leaves) > head.size:
        raise InvalidInput(
            "log_long", f"leaves lie beyond the head of {head.size}", field="bundle.leaves"
        )


def see_witnesses(logs: Logs, trail: Trail) -> None:
    """Step V8: every line of a witness key that is active in the directory shown must hold.

    Raises:
        InvalidInput: a line does not hold (log.md, C1 to C3).
    """
    keys = list(_witness_keys(logs.directory))
    directory = logs.directory_head
    trail.at(BundleStep.WITNESSES)
    logs.seen.append(_seen("directory", directory, keys, linked=True))
    for head in logs.heads.values():
        trail.at(BundleStep.WITNESSES)
        logs.seen.append(_seen("evidence", head, keys, linked=head.size in logs.linked))


def _seen(
    log: Literal["directory", "evidence"],
    head: Head,
    keys: Iterable[tuple[bytes, KeyPair]],
    *,
    linked: bool,
) -> HeadSeen:
    """A head, and the witnesses whose lines on it hold."""
    # Of thousands of keys a note has lines of a few: only those are tried, each note parsed once.
    signed = {(line.name, line.key_id) for line in parse_note(head.note).lines}
    found: list[WitnessSeen] = []
    for key_id, pair in keys:
        if any((half.name, half.key_id) in signed for half in pair):
            lines = verify_cosignatures(head.note, [pair])
            found += [WitnessSeen(line.name, key_id, line.time) for line in lines]
    return HeadSeen(log, head.origin, head.size, head.root, head.time, tuple(found), linked)


def _witness_keys(directory: Directory) -> Iterator[tuple[bytes, KeyPair]]:
    """Every active witness key: its id, and its halves as keys of notes."""
    for agency in sorted(directory.agencies()):
        for key in directory.keys(agency, Role.WITNESS):
            yield (
                key.key_id,
                (
                    verifier_key(agency, KeyType.COSIGNATURE_ED25519, key.public[:32]),
                    verifier_key(agency, KeyType.COSIGNATURE_MLDSA44, key.public[32:]),
                ),
            )
