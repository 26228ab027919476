"""What stands in logs and beside them: notes, keys, pins, tiles, proofs, policies, splits."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from saphan_protocol.checkpoint import format_checkpoint, parse_checkpoint, verify_head
from saphan_protocol.evidence import (
    anchor_leaf,
    open_leaf,
    parse_leaf,
    successor_leaf,
)
from saphan_protocol.invitation import (
    INVITATION_BYTES,
    Invitation,
    format_invitation,
    parse_invitation,
    parse_trust,
    split_address,
)
from saphan_protocol.merkle import inclusion_path, leaf_hash, root_of
from saphan_protocol.notes import add_lines, format_vkey, parse_lines, parse_note, parse_vkey
from saphan_protocol.pins import PINS_BYTES, format_pins, parse_pins
from saphan_protocol.split_file import format_split, parse_split
from saphan_protocol.split_view import judge_split
from saphan_protocol.tiles import (
    decode_bundle,
    encode_bundle,
    entries_path,
    parse_entries_path,
    parse_tile_path,
    tile_path,
)
from saphan_protocol.tlog_policy import agencies_policy, format_policy, parse_policy, verify_policy
from saphan_protocol.tlog_proof import TlogProof, format_proof, parse_proof, verify_proof
from saphan_protocol.words import fingerprint_words, parse_words
from saphan_schemas.limits import LIMITS
from support.log_keys import log_note, log_pair, witness_lines, witness_pair
from support.pin_files import pins
from support.two_logs import Story, pins_of, split

from fuzz.target import Target, text

ORIGIN: Final = "bridge.example/evidence/1"
LEAVES: Final = [b"leaf %d" % place for place in range(13)]
HASHES: Final = [leaf_hash(leaf) for leaf in LEAVES]
TEXT: Final = format_checkpoint(ORIGIN, len(LEAVES), root_of(HASHES))
NOTE_BYTES: Final = LIMITS.note_bytes


@cache
def note() -> bytes:
    """A head with the log's own lines and two witnesses'."""
    lines = b"".join(witness_lines(name, TEXT, 1_795_000_001) for name in ("la.ospp", "kh.gpo"))
    return add_lines(log_note(ORIGIN, TEXT, 1_795_000_000), lines)


@cache
def policy() -> bytes:
    witnesses = {name: witness_pair(name) for name in ("la.ospp", "kh.gpo", "th.amlo")}
    return format_policy(agencies_policy(log_pair(ORIGIN), witnesses, 2))


@cache
def proof() -> bytes:
    path = inclusion_path(7, 13, lambda level, n: root_of(HASHES[n << level :][: 1 << level]))
    return format_proof(TlogProof(7, path, note(), b"extra"))


@cache
def split_file() -> bytes:
    """Two histories, an anchor, a claim short of nothing."""
    first, second = Story("first", 4, 9), Story("second", 4, 9)
    notes = [first.note(7), second.note(9)]
    return format_split(
        split(notes, first.history(4, 7), anchors=(first.anchor(7, 3, 2, bytes(32)),))
    )


def _verify_head(data: bytes) -> None:
    verify_head(data, log_pair(ORIGIN), [witness_pair("la.ospp")])


def _judge_split(data: bytes) -> None:
    judge_split(parse_split(data), pins_of())


def _verify_policy(data: bytes) -> None:
    verify_policy(note(), parse_policy(data))


def _verify_proof(data: bytes) -> None:
    verify_proof(parse_proof(data), LEAVES[7], parse_policy(policy()))


def _add_lines(data: bytes) -> None:
    add_lines(note(), data)


def _bundle(data: bytes) -> None:
    """The first byte says how many entries are expected; a reader knows it from the path."""
    decode_bundle(data[1:], data[0] + 1 if data else 1)


def _open_leaf(data: bytes) -> None:
    """A leaf, the entry said to be in it, its salt: 41 bytes, the rest but 32, and those."""
    open_leaf(data[:41], data[41:-32], data[-32:])


def _leaf_seeds() -> list[bytes]:
    plain = [bytes((kind,)) + bytes(length) for kind in range(20) for length in (32, 36, 40)]
    return [anchor_leaf(7, bytes(32)), successor_leaf("a/1", 7, bytes(32)), *plain]


def _text(
    name: str,
    parse: Callable[[bytes], object],
    seeds: Callable[[], list[bytes]],
    longest: int = NOTE_BYTES,
) -> Target:
    return Target(name=name, parse=parse, seeds=seeds, form="text", longest=longest)


def _invitation() -> bytes:
    return format_invitation(Invitation(address="[::1]:8470", pins=pins(), tls=bytes(range(32))))


TARGETS: Final = (
    _text("checkpoint", parse_checkpoint, lambda: [TEXT]),
    _text("note", parse_note, lambda: [note()]),
    _text("note-lines", parse_lines, lambda: [note().partition(b"\n\n")[2]]),
    _text("note-more-lines", _add_lines, lambda: [witness_lines("th.amlo", TEXT, 1_795_000_003)]),
    _text("head-verified", _verify_head, lambda: [note()]),
    _text(
        "vkey",
        text(parse_vkey),
        lambda: [
            format_vkey(key).encode() for key in (*log_pair(ORIGIN), *witness_pair("la.ospp"))
        ],
    ),
    _text("policy", parse_policy, lambda: [policy()], LIMITS.policy_bytes),
    _text("policy-verified", _verify_policy, lambda: [policy()], LIMITS.policy_bytes),
    _text("tlog-proof", parse_proof, lambda: [proof()]),
    _text("tlog-proof-verified", _verify_proof, lambda: [proof()]),
    _text("words", text(parse_words), lambda: [fingerprint_words(bytes(range(32))).encode()]),
    _text("address", text(split_address), lambda: [b"bridge.example:8470", b"[::1]:8470"]),
    _text(
        "tile-path",
        text(parse_tile_path),
        lambda: [tile_path(*each).encode() for each in ((0, 5, 256), (3, 1_234_067, 9))],
    ),
    _text(
        "entries-path",
        text(parse_entries_path),
        lambda: [entries_path(*each).encode() for each in ((5, 256), (1_234_067, 9))],
    ),
    Target(
        name="entry-bundle",
        parse=_bundle,
        seeds=lambda: [b"\x0c" + encode_bundle(LEAVES)],
        form="bytes",
        longest=2**20,
    ),
    Target(
        name="evidence-leaf",
        parse=parse_leaf,
        seeds=_leaf_seeds,
        form="bytes",
        longest=LIMITS.leaf_bytes,
        seeds_refused=True,
    ),
    Target(
        name="evidence-leaf-opened",
        parse=_open_leaf,
        seeds=lambda: [bytes((1,)) + bytes(32 + 8 + 90 + 32)],
        form="bytes",
        seeds_refused=True,
    ),
    Target(
        name="pins",
        parse=parse_pins,
        seeds=lambda: [format_pins(pins())],
        form="json",
        longest=PINS_BYTES,
    ),
    Target(
        name="invitation",
        parse=parse_invitation,
        seeds=lambda: [_invitation()],
        form="json",
        longest=INVITATION_BYTES,
    ),
    Target(
        name="pins-or-invitation",
        parse=parse_trust,
        seeds=lambda: [_invitation(), format_pins(pins())],
        form="json",
        longest=INVITATION_BYTES,
    ),
    Target(
        name="split",
        parse=parse_split,
        seeds=lambda: [split_file()],
        form="json",
        longest=LIMITS.split_bytes,
    ),
    Target(
        name="split-judged",
        parse=_judge_split,
        seeds=lambda: [split_file()],
        form="json",
        longest=LIMITS.split_bytes,
    ),
)
