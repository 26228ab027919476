"""The index of references at a real node: filled behind the bulletins, and gone with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan.compose import Wish
from saphan.node.service import NodeService
from saphan.subjects.references import CERTAIN, NAME, asked_references
from saphan_schemas.samples import wish as letter
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, opened, states

DARA = "គំរូ ដារា"


def notice() -> Wish:
    """A notice about one person, as a case system would push it."""
    content = letter("subject_notice")
    return Wish(
        to=(KH,),
        schema=content["schema"],
        about=content["about"],
        body=content["body"],
        exercise=True,
    )


def found(node: NodeService, text: str) -> list[tuple[bytes, str]]:
    """Ids of the bulletins that the index leads to, each with its surest kind."""
    hits = node.subjects.index.find(asked_references(text))
    ids: dict[int, bytes] = dict(node.db.rows("SELECT seq, id FROM bulletins"))
    return [(ids[one.seq], one.kind) for one in hits]


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made, made.broker_running():
        await made.enrol()
        yield made


async def test_a_person_is_found_at_both_ends_and_no_more_after_the_bulletin(
    bridge: Bridge,
) -> None:
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        for node in (la, kh):
            await opened(node)
            await agreed(node)
        sent = await la.send(notice())
        await eventually(lambda: states(la, sent) == ["accepted"])
        for node in (la, kh):
            await node.subjects.indexing.finish(node.engine)
            assert found(node, DARA) == [(sent, NAME)]
            assert found(node, "+855 00 000 002")[0][0] == sent
            assert found(node, "គំរូ សុខា") == []
        # The hashes of one node are nothing to the other: each has a key of its own.
        (one,) = {ref for ref in asked_references(DARA) if ref.kind in CERTAIN} & {
            ref for ref in asked_references("គំរូដារា") if ref.kind == NAME
        }
        assert la.subjects.index.token(one) != kh.subjects.index.token(one)
        seen = await asyncio.to_thread(bridge.offices[KH].node.joinpath, "data")
        assert (seen / "subject.key").stat().st_mode & 0o077 == 0

        def destroy() -> None:
            with kh.db.transaction() as tx:
                tx.execute("DELETE FROM bodies")

        await kh.engine.in_frames(destroy)
        assert found(kh, DARA) == []
        assert kh.db.rows("SELECT * FROM subjects") == []
        assert found(la, DARA) == [(sent, NAME)]


async def test_a_lost_key_makes_the_index_anew_and_says_so(bridge: Bridge) -> None:
    async with bridge.node(LA) as la:
        await opened(la)
        await agreed(la)
        sent = await la.send(notice())
        await la.subjects.indexing.finish(la.engine)
        before = la.db.rows("SELECT token FROM subjects ORDER BY token")
    (bridge.offices[LA].node / "data" / "subject.key").unlink()
    async with bridge.node(LA) as la:
        await eventually(lambda: "subject_key_new" in {one.code for one in la.alarms.standing()})
        await la.subjects.indexing.finish(la.engine)
        after = la.db.rows("SELECT token FROM subjects ORDER BY token")
        assert len(after) == len(before)
        assert not set(after) & set(before)
        assert found(la, DARA) == [(sent, NAME)]
    async with bridge.node(LA) as la:
        assert not la.subjects.index.renewed


async def test_what_an_older_release_kept_is_indexed_when_the_node_starts(bridge: Bridge) -> None:
    async with bridge.node(LA) as la:
        await opened(la)
        await agreed(la)
        sent = await la.send(notice())

        def forget() -> None:  # as the upgrade leaves it
            with la.db.transaction() as tx:
                tx.execute("DELETE FROM subjects")
                tx.execute("INSERT OR IGNORE INTO unindexed SELECT seq FROM bulletins")

        await la.engine.in_frames(forget)
    async with bridge.node(LA) as la:
        await eventually(lambda: la.subjects.index.waiting() == 0)
        assert found(la, DARA) == [(sent, NAME)]
