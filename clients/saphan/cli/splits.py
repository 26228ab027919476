"""`saphan audit split|heads`, `saphan node trust-again`: two histories of a broker's log."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from saphan_protocol.invitation import INVITATION_BYTES, parse_trust
from saphan_protocol.notes import parse_note
from saphan_protocol.pins import Pins
from saphan_protocol.split_file import SplitFile, format_split, join_splits, parse_split
from saphan_protocol.split_view import Proven, SplitVerdict, Vouched, judge_split
from saphan_protocol.words import fingerprint_words, word_lines
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS, SECOND_MS

from saphan.cli.options import Parser, Subparsers, add_command, local_node
from saphan.cli.render import stamp
from saphan.cli.speech import say, show
from saphan.durable import PUBLIC_MODE, create_file, read_bounded

EXITS: Final = {Proven.YES: 0, Proven.BY_UNKNOWN_KEYS: 6, Proven.NO: 3}


def add_audit_commands(group: Subparsers[Parser]) -> None:
    """Register `saphan audit split|heads`."""
    split = add_command(group, "split", "audit_split", _split)
    split.add_argument("files", type=Path, nargs="+", metavar="FILE", help=say("help.split_files"))
    split.add_argument("--pins", type=Path, metavar="FILE", help=say("help.audit_pins"))
    split.add_argument("--out", type=Path, metavar="FILE", help=say("help.split_out"))
    heads = add_command(group, "heads", "audit_heads", _heads)
    heads.add_argument(
        "size", type=int, nargs="?", default=0, metavar="SIZE", help=say("help.head_size")
    )
    heads.add_argument(
        "--log", choices=("evidence", "directory"), default="evidence", help=say("help.head_log")
    )
    heads.add_argument("--out", type=Path, required=True, metavar="FILE", help=say("help.out"))


def add_node_commands(group: Subparsers[Parser]) -> None:
    """Register `saphan node trust-again`."""
    clear = add_command(group, "trust-again", "node_trust_again", _trust_again)
    clear.add_argument("--reason", required=True, metavar="TEXT", help=say("help.trust_reason"))


def _trust_again(args: argparse.Namespace) -> int:
    found = local_node(args).post("/v1/splits/clear", {"reason": args.reason})
    lines = [say("note.trusted_again", count=len(found["splits"]) + len(found["seen"]))]
    show(found, lines, as_json=args.json)
    return 0


def _heads(args: argparse.Namespace) -> int:
    if args.size < 0:
        raise InvalidInput("malformed", "a size is a whole number", field="size")
    found = local_node(args).get(f"/v1/heads/{args.size}?log={args.log}")
    create_file(args.out, str(found["file"]).encode(), PUBLIC_MODE)
    show({"file": str(args.out)}, [say("note.heads_written", path=args.out)], as_json=args.json)
    return 0


def _split(args: argparse.Namespace) -> int:
    pins = None if args.pins is None else read_pins(args.pins)
    found = _joined(args.files, pins)
    verdict = judge_split(found, pins)
    if args.out is not None:
        create_file(args.out, format_split(found), PUBLIC_MODE)
    show(verdict_json(verdict), verdict_lines(verdict), as_json=args.json)
    return EXITS[verdict.proven]


def read_pins(path: Path) -> Pins:
    """The pins of a pin file or an invitation; raises what `parse_trust` and the disk raise."""
    return parse_trust(read_bounded(path, INVITATION_BYTES, "pins"))


def _joined(paths: list[Path], pins: Pins | None) -> SplitFile:
    """Files about two histories and bare signed notes, as one."""
    splits, notes = [], []
    for path in paths:
        data = read_bounded(path, LIMITS.split_bytes, "split")
        try:
            if data.lstrip()[:1] == b"{":
                splits.append(parse_split(data))
            else:
                parse_note(data)
                notes.append(data)
        except InvalidInput as error:
            raise InvalidInput(error.code, f"{path}: {error.message}", hint=error.hint) from None
    if not splits:
        if pins is None:
            raise InvalidInput(
                "split_malformed",
                "signed notes alone do not say whose keys have signed them",
                field="pins",
                hint="name the broker's keys: --pins FILE",
            )
        splits = [SplitFile(pins=pins, found_by="", found_at=0)]
    return join_splits(splits, notes)


def verdict_json(verdict: SplitVerdict) -> dict[str, Any]:
    """The verdict for a program."""
    sides = verdict.sides
    return {
        "verdict": verdict.proven.value,
        "origin": sides[0].origin if sides else None,
        "size": sides[0].size if sides else None,
        "sides": [_side(side) for side in sides or ()],
        "claims": [
            {"sender": sender, "origin": seen.origin, "size": seen.size, "root": seen.root.hex()}
            for sender, seen in verdict.claims
        ],
        "remarks": [
            {"part": one.part, "code": one.code, "message": one.message} for one in verdict.remarks
        ],
        "pins": {
            "name": verdict.pins.name,
            "digest": verdict.pins.digest.hex(),
            "words": fingerprint_words(verdict.pins.digest),
        },
    }


def _side(side: Vouched) -> dict[str, Any]:
    head = side.head
    signed = {"origin": head.origin, "size": head.size, "root": head.root.hex(), "time": head.time}
    return {"root": side.root.hex(), "how": side.how, "head": signed}


def verdict_lines(verdict: SplitVerdict) -> Iterator[str]:
    """The verdict for a person, in words first."""
    sides = verdict.sides
    place = {"origin": sides[0].origin, "size": sides[0].size} if sides else {}
    yield say(f"note.split_{verdict.proven.value}", **place)
    for side in sides or ():
        time = stamp(side.head.time * SECOND_MS)
        yield f"    {side.root.hex()}"
        yield "        " + say(f"note.split_by_{side.how}", size=side.head.size, time=time)
    if verdict.remarks:
        yield say("note.split_remarks")
    for one in verdict.remarks:
        yield f"    {one.part}: {one.message} ({one.code})"
    yield say("note.split_keys_of", name=verdict.pins.name)
    yield from (f"    {line}" for line in word_lines(verdict.pins.digest))
