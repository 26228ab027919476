"""docs/agreements.md as it stands there: an agreement's whole life between two real nodes."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
from saphan.agreements.terms import RuleTerms
from saphan.keys.keyfiles import write_sealed
from saphan.node.service import NodeService
from saphan_broker.broker import Broker
from saphan_protocol.pins import format_pins
from support.bridge import CHEAP, LA, SECRET, VN, eventually, opened
from support.desks import ready_bridge
from support.rooms import ROOT
from support.root_holders import Holders
from support.walked import blocks, terminals, walk

PAGE = (ROOT / "docs/agreements.md").read_text(encoding="utf-8")
OFFICES = {"Vientiane": LA, "Hanoi": VN}
SIGNING = ("deputy", "director")


async def test_an_agreement_is_concluded_renewed_suspended_and_ended() -> None:
    page = PAGE.replace("vn.vks-2026", f"vn.vks-{datetime.now(UTC).year}")
    async with (
        ready_bridge() as bridge,
        bridge.broker_running() as broker,
        bridge.node_with_api(LA) as la,
    ):
        holders = Holders(*SIGNING, "archive", now=bridge.clock())
        office = await asyncio.to_thread(holders.enrolled, bridge.place / VN, 2, VN)
        office.pins_file.write_bytes(format_pins(bridge.pins))
        await opened(la)
        await broker.admit_operation(office.enrolment.read_bytes())
        places = await asyncio.to_thread(furnished, bridge.place, holders)
        async with bridge.node_with_api(VN) as vn:
            with terminals(places) as made:
                for section in re.split("^## ", page, flags=re.MULTILINE):
                    # Everybody has heard what was done before: no person is that fast.
                    await eventually(partial(heard, broker, la, vn))
                    await asyncio.to_thread(walk, section, made)
            found = list(vn.logs.directory.agreements_of(VN))
            standings = [vn.logs.directory.standing(agreed) for agreed in found]
    assert [one.condition.value for one in standings] == ["replaced", "terminated"]
    assert standings[1].by == (VN,)
    assert "suspended by la.ospp" in made["Vientiane"].shown
    assert "ended by vn.vks" in made["Hanoi"].shown
    assert "The page is in memorandum.html" in made["Vientiane"].shown


def heard(broker: Broker, *nodes: NodeService) -> bool:
    """Whether all nodes have replayed everything that the directory holds."""
    return {node.logs.directory.size for node in nodes} == {broker.state.directory.size}


def furnished(place: Path, holders: Holders) -> Mapping[str, Path]:
    """The places of the page: two offices' folders, and two holders' keys and invitations."""
    places = {name: place / name.lower() for name in (*OFFICES, *SIGNING)}
    for folder in places.values():
        folder.mkdir()
    for name, agency in OFFICES.items():
        (places[name] / "agency").symlink_to(place / agency)
    for name in SIGNING:
        (places[name] / "root").mkdir()
        shutil.copy(place / VN / "node" / "pins.json", places[name] / "bridge.json")
        write_sealed(places[name] / "root" / f"{name}.key", holders.keys[name], SECRET, CHEAP)
    return places


def test_everything_on_the_page_is_run_and_its_example_is_a_rule() -> None:
    assert PAGE.count("```sh") == len(blocks(PAGE))
    (example,) = re.findall("```json\n(.*?)```", PAGE, re.DOTALL)
    assert list(msgspec.json.decode(example, type=RuleTerms).corridor_rules())
