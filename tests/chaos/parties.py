"""A party is a real process that somebody keeps running, as an init system does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from chaos.clocks import Clock
from chaos.story import Story

LINE_BYTES: Final = 1 << 20
STOP_S: Final = 20.0
PAUSE_S: Final = 0.3
"""Before a process that has ended by itself is started again."""
START_S: Final = 120.0

Ready = Callable[[dict[str, Any]], None]


class Party:
    """One process and its successors.

    Args:
        command: gives its command line, anew for each start.
        place: folder for what it prints and for its clock.
        ready: called with the JSON object that it prints first, at each start; None: it prints
            none, and is ready at once.
        told: called with each further JSON object that it prints; None: they go to its log.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[], Sequence[str | Path]],
        place: Path,
        story: Story,
        *,
        ready: Ready | None = None,
        told: Ready | None = None,
    ) -> None:
        self.name = name
        self.clock = Clock(place / f"{name.replace(':', '-')}.clock")
        self.log = place / f"{name.replace(':', '-')}.log"
        self._command = command
        self._story = story
        self._ready = ready
        self._told = told
        self._process: asyncio.subprocess.Process | None = None
        self._up = asyncio.Event()
        self._wanted = asyncio.Event()
        self._killed = False
        self._task: asyncio.Task[None] | None = None

    # --- kept running -----------------------------------------------------------------------------

    def start(self) -> None:
        """Keep it running from now on."""
        self._wanted.set()
        if self._task is None:
            self._task = asyncio.create_task(self._keep())

    async def up(self) -> None:
        """Wait until it is ready.

        Raises:
            TimeoutError: with the last lines that it has printed.
        """
        waiting = asyncio.create_task(self._up.wait())
        assert self._task is not None
        await asyncio.wait(
            {waiting, self._task}, timeout=START_S, return_when=asyncio.FIRST_COMPLETED
        )
        if self._task.done():
            self._task.result()
        if not waiting.done():
            waiting.cancel()
            said = self.log.read_text(errors="replace").splitlines()[-10:]
            raise TimeoutError(f"{self.name} is not up:\n" + "\n".join(said))

    async def stop(self) -> None:
        """End it cleanly, and start it no more."""
        self._wanted.clear()
        process = self._process
        if process is not None and process.returncode is None:
            for number in (signal.SIGCONT, signal.SIGTERM):
                self._signal(number)
            try:
                await asyncio.wait_for(process.wait(), STOP_S)
            except TimeoutError:
                self._story.tell("would not stop", party=self.name)
                self._signal(signal.SIGKILL)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _keep(self) -> None:
        while True:
            await self._wanted.wait()
            self._killed = False
            code = await self._life()
            self._up.clear()
            if not self._killed and self._wanted.is_set():
                # Nobody killed it: a program that gives up says why in its log.
                self._story.tell("ended by itself", party=self.name, code=code)
                await asyncio.sleep(PAUSE_S)

    async def _life(self) -> int:
        with self.log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *map(str, self._command()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=self.clock.environment(),
                limit=LINE_BYTES,
                start_new_session=True,  # a group of its own, which dies at once
                restore_signals=False,  # a file that may not grow is an error, as on a full disk
            )
            self._process = process
            self._story.tell("started", party=self.name, pid=process.pid)
            assert process.stdout is not None
            if self._ready is None:
                self._up.set()
            elif line := await process.stdout.readline():
                self._ready(json.loads(line))
                self._up.set()
                self._story.tell("ready", party=self.name)
            async for line in process.stdout:
                # What a kill has cut was not said.
                if self._told is None:
                    errors.write(line)
                elif line.endswith(b"\n"):
                    self._told(json.loads(line))
            return await process.wait()

    # --- what the nemesis does --------------------------------------------------------------------

    async def kill(self) -> bool:
        """SIGKILL to it and its children, and no new start before `start`; whether it ran."""
        self._wanted.clear()
        self._killed = True
        process = self._process
        if process is None or process.returncode is not None:
            return False
        # All at once: a parent that lived a little longer would start another child.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return await process.wait() == -signal.SIGKILL

    def resume(self) -> None:
        """SIGCONT."""
        tell_all(self.pids(), signal.SIGCONT)

    def pids(self) -> list[int]:
        """Itself and its children; empty if it does not run."""
        process = self._process
        if process is None or process.returncode is not None:
            return []
        try:
            of = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        except OSError:
            return []
        return [process.pid, *map(int, of.split())]

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)


def tell_all(pids: Sequence[int], number: signal.Signals) -> None:
    """Send a signal to those that are there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def stands_still(pid: int) -> bool:
    """Whether a signal has stopped a process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False
