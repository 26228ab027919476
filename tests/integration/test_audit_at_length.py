"""Audits of a longer log: processes beside, a kill in the middle, a month later, figures."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import chain
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import saphan.audit.beside
from saphan.audit.beside import GROUP, Processes, processes
from saphan.audit.folder import LogFolder
from saphan.audit.packfile import read_pack
from saphan.audit.statefile import StateFile
from saphan_protocol.audit.ahead import Beside
from saphan_protocol.audit.report import Report
from saphan_protocol.audit.verdict import audit
from saphan_protocol.pins import parse_pins
from saphan_schemas.bodies import known_types
from saphan_schemas.errors import InvalidInput
from saphan_schemas.packs import PackItem, PackSignature
from saphan_schemas.records import BatchSignature
from support.command import environment, saphan_command, saphan_here

from benchmarks.seeded.making import Seeded, make

LEAVES = 2_500
"""Two states are kept on the way, and a hundred groups of signatures go to processes."""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seeded log, the pin file, and two packs."""
    place = tmp_path_factory.mktemp("long") / "log"
    made = make(place, LEAVES, seed=7, batch=2, packs=2)
    assert isinstance(made, Seeded)
    assert made.leaves >= LEAVES
    assert made.signatures > 20 * GROUP
    return place


def audited(log: Path, beside: Beside | None, *packs: Iterator[PackItem]) -> Report:
    named = packs or tuple(read_pack(path) for path in sorted(log.glob("*.pack")))
    return audit(
        parse_pins((log / "pins.json").read_bytes()),
        LogFolder(log / "logs/directory"),
        LogFolder(log / "logs/evidence"),
        [(f"pack {place}", items) for place, items in enumerate(named)],
        {known.name: known.digest for known in known_types()},
        beside=beside,
    )


@pytest.fixture(scope="module")
def alone(log: Path) -> Report:
    """What an audit without processes finds."""
    return audited(log, None)


def words(log: Path, *more: str | Path) -> list[str]:
    packs = chain.from_iterable(("--pack", path) for path in sorted(log.glob("*.pack")))
    given = ("audit", "verify", log / "logs", "--pins", log / "pins.json", *packs, *more)
    return [str(word) for word in given]


# --- processes beside -----------------------------------------------------------------------------


class Counting(Processes):
    """Counts what processes have answered."""

    held = 0

    def holds(self, batch: BatchSignature) -> bool:
        answer = super().holds(batch)
        self.held += answer
        return answer


def test_processes_check_nearly_all_signatures_and_change_nothing(log: Path, alone: Report) -> None:
    assert alone.finding is None
    beside = Counting(2)
    try:
        assert audited(log, beside) == alone
        assert beside.held > 0.9 * alone.coverage.signatures / 4
    finally:
        beside.close()


def test_a_process_that_is_killed_costs_nothing_but_time(log: Path, alone: Report) -> None:
    class Killing(Counting):
        def holds(self, batch: BatchSignature) -> bool:
            if self.held == 3:
                for worker in self._workers or ():
                    worker.process.kill()
                    worker.process.join()
            return super().holds(batch)

    beside = Killing(2)
    try:
        assert audited(log, beside) == alone
        assert 3 <= beside.held < 40 * GROUP
    finally:
        beside.close()


def test_who_is_left_does_the_work_of_one_that_was_killed(log: Path, alone: Report) -> None:
    class Killing(Counting):
        def holds(self, batch: BatchSignature) -> bool:
            if self.held == 3 and self._workers:
                self._workers[0].process.kill()
                self._workers[0].process.join()
            return super().holds(batch)

    beside = Killing(2)
    try:
        assert audited(log, beside) == alone
        assert beside.held > 0.8 * alone.coverage.signatures / 4
    finally:
        beside.close()


