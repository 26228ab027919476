"""`saphan node backup` and `saphan node restore`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from saphan_protocol.words import fingerprint_words, word_lines
from saphan_schemas.errors import InvalidInput

from saphan.cli.options import Parser, Subparsers, add_command, now_ms, office_of
from saphan.cli.render import stamp
from saphan.cli.speech import say, show

if TYPE_CHECKING:
    from saphan.backup.header import Part
    from saphan.backup.restoring import Restoration

Json = dict[str, object]


def add_backup_commands(group: Subparsers[Parser]) -> None:
    """Register `saphan node backup|restore`."""
    backup = add_command(group, "backup", "node_backup", _backup)
    _add_parts(backup)
    backup.add_argument(
        "--custodians", required=True, metavar="A.pub,B.pub,...", help=say("help.custodians")
    )
    backup.add_argument(
        "--quorum", type=int, required=True, metavar="K", help=say("help.custodian_quorum")
    )
    restore = add_command(group, "restore", "node_restore", _restore)
    _add_parts(restore)
    restore.add_argument(
        "--shares", required=True, metavar="A.share,B.share,...", help=say("help.shares")
    )


def _add_parts(parser: Parser) -> None:
    parser.add_argument("--data", type=Path, metavar="FILE", help=say("help.backup_data"))
    parser.add_argument("--keys", type=Path, metavar="FILE", help=say("help.backup_keys"))


def _parts(args: argparse.Namespace) -> dict[Part, Path]:
    given: dict[Part, Path | None] = {"data": args.data, "keys": args.keys}
    parts = {part: path for part, path in given.items() if path is not None}
    if not parts:
        raise InvalidInput(
            "backup_part_missing",
            "neither a file for data nor one for keys is named",
            field="data",
            hint="give --data FILE, --keys FILE, or both",
        )
    return parts


def _paths(listed: str) -> list[Path]:
    return [Path(one) for one in listed.split(",") if one]


def _backup(args: argparse.Namespace) -> int:
    from saphan.backup.custodians import read_custodians
    from saphan.backup.making import Plan, make_backup

    office = office_of(args)
    custodians = read_custodians(_paths(args.custodians))
    made = now_ms()
    plan = Plan(
        office=office, out=_parts(args), custodians=custodians, quorum=args.quorum, made=made
    )
    saved = make_backup(plan)
    value = {
        "agency": saved.agency,
        "id": saved.id.hex(),
        "made": made,
        "quorum": args.quorum,
        "custodians": [one.name for one in custodians],
        "parts": {
            part: {
                "file": str(path),
                "files": saved.files[part],
                "bytes": saved.bytes[part],
            }
            for part, path in plan.out.items()
        },
        "left_out": ["witness", "root"] if office.root_key.exists() else ["witness"],
    }
    show(value, _saved_page(plan.out, value), as_json=args.json)
    return 0


def _saved_page(parts: dict[Part, Path], value: Json) -> Iterator[str]:
    for part, path in parts.items():
        yield say(f"note.backup_{part}_written", path=path)
    yield say(
        "note.backup_opened_by",
        count=value["quorum"],
        names=", ".join(map(str, value["custodians"])),  # type: ignore[call-overload]
    )
    yield say("note.backup_without_witness")
    if "root" in value["left_out"]:  # type: ignore[operator]
        yield say("note.backup_without_root")


def _restore(args: argparse.Namespace) -> int:
    from saphan.backup.restoring import restore
    from saphan.backup.shares import read_share

    shares = [read_share(path) for path in _paths(args.shares)]
    done = restore(args.dir, list(_parts(args).values()), shares, now=now_ms())
    value = _restored(done)
    show(value, _restored_page(done, value), as_json=args.json)
    return 0


def _restored(done: Restoration) -> Json:
    found = done.recovered
    return {
        "dir": str(done.office.folder),
        "agency": done.agency,
        "made": dict(sorted(done.made.items())),
        "bulletins": found.bulletins,
        "readable": found.readable,
        "node_key": found.node_key,
        "mailbox_keys": found.mailboxes,
        "roots": [fingerprint_words(one) for one in done.roots],
    }


def _restored_page(done: Restoration, value: Json) -> Iterator[str]:
    yield say("note.restored", agency=done.agency, path=done.office.folder)
    for part, made in sorted(done.made.items()):
        yield say(f"note.restored_{part}", time=stamp(made))
    if "data" in done.made:
        yield say("note.restored_bulletins", count=value["bulletins"], readable=value["readable"])
    for part in ("data", "keys"):
        if part not in done.made:
            yield say(f"note.restored_without_{part}")
    yield say("note.restored_lost")
    yield say("note.restored_root_words")
    for root in done.roots:
        yield from (f"  {line}" for line in word_lines(root))
    yield say("note.restored_next")
    if not done.recovered.node_key:
        yield say("note.restored_next_node")
    yield say("note.restored_next_witness")
