"""`saphan-broker succeed` as an operator gives it: what it prints, and what it leaves."""

from __future__ import annotations

import asyncio
import json
import queue
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.broker_command import PATIENCE, broker_line, running_broker, saphan_broker_here
from support.brokers import World
from support.command import environment
from support.lost_logs import KH, LA, Lived, live
from support.succeeding import reporters
from support.terminals import Terminal

IMPATIENT = (
    "import sys; from saphan_broker.succession import succeeding; succeeding.QUIET_S = 0.1;"
    " from saphan_broker.cli.main import main; sys.exit(main())"
)
"""The command, but that waits less for nodes of agencies that no copy of the directory names."""


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    return live(tmp_path_factory.mktemp("lived"))


class Command:
    """A running `saphan-broker succeed --json`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.reading = threading.Thread(target=self._read)
        self.reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.put(json.loads(line))
        self.events.put({"event": "ended"})

    def event(self, name: str) -> dict[str, Any]:
        """The next event of this name."""
        while True:
            found = self.events.get(timeout=PATIENCE)
            if found["event"] == name:
                return found
            assert found["event"] != "ended", self.process.wait(PATIENCE)


@contextmanager
def _succeeding(world: World, *options: str) -> Iterator[Command]:
    words = ("succeed", "--data", world.data, "--keys", world.keys, "--json", "--plain")
    process = subprocess.Popen(
        broker_line(*words, "--listen", "127.0.0.1:0", *options),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,
    )
    command = Command(process)
    try:
        yield command
    finally:
        process.kill()
        process.wait(PATIENCE)
        command.reading.join(PATIENCE)
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def test_the_disk_is_gone_and_the_broker_runs_again(lived: Lived, tmp_path: Path) -> None:
    world = lived.again(tmp_path)
    shutil.rmtree(world.data)
    with _succeeding(world, "--yes", "--address", "new.example:9000") as command:
        url = command.event("gathering")["url"]
        shown = command.event("reports")
        assert (shown["agencies"], shown["lacks_directory"]) == ([], True)
        nodes = reporters(world, lived.late)
        asyncio.run(nodes[LA].report(url))
        shown = command.event("reports")
        assert [(row["agency"], row["state"]) for row in shown["agencies"]] == [
            (KH, "waiting"),
            (LA, "reported"),
        ]
        assert (shown["store"], shown["lacks_directory"]) == ("store_missing", False)
        refused = saphan_broker_here("run", "--data", world.data, "--keys", world.keys, status=5)
        assert refused.code == "store_locked"
        asyncio.run(nodes[KH].report(url))
        made = command.event("made")
        assert command.process.wait(PATIENCE) == 0
    assert made["evidence"] == "bridge.example/evidence/2"
    assert made["ended"] == str(world.data / "ended/1")
    invitation = json.loads((world.data / "invitation.json").read_text())
    assert invitation["address"] == "new.example:9000"
    with running_broker(tmp_path) as broker:
        assert broker.stop() == 0


def test_nobody_is_asked_where_there_is_no_terminal(lived: Lived, tmp_path: Path) -> None:
    world = lived.again(tmp_path)
    lived.put_back(world, "data")
    with _succeeding(world) as command:
        url = command.event("gathering")["url"]
        for node in reporters(world, lived.late).values():
            asyncio.run(node.report(url))
        assert command.process.wait(PATIENCE) == 5
        assert command.process.stderr is not None
        assert json.loads(command.process.stderr.read())["error"]["code"] == "not_confirmed"
    assert not (world.keys / "succession").exists()


def test_a_slip_of_the_finger_is_asked_about_again(lived: Lived, tmp_path: Path) -> None:
    world = lived.again(tmp_path)
    lived.put_back(world, "data")
    words = ("succeed", "--data", world.data, "--keys", world.keys, "--plain")
    left_out = ("--without", LA, "--without", KH)
    answers = {r"undone\. Type yes or no: ": "yse", r"\nType yes or no: ": "yes"}
    person = Terminal(tmp_path, environment(), answers)
    try:
        line = (sys.executable, "-c", IMPATIENT, *words, "--listen", "127.0.0.1:0", *left_out)
        shown = person.type(shlex.join(map(str, line)))
    finally:
        person.close()
    assert "yse" in shown
    assert "bridge.example/evidence/2 follows" in shown


def test_what_is_waited_for_is_said_where_nobody_has_the_directory(
    lived: Lived, tmp_path: Path
) -> None:
    world = lived.again(tmp_path)
    shutil.rmtree(world.data)
    words = ("succeed", "--data", world.data, "--keys", world.keys, "--plain")
    process = subprocess.Popen(
        broker_line(*words, "--listen", "127.0.0.1:0"),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stderr is not None
    with process, process.stderr:
        said = [line for _, line in zip(range(5), process.stderr, strict=False)]
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
    assert any("one copy of the directory" in line and "Ctrl-C" in line for line in said), said


def test_ended_with_ctrl_c_it_has_changed_nothing(lived: Lived, tmp_path: Path) -> None:
    world = lived.again(tmp_path)
    before = sorted(path.name for path in world.keys.iterdir())
    with _succeeding(world, "--yes") as command:
        command.event("gathering")
        command.process.send_signal(signal.SIGINT)
        assert command.process.wait(PATIENCE) == 130
    assert sorted(path.name for path in world.keys.iterdir()) == before
    with running_broker(tmp_path) as broker:
        assert broker.stop() == 0


def test_a_name_that_is_left_out_and_unknown_is_shown(lived: Lived, tmp_path: Path) -> None:
    world = lived.again(tmp_path)
    with _succeeding(world, "--yes", "--without", KH, "--without", "la.osp") as command:
        rows = command.event("reports")["agencies"]
    assert [(row["agency"], row["state"]) for row in rows] == [
        (KH, "left_out"),
        (LA, "waiting"),
        ("la.osp", "unknown"),
    ]


def test_what_cannot_be_begun_is_said(lived: Lived, tmp_path: Path) -> None:
    world = lived.again(tmp_path)
    words = ("succeed", "--data", world.data, "--keys", world.keys)
    assert saphan_broker_here(*words, "--listen", "192.0.2.1:1", "--plain", status=2).code == (
        "not_loopback"
    )
    (world.keys / "init.unfinished").touch()
    assert saphan_broker_here(*words, status=5).code == "init_unfinished"
    (world.keys / "init.unfinished").unlink()
    shared = tmp_path / "shared"
    saphan_broker_here("keys", "share", "--keys", world.keys, "--out", shared)
    words = ("succeed", "--data", world.data, "--keys", shared)
    assert saphan_broker_here(*words, status=5).code == "serves_only"
