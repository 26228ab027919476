"""A page in a process of its own: listen on loopback, show the link, run, lock by exec."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import secrets
import signal
import socket
import string
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS

from saphan.desk.folder import DeskFolder
from saphan.keys.passphrase import Passphrase
from saphan.keys.token_place import TokenAccess
from saphan.listening import close, turn_deaf
from saphan.web.app import make_app, read_all
from saphan.web.http_log import HTTP_LOG
from saphan.web.locking.handover import Handover, inherit, succeed
from saphan.web.locking.launch_file import remove_launch
from saphan.web.sessions import Sessions
from saphan.web.strangers import AT_ONCE
from saphan.web.workplace import LockReason, Workplace

LOOPBACK: Final = "127.0.0.1"
_log: Final = logging.getLogger("saphan.web")
LABEL: Final = 8
CLOSING_S: Final = 1.0
LOOK_S: Final = 1.0
"""Often enough for a laptop that slept: its timers slept with it."""
LOCK_S: Final = 3.0
"""In which what is open closes in order; then the memory goes, whatever still runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """How a page is served.

    Args:
        port: 0: as the system chooses. numeric: named 127.0.0.1, for browsers that do not know
            names under .localhost.
        lock_after_ms: None: as the officer chose on the page of settings.
        again: program and options of the locked page that this one becomes.
        inherited: descriptors, from the page that locked.
    """

    folder: DeskFolder
    clock: Callable[[], int]
    lang: str
    again: Sequence[str]
    port: int = 0
    numeric: bool = False
    lock_after_ms: int | None = None
    library: Path | None = None
    inherited: tuple[int, int] | None = None


@dataclass(slots=True)
class _Told:
    """What the process was told: to end, or to lock.

    `accepting`: takes connections; what comes after the word to lock waits at the socket itself,
    for the successor.
    """

    stop: asyncio.Event
    why: LockReason | None = None
    accepting: asyncio.Server | None = None

    def end(self) -> None:
        self.stop.set()

    def lock(self, why: LockReason) -> None:
        self.why = self.why or why
        if self.accepting is not None:
            turn_deaf(self.accepting)
        self.stop.set()


