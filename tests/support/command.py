"""Running the `saphan` command as people do: a process of its own, without a terminal."""

from __future__ import annotations

import asyncio
import atexit
import functools
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saphan.cli.main import main

from support.rooms import CONTAINERS, ROOT


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        value: dict[str, Any] = json.loads(self.out)
        return value

    @property
    def code(self) -> str:
        """The code in the one line of error on standard error; a traceback fails here."""
        lines = self.err.splitlines()
        assert lines, "an error was expected"
        assert "Traceback" not in self.err, self.err
        (line,) = [line for line in lines if line.startswith("saphan: ")]
        assert line == line.strip()
        assert line.endswith(")"), line
        return line[line.rindex("(") + 1 : -1]


def saphan_command(*words: str | Path) -> list[str]:
    """The command line of this checkout's `saphan`."""
    return [sys.executable, "-m", "saphan", *map(str, words)]


def environment(**variables: str) -> dict[str, str]:
    """This process's variables, with the checkout's packages importable, behind what was there."""
    rooms = [str(ROOT / room) for room in CONTAINERS[:4]]
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), *rooms)))
    fixed = {"PYTHONPATH": path, "LC_ALL": "C.UTF-8"}
    return os.environ | fixed | (_bytecode() if sys.dont_write_bytecode else {}) | variables


def typed(folder: Path, **variables: str) -> dict[str, str]:
    """Variables of a shell in which `saphan` and `saphan-broker` are this checkout's.

    Args:
        folder: created if it is not there; the two programs are written into it.
    """
    folder.mkdir(exist_ok=True)
    write_commands(folder)
    return environment(PATH=f"{folder}{os.pathsep}{os.environ['PATH']}", **variables)


def write_commands(folder: Path) -> None:
    """Write this checkout's two programs into a folder that exists."""
    for name, module in (("saphan", "saphan"), ("saphan-broker", "saphan_broker")):
        (folder / name).write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n')
        (folder / name).chmod(0o755)


@functools.cache
def _bytecode() -> dict[str, str]:
    """Where nothing is written beside the sources, hundreds of commands compile them only once."""
    folder = tempfile.mkdtemp(prefix="saphan-bytecode-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": folder}


def saphan(
    *words: str | Path,
    status: int = 0,
    pass_fds: Sequence[int] = (),
    stdin: str = "",
    **variables: str,
) -> Ran:
    """Run `saphan` to its end, away from any terminal, and check its exit status."""
    ended = subprocess.run(
        saphan_command(*words),
        input=stdin,
        capture_output=True,
        text=True,
        env=environment(**variables),
        start_new_session=True,  # no terminal: a tester's own /dev/tty is not asked
        pass_fds=pass_fds,
        check=False,
        timeout=60,
    )
    ran = Ran(ended.returncode, ended.stdout, ended.stderr)
    assert ran.status == status, ran
    return ran


def saphan_here(*words: str | Path, status: int = 0) -> Ran:
    """The same inside this process, without its start of half a second; nothing may be asked."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        ended = main([str(word) for word in words])
    ran = Ran(ended, out.getvalue(), err.getvalue())
    assert ran.status == status, ran
    return ran


async def answered(*words: str | Path, status: int = 0) -> dict[str, Any]:
    """The same off the event loop: the command's JSON, or that of its error."""
    ran = await asyncio.to_thread(saphan_here, *words, "--json", status=status)
    if status == 0:
        return ran.json
    error: dict[str, Any] = json.loads(ran.err.strip().splitlines()[-1])["error"]
    return error
