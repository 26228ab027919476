"""Running the agency's own notice command: no shell, one JSON line on its stdin, a bound on time.

The command learns that a bulletin is there, how urgent it is and until when; never what it says,
who sent it, or of which type it is: what pages people is seldom a safe place.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from saphan_schemas.limits import LIMITS

KEPT_ENVIRONMENT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "XDG_RUNTIME_DIR")
"""Nothing else of the node's environment reaches the command."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a notice command is told; times are ms UTC.

    Args:
        bulletin: id.
        step: 0 when it has come, then the steps of the settings; below 0 of a warning.
        officers: handles of those who should look.
        warning: the deadline that is near, and how many hundredths of the time to it are over.
    """

    bulletin: bytes
    step: int
    urgency: str
    deadline: int
    officers: tuple[str, ...]
    warning: tuple[str, int] | None = None

    def line(self) -> bytes:
        """One JSON object and a line feed."""
        value: dict[str, Any] = {
            "id": self.bulletin.hex(),
            "step": max(0, self.step),
            "urgency": self.urgency,
            "deadline": self.deadline,
            "officers": list(self.officers),
        }
        if self.warning is not None:
            value["warning"] = dict(zip(("deadline", "share"), self.warning, strict=True))
        return msgspec.json.encode(value) + b"\n"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code (None: it did not end by itself), or why it never ran."""

    code: int | None
    why: str | None = None

    @property
    def well(self) -> bool:
        """Whether somebody was told."""
        return self.code == 0


class Hook:
    """Runs notice commands, in threads of the caller; `close` ends those that run."""

    def __init__(self, timeout_s: float = LIMITS.notice_ms / 1000) -> None:
        self._timeout = timeout_s
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def run(self, command: Sequence[str], notice: Notice) -> Ended | None:
        """Run the command and wait; None if the node is closing: it is run again then."""
        try:
            process = self._start(command)
        except (OSError, ValueError) as error:
            return Ended(None, getattr(error, "strerror", None) or type(error).__name__)
        if process is None:
            return None
        try:
            process.communicate(notice.line(), timeout=self._timeout)
            why = None
        except subprocess.TimeoutExpired:
            why = f"it did not end within {self._timeout:.0f} s"
        finally:
            _end(process)
            with self._lock:
                self._running.discard(process)
        if self._closed:
            return None
        return Ended(None, why) if why else _ended(process.returncode)

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes] | None:
        environment = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
        with self._lock:
            if self._closed:
                return None
            process = subprocess.Popen(  # noqa: S603 - the agency's own command, from its settings
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=environment,
                start_new_session=True,
            )
            self._running.add(process)
        return process

    def close(self) -> None:
        """End what runs, and run no more."""
        with self._lock:
            self._closed = True
            for process in self._running:
                _kill(process)


def _ended(code: int) -> Ended:
    if code < 0:
        return Ended(None, f"it was ended by signal {-code}")
    return Ended(code, f"it ended with {code}" if code else None)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Whatever the command left behind goes with it."""
    _kill(process)
    process.wait()
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The whole session that the command began, even if it is gone itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
