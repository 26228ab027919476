"""Folders of agencies for tests of commands; every test works on a copy of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.agency_folders import make_agencies


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
