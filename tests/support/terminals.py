"""A person at a terminal: a shell that stays, whose programs ask, and get the answers they need."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Mapping
from pathlib import Path

PATIENCE_S = 90
DONE = "saphan-test-done"


class Terminal:
    """One place: its folder, its shell, and what its person types when asked.

    Args:
        answers: pattern of a question to what is typed; the question is the end of the output.
    """

    def __init__(self, folder: Path, env: Mapping[str, str], answers: Mapping[str, str]) -> None:
        self.folder = folder
        self.shown = ""
        self._answers = {re.compile(question + r"\Z"): text for question, text in answers.items()}
        self._master, slave = os.openpty()
        # The shell reads its script from a pipe, so that no program takes it for an answer.
        self._shell = subprocess.Popen(
            ["bash", "-eu"],
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(1, termios.TIOCSCTTY, 0),
        )
        os.close(slave)

    def type(self, block: str) -> str:
        """Run a block of commands; gives what was shown. A command that fails fails the test."""
        assert self._shell.stdin is not None
        before = len(self.shown)
        self._shell.stdin.write(f"{block}\necho {DONE}\n".encode())
        self._shell.stdin.flush()
        end = time.monotonic() + PATIENCE_S
        while not self.shown[before:].rstrip().endswith(DONE):
            assert time.monotonic() < end, self.shown[before:]
            self._look(before)
        return self.shown[before:]

    def _look(self, before: int) -> None:
        ready, _, _ = select.select([self._master], [], [], 1)
        if ready:
            try:
                self.shown += os.read(self._master, 65_536).decode(errors="replace")
            except OSError:  # the shell is gone
                raise AssertionError(self.shown[before:]) from None
            for question, text in self._answers.items():
                if question.search(self.shown, before):
                    os.write(self._master, f"{text}\n".encode())
        elif self._shell.poll() is not None:
            raise AssertionError(self.shown[before:])

    def close(self) -> None:
        """End the shell and everything that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.wait()
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        os.close(self._master)