def test_a_process_that_hangs_is_waited_for_once(
    log: Path, alone: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopping(Counting):
        def holds(self, batch: BatchSignature) -> bool:
            if self.held == 3 and not stopped:
                for worker in self._workers or ():
                    assert worker.process.pid is not None
                    os.kill(worker.process.pid, signal.SIGSTOP)
                    stopped.append(worker.process)
            return super().holds(batch)

    monkeypatch.setattr(saphan.audit.beside, "PATIENCE_SECONDS", 1)
    stopped: list[BaseProcess] = []
    beside = Stopping(2)
    try:
        assert audited(log, beside) == alone
    finally:
        beside.close()
    assert [process.exitcode for process in stopped] == [-signal.SIGKILL] * 2


def test_without_room_for_a_process_the_audit_goes_alone(
    log: Path, alone: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(process: BaseProcess) -> None:
        raise BlockingIOError(errno.EAGAIN, "no room for a process")

    monkeypatch.setattr(BaseProcess, "start", no_room)
    beside = Counting(2)
    assert audited(log, beside) == alone
    assert beside.held == 0
    beside.close()


def test_no_process_hears_an_interruption_that_the_audit_hears(log: Path) -> None:
    class Looking(Counting):
        def holds(self, batch: BatchSignature) -> bool:
            for worker in self._workers or ():
                status = Path(f"/proc/{worker.process.pid}/status").read_text()
                (mask,) = (row.split()[1] for row in status.splitlines() if "SigBlk" in row)
                deaf.add(bool(int(mask, 16) & 1 << (signal.SIGINT - 1)))
            return super().holds(batch)

    deaf: set[bool] = set()
    beside = Looking(1)
    try:
        audited(log, beside)
    finally:
        beside.close()
    assert deaf == {True}
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_signature_that_does_not_hold_is_found_where_it_stands(log: Path) -> None:
    items = list(read_pack(log / "1.pack"))
    place = [n for n, item in enumerate(items) if isinstance(item, PackSignature)][60]
    bad = items[place]
    assert isinstance(bad, PackSignature)
    batch = bad.batch
    spoilt = batch.signature[:-1] + bytes([batch.signature[-1] ^ 1])
    items[place] = PackSignature(BatchSignature(batch.key, batch.size, batch.root, spoilt))
    alone = audited(log, None, iter(items))
    assert alone.finding is not None
    assert alone.finding.code == "signature_invalid"
    with processes(2) as beside:
        assert audited(log, beside, iter(items)) == alone


# --- the command ----------------------------------------------------------------------------------

KILLED_AFTER_ITS_FIRST_STATE = """
import os, signal, sys
from saphan.audit import statefile
from saphan.cli.main import main

statefile.KEEP_SECONDS = 0.0
keep = statefile.StateFile.keep

def keep_and_die(self, pieces):
    keep(self, pieces)
    os.kill(os.getpid(), signal.SIGKILL)

statefile.StateFile.keep = keep_and_die
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""


def test_killed_in_the_middle_it_goes_on_to_the_same_result(log: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(KILLED_AFTER_ITS_FIRST_STATE)
    state, result, whole = (tmp_path / name for name in ("state", "result.json", "whole.json"))
    killed = subprocess.Popen(
        [sys.executable, program, *words(log, "--state", state, "--processes", "2")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert killed.wait(60) == -signal.SIGKILL
    _wait_until_gone(killed.pid)  # its processes hear that the line is closed
    assert state.stat().st_mode & 0o077 == 0
    first = state.read_bytes()
    saphan_here(*words(log, "--state", state, "--result", result, "--processes", "0"))
    saphan_here(*words(log, "--result", whole, "--processes", "0"))
    assert json.loads(result.read_bytes()) == json.loads(whole.read_bytes())
    assert state.read_bytes() != first
    # A third run has nothing left to judge.
    (tmp_path / "third.json").unlink(missing_ok=True)
    saphan_here(*words(log, "--state", state, "--result", tmp_path / "third.json"))
    assert (tmp_path / "third.json").read_bytes() == whole.read_bytes()


def _wait_until_gone(group: int) -> None:
    for _ in range(600):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("processes of a killed audit stay")


def test_the_result_file_holds_every_figure(log: Path, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    page = saphan_here(*words(log, "--result", path, "--processes", "0")).out
    assert "entries dated between two cosigned heads" in page
    assert path.stat().st_mode & 0o777 == 0o600
    value: dict[str, Any] = json.loads(path.read_bytes())
    assert (value["saphan"], value["ok"]) == ("audit-result/1", True)
    assert sorted(value["packs"]) == ["1.pack", "2.pack"]
    seen, figures = value["coverage"]["evidence"], value["statistics"]
    days = figures["days"]
    assert [day["day"] for day in days] == sorted({day["day"] for day in days})
    for kind, counts in seen["types"].items():
        if kind != "anchor":
            assert sum(day["events"].get(kind, 0) for day in days) == counts["opened"]
    pairs = {(row["sender"], row["recipient"]): row["events"] for row in figures["pairs"]}
    for row in seen["corridors"]:
        assert sum(pairs[row["sender"], row["recipient"]].values()) == row["opened"]
    outcomes = ("accepted", "rejected", "recalled", "expired")
    ended = sum(seen["types"][kind]["opened"] for kind in outcomes)
    assert days[-1]["open"] == seen["types"]["submitted"]["opened"] - ended
    assert sum(day["handover"]["count"] for day in days) <= seen["types"]["handover"]["opened"]
    assert {row["name"] for row in figures["witnesses"]} <= {"kh.ciu", "kh.gpo"} | {
        "la.lcid",
        "la.ospp",
        "th.oncb",
        "vn.c04",
    }
    ran = saphan_here(*words(log, "--result", path), status=5)
    assert ran.code == "file_exists"


def test_a_state_file_that_was_changed_is_refused(log: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    saphan_here(*words(log, "--state", state, "--processes", "0"))
    data = bytearray(state.read_bytes())
    data[len(data) // 2] ^= 1
    state.write_bytes(data)
    with pytest.raises(InvalidInput) as caught:
        StateFile(state).read()
    assert caught.value.code == "state_malformed"
    state.write_bytes(b"short")
    assert saphan_here(*words(log, "--state", state), status=2).code == "state_malformed"
    state.chmod(0o644)
    assert saphan_here(*words(log, "--state", state), status=5).code == "key_file_exposed"


def test_a_full_disk_does_not_take_the_verdict_back(log: Path, tmp_path: Path) -> None:
    # A file of more bytes than this process may write stands for a disk without room.
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    more = ("--processes", "0", "--state", tmp_path / "state")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limit[1]))
    try:
        ran = saphan_here(*words(log, *more), status=5)
        assert ran.out.startswith("Nothing is wrong in what was checked.\n")
        assert ran.code == "file_unwritable"
        assert list(tmp_path.iterdir()) == []
        more = ("--processes", "0", "--result", tmp_path / "result.json")
        ran = saphan_here(*words(log, *more), status=5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert ran.out.startswith("Nothing is wrong in what was checked.\n")
    assert list(tmp_path.iterdir()) == []


def test_who_does_not_read_the_verdict_has_the_file(log: Path, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    command = saphan_command(*words(log, "--processes", "0", "--result", result))
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(command, stdout=full, stderr=subprocess.DEVNULL, env=environment())
    assert ran.returncode == 5
    assert json.loads(result.read_bytes())["ok"] is True


@pytest.mark.parametrize("option", ["--state", "--result"])
def test_where_nothing_can_be_written_is_said_before_the_work(
    log: Path, tmp_path: Path, option: str
) -> None:
    ran = saphan_here(*words(log, option, tmp_path / "none" / "file"), status=5)
    assert (ran.code, ran.out) == ("file_unwritable", "")
