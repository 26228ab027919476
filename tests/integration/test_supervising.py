"""The parent of several processes: real children, small ones, that do what a broker may do."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from saphan_broker import supervising
from saphan_broker.supervising import Supervisor
from support.bridge import eventually

HEAD = """
import json, os, signal, sys
place, number = sys.argv[1], int(sys.argv[2])
def say(**what): print(json.dumps(what), flush=True)
def note(text):
    with open(place, "a") as file: file.write(f"{number} {text}\\n")
def end(*_):
    note("ends"); sys.exit(0)
signal.signal(signal.SIGTERM, end)
note("begins")
"""
SERVE = "say(event='ready', number=number)\nsys.stdin.read()\n"


class Stage:
    """Runs a supervisor over children that run `body`."""

    def __init__(
        self,
        place: Path,
        count: int,
        body: str,
        *,
        patience: float = 30,
        program: Path | str = sys.executable,
    ) -> None:
        self._notes = place / "notes"
        self._notes.touch()
        self.said: list[dict[str, Any]] = []
        self.supervisor = Supervisor(
            count,
            lambda n: [str(program), "-c", HEAD + body, str(self._notes), str(n)],
            patience=patience,
        )

    async def run(self, when_ready: Callable[[], None] | None = None) -> int:
        def ready(said: Sequence[dict[str, Any]]) -> None:
            self.said = list(said)
            (when_ready or self.supervisor.stop)()

        return await asyncio.wait_for(self.supervisor.run(ready), 60)

    def notes(self) -> list[str]:
        """What the children did, in order."""
        return self._notes.read_text().splitlines()

    async def until(self, note: str, times: int = 1) -> None:
        await eventually(lambda: self.notes().count(note) >= times)


async def test_the_first_serves_before_the_others_begin(tmp_path: Path) -> None:
    body = "note('serves')\n" + SERVE
    stage = Stage(tmp_path, 3, body)
    assert await stage.run() == 0
    assert [one["number"] for one in stage.said] == [1, 2, 3]
    assert stage.notes()[:2] == ["1 begins", "1 serves"]
    assert sorted(stage.notes()[-3:]) == ["1 ends", "2 ends", "3 ends"]


async def test_who_sequences_ends_last(tmp_path: Path) -> None:
    body = "say(event='role', role='holder' if number == 2 else 'follower')\n" + SERVE
    stage = Stage(tmp_path, 3, body)
    assert await stage.run() == 0
    assert stage.notes()[-1] == "2 ends"


async def test_a_start_that_fails_ends_everything_with_its_status(tmp_path: Path) -> None:
    stage = Stage(tmp_path, 3, "sys.exit(5)\n")
    assert await stage.run() == 5
    assert stage.notes() == ["1 begins"]
    (tmp_path / "later").mkdir()
    stage = Stage(tmp_path / "later", 2, "number == 2 and sys.exit(4)\n" + SERVE)
    assert await stage.run() == 4
    assert stage.notes()[-1] == "1 ends"


async def test_who_keeps_dying_is_started_again_more_and_more_slowly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage(tmp_path, 2, "say(event='ready')\nnumber == 2 and sys.exit(7)\n" + SERVE)
    running = asyncio.create_task(stage.run(lambda: None))
    await stage.until("2 begins", 4)
    stage.supervisor.stop()
    assert await running == 0
    pauses = [
        float(record.message.split()[-2])
        for record in caplog.records
        if "with status 7" in record.message
    ]
    assert pauses[:3] == [0.2, 0.4, 0.8]
    assert stage.notes().count("1 begins") == 1


async def test_what_cannot_be_started_again_just_now_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The system refuses a process, as when it has no memory: it may have some later."""
    program = tmp_path / "python"
    await asyncio.to_thread(program.symlink_to, sys.executable)
    stage = Stage(tmp_path, 1, "say(event='ready')\nsys.exit(7)\n", program=program)
    running = asyncio.create_task(stage.run(lambda: None))
    await stage.until("1 begins")
    await asyncio.to_thread(program.unlink)
    await eventually(lambda: "No such file" in caplog.text)
    before = stage.notes().count("1 begins")
    await asyncio.to_thread(program.symlink_to, sys.executable)
    await stage.until("1 begins", before + 1)
    stage.supervisor.stop()
    assert await running == 0


async def test_who_does_not_end_is_killed(tmp_path: Path) -> None:
    body = (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVE + "while True: signal.pause()\n"
    )
    stage = Stage(tmp_path, 1, body, patience=0.2)
    assert await stage.run() == 1


async def test_what_a_child_says_besides_is_no_harm(tmp_path: Path) -> None:
    body = "print('Hello')\nprint('[1]')\nprint('{\"event\": 7}')\n" + SERVE
    stage = Stage(tmp_path, 1, body)
    assert await stage.run() == 0
    assert json.dumps(stage.said) == '[{"event": "ready", "number": 1}]'


async def test_stopped_before_anything_serves(tmp_path: Path) -> None:
    stage = Stage(tmp_path, 2, "sys.stdin.read()\n")
    running = asyncio.create_task(stage.run())
    await stage.until("1 begins")
    stage.supervisor.stop()
    assert await running == 0
    assert stage.notes() == ["1 begins", "1 ends"]
    assert supervising.STOP_S > 20


async def test_who_is_starting_hears_of_a_hang_up_when_it_serves(tmp_path: Path) -> None:
    """Before it listens for the signal it would die of it."""
    reads = "signal.signal(signal.SIGHUP, lambda *_: note('reads'))\n"
    go = tmp_path / "go"
    waits = f"import time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
    stage = Stage(tmp_path, 1, "note('waits')\n" + waits + reads + SERVE)
    running = asyncio.create_task(stage.run(lambda: None))
    await stage.until("1 waits")
    stage.supervisor.hang_up()
    await asyncio.to_thread(go.touch)
    await stage.until("1 reads")
    stage.supervisor.hang_up()
    await stage.until("1 reads", 2)
    stage.supervisor.stop()
    assert await running == 0
    assert stage.notes() == ["1 begins", "1 waits", "1 reads", "1 reads", "1 ends"]
