"""Commands that make an operation: signed here where the root is, else a draft that is carried."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from saphan_protocol.words import fingerprint_words, word_lines
from saphan_schemas.errors import OperatorError

from saphan.ceremony.concluding import check_none_waits, give_up, take_up
from saphan.ceremony.draft_file import DRAFT_BYTES, parse_draft
from saphan.cli.options import Parser, add_passphrase, passphrase_source
from saphan.cli.speech import note, say
from saphan.durable import PUBLIC_MODE, create_file, read_bounded
from saphan.keys.passphrase import Passphrase
from saphan.office import Office
from saphan.operations import Made, holds_root


def add_drafting(parser: Parser) -> None:
    """`--out` for the draft, `--instead` of the one that waits, and the root's passphrase."""
    parser.add_argument("--out", type=Path, metavar="FILE", help=say("help.draft_out"))
    parser.add_argument("--instead", action="store_true", help=say("help.instead"))
    add_passphrase(parser, what=say("noun.root_key"))


def check_drafting(args: argparse.Namespace, office: Office) -> None:
    """What can be known before anybody types a passphrase.

    Raises:
        OperatorError: `not_an_agency_folder`, `draft_waiting`, `file_exists`, `file_missing`.
    """
    office.read_agency()
    if not args.instead:
        check_none_waits(office)
    if args.out is not None and args.out.exists():
        raise OperatorError(
            "file_exists",
            f"{args.out} exists already and is not overwritten",
            field="out",
            hint="move it away, or name another file",
        )
    if args.out is not None and not args.out.parent.is_dir():
        raise OperatorError(
            "file_missing",
            f"there is no folder {args.out.parent} for the draft's copy",
            field="out",
            hint="make the folder first, or name another file; nothing was made",
        )


@contextmanager
def instead_of_waiting(args: argparse.Namespace, office: Office) -> Iterator[None]:
    """With `--instead`, what waits stands aside while the block makes another operation.

    If it makes none, the draft waits again: "nothing was done" has to be true.
    """
    kept = give_up(office) if args.instead else None
    try:
        yield
    except BaseException:
        if kept is not None:
            take_up(office, kept)
        raise
    if kept is not None:
        note(say("note.draft_given_up", path=kept))


def root_passphrase(args: argparse.Namespace, office: Office) -> Passphrase | None:
    """The passphrase of the root in the agency's folder; None where its holders keep it."""
    if not holds_root(office):
        return None
    return passphrase_source(args).read(say("noun.root_key"))


def made_value(args: argparse.Namespace, made: Made) -> dict[str, object]:
    """What was made, as JSON; a draft is copied to `--out` here."""
    waiting = draft_identity(made.operation) if made.waits else {}
    if made.waits and args.out is not None:
        create_file(args.out, made.operation.read_bytes(), PUBLIC_MODE)
    return {
        "version": made.version,
        "operation": str(made.operation),
        "waits": made.waits,
        "draft": str(args.out or made.operation) if made.waits else None,
        "key_file": None if made.key_file is None else str(made.key_file),
        "key_id": None if made.key_id is None else made.key_id.hex(),
        **waiting,
    }


def made_page(value: dict[str, object], then: str = "note.activate_next") -> Iterator[str]:
    """The same for a person, with the next step; `then` is said of a key that waits for its use."""
    if value["key_file"] is not None:
        yield say("note.key_written", path=value["key_file"])
    if value["waits"]:
        yield say("note.operation_drafted", version=value["version"], path=value["operation"])
        if value["draft"] != value["operation"]:
            yield say("note.draft_copied", path=value["draft"])
        yield from words_page(value)
    else:
        yield say("note.operation_made", version=value["version"], path=value["operation"])
    if str(value["key_file"]).endswith(".next.key"):
        yield say(then)


def draft_identity(path: Path) -> dict[str, object]:
    """Identity and words of a draft that was just made here."""
    found = parse_draft(read_bounded(path, DRAFT_BYTES, "draft")).identity
    return {"identity": found.hex(), "words": fingerprint_words(found)}


def words_page(value: dict[str, object]) -> Iterator[str]:
    """The draft's words, to be heard from every holder who signs it."""
    yield say("note.draft_words")
    yield from (f"    {line}" for line in word_lines(bytes.fromhex(str(value["identity"]))))
