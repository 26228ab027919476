"""A broker's operator looks for what passes through: on his disk, in his program's memory, in what
it prints.

The words that he looks for stand in the content of a bulletin and would be found wherever that lay
open: they are found at both nodes' officers. What the broker does see (agencies, type) he finds.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

from saphan.compose import Wish
from support.bridge import KH, LA, Bridge, agreed, eventually, opened, states, wish
from support.desks import everything
from support.process_memory import memory_of

CANARY = "a yellow bird that sings in no mine 7f3a"
SEEN = (LA.encode(), b"saphan/case_statistics/1")


def with_canary() -> Wish:
    """A bulletin whose title is the canary."""
    plain = wish()
    return replace(plain, about={**plain.about, "title": {**plain.about["title"], "en": CANARY}})


async def test_he_finds_it_nowhere(bridge: Bridge, tmp_path: Path) -> None:
    said = tmp_path / "broker.log"
    with said.open("wb") as log:
        broker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "saphan_broker", "run",
            "--data", str(bridge.place / "data"), "--keys", str(bridge.place / "keys"),
            "--listen", "127.0.0.1:0", "--plain", "--json",
            stdout=asyncio.subprocess.PIPE, stderr=log,
        )  # fmt: skip
    try:
        assert broker.stdout is not None
        first = await broker.stdout.readline()
        bridge.url = json.loads(first)["url"]
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(kh)
            bulletin = await la.send(with_canary())
            # In memory it would be now, when it has just passed; on the disk, ever since.
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            content = await kh.read_by_system(bulletin)
            assert CANARY in str(content), "what is looked for did pass"
            memory = await asyncio.to_thread(memory_of, broker.pid)
        disk = await asyncio.to_thread(
            lambda: everything(bridge.place / "data") + everything(bridge.place / "keys")
        )
    finally:
        broker.terminate()
        await broker.wait()
    printed = first + await broker.stdout.read() + said.read_bytes()
    for seen in SEEN:
        assert seen in memory
    assert bulletin in memory
    for found in (memory, disk, printed):
        assert CANARY.encode() not in found
        assert CANARY.encode("utf-16-le") not in found
