"""Bulletins with random bodies that are settled and destroyed on a real server."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace
from saphan_broker.store.base import Commit, DeliveryRow
from saphan_broker.store.redis.store import RedisStore

from support.aging_commits import destruction, settled
from support.archives import Twin


def random_bodies(commit: Commit, size: int) -> Commit:
    """The same with bodies and stanzas that no compression hides."""
    return replace(
        commit,
        bulletins=[
            replace(row, ciphertext=os.urandom(size), ciphertext_length=size)
            for row in commit.bulletins
        ],
        stanzas=[replace(row, sealed=os.urandom(1200)) for row in commit.stanzas],
    )


async def settled_ones(twin: Twin, number: int, size: int = 900) -> list[DeliveryRow]:
    """Bulletins that have their outcome."""
    story = twin.story.bulletins(number, name=len(twin.commits))
    commit = await twin.commit(random_bodies(story, size))
    ended, rows = settled(twin.story, commit.deliveries)
    await twin.commit(ended)
    return rows


async def destroy(twin: Twin, rows: Sequence[DeliveryRow]) -> list[DeliveryRow]:
    gone, after = destruction(twin.story, rows)
    await twin.commit(gone)
    return after


def secrets_of(twin: Twin, rows: Sequence[DeliveryRow]) -> list[bytes]:
    """Ciphertexts and stanzas as they were submitted."""
    ids = {row.bulletin for row in rows}
    bodies = [b.ciphertext for c in twin.commits for b in c.bulletins if b.id in ids]
    return bodies + [s.sealed for c in twin.commits for s in c.stanzas if s.bulletin in ids]


async def cleanse(store: RedisStore) -> bool:
    """Until it is done: a rewriting of the server's file may take its time."""
    return any([await store.cleanse() for _ in range(3)])


def pack_files(place: Path, kind: str = "packs") -> list[Path]:
    return sorted(place.glob(f"objects/*/{kind}/*/*"))


def objects_in(place: Path) -> set[Path]:
    return {path for path in (place / "objects").rglob("*") if path.is_file()}


def noted_first(path: Path) -> bool:
    """Whether its name is one that nobody puts again."""
    return bool({"bodies", "facts", "packs"} & set(path.parts))


def packs(place: Path) -> set[str]:
    return {path.name for path in pack_files(place)}
