"""The stage: separate houses with folders of their own, and the real programs running in them.

Nothing is shared between houses. What an operator would carry from one to the other is copied by
`carry`, one named file at a time.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

BROKER: Final = "bridge"
LAOS: Final = "la.ospp"
CAMBODIA: Final = "kh.gpo"
AUDITOR: Final = "auditor"
DESK: Final = "battambang"
DESK_LAOS: Final = "vientiane"
HOUSES: Final = (BROKER, LAOS, CAMBODIA, AUDITOR, DESK, DESK_LAOS)

COMMAND_S: Final = 30.0
WAIT_S: Final = 45.0
"""Longest wait for something that usually takes a second; a slow machine is no failure."""


class DemoFailed(Exception):
    """The demo cannot go on; the message is for the person at the terminal."""


@dataclass
class Program:
    """A running program of one house; `before`: bytes in its log that an earlier run has left."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    before: int

    def said(self) -> str:
        """What it has written since it was started."""
        return self.log.read_bytes()[self.before :].decode(errors="replace")

    def kill(self) -> None:
        """SIGKILL: the program gets no chance to finish or to save anything."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ask it to end, as its operator would; insist after ten seconds."""
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


@dataclass
class Stage:
    """The folders of one run, and every program started in it.

    Args:
        root: a folder that did not exist before.
        tick: called while something is waited for.
        keep: whether the folder stays when the run is over, as it does until all went well.
    """

    root: Path
    tick: Callable[[], None]
    keep: bool = True
    programs: list[Program] = field(default_factory=list)

    def house(self, name: str) -> Path:
        """The folder of one house."""
        return self.root / name

    @property
    def logs(self) -> Path:
        """What the programs wrote, one file each."""
        return self.root / "logs"

    def carry(self, file: Path, to: str, name: str | None = None) -> Path:
        """Hand a file, or a folder, from one house to another."""
        target = self.house(to) / (name or file.name)
        if file.is_dir():
            shutil.copytree(file, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(file, target)
        return target

    def secret(self, house: str, name: str, text: str) -> Path:
        """A passphrase file that only its owner can read."""
        path = self.house(house) / name
        path.touch(mode=0o600)
        path.write_text(text + "\n", encoding="utf-8")
        return path

    def start(self, name: str, house: str, *words: str | Path) -> Program:
        """Start a program that stays; its output goes to a log file."""
        log = self.logs / f"{name}.log"
        with log.open("ab") as output:
            before = output.tell()
            process = subprocess.Popen(
                command(*words),
                cwd=self.house(house),
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        program = Program(name, process, log, before)
        self.programs.append(program)
        return program

    def run(self, house: str, *words: str | Path, refused: bool = False) -> dict[str, Any]:
        """Run a command to its end in a house; gives the JSON it prints.

        Args:
            refused: the command is expected to refuse; gives the error's JSON instead.
        """
        begun = time.monotonic()
        ended = ended_command(command(*words, "--json"), self.house(house))
        with (self.logs / "commands.log").open("a", encoding="utf-8") as log:
            took = time.monotonic() - begun
            log.write(f"{house}$ {shown(words)}  ({took:.1f} s)\n{ended.stdout}{ended.stderr}\n")
        if (ended.returncode != 0) != refused:
            raise DemoFailed(
                f"`{shown(words)}` ended with {ended.returncode}: {said(ended.stderr)}"
            )
        return last_object(ended.stderr if refused and not ended.stdout.strip() else ended.stdout)

    def until(self, what: str, ready: Callable[[], bool]) -> None:
        """Wait until something has happened, while every program still runs."""
        end = time.monotonic() + WAIT_S
        while not ready():
            for program in self.programs:
                if program.process.poll() not in (None, -signal.SIGKILL):
                    last = "; ".join(program.said().strip().splitlines()[-2:])
                    raise DemoFailed(f"{program.name} ended while waiting for {what}: {last}")
            if time.monotonic() > end:
                raise DemoFailed(f"waited {WAIT_S:.0f} s in vain for {what}")
            self.tick()
            time.sleep(0.05)

    def stop(self) -> None:
        """End every program, the last one started first."""
        while self.programs:
            self.programs[-1].stop()
            self.programs.pop()


@contextmanager
def set_up(tick: Callable[[], None]) -> Iterator[Stage]:
    """A fresh stage in a temporary folder; programs end with the block, whatever happens."""
    # Unix sockets allow about 100 characters of path, so no deep temporary folder is used.
    stage = Stage(Path(tempfile.mkdtemp(prefix="saphan-demo-")).resolve(), tick)
    for name in (*HOUSES, "logs"):
        (stage.root / name).mkdir(mode=0o700)
    try:
        yield stage
    finally:
        stage.stop()
        if not stage.keep:
            shutil.rmtree(stage.root)


def command(*words: str | Path) -> list[str]:
    """The command line of `saphan ...` or `saphan-broker ...` of this environment."""
    module = {"saphan": "saphan", "saphan-broker": "saphan_broker"}[str(words[0])]
    return [sys.executable, "-m", module, *map(str, words[1:])]


def shown(words: tuple[str | Path, ...]) -> str:
    """A command as a person would type it."""
    return " ".join(word.name if isinstance(word, Path) else word for word in words)


def said(errors: str) -> str:
    """What a command says went wrong: message and hint of its JSON, else its first line."""
    try:
        error = json.loads(errors)["error"]
    except (ValueError, KeyError, TypeError):
        return (errors.strip().splitlines() or ["it said nothing"])[0]
    return f"{error['message']} ({error['code']}); {error['hint']}"


def environment() -> dict[str, str]:
    """This process's variables without settings of ours, in English."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SAPHAN_")}
    return kept | {"LC_ALL": "C.UTF-8"}


def ended_command(line: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """A command run to its end, away from the terminal."""
    try:
        return subprocess.run(
            line,
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_S,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise DemoFailed(f"`{' '.join(line[2:5])}` has not ended after {COMMAND_S:.0f} s") from None


def last_object(text: str) -> dict[str, Any]:
    """The JSON object in a command's output."""
    start = text.find("{")
    try:
        value = json.loads(text[start:]) if start >= 0 else None
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise DemoFailed(f"a command answered no JSON: {text[:200]!r}")
    return value
