"""One target in a process of its own: its memory is bounded, its death is a result.

A parser in another language may end the process or never come back. The input that it had is then
read from memory that both processes share.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import pickle
import resource
import signal
import struct
from collections.abc import Sequence
from multiprocessing.connection import Connection
from random import Random
from typing import Final

from saphan_schemas.limits import MIB

from fuzz.running import Fault, Tally, run
from fuzz.target import Target

ROOM_BYTES: Final = 1024 * MIB
"""Address space beyond what the process begins with; who wants more gets a MemoryError."""
NEVER_S: Final = 20.0
"""Seconds of processor time for inputs between two beats: then the kernel ends the process."""
_SHARED: Final = 8 * MIB
_LENGTH: Final = struct.Struct(">Q")
_fork = multiprocessing.get_context("fork")


def run_apart(target: Target, count: int, seed: int, kept: Sequence[bytes] = ()) -> Tally:
    """As `running.run`, in a child: seeded by `seed` and the target's name."""
    shared = mmap.mmap(-1, _SHARED + 2 * target.longest)
    receiving, sending = _fork.Pipe(duplex=False)
    child = _fork.Process(target=_child, args=(target, count, seed, kept, shared, sending))
    child.start()
    sending.close()
    try:
        told: Tally | None = pickle.loads(receiving.recv_bytes())  # noqa: S301 (our own child's)
    except EOFError:
        told = None
    child.join()
    receiving.close()
    tally = told if told is not None else _died(target, child.exitcode, shared)
    shared.close()
    return tally


def _child(
    target: Target,
    count: int,
    seed: int,
    kept: Sequence[bytes],
    shared: mmap.mmap,
    sending: Connection,
) -> None:
    signal.signal(signal.SIGPROF, signal.SIG_DFL)

    def about(data: bytes) -> None:
        shared[: _LENGTH.size] = _LENGTH.pack(len(data))
        shared[_LENGTH.size : _LENGTH.size + len(data)] = data

    def beat() -> None:
        signal.setitimer(signal.ITIMER_PROF, NEVER_S)

    beat()
    bounded = _address_space() + ROOM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (bounded, bounded))
    tally = run(target, count, Random(f"{seed} {target.name}"), kept, about, beat)
    signal.setitimer(signal.ITIMER_PROF, 0)
    sending.send_bytes(pickle.dumps(tally))
    sending.close()
    os._exit(0)  # nothing that this process holds has to be put in order


def _died(target: Target, status: int | None, shared: mmap.mmap) -> Tally:
    (length,) = _LENGTH.unpack(shared[: _LENGTH.size])
    data = shared[_LENGTH.size : _LENGTH.size + length]
    tally = Tally(target.name, inputs=1)
    kind = "hang" if status == -signal.SIGPROF else "crash"
    said = f"the process ended with {status}"
    tally.faults[f"{kind} {said}"] = Fault(target.name, kind, said, data)
    return tally


def _address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * mmap.PAGESIZE
