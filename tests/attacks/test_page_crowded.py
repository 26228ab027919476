"""Another user of the machine connects to the officer's page until nothing is free any more.

Without a bound asyncio would do nothing but try to accept: a page that does not hear the order to
lock keeps its keys.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
from contextlib import ExitStack
from pathlib import Path

from saphan.web.strangers import MOST
from support.desk_page import desk_folder
from support.page_process import page_process

FILES = 160
"""Descriptors of the page; ordinary systems give 1024 at least."""
CROWD = 400


def test_a_crowd_keeps_a_page_neither_from_answering_nor_from_locking(tmp_path: Path) -> None:
    with page_process(desk_folder(tmp_path / "desk").folder) as page, ExitStack() as crowd:
        page.enter()
        assert page.unlock().status == 303
        _, most = resource.prlimit(page.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(page.process.pid, resource.RLIMIT_NOFILE, (FILES, most))
        for number in range(CROWD):
            one = crowd.enter_context(socket.create_connection(page.address))
            # A request that never ends, and one that never begins.
            one.send(b"GET / HTTP/1.1\r\nX: " if number % 2 else b"")
        assert page.ask("GET", "/settings").status == 200
        assert len(os.listdir(f"/proc/{page.process.pid}/fd")) < MOST + 50
        os.kill(page.process.pid, signal.SIGUSR1)
        # Whoever comes now waits for the successor, and is answered.
        assert page.locked()
