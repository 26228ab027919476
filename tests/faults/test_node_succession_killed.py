"""A node's adoption of a successor, ended at every step: the next try comes to the same state.

Children are forked and end at a statement of the one transaction; other tries fail at it, or are
told that the commit failed which was made.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from saphan.node.ground import Ground, lay
from saphan.node.proving.proofs import WitnessedProofs
from saphan.node.succession.adopting import Adopting
from saphan_broker.succession_chain import read_chain
from saphan_protocol.pins import origin_number
from saphan_schemas.errors import OperatorError
from saphan_schemas.succession_frames import Step
from support.bridge import KH, LA, Bridge, agreed, eventually, states, wish
from support.lost_log import lose, succeed

GONE = 9
MOST = 200
TABLES = ("successions", "deliveries", "consignments", "statements", "facts", "corridors", "parts")


@dataclass
class Lost:
    """Two nodes at the log that was lost, and what its successor shows of itself."""

    bridge: Bridge
    steps: tuple[Step, ...]

    def again(self, agency: str, place: Path) -> Path:
        """A copy of an agency's folder."""
        shutil.copytree(self.bridge.place / agency, place / agency)
        return place / agency

    @contextmanager
    def node(self, folder: Path) -> Iterator[tuple[Ground, Adopting]]:
        """What adopts, on such a folder."""
        config = self.bridge.config(folder.name)
        object.__setattr__(config, "folder", folder)
        on = lay(config)
        proofs = WitnessedProofs(on.agency, on.db, on.logs)
        parts = (on.db, on.logs, on.witness, on.splits, proofs, on.alarms, lambda: 1)
        try:
            yield on, Adopting(on.agency, *parts)
        finally:
            on.db.close()


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lost]:
    """Timeline: one accepted, one recalled while the line is down, one on its way, one that only
    its sender has; the disk is gone, and the successor is made."""

    async def live(bridge: Bridge) -> None:
        async with bridge.broker_running():
            await bridge.enrol()
            async with bridge.node(LA) as la:
                await agreed(la)
                async with bridge.node(KH):
                    had = [await la.send(wish()) for _ in range(2)]
                    for one in had:
                        wanted = partial(states, la, one)
                        await eventually(lambda wanted=wanted: wanted() == ["accepted"], 60)  # type: ignore[misc]
                on_its_way = await la.send(wish())
                await eventually(lambda: states(la, on_its_way) == ["submitted"], 60)
        async with bridge.node(LA) as la:
            await la.recalls.order(had[0], "error", "keeper")
            await la.send(wish())
        await asyncio.to_thread(lose, bridge)

    bridge = Bridge(tmp_path_factory.mktemp("lost"))
    try:
        bridge.prepare()
        asyncio.run(live(bridge))
        asyncio.run(succeed(bridge, LA, KH))
        yield Lost(bridge, read_chain(bridge.place / "keys"))
    finally:
        bridge.remove()


def dump(on: Ground) -> dict[str, list[Any]]:
    """Everything that adopting changes."""
    return {name: sorted(on.db.rows(f"SELECT * FROM {name}"), key=repr) for name in TABLES}  # noqa: S608 - constants


class Failing:
    """A connection of which one statement fails, before or after it was done."""

    def __init__(self, really: sqlite3.Connection, last: int, *, after: str = "") -> None:
        self._really = really
        self._last = last
        self._after = after
        self.done = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._really, name)

    def execute(self, statement: str, *values: Any) -> Any:
        return self._run(self._really.execute, statement, *values)

    def executemany(self, statement: str, *values: Any) -> Any:
        return self._run(self._really.executemany, statement, *values)

    def _run(self, really: Any, statement: str, *values: Any) -> Any:
        self.done += 1
        if self.done == self._last:
            raise sqlite3.OperationalError("disk I/O error")
        found = really(statement, *values)
        if self._after and statement == self._after:
            raise sqlite3.OperationalError("disk I/O error")
        return found


def killed(lost: Lost, folder: Path, last: int) -> bool:
    """Whether a child that adopts was gone at this statement; False: it came to its end."""
    child = os.fork()
    if child == 0:  # nothing of pytest may run here
        status, done = 7, 0

        def count(_: str) -> None:
            nonlocal done
            done += 1
            if done == last:
                os._exit(GONE)

        try:
            with lost.node(folder) as (on, adopting):
                on.db._writer.set_trace_callback(count)
                adopting.adopt(lost.steps)
            status = 0
        except BaseException:
            traceback.print_exc()  # it is not pytest's to show
            raise
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(ended) in (0, GONE), "it failed where it was to be killed"
    return os.waitstatus_to_exitcode(ended) == GONE


def adopted(lost: Lost, folder: Path) -> dict[str, list[Any]]:
    """What stands there after a start that adopts what is left to adopt."""
    with lost.node(folder) as (on, adopting):
        adopting.adopt(lost.steps)
        assert origin_number(on.logs.pins.evidence.origin)[1] == 2
        return dump(on)


@pytest.mark.parametrize("agency", [LA, KH])
def test_killed_at_every_statement_it_starts_at_one_of_both_logs_and_comes_to_the_same(
    lost: Lost, tmp_path: Path, agency: str
) -> None:
    wanted = adopted(lost, lost.again(agency, tmp_path / "whole"))
    for last in range(1, MOST):
        folder = lost.again(agency, tmp_path / str(last))
        if not killed(lost, folder, last):
            assert last > 10, "hardly anything was counted"
            break
        assert adopted(lost, folder) == wanted
        shutil.rmtree(folder.parent)
    else:
        pytest.fail(f"it did not end in {MOST} statements")
    assert adopted(lost, folder) == wanted  # once more changes nothing


def test_a_disk_that_fails_at_any_statement_leaves_the_node_at_the_old_log(
    lost: Lost, tmp_path: Path
) -> None:
    wanted = adopted(lost, lost.again(LA, tmp_path / "whole"))
    with lost.node(lost.again(LA, tmp_path / "failing")) as (on, adopting):
        before, really = dump(on), on.db._writer
        for last in range(1, MOST):
            failing = Failing(really, last)
            on.db._writer = failing  # type: ignore[assignment]
            try:
                adopting.adopt(lost.steps)
                break
            except OperatorError as error:
                refused = error.code
            finally:
                on.db._writer = really
            assert refused == "store_damaged"
            assert dump(on) == before
            assert origin_number(on.logs.pins.evidence.origin)[1] == 1
        assert last > 10, "hardly anything failed"
        assert dump(on) == wanted


def test_a_commit_that_was_made_and_reported_failed_is_found_by_the_next_try(
    lost: Lost, tmp_path: Path
) -> None:
    wanted = adopted(lost, lost.again(LA, tmp_path / "whole"))
    with lost.node(lost.again(LA, tmp_path / "failing")) as (on, adopting):
        really = on.db._writer
        on.db._writer = Failing(really, -1, after="COMMIT")  # type: ignore[assignment]
        with pytest.raises(OperatorError):
            adopting.adopt(lost.steps)
        on.db._writer = really
        adopting.adopt(lost.steps)
        assert origin_number(on.logs.pins.evidence.origin)[1] == 2
        assert dump(on) == wanted
