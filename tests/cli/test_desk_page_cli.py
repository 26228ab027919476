"""`saphan desk open`: the link, what is refused before a page runs, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from saphan.cli.desk_page import _PlacesOnly
from saphan.web.locking.handover import Handover, inherit
from saphan.web.locking.idle import Presence
from saphan.web.serving import locking_when_idle, note_bug
from support.command import environment, saphan_here
from support.desk_page import desk_folder, desk_page
from support.page_process import PASSPHRASE, page_process


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    return desk_folder(tmp_path / "desk").folder


def private(path: Path, text: str) -> Path:
    path.touch(0o600)
    path.write_text(text)
    return path


def test_a_page_starts_locked_and_ends_when_told(desk: Path) -> None:
    with page_process(desk, "--lang", "lo") as page:
        assert page.host.endswith(f".localhost:{page.host.rpartition(':')[2]}")
        assert page.ask("GET", "/inbox").status == 401
        page.enter()
        assert page.ask("GET", "/inbox").where == "/unlock?next=/inbox"
        assert 'lang="lo"' in page.ask("GET", "/unlock").text
        other = socket.socket()
        # Another address of the same machine: nobody is there.
        with other, pytest.raises(ConnectionRefusedError):
            other.connect(("127.0.0.2", int(page.host.rpartition(":")[2])))
    assert page.process.returncode == 0


def test_a_page_opens_at_once_where_a_file_has_the_passphrase(desk: Path, tmp_path: Path) -> None:
    file = private(tmp_path / "passphrase", PASSPHRASE)
    with page_process(desk, "--passphrase-file", str(file), "--numeric") as page:
        assert page.host.startswith("127.0.0.1:")
        page.enter()
        assert page.ask("GET", "/settings").status == 200


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        (("--passphrase-file", "{wrong}"), 5, "passphrase_wrong"),
        (("--passphrase-file", "{open}"), 5, "key_file_exposed"),
        (("--port", "{taken}"), 5, "port_taken"),
    ],
)
def test_what_cannot_be_opened_is_said_before_a_page_runs(
    desk: Path, tmp_path: Path, options: tuple[str, str], status: int, code: str
) -> None:
    exposed = private(tmp_path / "open", PASSPHRASE)
    exposed.chmod(0o644)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        given = options[1].format(
            wrong=private(tmp_path / "wrong", "not the passphrase"),
            open=exposed,
            taken=taken.getsockname()[1],
        )
        ran = saphan_here("desk", "open", desk, "--no-browser", options[0], given, status=status)
    assert ran.code == code
    assert ran.out == ""


def test_a_folder_that_is_no_desk_is_refused(tmp_path: Path) -> None:
    assert saphan_here("desk", "open", tmp_path, "--no-browser", status=5).code == "not_a_desk"


@pytest.mark.parametrize(
    "options", [("--port", "80"), ("--port", "65536"), ("--lock-after", "61"),
                ("--lock-after", "0"), ("--lock-after", "never")],
)  # fmt: skip
def test_numbers_have_bounds(desk: Path, options: tuple[str, str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        saphan_here("desk", "open", desk, "--no-browser", *options)


def test_the_browser_is_started_with_a_file_and_not_with_the_link(
    desk: Path, tmp_path: Path
) -> None:
    noted = tmp_path / "noted"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$@" > {noted}.part\nmv {noted}.part {noted}\n')
    browser.chmod(0o755)
    words = [sys.executable, "-m", "saphan", "desk", "open", str(desk), "--json"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, env=os.environ | {"BROWSER": f"{browser} %s"}
    ) as page:
        assert page.stdout is not None
        link = page.stdout.readline()
        while not noted.exists():
            assert page.poll() is None
        assert noted.read_text().strip() == (desk / "launch.html").resolve().as_uri()
        assert "/launch/" in link
        page.send_signal(signal.SIGINT)
        assert page.wait(timeout=30) == 0
    assert not (desk / "launch.html").exists()


def test_a_page_ends_with_its_terminal(desk: Path, tmp_path: Path) -> None:
    """In order: the launch link does not stay behind. And a terminal of another session is none."""
    master, terminal = os.openpty()
    words = [sys.executable, "-m", "saphan", "desk", "open", str(desk), "--json"]
    with subprocess.Popen(
        words,
        stdin=terminal,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env=os.environ | {"BROWSER": "true %s"},
    ) as page:
        assert page.stdout is not None
        assert b"/launch/" in page.stdout.readline()
        limits = Path(f"/proc/{page.pid}/limits").read_text()
        # 0 would do for files, and not where the system gives cores to a program.
        core = re.search(r"Max core file size +(\d) +(\S+)", limits)
        assert core is not None
        assert core[1] == "1" or core[2] == "0"
        page.send_signal(signal.SIGHUP)
        assert page.wait(timeout=30) == 0
    os.close(master)
    os.close(terminal)
    assert not (desk / "launch.html").exists()


async def test_what_goes_wrong_in_the_event_loop_is_noted_without_its_words() -> None:
    lines = io.StringIO()
    noting = logging.StreamHandler(lines)
    noting.setFormatter(_PlacesOnly("%(message)s"))
    loop, log = asyncio.get_running_loop(), logging.getLogger("saphan.web")
    loop.set_exception_handler(note_bug)
    log.addHandler(noting)
    try:
        failed = loop.create_task(_fail("name of a witness"))
        await asyncio.wait((failed,))
        del failed
        gc.collect()
        loop.call_soon(int, "address of a witness")
        await asyncio.sleep(0)
    finally:
        log.removeHandler(noting)
        loop.set_exception_handler(None)
    said = lines.getvalue()
    assert said.count("the event loop met a bug") == 2
    assert "LookupError at _fail" in said
    assert "witness" not in said


async def _fail(words: str) -> None:
    raise LookupError(words)


async def test_a_page_that_nobody_uses_locks(tmp_path: Path) -> None:
    async with desk_page() as page:
        told: list[str] = []
        done = asyncio.Event()

        def lock(why: str) -> None:
            told.append(why)
            done.set()

        up = [0]
        page.place.presence = Presence(lambda: up[0])
        page.place.lock, page.place.lock_after_ms = lock, 60_000
        async with locking_when_idle(page.place, look_s=0.01):
            await asyncio.sleep(0.05)
            assert told == []
            up[0] = 60_000
            await asyncio.wait_for(done.wait(), 20)
        assert told == ["idle"]


ENDING = """
import resource, socket
from saphan.web.locking.handover import Handover, succeed, text
text("note.page_lock_ends", "en")  # a page that runs has read its words
with socket.create_server(("127.0.0.1", 0)) as listening:
    {first}
    succeed(["/nowhere/python"], listening, Handover("a.localhost:1", [], "en", 1, "asked"))
