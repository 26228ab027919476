"""One broker, three agencies, and bulletins with attachments between them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from saphan_schemas.frames import Result
from saphan_schemas.records import Event

from support.agency import Made
from support.brokers import World
from support.session import Line

A, B, C = "la.ospp", "kh.gpo", "th.oncb"
PHOTO, REPORT = b"photo" * 20_000, b"report" * 10


@asynccontextmanager
async def attached_world(place: Path) -> AsyncIterator[World]:
    """A broker that runs, three agencies enrolled, one agreement logged."""
    world = World(place, A, B, C)
    await world.init()
    async with world.running():
        await world.enrol()
        yield world


def seal(world: World, *plain: bytes, **changes: Any) -> Made:
    return world.agencies[A].bulletin([B], world.clock(), attachments=plain, **changes)


async def submit(world: World, line: Line, made: Made) -> Result:
    items, batch = world.agencies[A].submissions([made], [world.agencies[B]])
    (result,) = await line.submit(items, batch)
    return result


async def state(world: World, line: Line, event: Event, made: Made, code: str | None = None) -> str:
    about = [(made.bulletin_id, made.ciphertext_digest)]
    said, batch = line.agency.statements(event, about, (A, B), world.clock(), code)
    (result,) = await line.state(said, batch)
    return result.code or "logged"


def staged(world: World) -> list[Path]:
    return sorted((world.data / "blobs/staging" / A).glob("*"))


def final(world: World, made: Made) -> list[bytes]:
    name = made.bulletin_id.hex()
    folder = world.data / "blobs" / name[:2] / name
    return [path.read_bytes() for path in sorted(folder.iterdir(), key=lambda path: int(path.name))]
