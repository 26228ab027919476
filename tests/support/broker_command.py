"""Running `saphan-broker` as an operator does: processes of their own, without a terminal."""

from __future__ import annotations

import io
import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saphan_broker.cli.main import main
from saphan_protocol.words import fingerprint_words

from support.agency import Agency
from support.command import environment

PATIENCE = 60
"""Seconds after which a test that waits for a process is lost; nothing is decided by it."""


@dataclass(frozen=True, slots=True)
class BrokerRan:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The last JSON object on standard output."""
        value: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return value

    @property
    def code(self) -> str:
        """The code in the one line of error on standard error; a traceback fails here."""
        assert "Traceback" not in self.err, self.err
        (line,) = [x for x in self.err.splitlines() if x.startswith("saphan-broker: ")]
        assert line.endswith(")"), line
        return line[line.rindex("(") + 1 : -1]

    @property
    def json_error(self) -> dict[str, Any]:
        """The error as a program is given it."""
        value: dict[str, Any] = json.loads(self.err)["error"]
        return value

    @property
    def hint(self) -> str:
        """What the command says to do next."""
        (line,) = [x for x in self.err.splitlines() if x.startswith("hint: ")]
        return line.removeprefix("hint: ")


def broker_line(*words: str | Path) -> list[str]:
    """The command line of this checkout's `saphan-broker`."""
    return [sys.executable, "-m", "saphan_broker", *map(str, words)]


def saphan_broker(*words: str | Path, status: int = 0) -> BrokerRan:
    """Run the command to its end, away from any terminal, and check its exit status."""
    ended = subprocess.run(
        broker_line(*words),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(),
        start_new_session=True,  # no terminal: a tester's own /dev/tty is not asked
        check=False,
        timeout=PATIENCE,
    )
    ran = BrokerRan(ended.returncode, ended.stdout, ended.stderr)
    assert ran.status == status, ran
    return ran


def saphan_broker_here(*words: str | Path, status: int = 0) -> BrokerRan:
    """The same inside this process, without its start of half a second; nothing may be asked."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        ended = main([str(word) for word in words])
    ran = BrokerRan(ended, out.getvalue(), err.getvalue())
    assert ran.status == status, ran
    return ran


class RunningBroker:
    """A `saphan-broker run` that has said that it is ready."""

    def __init__(self, process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
        self.process = process
        said = lines.get(timeout=PATIENCE)
        assert said, "it has ended before it was ready; see broker.log"
        self.ready: dict[str, Any] = json.loads(said)
        self.url: str = self.ready["url"]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def running_broker(place: Path, *options: str | Path, tls: bool = False) -> Iterator[RunningBroker]:
    """Run a broker of `place`/data and `place`/keys on a free port until the block ends.

    Without TLS unless told: most tests are about something else.
    """
    words = ("run", "--data", place / "data", "--keys", place / "keys", "--json")
    with (place / "broker.log").open("a") as log:
        process = subprocess.Popen(
            broker_line(*words, "--listen", "127.0.0.1:0", *([] if tls else ["--plain"]), *options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment(),
            start_new_session=True,
        )
        lines: queue.Queue[str] = queue.Queue()
        reading = threading.Thread(target=_read, args=(process, lines))
        reading.start()
        try:
            yield RunningBroker(process, lines)
        finally:
            process.kill()
            process.wait(PATIENCE)
            reading.join(PATIENCE)
            assert process.stdout is not None
            process.stdout.close()


def _read(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put("")


def broker_log(place: Path) -> list[dict[str, Any]]:
    """The log lines of every run so far; each must be one JSON object."""
    rows = [json.loads(line) for line in (place / "broker.log").read_text().splitlines()]
    assert all(set(row) == {"time", "level", "logger", "message"} for row in rows)
    return rows


def init_broker(place: Path, name: str = "bridge.example") -> BrokerRan:
    """`saphan-broker init` in `place`/data and `place`/keys."""
    return saphan_broker(
        "init", "--data", place / "data", "--keys", place / "keys", "--name", name, "--json"
    )


def enrol(place: Path, agency: Agency, *, status: int = 0, words: str | None = None) -> str:
    """`saphan-broker admit` with the words of the agency's root; gives the code of a refusal."""
    file = place / f"{agency.name}.saphan"
    file.write_bytes(agency.enrolment())
    given = fingerprint_words(agency.root.key_id) if words is None else words
    arguments = ["admit", str(file), "--data", str(place / "data")]
    ran = saphan_broker(*arguments, *(["--fingerprint", given] if given else []), status=status)
    return ran.code if status else ran.out
