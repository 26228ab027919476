"""Every file that a copy or a backup makes durable fails, and every such moment is its last."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from saphan import agency as ceremony
from saphan.backup.custodians import make_custodian
from saphan.node.rows.db import Database
from support.bridge import CHEAP, LA, SECRET
from support.brokers import Clock, World
from support.servers import Server

from matrix.commands import broker_backup, broker_copy, broker_copy_back, node_backup
from matrix.effects import Fault
from matrix.offline import Offline, check, failing
from matrix.running import WHOLE, failures
from matrix.table import ROWS

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A node's folder, and a custodian's key."""
    ceremony.init(tmp_path / LA, LA, SECRET, {"bounmy": SECRET}, now=Clock()(), cost=CHEAP)
    make_custodian(tmp_path, "dara", SECRET, CHEAP)
    with closing(Database(tmp_path / LA / "node" / "data")):
        return tmp_path / LA, tmp_path / "dara.key"


def run(place: Path, name: str, offline: Offline) -> None:
    """First without a fault: its effects are those of the table."""
    whole = place / "whole"
    whole.mkdir()
    offline.ready(whole)
    with failing(offline.whose, None, None) as seen:
        assert offline.do(whole) == 0
    offline.check(whole)
    assert set(seen) == {row.effect for row in ROWS if row.story == name}
    chosen = [one for fault in (Fault if WHOLE else (None,)) for one in failures(name, fault)]
    check(place, offline, [(row.effect, fault) for row, fault in chosen])


def test_a_brokers_backup(carried_world: World, tmp_path: Path) -> None:
    run(tmp_path, "broker backup", broker_backup(carried_world))


def test_a_brokers_copy(carried_world: World, server: Server, tmp_path: Path) -> None:
    run(tmp_path, "broker copy", broker_copy(carried_world, server))


def test_a_brokers_copy_back(carried_world: World, server: Server, tmp_path: Path) -> None:
    run(tmp_path, "broker copy back", broker_copy_back(carried_world, server))


def test_a_nodes_backup(folders: tuple[Path, Path], tmp_path: Path) -> None:
    run(tmp_path, "node backup", node_backup(*folders))
