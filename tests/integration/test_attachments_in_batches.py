"""Bulletins with attachments that one signature covers: it travels once, whichever comes first."""

from __future__ import annotations

import asyncio
from pathlib import Path

from support.attaching import pdf, shown, upload
from support.bridge import KH, LA, agreed, bridged, eventually, opened, states, wish
from support.broker_attachments import PHOTO, A, B, attached_world, seal


async def test_a_signature_that_came_before_holds_for_attachments_too(tmp_path: Path) -> None:
    async with attached_world(tmp_path) as world:
        out = await world.line(A)
        bulletins = [seal(world), seal(world, PHOTO), seal(world, PHOTO)]
        items, batch = world.agencies[A].submissions(bulletins, [world.agencies[B]])
        for made in bulletins[1:]:
            await out.bring(made.attachments)
        assert (await out.submit(items[:1], batch))[0].code is None
        for item in items[1:]:
            assert (await out.submit([item]))[0].code is None


async def test_wishes_of_one_moment_are_all_sent(tmp_path: Path) -> None:
    """A case system pushes several at once: one batch, one signature, each with its attachment."""
    async with bridged(tmp_path) as bridge, bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(kh)
            attached = [upload(la, pdf(50_000, seed)) for seed in range(3)]
            wishes = [wish(attachments=(one,)) for one in attached]
            sent = await asyncio.gather(*(la.send(one) for one in (*wishes, wish())))
            for bulletin in sent:
                await eventually(lambda: states(la, bulletin) == ["accepted"])  # noqa: B023
            assert await shown(kh, sent[1], 1) == pdf(50_000, 1)
