"""A desk for one command: opened with the passphrase, with the line to its node if there is one."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

from saphan_schemas.errors import Refused, SaphanError, Unavailable
from saphan_schemas.limits import LIMITS

from saphan.cli.options import now_ms, passphrase_source
from saphan.cli.popup import popup, popup_near
from saphan.cli.render import stamp
from saphan.cli.speech import note, say
from saphan.cli.token_options import token_access
from saphan.desk.desk import Desk, open_desk
from saphan.desk.folder import DeskFolder
from saphan.desk.inbox import Inbox
from saphan.desk.keeping import sweep
from saphan.desk.line import DeskLine, connected
from saphan.desk.outbox import Outbox
from saphan.desk.syncing import Seen, Synced, sync
from saphan.keys.keyfiles import is_sealed

WATCH_MS: Final = 1_000
"""The first wait after the line broke; doubled each time."""


@contextmanager
def at_desk(args: argparse.Namespace) -> Iterator[Desk]:
    """The desk that `args.desk` names.

    Raises:
        OperatorError: what `open_desk` raises. Refused: `desk_differs`.
    """
    folder = DeskFolder(args.desk)
    handle = folder.read().handle
    if getattr(args, "handle", None) not in (None, handle):
        raise Refused(
            "desk_differs",
            f"{args.desk} is {handle}'s desk, not {args.handle}'s",
            field="handle",
            hint="leave --handle out: a desk is one officer's",
        )
    passphrase = None
    if is_sealed(folder.key_file):
        passphrase = passphrase_source(args).read(say("noun.key_of_officer", handle=handle))
    with open_desk(folder, passphrase, now_ms, token_access(args)) as desk:
        sweep(desk)
        yield desk


def over_line(desk: Desk, work: Callable[[DeskLine], Awaitable[None]]) -> Unavailable | None:
    """Do what needs the node; why it was not (wholly) done, if the line is to blame.

    Raises:
        SaphanError: what is not the line's fault.
    """

    async def run() -> None:
        async with connected(desk.me, desk.key, desk.clock) as line:
            await work(line)

    if desk.held is not None:
        desk.held.open()  # its PIN is asked for before the line opens: a node waits for no person
    try:
        asyncio.run(run())
    except Unavailable as error:
        return error
    return None


def note_offline(desk: Desk, error: SaphanError) -> None:
    """Tell the person that they see what this desk heard before."""
    heard = Inbox(desk).heard()
    when = say("note.never") if heard is None else f"{stamp(heard)} UTC"
    note(say("note.desk_offline", why=error.message, when=when))


def watch(desk: Desk, told: Callable[[Synced], None]) -> NoReturn:
    """Stay on the line, sync whenever the node has news, and come back when it breaks.

    Raises:
        SaphanError: what is not the line's fault, such as a revoked key.
    """
    wait_ms, seen = WATCH_MS, Seen()
    while True:
        heard = False

        async def stay(line: DeskLine) -> None:
            nonlocal heard
            named: frozenset[str] = frozenset()
            while True:
                synced = await sync(desk, line, seen)
                told(synced)
                await asyncio.to_thread(_popup, desk, synced, named)
                heard = True
                named = await line.news()

        error = over_line(desk, stay)
        assert error is not None
        wait_ms = WATCH_MS if heard else min(2 * wait_ms, LIMITS.backoff_max_ms)
        note(f"{error.message}; {say('note.waiting')}")
        time.sleep(wait_ms / 1000)


def _popup(desk: Desk, synced: Synced, named: frozenset[str]) -> None:
    """What is new; what this officer is named for because nobody has read it, or because nobody
    has taken or answered what they sent."""
    new = {row["id"] for row in synced.new}
    again = [row for row in Inbox(desk).rows() if row["id"] in named - new] if named else []
    popup([*synced.new, *again])
    if named:
        sent = [one for one in Outbox(desk).all() if one.bulletin and one.bulletin.hex() in named]
        popup_near([one.shown for one in sent])
