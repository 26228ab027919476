"""`saphan root`: what a root's holder does on a machine without a network, and how it ends.

Nothing here needs a node, a broker or another machine: files come and go by hand.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from saphan_protocol.words import fingerprint_words, word_lines
from saphan_schemas.errors import OperatorError

from saphan.ceremony.concluding import conclude
from saphan.ceremony.describing import describe
from saphan.ceremony.draft import OperationDraft, check_signer, merge, sign
from saphan.ceremony.draft_file import DRAFT_BYTES, format_draft, parse_draft
from saphan.ceremony.holder import check_holder, new_root, open_root_file
from saphan.ceremony.paper import paper_of
from saphan.ceremony.paper_page import write_page
from saphan.cli.comparing import add_comparing, compare_words
from saphan.cli.operation_page import draft_page
from saphan.cli.options import (
    Parser,
    Subparsers,
    add_command,
    add_group,
    add_passphrase,
    office_of,
    passphrase_source,
)
from saphan.cli.speech import note, say, show
from saphan.durable import PUBLIC_MODE, create_file, read_bounded, replace_file
from saphan.keys.keyfiles import read_key_id


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan root new|show|sign|finish|paper`."""
    group = add_group(commands, "root")
    new = add_command(group, "new", "root_new", _new)
    new.add_argument("--name", required=True, metavar="HOLDER", help=say("help.holder"))
    new.add_argument("--out", type=Path, required=True, metavar="DIR", help=say("help.root_folder"))
    add_passphrase(new, what=say("noun.new_key"))
    shown = add_command(group, "show", "root_show", _show)
    shown.add_argument("file", type=Path, metavar="DRAFT", help=say("help.operation_draft"))
    signing = add_command(group, "sign", "root_sign", _sign)
    signing.add_argument("file", type=Path, metavar="DRAFT", help=say("help.operation_draft"))
    signing.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help=say("help.root_key_file")
    )
    add_comparing(signing)
    add_passphrase(signing, what=say("noun.root_key"))
    ending = add_command(group, "finish", "root_finish", _finish)
    ending.add_argument(
        "files", type=Path, nargs="+", metavar="DRAFT", help=say("help.operation_drafts")
    )
    paper = add_command(group, "paper", "root_paper", _paper)
    paper.add_argument("file", type=Path, metavar="FILE", help=say("help.paper_file"))
    paper.add_argument("--out", type=Path, metavar="FILE", help=say("help.paper_out"))


def _new(args: argparse.Namespace) -> int:
    check_holder(args.name)
    for name in (f"{args.name}.key", f"{args.name}.json"):
        _check_absent(args.out / name)  # before anybody thinks up a passphrase
    what = say("noun.root_of_holder", holder=args.name)
    made = new_root(args.out, args.name, passphrase_source(args).read_new(what))
    key_id = made.half.key_id
    value = {
        "holder": args.name,
        "key_id": key_id.hex(),
        "words": fingerprint_words(key_id),
        "key_file": str(made.key_file),
        "public_file": str(made.public_file),
    }
    lines = [
        say("note.root_made", holder=args.name, path=made.key_file),
        say("note.root_half_made", path=made.public_file),
        *(f"    {line}" for line in word_lines(key_id)),
        say("note.compare_words"),
    ]
    show(value, lines, as_json=args.json)
    return 0


def _check_absent(path: Path) -> None:
    if path.exists():
        raise OperatorError(
            "file_exists",
            f"{path} exists already and is not overwritten",
            field="out",
            hint="a root is never made over another one: name another folder or holder",
        )


def _show(args: argparse.Namespace) -> int:
    draft = _read(args.file)
    show(describe(draft), draft_page(draft), as_json=args.json)
    return 0


def _sign(args: argparse.Namespace) -> int:
    draft = _read(args.file)
    name = read_key_id(args.key)
    check_signer(draft, name)  # before anybody reads the page, or is asked for a passphrase
    holder = draft.holders.get(name, name.hex()[:16])
    if name in draft.signed:
        value = describe(draft) | {"file": str(args.file), "signed_by": holder}
        line = say("note.draft_signed_before", holder=holder)
        show(value, [line, *_next_step(draft, args.file)], as_json=args.json)
        return 0
    for line in draft_page(draft):
        note(line)
    title = say("note.draft_title", agency=draft.operation.agency, version=draft.operation.version)
    compare_words(args, title, draft.identity, say("noun.other_holders"))
    what = say("noun.root_of_holder", holder=holder)
    signed = sign(draft, open_root_file(args.key, passphrase_source(args).read(what)))
    replace_file(args.file, format_draft(signed), PUBLIC_MODE)
    value = describe(signed) | {"file": str(args.file), "signed_by": holder}
    line = say("note.draft_signed", holder=holder)
    show(value, [line, *_next_step(signed, args.file)], as_json=args.json)
    return 0


def _next_step(draft: OperationDraft, path: Path) -> Iterator[str]:
    if draft.complete:
        yield say("note.draft_ready", path=path)
        return
    for whose, have, need in draft.tallies:
        yield say(f"tally.{whose}", have=have, need=need)
    yield say("note.draft_wants", path=path)


def _finish(args: argparse.Namespace) -> int:
    office = office_of(args)
    office.read_agency()
    first, *others = (_read(path) for path in args.files)
    draft = merge(first, *others)
    path = conclude(office, draft)
    version = draft.operation.version
    value = {
        "agency": draft.operation.agency,
        "version": version,
        "operation": str(path),
        "enrolment": str(office.enrolment) if version == 1 else None,
    }
    if version == 1:
        lines = [*_root_words(draft), say("note.carry_enrolment", path=office.enrolment)]
    else:
        lines = [say("note.operation_finished", version=version, path=path)]
    show(value, lines, as_json=args.json)
    return 0


def _root_words(draft: OperationDraft) -> Iterator[str]:
    """What the broker's operator will read to the agency before admitting it."""
    for name in draft.added_roots:
        yield f"{draft.holders.get(name, '')} {name.hex()[:16]}".strip()
        yield from (f"    {line}" for line in word_lines(name))


def _paper(args: argparse.Namespace) -> int:
    data = read_bounded(args.file, DRAFT_BYTES, "file")
    paper = paper_of(data)
    if args.out is not None:
        create_file(args.out, write_page(paper), PUBLIC_MODE)
        lines: Iterator[str] = iter([say("note.paper_written", path=args.out)])
    else:
        lines = paper.lines(say)
    out = None if args.out is None else str(args.out)
    show(paper.value() | {"file": out}, lines, as_json=args.json)
    return 0


def _read(path: Path) -> OperationDraft:
    return parse_draft(read_bounded(path, DRAFT_BYTES, "draft"))
