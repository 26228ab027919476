"""A successor made in a process that ends at a given step, in a child that a test forks.

Steps are what the making does to the world: names changed, files and folders synced, commits and
notes of the store, signatures. The process is gone before the so-manieth of them, which is after
the one before it. Every signature is written to KEYS/signed before it is given, so that nothing
signed is forgotten.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from saphan_broker import private_files
from saphan_broker.clock import system_clock
from saphan_broker.keys import LogKeys
from saphan_broker.moving.house import House
from saphan_broker.opening import SQLITE, StoreChoice
from saphan_broker.store.sqlite import SqliteStore
from saphan_broker.succession.making import make
from saphan_broker.succession.plan import KnownLeaf, Plan, read_plan, write_plan
from saphan_protocol.checkpoint import Head

GONE = 9
"""Exit status of a process that ended at its step."""


class Steps:
    """Counts, and ends the process at one of them."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.done = 0

    def step(self) -> None:
        self.done += 1
        if self.done == self.last:
            os._exit(GONE)

    def before(self, really: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            self.step()
            return really(*args, **options)

        return call


def watch(steps: Steps, signed: Path, stores: tuple[type, ...] = (SqliteStore,)) -> None:
    """Put the counting in front of everything that changes the world."""
    for name in ("rename", "replace", "unlink"):
        setattr(os, name, steps.before(getattr(os, name)))
    for name in ("fsync", "fdatasync"):  # who dies loses nothing that the system holds
        setattr(os, name, steps.before(lambda descriptor: None))
    private_files.write_new = steps.before(private_files.write_new)
    for store in stores:
        for name in ("commit", "put_note"):
            setattr(store, name, steps.before(getattr(store, name)))
    really = LogKeys.sign_head

    def sign(self: LogKeys, size: int, root: bytes, time: int) -> Head:
        with signed.open("a") as file:
            file.write(f"{self.origin} {size} {root.hex()}\n")
        return really(self, size, root, time)

    LogKeys.sign_head = steps.before(sign)  # type: ignore[method-assign]


def work(
    data: Path, keys: Path, plan: Plan, leaves: list[KnownLeaf], choice: StoreChoice = SQLITE
) -> None:
    """What the command does once everybody has reported."""
    found = read_plan(keys)
    if found is None:
        write_plan(keys, plan, leaves)
        found = plan
    asyncio.run(make(House(data, choice), keys, found, system_clock))
