"""A round is judged by what an auditor would get: exported logs and record packs."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from saphan.office import Office
from saphan_protocol.pins import parse_pins
from support.oracle import Exported, Fault, judge

from chaos.load import Load
from chaos.schedule import AGENCIES
from chaos.world import World

OF_CLOCKS = frozenset({"created_in_future", "expired", "expires_too_late", "retention_over"})
"""Why a bulletin may be refused whose sender's clock, or the broker's, was wrong."""


async def judged(world: World, load: Load) -> list[str]:
    """Everything that is not as promised; the broker and the nodes run, and all has settled."""
    out = world.place / "judged"
    out.mkdir()
    refused = promise(world, load)
    async with asyncio.TaskGroup() as group:
        checked = group.create_task(_checked(world))
        group.create_task(export_broker(world, world.data, out / "broker"))
        for name in AGENCIES:
            group.create_task(_export_node(world, name, out))
    exports = [one for one in (world.lost_log, out / "broker") if one.exists()]
    packs = [one / "pack" for one in exports] + [out / f"{name}.pack" for name in AGENCIES]
    pins = parse_pins(Office(world.place / AGENCIES[0]).pins_file.read_bytes())
    heads = await asyncio.to_thread(_signed_last, world)
    exported = Exported(pins, [one / "log" for one in exports], packs, heads)
    ledger = world.place / "ledger.jsonl"
    # Whoever had no answer has asked again: one more in the logs is a bulletin sent twice.
    found = await asyncio.to_thread(judge, [ledger], exported, answered=True)
    return [
        *load.wrong,
        *load.strangers(),
        *(str(one) for one in found if one.fault is not Fault.MISSING or one.about not in refused),
        *checked.result(),
    ]


def _signed_last(world: World) -> list[bytes]:
    """Heads in the witnesses' state files."""
    files = [world.place / name / "node" / "data" / "witness.json" for name in AGENCIES]
    states = [json.loads(file.read_bytes()) for file in files]
    return [log["note"].encode() for state in states for log in state["logs"].values()]


async def export_broker(world: World, data: Path, out: Path) -> None:
    """Both logs and the broker's record pack, into a new folder."""
    await asyncio.to_thread(out.mkdir)
    log = world.broker_program("log", "export", keys=False, data=data)
    await _run(world, [*log, "--out", out / "log"])
    records = world.broker_program("records", "export", data=data)
    await _run(world, [*records, "--out", out / "pack"])


async def _export_node(world: World, name: str, out: Path) -> None:
    """A node's record pack."""
    words = [sys.executable, "-m", "saphan", "records", "export"]
    await _run(world, [*words, "--dir", world.place / name, "--out", out / f"{name}.pack"])


def promise(world: World, load: Load) -> set[str]:
    """Write what was promised; gives the deliveries that were refused for a time, and told so.

    A node whose clock was far ahead has taken a bulletin that the broker then refused: its sender
    knows, and no log has it. Where no clock was wrong, or the reason is another, that is a finding
    as any other.
    """
    told_refused = set()
    for desk_agency in ("kh.gpo", "vn.vks"):
        world.ledger.watches(desk_agency, "dao")
    for name in AGENCIES:
        world.ledger.watches(name, "system")
    for one in load.pushed:
        world.ledger.acknowledged(one.id, one.sender, one.to)
        for to, code in one.refusals.items():
            if code in OF_CLOCKS and world.clocks_were_wrong:
                told_refused.add(f"{one.id} to {to}")
    for shown in load.shown:
        world.ledger.shown(shown.reader, "system", shown.bulletin)
    return told_refused


async def _checked(world: World) -> list[str]:
    """What the broker's own program finds in its store."""
    code, said = await _ended([*world.broker_program("fsck")], world)
    return [] if code == 0 else [f"saphan-broker fsck ends with {code}: {said[-400:]}"]


async def _run(world: World, words: Sequence[str | Path]) -> None:
    code, said = await _ended(words, world)
    if code != 0:
        raise RuntimeError(f"{words[2:5]} has ended with {code}: {said[-800:]}")


async def _ended(words: Sequence[str | Path], world: World) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *map(str, words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=world.parties["broker"].clock.environment(),
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode(errors="replace")
