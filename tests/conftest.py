"""What holds for every test: no blocked event loop, repeatable examples, nobody's real home."""

from __future__ import annotations

import inspect
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from support.event_loop import watch_event_loop
from support.s3_server import S3Server, s3_server
from support.side_by_side import pytest_xdist_make_scheduler as pytest_xdist_make_scheduler

if TYPE_CHECKING:
    from support.archives import HookedTwin
    from support.bridge import Bridge
    from support.brokers import World
    from support.servers import Server

# In the background of a shell Ctrl-C is ignored, and would be by every program of a test.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("local", deadline=None, max_examples=50)
# In CI every run sees the same examples: a red build can be repeated, a green one is not luck.
settings.register_profile(
    "ci", deadline=None, max_examples=50, derandomize=True, database=None, print_blob=True
)
settings.load_profile("ci" if os.environ.get("CI") else "local")

KEPT_VARIABLES = ("SAPHAN_VECTORS", "SAPHAN_SYSCALLS")
"""Variables of ours that a test may see: where the official vectors are."""


@pytest.fixture(autouse=True)
def _event_loop_is_watched(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail an async test in which a coroutine of ours blocks the event loop."""
    if not inspect.iscoroutinefunction(getattr(request, "function", None)):
        yield
        return
    with watch_event_loop():
        yield


@pytest.fixture(autouse=True)
def _own_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Point HOME at an empty folder and drop the caller's settings, here and in children."""
    home = tmp_path_factory.mktemp("home")
    home.chmod(0o700)
    monkeypatch.setenv("HOME", str(home))
    for name in list(os.environ):
        ours = name.startswith("SAPHAN_") and name not in KEPT_VARIABLES
        if ours or name.startswith("XDG_"):
            monkeypatch.delenv(name)
    previous = os.umask(0o022)  # a usual umask, so that tests of file permissions mean something
    yield home
    os.umask(previous)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server for all tests that need one; who kills it starts it again."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Valkey for the tests of a module; where they need another one, it has a `server` itself."""
    from support.servers import Server  # as below

    with Server(tmp_path_factory.mktemp("valkey")) as server:
        yield server.start()


@pytest.fixture
async def twin(server: Server, tmp_path: Path) -> AsyncIterator[HookedTwin]:
    """An empty store of this test's own on the server, and the same in memory."""
    from support.archives import hooked_twin  # as below

    async with hooked_twin(server, tmp_path) as twin:
        yield twin


@pytest.fixture(scope="session")
def carried_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A stopped broker on SQLite that has seen a bit of everything; tests only read it."""
    from support.carried import carried  # half a second, for those who need it

    return carried(tmp_path_factory.mktemp("house"))


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    """Folders of a broker and two agencies that do not know each other yet; nothing runs."""
    from support.bridge import bridged  # as above

    async with bridged(tmp_path) as made:
        yield made
