"""`saphan desk open`: the officer's desk as a page in the browser of this machine."""

from __future__ import annotations

import argparse
import logging
import sys
import threading
import traceback
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saphan_schemas.limits import MINUTE_MS
from saphan_schemas.terminal import plain

from saphan.cli.options import (
    Parser,
    Subparsers,
    add_command,
    add_passphrase,
    now_ms,
    passphrase_source,
)
from saphan.cli.speech import language, note, say, show
from saphan.cli.token_options import add_token, token_access
from saphan.desk.folder import DeskFolder
from saphan.keys.keyfiles import is_sealed
from saphan.keys.passphrase import Passphrase
from saphan.keys.token_place import TokenAccess

if TYPE_CHECKING:
    from saphan.web.serving import PageOptions

MINUTES_MAX = 60


class _PlacesOnly(logging.Formatter):
    """Of an error its kind and where it was, never its text: content may stand in it."""

    def format(self, record: logging.LogRecord) -> str:
        record.exc_text = None  # what another handler made of it
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:
        return plain(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        frames = traceback.extract_tb(ei[2])[-6:]
        places = " < ".join(f"{one.name}:{one.lineno}" for one in reversed(frames))
        return f"{ei[0].__name__} at {places}"


def add_open(group: Subparsers[Parser]) -> None:
    """Register `saphan desk open`."""
    parser = add_command(group, "open", "desk_open", _open)
    parser.add_argument("desk", type=Path, metavar="DESK", help=say("help.desk"))
    parser.add_argument(
        "--port", type=_number(1_024, 65_535), default=0, metavar="N", help=say("help.page_port")
    )
    parser.add_argument("--no-browser", action="store_true", help=say("help.page_no_browser"))
    parser.add_argument(
        "--lock-after",
        type=_number(1, MINUTES_MAX),
        metavar="MINUTES",
        help=say("help.page_lock_after"),
    )
    parser.add_argument("--numeric", action="store_true", help=say("help.page_numeric"))
    # Of the locked page that an open one becomes: two descriptors, see web/locking/handover.py.
    parser.add_argument("--inherited", type=_two, help=argparse.SUPPRESS)
    add_passphrase(parser, what=say("noun.officer_key"))
    add_token(parser)


def _open(args: argparse.Namespace) -> int:
    from saphan.web.serving import run_page

    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(_PlacesOnly("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[lines])
    options, folder = _options(args), DeskFolder(args.desk)
    key = _key(args, folder) if args.inherited is None else None

    def linked(link: str) -> None:
        lines = [say("note.page_link", link=link), say("note.page_runs")]
        show({"link": link}, lines, as_json=args.json)
        sys.stdout.flush()
        if args.numeric:
            note(say("note.page_numeric"))
        if not args.no_browser:
            _browse(folder.folder, link)

    if args.inherited is not None:
        note(say("note.page_locked"))
    run_page(options, key, linked)
    return 0


def _options(args: argparse.Namespace) -> PageOptions:
    from saphan.web.serving import PageOptions

    return PageOptions(
        folder=DeskFolder(args.desk),
        clock=now_ms,
        lang=language(),
        again=_again(args),
        port=args.port,
        numeric=args.numeric,
        lock_after_ms=None if args.lock_after is None else args.lock_after * MINUTE_MS,
        library=args.pkcs11,
        inherited=args.inherited,
    )


def _again(args: argparse.Namespace) -> list[str]:
    """The command of the locked page: a person must unlock it, so no passphrase or PIN file."""
    # -P: what lies in the current folder is not the program.
    again = [sys.executable, "-P", "-m", "saphan", "desk", "open", str(args.desk.resolve())]
    again += ["--json"] if args.json else []
    again += ["--no-browser"] if args.no_browser else []
    again += [] if args.lock_after is None else ["--lock-after", str(args.lock_after)]
    return again + ([] if args.pkcs11 is None else ["--pkcs11", str(args.pkcs11.resolve())])


def _key(
    args: argparse.Namespace, folder: DeskFolder
) -> tuple[Passphrase | None, TokenAccess] | None:
    """What opens the desk at once; None: the page asks for the passphrase."""
    handle = folder.read().handle
    if not is_sealed(folder.key_file):
        return None, token_access(args)
    if args.passphrase_file is None and args.passphrase_fd is None:
        return None
    passphrase = passphrase_source(args).read(say("noun.key_of_officer", handle=handle))
    return passphrase, token_access(args)


def _browse(folder: Path, link: str) -> None:
    """Start the browser with a private file that leads to the link, off the event loop."""
    from saphan.web.locking.launch_file import write_launch

    address = write_launch(folder.resolve(), link).as_uri()
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def _number(lowest: int, highest: int) -> Callable[[str], int]:
    """The type of an option that takes `lowest` to `highest`."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and lowest <= int(text[:9]) <= highest):
            raise argparse.ArgumentTypeError(
                say("help.number_range", lowest=lowest, highest=highest)
            )
        return int(text)

    return parse


def _two(text: str) -> tuple[int, int]:
    one, _, other = text.partition(",")
    return int(one), int(other)
