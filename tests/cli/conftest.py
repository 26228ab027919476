"""Folders of a broker and of agencies for tests of commands; every test works on its own copy."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.agency_folders import make_agencies
from support.broker_command import init_broker
from support.joining import Joining, copied


@pytest.fixture(scope="session")
def made_broker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A broker that nobody runs: it is only copied."""
    place = tmp_path_factory.mktemp("made")
    init_broker(place)
    return place


@pytest.fixture
def place(made_broker: Path, tmp_path: Path) -> Path:
    """A copy of it. Two copies of one broker never run at once: no operator may do that either."""
    shutil.copytree(made_broker, tmp_path / "b")
    return tmp_path / "b"


@pytest.fixture(scope="session")
def agencies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two agencies as the command makes them; not to be changed."""
    folder = tmp_path_factory.mktemp("agencies")
    make_agencies(folder)
    return folder


@pytest.fixture
def folder(agencies: Path, tmp_path: Path) -> Path:
    """A copy of `agencies` to work in."""
    return Path(shutil.copytree(agencies, tmp_path / "work"))


@pytest.fixture
def joining(made_broker: Path, agencies: Path) -> Iterator[Joining]:
    """Copies of both. Unix sockets have short names only, and pytest's folders have long ones."""
    top = Path(tempfile.mkdtemp(prefix="sj", dir="/tmp"))
    try:
        yield copied(top, made_broker, agencies)
    finally:
        shutil.rmtree(top)
