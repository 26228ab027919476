"""How large evidence is, and how long a stranger needs to check it, interpreter start and all.

`python -m benchmarks.evidence_bundle` starts a broker, and the nodes of six agencies in this
process, sends a bulletin of 4 KiB to one and one to five of them, waits until everything is
accepted, read and witnessed, exports the sender's evidence, and then runs `saphan evidence verify`
on it as a process of its own, again and again. It prints JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from saphan.agreements.draft import finish, propose, sign
from saphan.agreements.terms import first_terms, parse_terms
from saphan.evidence.exporting import NodeStore, export_bundle
from saphan.evidence.file import read_bundle
from saphan.keys.keyfiles import read_key
from saphan.node.config import NodeConfig, system_clock
from saphan.node.service import NodeService, running
from saphan_schemas.codec import encode
from saphan_schemas.records import Role

from benchmarks import programs
from benchmarks.bulletin import wish
from benchmarks.machine import Others, described
from benchmarks.running import say
from benchmarks.sending_node import ready, until
from benchmarks.world import SECRET, SENDER, World, make_world, small_senders

RECIPIENTS: Final = 5
RUNS: Final = 11
ENTRIES: Final = 4
"""Of each recipient: submitted, handover, accepted, read."""


def agreement(world: World, names: list[str]) -> bytes:
    """The sender may send everything to everybody."""
    office = world.office(SENDER)
    pins = office.read_pins()
    terms = json.loads(first_terms([SENDER, names[0]], datetime.now(UTC).date()))
    terms["reference"] = "evidence-2026"
    rule = terms["rules"][0]
    terms["rules"] = [rule | {"from": SENDER, "to": name} for name in names]
    parties = [world.office(name).read_agency() for name in (SENDER, *names)]
    draft = propose(parse_terms(json.dumps(terms).encode()), parties, pins)
    for name in (SENDER, *names):
        root = read_key(world.office(name).root_key, Role.ROOT, SECRET).signing()
        draft = sign(draft, root, pins, os.urandom(32))
    return finish(draft, os.urandom(32))


async def sent(sender: NodeService, nodes: dict[str, NodeService], names: list[str]) -> bytes:
    """A bulletin that all have accepted and read, and every receipt of it witnessed."""
    bulletin = await sender.send(replace(wish(names[0]), to=tuple(names)))
    query = "SELECT state FROM deliveries WHERE bulletin = ?"

    def outcomes() -> set[str]:
        return {state for (state,) in sender.db.rows(query, (bulletin,))}

    await until(lambda: outcomes() == {"accepted"})
    for name in names:
        await nodes[name].read_by_system(bulletin)
    waiting = (
        "SELECT count(*), sum(EXISTS (SELECT 1 FROM unproven u WHERE u.idx = e.idx))"
        " FROM entries e WHERE bulletin = ?"
    )
    await until(lambda: sender.db.row(waiting, (bulletin,)) == (ENTRIES * len(names), 0))
    return bulletin


def parts(path: Path) -> dict[str, int]:
    """Bytes of a bundle by the kind of its items."""
    found: Counter[str] = Counter()
    for item in read_bundle(path):
        found[type(item).__name__.removeprefix("Bundle").lower()] += len(encode(item))
    return dict(found)


def verified(path: Path) -> dict[str, Any]:
    """Seconds of a whole process that checks the file, and of one that does nothing."""
    check = [sys.executable, "-m", "saphan", "evidence", "verify", str(path)]
    took: list[float] = []
    floor: list[float] = []
    for _ in range(RUNS):
        for command, into in ((check, took), ([sys.executable, "-c", "pass"], floor)):
            begin = time.perf_counter()
            subprocess.run(command, cwd=path.parent, check=True, capture_output=True)
            into.append(time.perf_counter() - begin)
    return {
        "verify_s": {"median": round(sorted(took)[RUNS // 2], 3), "best": round(min(took), 3)},
        "empty_interpreter_s": round(sorted(floor)[RUNS // 2], 3),
    }


async def exported(world: World, sender: NodeService, bulletin: bytes, out: Path) -> None:
    """The bundle, made as the command makes it."""
    await sender.evidence.prepare(bulletin)
    office = world.office(SENDER)
    store = NodeStore(office.node / "data", SENDER, office.read_pins())
    await asyncio.to_thread(export_bundle, store, bulletin, out, system_clock())


async def bundles(world: World, names: list[str], log: Path) -> dict[str, Path]:
    """Evidence for one recipient and for all."""
    async with AsyncExitStack() as stack:
        _, url = await stack.enter_async_context(programs.broker(world.data, world.keys, log))
        nodes = {
            name: await stack.enter_async_context(
                running(NodeConfig(folder=world.office(name).folder, broker=url))
            )
            for name in (SENDER, *names)
        }
        sender = nodes[SENDER]
        await ready(sender)
        package = await asyncio.to_thread(agreement, world, names)
        result = await sender.line.register(None, package)
        if result.code is not None:
            raise RuntimeError(f"the agreement is refused: {result.code}")
        for name in names:
            held = nodes[name].logs.directory
            await until(lambda: list(held.agreements(SENDER, names[-1])) != [])  # noqa: B023
        made = {}
        for count in (1, len(names)):
            bulletin = await sent(sender, nodes, names[:count])
            made[f"{count}_recipients"] = path = world.place / f"{count}.evidence"
            await exported(world, sender, bulletin, path)
        return made


async def main(place: Path) -> dict[str, Any]:
    """Make the world, measure, say on what."""
    say("a world is made")
    names = small_senders(RECIPIENTS)
    world = await make_world(place / "w", senders=RECIPIENTS)
    others = Others()
    say("bulletins are sent")
    made = await bundles(world, names, place / "log")
    say("evidence is checked")
    found = {
        name: {"bytes": path.stat().st_size, "parts": parts(path)} | verified(path)
        for name, path in made.items()
    }
    return found | {"others_used_cores": round(others.cores(), 2), "machine": described()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.evidence_bundle", description=__doc__)
    parser.add_argument("--disk", type=Path, default=Path("/var/tmp"), help="where stores are made")  # noqa: S108
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sb", dir=args.disk))
    try:
        json.dump(asyncio.run(main(folder)), sys.stdout, indent=2)
    finally:
        shutil.rmtree(folder)
