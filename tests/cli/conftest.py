"""A broker's two directories, fresh from `saphan-broker init`, for the tests of its command."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.broker_command import init_broker


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
