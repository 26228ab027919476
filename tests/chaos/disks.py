"""Disks that are full or slow, under a real process.

Three ways, each of which the kernel carries out, none of which is a mock:

    file_limit   RLIMIT_FSIZE of a running process: no file grows past so many KiB (EFBIG)
    disk_full    the broker's folder is a file system of its own, of memory, and a file of ours
                 takes what is left (ENOSPC); only as root
    slow_disk    strace holds every fsync and fdatasync back for so many ms; only where a
                 process may be traced

A disk that lies about fsync, or loses what it has confirmed, is not simulated.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

SMALL_DISK_MIB: Final = 512
"""More than the room that the broker keeps for its log (`DISK_RESERVE_BYTES`), or no attachment is
ever taken; the bytes are memory only once they are written."""
BALLAST: Final = "ballast"


def limit_files(pids: Sequence[int], kib: int | None) -> int:
    """No file of these processes grows past so many KiB, longer ones not at all; None: all may.

    Gives how many of them have it so now.
    """
    most = resource.RLIM_INFINITY if kib is None else kib * 1024
    limited = 0
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, hard))
            limited += resource.prlimit(pid, resource.RLIMIT_FSIZE)[0] == most
    return limited


class SlowDisk:
    """strace on every process of a party, for as long as `stop` is not called.

    Args:
        said: file for what strace has to say; it removes itself.
    """

    def __init__(self, said: Path) -> None:
        self._said = said
        self._tracer: asyncio.subprocess.Process | None = None

    async def start(self, pids: Sequence[int], ms: int) -> None:
        """From now on fsync and fdatasync take so much longer."""
        words = [f"-p{pid}" for pid in pids]
        inject = f"inject=fsync,fdatasync:delay_enter={ms * 1000}"
        self._tracer = await asyncio.create_subprocess_exec(
            "strace", "-f", "-qq", "-o", self._said, "-e", "trace=fsync,fdatasync", "-e", inject,
            *words, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    async def stop(self) -> int:
        """As fast as it is; gives how many calls were held back."""
        if self._tracer is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            self._tracer.terminate()  # it lets go of them
        await self._tracer.wait()
        held = self._said.read_text(errors="replace").count("(DELAYED)")
        self._said.unlink()
        return held


def may_trace() -> bool:
    """Whether strace may be used on a process here."""
    if shutil.which("strace") is None:
        return False
    with subprocess.Popen(["sleep", "30"]) as victim:
        words = ["timeout", "-s", "INT", "0.3", "strace", "-qq", "-o", "/dev/null"]
        ended = subprocess.run(
            [*words, f"-p{victim.pid}"], capture_output=True, text=True, check=False
        )
        victim.kill()
    return "ptrace" not in ended.stderr


def may_mount() -> bool:
    """Whether a file system can be mounted here."""
    if os.getuid() != 0 or shutil.which("mount") is None:
        return False
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def small_disk(folder: Path) -> None:
    """Give a folder a small file system of its own; what is in it is taken along."""
    aside = folder.with_name(folder.name + ".aside")
    folder.rename(aside)
    folder.mkdir(mode=0o700)
    options = f"size={SMALL_DISK_MIB}m,mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "chaos", folder], check=True)
    shutil.copytree(aside, folder, dirs_exist_ok=True)
    shutil.rmtree(aside)


def unmount(folder: Path) -> None:
    """Whatever still has files open there keeps them until it ends."""
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> bool:
    """Take all room that is left on a folder's file system; whether none is left."""
    with (folder / BALLAST).open("wb", buffering=0) as file:
        piece = bytes(64 * 1024)
        while True:
            try:
                file.write(piece)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                if len(piece) == 1:
                    return os.statvfs(folder).f_bavail == 0
                piece = piece[: max(1, len(piece) // 16)]


def empty(folder: Path) -> None:
    """Give the room back."""
    (folder / BALLAST).unlink(missing_ok=True)
