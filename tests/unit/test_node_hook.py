"""The notice command: a real process, told three things, bounded in time, gone afterwards."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from saphan.node.telling.hook import Ended, Hook, Notice

NOTICE = Notice(bytes(range(32)), 1, "immediate", 1_790_000_000_000, ("dao", "sokha"))


def script(folder: Path, body: str, mode: int = 0o700) -> str:
    path = folder / "hook"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(mode)
    return str(path)


def gone(pid: int) -> bool:
    """Waits for what was killed to be dead: the kernel takes its moment."""
    for _ in range(1000):
        try:
            # A child of the command is left to init, which may never bury it.
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


def test_it_gets_one_line_and_its_arguments(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = script(tmp_path, f'cat > {out}; echo "$1" >> {out}; pwd >> {out}')
    assert Hook().run([command, "two words; $HOME"], NOTICE) == Ended(0)
    line, argument, folder = out.read_text().splitlines()
    assert json.loads(line) == {
        "id": bytes(range(32)).hex(),
        "step": 1,
        "urgency": "immediate",
        "deadline": 1_790_000_000_000,
        "officers": ["dao", "sokha"],
    }
    assert (argument, folder) == ("two words; $HOME", "/")


def test_it_gets_nothing_of_the_nodes_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAPHAN_PASSPHRASE_FD", "3")
    out = tmp_path / "out"
    assert Hook().run([script(tmp_path, f"env > {out}; ls /proc/$$/fd >> {out}")], NOTICE) == Ended(
        0
    )
    names = out.read_text()
    assert "SAPHAN" not in names
    assert "PATH=" in names


@pytest.mark.parametrize(
    ("body", "ended"),
    [
        ("exit 3", Ended(3, "it ended with 3")),
        ("kill -9 $$", Ended(None, "it was ended by signal 9")),
        ("exec <&-; exit 0", Ended(0)),
        ("head -c 1000000 /dev/zero; exit 0", Ended(0)),
    ],
)
def test_how_it_ended_is_noted(tmp_path: Path, body: str, ended: Ended) -> None:
    assert Hook().run([script(tmp_path, body)], NOTICE) == ended


def test_what_cannot_be_run_says_why(tmp_path: Path) -> None:
    missing = Hook().run([str(tmp_path / "none")], NOTICE)
    assert missing == Ended(None, "No such file or directory")
    closed = Hook().run([script(tmp_path, "exit 0", mode=0o600)], NOTICE)
    assert closed == Ended(None, "Permission denied")


def test_one_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    body = f"sleep 600 & echo $! > {pids}; echo $$ >> {pids}; sleep 600"
    ended = Hook(timeout_s=0.5).run([script(tmp_path, body)], NOTICE)
    assert ended is not None
    assert not ended.well
    assert ended.why is not None
    assert all(gone(int(pid)) for pid in pids.read_text().split())


def test_a_node_that_stops_waits_for_no_command(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    hook, ended = Hook(), []
    command = [script(tmp_path, f"echo $$ > {begun}; sleep 600")]
    thread = threading.Thread(target=lambda: ended.append(hook.run(command, NOTICE)))
    thread.start()
    while not begun.exists():
        time.sleep(0.01)
    hook.close()
    thread.join(20)
    assert ended == [None]
    assert hook.run(command, NOTICE) is None
