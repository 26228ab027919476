"""Agencies' systems that push bulletins through their nodes and read what comes, whatever breaks.

A bulletin counts as acknowledged once the node has answered with its id. What has had no answer is
pushed again under its idempotency key, as a case system would.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from saphan import Node
from saphan.received import Bulletin
from saphan_schemas.errors import SaphanError
from saphan_schemas.samples import sample

from chaos.schedule import AGENCIES
from chaos.story import Story

SCHEMA: Final = "case_statistics"
AGAIN_S: Final = 0.15
LOOK_S: Final = 0.3
OPEN: Final = 30
"""Bulletins of one agency that may be without an outcome before its system pushes another one: a
slow machine is not buried under what it has yet to carry."""
TERMINAL: Final = {
    **{state: state for state in ("accepted", "rejected", "recalled", "expired", "refused")},
    "read": "accepted",
}
"""States of a delivery that has its outcome, and which one; what is read was accepted before."""


@dataclass
class Pushed:
    """One bulletin that a system wants to be sent.

    Attributes:
        at: when it was pushed first; acknowledged: when the node answered with `id`.
        outcomes: recipient -> (state, when it was seen at the sender).
    """

    key: str
    sender: str
    to: tuple[str, ...]
    title: str
    files: tuple[Path, ...]
    at: float
    acknowledged: float | None = None
    id: str = ""
    outcomes: dict[str, tuple[str, float]] = field(default_factory=dict)

    @property
    def decided(self) -> bool:
        """Whether the sender knows the outcome of every delivery."""
        return len(self.outcomes) == len(self.to)


@dataclass(frozen=True, slots=True)
class Shown:
    """A bulletin that was given to a reader: a system, or an officer's desk."""

    reader: str
    bulletin: str
    at: float
    title: str


