"""The archive without its objects: what is lost is named, and everything else goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from saphan_schemas.errors import OperatorError
from support.archives import HookedTwin, Twin, archive_all, fill, held, reopen
from support.servers import Server


def spoiled(place: Path, part: str, how: str) -> list[Path]:
    """Every object of a kind, removed or with flipped bits."""
    found = [path for path in place.rglob("*") if path.is_file() and f"/{part}/" in str(path)]
    for path in found:
        data = path.read_bytes()
        if how == "missing":
            path.unlink()
        else:
            path.write_bytes(data[:60] + bytes([byte ^ 1 for byte in data[60:]]))
    return found


READS: dict[str, Callable[[Twin, bytes, Any], Awaitable[object]]] = {
    "blocks": lambda twin, _id, _row: twin.store.leaves("evidence", 0, 3),
    "boxes": lambda twin, _id, _row: twin.store.feed("kh.gpo", None, 200, 5, 10**9),
    "facts": lambda twin, id_, _row: twin.store.bulletins([id_]),
    "packs": lambda twin, id_, _row: twin.store.bodies([id_]),
}


@pytest.mark.parametrize("how", ["missing", "damaged"])
@pytest.mark.parametrize("part", READS)
async def test_an_object_that_is_gone_or_damaged_is_named_and_others_go_on(
    twin: HookedTwin, server: Server, tmp_path: Path, part: str, how: str
) -> None:
    await fill(twin)
    await archive_all(twin.store)
    first = twin.commits[0].bulletins[0]
    assert await asyncio.to_thread(spoiled, tmp_path / "objects", part, how) != []
    await reopen(twin, server, tmp_path)
    with pytest.raises(OperatorError) as refused:
        await READS[part](twin, first.id, None)
    assert refused.value.code == f"object_{how}"
    assert f"/{part}/" in refused.value.message
    rows = await twin.bulletins(2, sender="vn.c04", recipient="mm.ccdac")
    await twin.finish(rows)
    await archive_all(twin.store)
    assert (await held(server, tmp_path.name))["b"] == 38 + 140
    ids = [row.bulletin for row in rows]
    assert await twin.store.bodies(ids) == await twin.memory.bodies(ids)


async def test_a_lost_body_ends_no_feed(twin: HookedTwin, server: Server, tmp_path: Path) -> None:
    """Its ciphertext comes without bytes; who wants them asks for them, and is told."""
    await twin.finish(await twin.bulletins(5))
    await archive_all(twin.store)
    await asyncio.to_thread(spoiled, tmp_path / "objects", "packs", "missing")
    await reopen(twin, server, tmp_path)
    rows = await twin.store.feed("kh.gpo", None, 100, 100, 10**9)
    right = await twin.memory.feed("kh.gpo", None, 100, 100, 10**9)
    assert [row.entry for row in rows] == [row.entry for row in right]
    lost = [replace(row.bulletin, ciphertext=b"") for row in right[:5] if row.bulletin]
    assert [row.bulletin for row in rows[:5]] == lost
    with pytest.raises(OperatorError):
        await twin.store.bodies([lost[0].id])


@pytest.mark.parametrize("part", ["facts", "packs"])
async def test_what_was_said_late_stays_readable_when_the_archived_part_is_gone(
    twin: HookedTwin, server: Server, tmp_path: Path, part: str
) -> None:
    """It is left in memory, once, with a warning; the mover goes on with the others."""
    rows = await twin.finish(await twin.bulletins(3))
    await archive_all(twin.store)
    again = twin.story.event(rows[0], "consigned", "read")
    stanza = replace(twin.commits[0].stanzas[0], sealed=b"new")
    await twin.commit(replace(again, stanzas=[stanza]))
    saved = {path: path.read_bytes() for path in (tmp_path / "objects").rglob(f"{part}/*/*")}
    await asyncio.to_thread(spoiled, tmp_path / "objects", part, "missing")
    await reopen(twin, server, tmp_path)
    await twin.finish(await twin.bulletins(2))
    await archive_all(twin.store)
    assert (await held(server, tmp_path.name))["b"] == 1
    for path, data in saved.items():  # the operator puts it back
        await asyncio.to_thread(_restore, path, data)
    await twin.check()


def _restore(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
