"""Child processes: this project's own programs, what they print, and what they cost."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
STOP_SECONDS: Final = 30.0
LINE_BYTES: Final = 1 << 20
QUOTAS: Final = ("bulletins_per_minute", "bytes_per_day", "open_deliveries")
TICK: Final = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Program:
    """A running child that speaks JSON, one object a line, on its standard streams."""

    name: str
    log: Path
    process: asyncio.subprocess.Process

    async def hear(self) -> dict[str, Any]:
        """The next object it prints.

        Raises:
            RuntimeError: it has ended instead.
        """
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line:
            code = await self.process.wait()
            said = "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])
            raise RuntimeError(f"{self.name} ended with {code}; the programs' last words:\n{said}")
        value: dict[str, Any] = json.loads(line)
        return value

    async def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        await self.process.stdin.drain()
        return await self.hear()

    def memory(self) -> tuple[int, int]:
        """(resident bytes now, at most so far)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return tuple(int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]

    def cpu_seconds(self) -> float:
        """Processor time that it and its children have used, user and system."""
        return sum(_cpu_ticks(pid) for pid in _family(self.process.pid)) / TICK

    async def stop(self) -> None:
        """Ask it to end, and wait; one that does not is killed."""
        if self.process.returncode is None:
            self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


def _family(pid: int) -> list[int]:
    """A process and its children; grandchildren there are none."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def _cpu_ticks(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    user, system = stat.rpartition(")")[2].split()[11:13]
    return int(user) + int(system)


@asynccontextmanager
async def started(name: str, log: Path, *words: str | Path) -> AsyncIterator[Program]:
    """`python -m words...` for as long as the block lasts; its errors go to a file."""
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *map(str, words),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=LINE_BYTES,
        )
    program = Program(name, log, process)
    try:
        yield program
    finally:
        await program.stop()


@asynccontextmanager
async def broker(
    data: Path, keys: Path, log: Path, *more: str | Path, tls: bool = False
) -> AsyncIterator[tuple[Program, str]]:
    """`saphan-broker run` on a free port; (program, url).

    Without quotas: an agency of a measurement sends more than one agency may by default.
    """
    quotas = log.with_name("quotas.json")
    quotas.touch(0o600)
    quotas.write_text(json.dumps({"default": dict.fromkeys(QUOTAS, 2**53)}))
    words: list[str | Path] = ["saphan_broker", "run", "--json", "--listen", "127.0.0.1:0", *more]
    words += ["--quotas", quotas, *([] if tls else ["--plain"])]
    async with started("saphan-broker", log, *words, "--data", data, "--keys", keys) as program:
        ready = await program.hear()
        yield program, ready["url"]


@asynccontextmanager
async def node(folder: Path, url: str, log: Path, *more: str) -> AsyncIterator[Program]:
    """`saphan node run` of one agency, which knows the broker's TLS key if it has one."""
    words = ["saphan", "node", "run", "--json", "--broker", url, "--dir"]
    async with started("saphan node", log, *words, folder, *more) as program:
        await program.hear()
        yield program
