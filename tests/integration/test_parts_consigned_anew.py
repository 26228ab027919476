"""Consigned anew on a line that has become slow: the ciphertext that is here is put off."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from saphan_protocol.admission import measure
from saphan_protocol.stanza import seal_stanza
from support.attaching import pdf, send, shown
from support.bridge import KH, LA, agreed, bridged, eventually, opened, states
from support.mauling_line import mauling_line


@pytest.mark.parametrize("attached", [(), (pdf(9_000),)], ids=["alone", "with an attachment"])
async def test_what_is_here_already_may_be_put_off_the_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attached: tuple[bytes, ...]
) -> None:
    whole = seal_stanza
    made: list[int] = []

    def spoiled(key: bytes, *rest: object) -> bytes:
        made.append(1)
        return whole(key if len(made) > 1 else bytes(32), *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("saphan.node.sealing.seal_stanza", spoiled)

    def put_off(frame: Any) -> object:
        entries = getattr(frame, "entries", ())
        if len(made) < 2 or not any(isinstance(one.ciphertext, bytes) for one in entries):
            return None
        return msgspec.structs.replace(
            frame,
            entries=tuple(
                msgspec.structs.replace(one, ciphertext=measure(one.ciphertext))
                if isinstance(one.ciphertext, bytes)
                else one
                for one in entries
            ),
        )

    async with (
        bridged(tmp_path) as bridge,
        bridge.broker_running(),
        mauling_line(bridge.url) as (line, url),
    ):
        await bridge.enrol()
        async with bridge.node(LA) as la:
            bridge.url, line.change = url, put_off
            async with bridge.node(KH) as kh:
                await agreed(la)
                await opened(kh)
                bulletin = await send(la, *attached)
                await eventually(lambda: states(la, bulletin) == ["accepted"])
                await asyncio.wait_for(line.done.wait(), 1)
                content = await kh.read_by_system(bulletin)
                assert len(content["attachments"]) == len(attached)
                for number, data in enumerate(attached, 1):
                    assert await shown(kh, bulletin, number) == data
                await eventually(lambda: not kh.db.rows("SELECT 1 FROM parts WHERE stage = 0"))
                assert kh.alarms.standing() == []