def run_page(
    options: PageOptions,
    key: tuple[Passphrase | None, TokenAccess] | None,
    linked: Callable[[str], None],
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP; does not return when the page locks: the process
    becomes a locked one.

    Args:
        key: opens the desk at once; None: the page asks.
        linked: is given each launch link; the first one when the page listens.

    Raises:
        OperatorError: `port_taken`, `address_unusable`, `not_a_desk`, and with a key what
            `open_desk` raises.
    """
    listening, place = _place(options)
    _dump_no_core()
    with listening:
        why = asyncio.run(_serve(options, place, listening, key, linked))
        if why is not None:
            succeed(options.again, listening, _handover(place, why))


def _dump_no_core() -> None:
    """What the system would keep of a crashed process has the keys in it.

    A limit of 0 is for files only: where cores go to a program (apport, systemd-coredump), Linux
    hands over the whole memory all the same. With 1 byte it does neither.
    """
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0 if most == 0 else 1, most))


def _place(options: PageOptions) -> tuple[socket.socket, Workplace]:
    """The socket and the workplace: new ones, or those of the page that locked."""
    options.folder.read()
    sessions = Sessions(options.clock)
    if options.inherited is None:
        listening = _listen(options.port)
        name = LOOPBACK if options.numeric else f"{_label()}.localhost"
        host = f"{name}:{listening.getsockname()[1]}"
        place = Workplace(options.folder, options.clock, host, sessions, options.lang)
    else:
        listening, kept = inherit(options.inherited)
        sessions.known = [bytes.fromhex(one) for one in kept.known]
        place = Workplace(options.folder, options.clock, kept.host, sessions, kept.lang)
        place.lock_after_ms, place.why_locked = kept.lock_after_ms, kept.why
    if options.lock_after_ms is not None:
        place.lock_after_ms, place.lock_fixed = options.lock_after_ms, True
    place.library = options.library
    return listening, place


def _label() -> str:
    """A name that no other page of this machine can guess: 26^8, for as long as the process."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(LABEL))


def _listen(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((LOOPBACK, port))
        made.listen(LIMITS.page_backlog)
    except OSError as error:
        made.close()
        raise OperatorError(
            "port_taken",
            f"port {port} of {LOOPBACK} cannot be used: {error.strerror}",
            field="port",
            hint="leave --port out, or choose another",
        ) from None
    return made


def _handover(place: Workplace, why: LockReason) -> Handover:
    return Handover(
        host=place.host,
        known=[one.hex() for one in place.sessions.known],
        lang=place.lang,  # type: ignore[arg-type] # one of LANGUAGES
        lock_after_ms=place.lock_after_ms,
        why=why,
    )


async def _serve(
    options: PageOptions,
    place: Workplace,
    listening: socket.socket,
    key: tuple[Passphrase | None, TokenAccess] | None,
    linked: Callable[[str], None],
) -> LockReason | None:
    """Until told; why it locks, or None when it ends."""
    asyncio.get_running_loop().set_exception_handler(note_bug)
    told = _Told(asyncio.Event())
    place.lock = told.lock
    _obey(told)
    if key is not None:
        await asyncio.gather(asyncio.to_thread(read_all), place.unlock(*key))
    try:
        async with _listening(place, listening) as told.accepting:
            if options.inherited is None:
                linked(link(place))
            async with _asked_for_links(place, linked), locking_when_idle(place):
                await told.stop.wait()
            if told.why is not None:
                # Whatever hangs in what closes now: the memory goes in three seconds.
                _by_force(options, place, listening, told.why)
                place.topics.publish("locked")
    finally:
        if place.open is not None:
            await place.open.close()
        await asyncio.to_thread(remove_launch, place.folder.folder)
    return told.why


def note_bug(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Where it was: asyncio's own line shows arguments and results, and content may be in them."""
    _log.error("the event loop met a bug", exc_info=context.get("exception"))


def _by_force(
    options: PageOptions, place: Workplace, listening: socket.socket, why: LockReason
) -> None:
    # Until the successor listens for it, a second order to lock would end the process.
    asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    timer = threading.Timer(LOCK_S, succeed, (options.again, listening, _handover(place, why)))
    timer.daemon = True
    timer.start()


@asynccontextmanager
async def _listening(place: Workplace, listening: socket.socket) -> AsyncIterator[asyncio.Server]:
    """Serve on a copy of the socket: the socket itself outlives the server, for the successor."""
    runner = web.AppRunner(
        make_app(place), shutdown_timeout=CLOSING_S, access_log=None, logger=HTTP_LOG
    )
    await runner.setup()
    served, loop = runner.server, asyncio.get_running_loop()
    assert served is not None
    accepting = await loop.create_server(
        lambda: place.strangers.came(served()), sock=listening.dup(), backlog=AT_ONCE
    )
    listening.listen(LIMITS.page_backlog)  # for asyncio, both are the same number
    try:
        yield accepting
    finally:
        await close(runner, accepting)


def link(place: Workplace) -> str:
    """A launch link; one given before is void."""
    return f"http://{place.host}/launch/{place.sessions.launch()}"


def _obey(told: _Told) -> None:
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(name) != signal.SIG_IGN:  # nohup: it outlives its terminal
            loop.add_signal_handler(name, told.end)
    loop.add_signal_handler(signal.SIGUSR1, told.lock, "asked")


def _at_terminal() -> bool:
    """Whether what a person types comes to this process."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:  # it is none, or another session's
        return False


@asynccontextmanager
async def _asked_for_links(place: Workplace, linked: Callable[[str], None]) -> AsyncIterator[None]:
    """At a terminal, Enter gives another link: a browser that was closed has lost its cookie."""
    loop = asyncio.get_running_loop()

    def typed() -> None:
        there = b""
        with contextlib.suppress(OSError):  # the terminal is gone
            there = os.read(0, 1024)
        if there:
            linked(link(place))
        else:
            loop.remove_reader(0)

    asked = _at_terminal()
    if asked:
        loop.add_reader(0, typed)
    try:
        yield
    finally:
        if asked:
            loop.remove_reader(0)


@asynccontextmanager
async def locking_when_idle(place: Workplace, look_s: float = LOOK_S) -> AsyncIterator[None]:
    """While the block lasts, the page locks when nobody was there; looked at every `look_s`."""
    task = asyncio.create_task(_lock_when_idle(place, look_s))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _lock_when_idle(place: Workplace, look_s: float) -> None:
    while True:
        if place.lock_if_idle():
            return
        await asyncio.sleep(look_s)
