"""`saphan countersign --desk DESK`: what waits for a second officer, on the officer's machine."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from saphan_schemas.records import Blob

from saphan.cli.countersign import Eyes, named
from saphan.cli.desk_line import at_desk, over_line
from saphan.desk.desk import Desk
from saphan.desk.files import Files, download_name
from saphan.desk.line import DeskLine
from saphan.desk.second import SecondEyes
from saphan.saving import Saving
from saphan.second_signature import Exact

Json = dict[str, Any]
T = TypeVar("T")


@contextmanager
def eyes_at_desk(args: argparse.Namespace) -> Iterator[Eyes]:
    """The desk that `args.desk` names; raises as `at_desk`."""
    with at_desk(args) as desk:
        yield AtDesk(desk)


class AtDesk:
    """Every question needs the line: nothing that waits is kept at a desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._second = SecondEyes(desk)

    def rows(self) -> list[Json]:
        """What concerns this officer."""
        return self._ask(self._second.waiting)

    def open(self, start: str) -> Exact:
        """Sign that it is read, and get it."""

        async def ask(line: DeskLine) -> Exact:
            return await self._second.open(line, named(await self._second.waiting(line), start))

        return self._ask(ask)

    def save(self, exact: Exact, number: int, folder: Path) -> Path:
        """An attachment as a file; it does not stay at the desk."""
        one = exact.attachments[number - 1]
        blob = Blob(one["length"], bytes.fromhex(one["sha256"]))
        files, name = Files(self._desk), download_name(exact.draft, number)

        async def fetch(line: DeskLine) -> None:
            await files.fetch(line, exact.draft, number, blob)

        with Saving(folder, one["name"], blob) as saving:
            if not files.has(name, blob):
                self._ask(fetch)
            for data in files.pieces(name, blob):
                saving.write(data)
            path = saving.finish()
        self._desk.store.drop_parts(name)
        return path

    def sign(self, exact: Exact) -> str:
        """Sign second."""

        async def ask(line: DeskLine) -> str:
            return await self._second.sign(line, exact)

        return self._ask(ask)

    def refuse(self, start: str, reason: str | None) -> str:
        """Do not sign."""

        async def ask(line: DeskLine) -> str:
            draft = named(await self._second.waiting(line), start)
            return await self._second.refuse(line, draft, reason)

        return self._ask(ask)

    def _ask(self, work: Callable[[DeskLine], Awaitable[T]]) -> T:
        found: list[T] = []

        async def run(line: DeskLine) -> None:
            found.append(await work(line))

        error = over_line(self._desk, run)
        if error is not None:
            raise error
        return found[0]
