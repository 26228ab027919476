"""Copies and backups: commands that run to their end, or are killed, and are run again.

Their effects are the files that they make durable, by `fsync`. A crash here is a real one: the
command runs in a child that is killed with SIGKILL at that call.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.killed import die

from matrix.effects import CRASHES, Effect, Fault

_NUMBERS = re.compile(r"[0-9a-f]{16,}|[0-9]+")


@dataclass(frozen=True)
class Offline:
    """One command.

    Args:
        whose: whose command it is.
        ready: what must be there before, made once in a folder; nothing fails yet.
        do: run it in a folder; its exit status.
        check: what it made is whole.
    """

    whose: str
    ready: Callable[[Path], None]
    do: Callable[[Path], int]
    check: Callable[[Path], None]


def named(whose: str, handle: int) -> Effect:
    """The file by its name, or the folder whose names become durable."""
    path = Path(os.readlink(f"/proc/self/fd/{handle}"))
    kind = "folder" if path.is_dir() else "file"
    name = "of its own" if kind == "folder" else _NUMBERS.sub("N", path.name)
    return Effect(whose, f"makes durable the {kind} {name}")


@contextmanager
def failing(whose: str, effect: Effect | None, fault: Fault | None) -> Iterator[Counter[Effect]]:
    """The first such effect fails inside the block; gives what was seen."""
    seen: Counter[Effect] = Counter()
    really = os.fsync

    def fsync(handle: int) -> None:
        found = named(whose, handle)
        seen[found] += 1
        now = fault if found == effect and seen[found] == 1 else None
        if now is Fault.NOT_DONE:
            raise OSError(errno.ENOSPC, "injected: no room")
        if now is Fault.CRASH_BEFORE:
            die()
        really(handle)
        if now is Fault.CRASH_AFTER:
            die()
        if now is Fault.DONE:
            raise OSError(errno.EIO, "injected: done")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield seen


def check(place: Path, offline: Offline, effects: list[tuple[Effect, Fault]]) -> None:
    """Every fault: the command says so or dies, is run again, and has then done all of it."""
    for number, (effect, fault) in enumerate(effects):
        folder = place / str(number)
        folder.mkdir()
        offline.ready(folder)
        if fault in CRASHES:
            assert _killed(folder, offline, effect, fault), f"{effect} was not reached"
        else:
            with failing(offline.whose, effect, fault) as seen:
                status = offline.do(folder)
            assert seen[effect], f"{effect} was not reached"
            assert status != 0, (effect, fault)
        assert offline.do(folder) == 0, (effect, fault)
        offline.check(folder)
        shutil.rmtree(folder)


def _killed(folder: Path, offline: Offline, effect: Effect, fault: Fault) -> bool:
    child = os.fork()
    if child == 0:  # nothing of pytest may run here
        try:
            with failing(offline.whose, effect, fault):
                offline.do(folder)
        finally:
            os._exit(7)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])