"""
NONE_FREE = "resource.setrlimit(resource.RLIMIT_NOFILE, (listening.fileno() + 1,) * 2)"


@pytest.mark.parametrize("first", ["pass", NONE_FREE])
def test_a_page_that_cannot_go_on_locked_ends(first: str) -> None:
    """An upgrade took the program away while the page ran, or no descriptor is free: its memory
    goes all the same."""
    words = [sys.executable, "-c", ENDING.format(first=first)]
    ran = subprocess.run(words, capture_output=True, text=True, check=False, env=environment())
    assert ran.returncode == 5
    assert ran.stderr.startswith("the page is locked and has ended")
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize("host", ["127.0.0.2", "127.0.0.1"])
def test_a_successor_takes_loopback_and_what_parses_only(host: str) -> None:
    listening = socket.socket()
    listening.bind((host, 0))
    for text, good in (
        (b'{"host":"a.localhost:1","known":[],"lang":"km","lock_after_ms":1,"why":"idle"}', True),
        (b'{"host":"a.localhost:1","known":[],"lang":"xx","lock_after_ms":1,"why":"idle"}', False),
        (b"", False),
    ):
        reading, writing = os.pipe()
        os.write(writing, text)
        os.close(writing)
        handles = (os.dup(listening.fileno()), reading)
        if good and host == "127.0.0.1":
            socket_, handover = inherit(handles)
            socket_.close()
            assert handover == Handover("a.localhost:1", [], "km", 1, "idle")
        else:
            with pytest.raises(ValueError, match=r"."):
                inherit(handles)
    with suppress(OSError):
        listening.close()
