"""What rests in a node's folder without the key of its day says nothing of what was sealed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from support.bridge import KH, LA, bridged, eventually
from support.hostile import Hostile
from support.session import Line


def resting(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob("node.db*")))


async def test_content_and_author_rest_under_the_key_of_their_day(tmp_path: Path) -> None:
    async with bridged(tmp_path) as bridge, bridge.broker_running():
        await bridge.enrol()
        officer = Hostile(bridge, LA, KH)
        line = Line(officer.agency, bridge.pins, bridge.clock, True)
        async with bridge.node(KH) as kh:
            await line.connect(bridge.url)
            made = officer.bulletin()
            await line.submit(*officer.submissions([made]))
            (row,) = await eventually(lambda: kh.bulletins.inbox(0, 9))
            assert row["author"] == "bounmy"
            content = (await kh.read_by_system(made.bulletin_id))["content"]
            title = content["about"]["title"]["en"].encode()
            assert title not in await asyncio.to_thread(resting, kh.config.data)
            (author,) = kh.db.row("SELECT author FROM bulletins") or (b"bounmy",)
            assert b"bounmy" not in author
            data = kh.config.data
        for key in (data / "archive-keys").iterdir():
            key.unlink()
        async with bridge.node(KH) as kh:
            assert kh.bulletins.inbox(0, 9)[0]["author"] is None
            assert kh.bulletins.status(made.bulletin_id)["author"] is None
        await line.close()
