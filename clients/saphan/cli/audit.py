"""`saphan audit`: fetch a broker's public logs, and verify them with record packs, offline."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Self

from saphan_protocol.audit.before import OldLogs
from saphan_protocol.audit.report import Report
from saphan_protocol.audit.resuming import Resuming
from saphan_protocol.audit.telling import report_json
from saphan_protocol.audit.verdict import audit
from saphan_protocol.audit.words import report_page
from saphan_protocol.invitation import (
    INVITATION_BYTES,
    is_invitation,
    parse_invitation,
    parse_trust,
)
from saphan_protocol.pins import Pins
from saphan_schemas.bodies import known_types
from saphan_schemas.errors import InvalidInput, Refused

from saphan.audit.beside import processes
from saphan.audit.fetch import fetch_logs
from saphan.audit.folder import LogFolder
from saphan.audit.packfile import read_pack
from saphan.audit.result import write_result
from saphan.audit.statefile import StateFile, digest_file
from saphan.cli.options import Parser, Subparsers, add_command, add_group, now_ms
from saphan.cli.page_files import add_page_options, refuse_pages, write_page_files
from saphan.cli.progress import Progress as Bar
from saphan.cli.speech import language, note, say, show
from saphan.cli.splits import add_audit_commands
from saphan.durable import read_bounded
from saphan.item_file import require_new
from saphan.private import read_private

EXIT_FINDING: Final = Refused.exit_status
"""Something is wrong with what was audited; 0 says that nothing is."""
TOKEN_BYTES: Final = 256
PATIENCE_SECONDS: Final = 2.0


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan audit fetch|verify|split|heads`."""
    group = add_group(commands, "audit")
    add_audit_commands(group)
    fetch = add_command(group, "fetch", "audit_fetch", _fetch)
    fetch.add_argument("url", metavar="URL", help=say("help.log_url"))
    fetch.add_argument("folder", type=Path, metavar="FOLDER", help=say("help.log_folder"))
    fetch.add_argument("--pins", type=Path, metavar="FILE", help=say("help.audit_pins"))
    fetch.add_argument("--token-file", type=Path, metavar="FILE", help=say("help.token_file"))
    verify = add_command(group, "verify", "audit_verify", _verify)
    verify.add_argument("folder", type=Path, metavar="FOLDER", help=say("help.log_folder"))
    verify.add_argument(
        "--pack", type=Path, action="append", default=[], metavar="FILE", help=say("help.pack")
    )
    verify.add_argument("--state", type=Path, metavar="FILE", help=say("help.audit_state"))
    verify.add_argument("--result", type=Path, metavar="FILE", help=say("help.audit_result"))
    verify.add_argument("--old", type=Path, metavar="FOLDER", help=say("help.audit_old"))
    verify.add_argument(
        "--old-pack",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help=say("help.audit_old_pack"),
    )
    add_page_options(verify)
    verify.add_argument("--processes", type=_count, metavar="N", help=say("help.audit_processes"))
    verify.add_argument(
        "--pins", type=Path, required=True, metavar="FILE", help=say("help.audit_pins")
    )


def _verify(args: argparse.Namespace) -> int:
    pins, packs = _read_pins(args.pins), dict(_named(args.pack))
    wanted = args.state is not None or args.result is not None
    digests = {name: digest_file(path) for name, path in packs.items()} if wanted else {}
    if args.result is not None:
        require_new(args.result)  # now, and not after an hour's work
    refuse_pages(args)
    file = None if args.state is None else StateFile(args.state)
    resuming = None if file is None else Resuming(_program(), digests, file.read(), file)
    with processes(args.processes) as beside, AuditProgress() as progress:
        report = audit(
            pins,
            LogFolder(args.folder / "directory"),
            LogFolder(args.folder / "evidence"),
            [(name, read_pack(path)) for name, path in packs.items()],
            {known.name: known.digest for known in known_types()},
            progress,
            beside=beside,
            resuming=resuming,
            old=_old(args),
        )
    try:
        show(report_json(report), report_page(report, say), as_json=args.json)
    finally:  # neither a full disk nor a reader that went away takes the other's part
        if args.result is not None:
            write_result(args.result, report, pins, _program(), digests)
        if args.page is not None or args.pdf is not None:
            _write_pages(report, args)
    if file is not None and file.failed is not None:
        raise file.failed
    return 0 if report.finding is None else EXIT_FINDING


