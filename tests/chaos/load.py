"""Agencies' systems that push bulletins through their nodes and read what comes, whatever breaks.

A bulletin counts as acknowledged once the node has answered with its id. What has had no answer is
pushed again under its idempotency key, as a case system would. What officers write at their desks
(`desk_program`) is noted here too.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
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
LOOK_S: Final = 0.5
OPEN: Final = 15
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
        refusals: recipient -> the code with which its sender was told that it is refused.
        desk: whose officer has written it; empty: a system has pushed it.
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
    refusals: dict[str, str] = field(default_factory=dict)
    desk: str = ""

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
        self._titles: list[tuple[str, str, str]] = []
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

    def note_opened(self, desk: str, bulletin: str, title: str) -> None:
        """An officer has opened it."""
        self._titles.append((desk.removeprefix("desk:"), bulletin, title))

    def strangers(self) -> list[str]:
        """What readers were shown that nobody has sent them under this title and id.

        Looked for at the end: an officer's bulletin may be shown to its readers before the desk,
        killed in between, has told that it was written.
        """
        return [
            f"{agency} was shown {bulletin}, which nobody has sent it so"
            for agency, bulletin, title in dict.fromkeys(self._titles)
            if (sent := self._by_title.get(title)) is None
            or agency not in sent.to
            or sent.id != bulletin
        ]

    # --- written at desks -------------------------------------------------------------------------

    def note_written(self, desk: str, title: str, to: Sequence[str]) -> None:
        """An officer's bulletin is signed and kept at the desk: from now on it is promised. A desk
        that starts again says all of them again."""
        if title in self._by_title:
            return
        sender = desk.removeprefix("desk:")
        one = Pushed(f"{desk} {title}", sender, tuple(to), title, (), self._story.now, desk=desk)
        self.pushed.append(one)
        self._by_title[title] = one
        self._story.tell("written", key=one.key, to=one.to)

    def note_sent(self, title: str, bulletin: str) -> None:
        """The node has answered the desk with its id."""
        one = self._by_title[title]
        if one.id not in ("", bulletin):
            self.wrong.append(f"{one.key} was sent as {one.id} and as {bulletin}")
        elif not one.id:
            self._acknowledge(one, bulletin)

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
            self._acknowledge(one, found)
            return

    def _acknowledge(self, one: Pushed, bulletin: str) -> None:
        one.id, one.acknowledged = bulletin, self._story.now
        self.by_id[bulletin] = one
        self._story.tell("acknowledged", key=one.key, id=bulletin, to=one.to)

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
        return found[: 2 * OPEN]

    def _note(self, one: Pushed, life: dict[str, Any]) -> None:
        for delivery in life["deliveries"]:
            state, to = delivery["state"], delivery["recipient"]
            if state in TERMINAL and to not in one.outcomes:
                one.outcomes[to] = (TERMINAL[state], self._story.now)
                if TERMINAL[state] == "refused":
                    one.refusals[to] = str(delivery["code"])
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
        title = bulletin.about["title"]["en"]
        self._titles.append((name, bulletin.id, title))
        sent = self._by_title.get(title)
        wanted = [] if sent is None else [_digest(path) for path in sent.files]
        for number, digest in enumerate(wanted, 1):
            got = hashlib.sha256()
            async for data in node.attachment(bulletin.id, number):
                got.update(data)
            if got.hexdigest() != digest:
                self.wrong.append(f"{name} was given other bytes as file {number} of {bulletin.id}")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
