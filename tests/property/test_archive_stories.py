"""Random lives of bulletins, a mover that comes at random moments: every answer is memory's."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from msgspec.structs import replace
from saphan_broker.store.base import DeliveryRow
from support.archives import Twin, archive_all, held
from support.servers import Server
from support.store_commits import START, digest

AGENCIES = ("la.ospp", "kh.gpo", "vn.c04", "th.oncb")
STEPS = 60


class Lives:
    """What happens next, by chance."""

    def __init__(self, twin: Twin, chance: random.Random) -> None:
        self.twin = twin
        self.chance = chance
        self.rows: list[DeliveryRow] = []

    async def admit(self) -> None:
        sender, recipient = self.chance.choices(AGENCIES, k=2)
        number = self.chance.choice((1, 3, 40, 130))
        commit = self.twin.story.bulletins(number, sender, recipient, self.chance.random())
        days = [replace(row, due_day=30_000 + self.chance.randrange(3)) for row in commit.bulletins]
        self.rows += (await self.twin.commit(replace(commit, bulletins=days))).deliveries

    async def finish(self) -> None:
        """Many at once, as a group commit does."""
        some = self.chance.sample(range(len(self.rows)), len(self.rows) // 2)
        for at in some:
            self.rows[at] = replace(self.rows[at], state="accepted", deadline=None)
        quiet = [self.rows[at] for at in some]
        await self.twin.commit(self.twin.story.leaves([], deliveries=quiet))

    async def say(self) -> None:
        """A receipt that ends it, or one that is late."""
        at = self.chance.randrange(len(self.rows))
        word = f"said {self.chance.random()}"
        self.rows[at] = await self.twin.event(self.rows[at], word, word)

    async def consign(self) -> None:
        """A new stanza and a new deadline, whatever was before."""
        at = self.chance.randrange(len(self.rows))
        row, deadline = self.rows[at], START + self.chance.randrange(10**6)
        commit = self.twin.story.event(row, f"again {deadline}", "submitted", deadline)
        first = next(
            stanza
            for before in self.twin.commits
            for stanza in before.stanzas
            if stanza.bulletin == row.bulletin
        )
        stanza = replace(first, sealed=digest("stanza", deadline))
        self.rows[at] = (await self.twin.commit(replace(commit, stanzas=[stanza]))).deliveries[0]

    async def refuse(self) -> None:
        name = digest("never admitted", self.chance.randrange(5))
        await self.twin.commit(self.twin.story.refusal(name, self.chance.choice(AGENCIES)))

    async def anchor(self) -> None:
        await self.twin.commit(self.twin.story.anchor(self.chance.randrange(9)))

    async def archive(self) -> None:
        await self.twin.store.archive_some()


@pytest.mark.parametrize("seed", range(3))
async def test_an_archived_store_answers_as_memory_does(
    twin: Twin, server: Server, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    lives = Lives(twin, chance)
    await lives.admit()
    ways = (lives.admit, lives.finish, lives.say, lives.say, lives.consign, lives.refuse)
    for step in range(STEPS):
        await chance.choice((*ways, lives.anchor, lives.archive, lives.archive))()
        if step % 12 == 11:
            await twin.check()
    await archive_all(twin.store)
    await twin.check()
    waiting = {row.bulletin for row in await twin.memory.due(2**53, 10**6)}
    names = await held(server, tmp_path.name)
    assert (names["b"], names["blocks"]) == (len(waiting), 1)
    assert names["n"] <= names["b"]  # what was opened again is found by its nonce in the index