def _old(args: argparse.Namespace) -> OldLogs | None:
    """What is given of the log before; its directory need not be there."""
    if args.old is None and not args.old_pack:
        return None
    packs = [(name, read_pack(path)) for name, path in _named(args.old_pack)]
    if args.old is None:
        return OldLogs(packs=packs)
    directory = args.old / "directory"
    evidence = LogFolder(args.old / "evidence")
    return OldLogs(evidence, LogFolder(directory) if directory.exists() else None, packs)


def _write_pages(report: Report, args: argparse.Namespace) -> None:
    """The page in the language of this run; how much who sent whom is for its owner alone."""
    from saphan.audit.page import audit_page

    page = audit_page(report, language(), now_ms())
    for path in write_page_files(page, args.page, args.pdf):
        note(say("note.evidence_page", path=path))


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 2):
        raise argparse.ArgumentTypeError(say("help.audit_processes"))
    return int(text)


def _program() -> str:
    try:
        return f"saphan {version('saphan')}"
    except PackageNotFoundError:
        return "saphan 0"  # run from a checkout that was never installed


def _named(paths: list[Path]) -> list[tuple[str, Path]]:
    """File names for the report; whole paths where two files have one name."""
    names = [_text(path.name) for path in paths]
    return [(n if names.count(n) == 1 else _text(p), p) for n, p in zip(names, paths, strict=True)]


def _text(path: str | Path) -> str:
    """A name need not be UTF-8; a report is."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _fetch(args: argparse.Namespace) -> int:
    pins = None if args.pins is None else _read_pins(args.pins)
    token = None if args.token_file is None else _read_token(args.token_file)
    tls = None if args.pins is None else _tls_key(args.pins)
    work = fetch_logs(args.url, args.folder, token, pins, Progress("note.audit_fetching"), tls)
    found = asyncio.run(work)
    value = {
        name: {"origin": log.origin, "size": log.size, "files": log.files}
        for name, log in found.items()
    }
    lines = [say("note.audit_fetched", folder=args.folder, **row) for row in value.values()]
    show(value, lines, as_json=args.json)
    return 0


class AuditProgress:
    """A bar for people at a terminal, for programs a line now and then."""

    def __init__(self) -> None:
        self._lines = Progress("note.audit_progress")
        self._bars = {log: Bar(f"note.audit_{log}") for log in ("directory", "evidence", "before")}

    def __call__(self, log: str, done: int, size: int) -> None:
        if sys.stderr.isatty():
            self._bars[log](done, size)
        else:
            self._lines(log, done, size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for bar in self._bars.values():
            bar.__exit__(None, None, None)


class Progress:
    """Says on standard error how far long work has come; short work says nothing."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._next = time.monotonic() + PATIENCE_SECONDS

    def __call__(self, log: str, done: int, size: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PATIENCE_SECONDS
            note(say(self._key, log=say(f"note.audit_{log}"), done=done, size=size))


def _read_pins(path: Path) -> Pins:
    return parse_trust(read_bounded(path, INVITATION_BYTES, "pins"))


def _tls_key(path: Path) -> bytes | None:
    """The broker's TLS key that an invitation names; a pin file names none."""
    data = read_bounded(path, INVITATION_BYTES, "pins")
    return parse_invitation(data).tls if is_invitation(data) else None


def _read_token(path: Path) -> str:
    text = read_private(path, TOKEN_BYTES, "token").strip()
    if not text.isascii() or not text.decode("ascii", "replace").isprintable():
        raise InvalidInput("token_wrong", f"{path} holds no token", field="token")
    return text.decode("ascii")