class Load:
    """Pushes and reads at all agencies of a world.

    Args:
        place: the world's folder; chance: decides what is sent when, to whom.
        pause: (least, most) seconds between two bulletins of one agency.
    """

    def __init__(
        self, place: Path, chance: Random, story: Story, pause: tuple[float, float]
    ) -> None:
        self._place = place
        self._chance = chance
        self._story = story
        self._pause = pause
        self.pushed: list[Pushed] = []
        self.shown: list[Shown] = []
        self.wrong: list[str] = []
        """What no system may see: another content, an attachment's other bytes, another id."""
        self.by_id: dict[str, Pushed] = {}
        self._by_title: dict[str, Pushed] = {}
        self._files = self._make_files()
        self._pushing = True
        self._reading: list[asyncio.Task[None]] = []
        self._pushers: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """All of them at once."""
        for name in AGENCIES:
            # Each with a stream of its own: how fast one is does not change what another sends.
            own = Random(self._chance.getrandbits(64))
            self._pushers.append(asyncio.create_task(self._push_all(name, own)))
            self._reading.append(asyncio.create_task(self._read_all(name)))
            self._reading.append(asyncio.create_task(self._watch(name)))

    def push_no_more(self) -> None:
        """Nothing new; what was begun is pushed until its node has answered."""
        self._pushing = False

    async def pushed_all(self) -> None:
        """Wait for that."""
        await asyncio.gather(*self._pushers)

    async def stop(self) -> None:
        """Read no more."""
        for task in (*self._pushers, *self._reading):
            task.cancel()
        found = await asyncio.gather(*self._pushers, *self._reading, return_exceptions=True)
        for one in found:
            if isinstance(one, Exception):
                raise one

    def check_title(self, agency: str, bulletin: str, title: str) -> None:
        """That a desk has opened what was pushed to its agency under this id."""
        sent = self._by_title.get(title)
        if sent is None or agency not in sent.to or (sent.id and sent.id != bulletin):
            self.wrong.append(f"a desk of {agency} was shown {bulletin}, which nobody has sent so")

    # --- pushing ----------------------------------------------------------------------------------

    async def _push_all(self, name: str, chance: Random) -> None:
        number = 0
        async with Node(self._place / name) as node:
            while self._pushing:
                if len(self._open(name)) >= OPEN:
                    await asyncio.sleep(AGAIN_S)
                    continue
                number += 1
                await self._push(node, self._next(name, number, chance))
                await asyncio.sleep(chance.uniform(*self._pause))

    def _next(self, name: str, number: int, chance: Random) -> Pushed:
        others = [one for one in AGENCIES if one != name]
        to = tuple(others) if chance.random() < 0.15 else (chance.choice(others),)
        files = tuple(chance.sample(self._files, 2)) if chance.random() < 0.12 else ()
        title = f"Bulletin {number} of {name}"
        one = Pushed(f"chaos-{name}-{number}", name, to, title, files, self._story.now)
        self.pushed.append(one)
        self._by_title[title] = one
        return one

    async def _push(self, node: Node, one: Pushed) -> None:
        content = sample(SCHEMA)
        content["about"]["title"] = content["about"]["title"] | {"en": one.title}
        while True:
            try:
                found = await node.send(
                    to=list(one.to), schema=f"saphan/{SCHEMA}/1", exercise=True,
                    about=content["about"], body=content["body"], attachments=one.files,
                    idempotency_key=one.key,
                )  # fmt: skip
            except SaphanError as error:
                self._story.tell("push failed", key=one.key, code=error.code)
                await asyncio.sleep(AGAIN_S)
                continue
            one.id, one.acknowledged = found, self._story.now
            self.by_id[found] = one
            self._story.tell("acknowledged", key=one.key, id=found, to=one.to)
            return

    def _make_files(self) -> list[Path]:
        """Attachments of 1 KB to 400 KB, the same for the same seed."""
        folder = self._place / "files"
        folder.mkdir(exist_ok=True)
        made = []
        for number in range(6):
            path = folder / f"photo-{number}.jpg"
            path.write_bytes(b"\xff\xd8\xff" + self._chance.randbytes(1_000 + 80_000 * number))
            made.append(path)
        return made

    # --- outcomes ---------------------------------------------------------------------------------

    async def _watch(self, name: str) -> None:
        """Ask the sender's node what became of its bulletins, again and again."""
        async with Node(self._place / name) as node:
            while True:
                for one in self._open(name):
                    try:
                        life = await node.status(one.id)
                    except SaphanError:
                        break  # it is down; the next look asks again
                    self._note(one, life)
                await asyncio.sleep(LOOK_S)

    def _open(self, name: str) -> list[Pushed]:
        """The oldest ones first, no more than one look can ask."""
        found = [one for one in self.by_id.values() if one.sender == name and not one.decided]
        return found[:40]

    def _note(self, one: Pushed, life: dict[str, Any]) -> None:
        for delivery in life["deliveries"]:
            state, to = delivery["state"], delivery["recipient"]
            if state in TERMINAL and to not in one.outcomes:
                one.outcomes[to] = (TERMINAL[state], self._story.now)
                self._story.tell("outcome", id=one.id, to=to, state=TERMINAL[state], key=one.key)

    # --- reading ----------------------------------------------------------------------------------

    async def _read_all(self, name: str) -> None:
        """A case system: it keeps its place in the inbox, and goes on there."""
        after = 0
        async with Node(self._place / name) as node:
            while True:
                try:
                    async for bulletin in node.inbox(after=after, follow=False):
                        await self._check(node, name, bulletin)
                        self.note_shown(name, bulletin.id, bulletin.about["title"]["en"])
                        after = bulletin.seq
                except SaphanError:
                    pass  # down, or its line to its own store is: it is asked again
                await asyncio.sleep(LOOK_S)

    def note_shown(self, reader: str, bulletin: str, title: str) -> None:
        """A reader was given this bulletin."""
        self.shown.append(Shown(reader, bulletin, self._story.now, title))
        self._story.tell("shown", reader=reader, id=bulletin)

    async def _check(self, node: Node, name: str, bulletin: Bulletin) -> None:
        """That it is what was pushed, byte for byte of its files."""
        sent = self._by_title.get(bulletin.about["title"]["en"])
        if sent is None or name not in sent.to or (sent.id and sent.id != bulletin.id):
            self.wrong.append(f"{name} was shown {bulletin.id}, which nobody has sent it so")
            return
        wanted = [_digest(path) for path in sent.files]
        for number, digest in enumerate(wanted, 1):
            got = hashlib.sha256()
            async for data in node.attachment(bulletin.id, number):
                got.update(data)
            if got.hexdigest() != digest:
                self.wrong.append(f"{name} was given other bytes as file {number} of {bulletin.id}")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
