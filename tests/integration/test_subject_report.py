"""What an agency can say about a person: by command, on a page, and over the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from saphan.api_rights import Right
from saphan.compose import Wish
from saphan.node.service import NodeService
from saphan.node.token_kept import Wanted
from saphan_schemas.messages import LANGUAGES
from saphan_schemas.samples import wish as letter
from support.api_tokens import holder, http_to, keeper
from support.attaching import pdf, upload
from support.bridge import KH, LA, OFFICERS, Bridge, eventually, states
from support.command import answered, saphan_here
from support.desks import desk_bridge, ready_bridge

Json = dict[str, Any]
DARA = "គំរូ ដារា"


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    async with ready_bridge() as made:
        yield made


def notice(to: str, name: str = "subject_notice", **fields: Any) -> Wish:
    """A sample about people, as a case system would push it."""
    content = letter(name)
    about = content["about"] | fields.pop("about", {})
    return Wish(
        to=(to,),
        schema=content["schema"],
        about=about,
        body=content["body"],
        exercise=True,
        **fields,
    )


async def sent(out: NodeService, wish: Wish) -> bytes:
    bulletin = await out.send(wish)
    await eventually(lambda: states(out, bulletin) == ["accepted"])
    return bulletin


async def report(bridge: Bridge, agency: str, about: str, *words: str | Path) -> Json:
    place = ("--dir", bridge.place / agency)
    found: Json = await answered("retention", "report", "--about", about, *words, *place)
    return found


async def erase(node: NodeService, bulletin: bytes, rule: str = "review") -> None:
    erasing = node.retention.sweeping.erasing
    await node.engine.in_frames(partial(erasing.erase, [bulletin], rule))
    node.line.wake_statements()


async def test_both_sides_find_a_person_with_all_that_happened(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        attached = await asyncio.to_thread(upload, world.la, pdf(2_000))
        bulletin = await sent(world.la, notice(KH, attachments=(attached,)))
        await sent(world.la, notice(KH, "case_statistics"))
        await world.kh.read_by_system(bulletin)
        note = partial(world.kh.subjects.exports.note, bulletin, "saved", "keeper", 1)
        await world.kh.engine.in_sealing(note)
        found, one = dict[str, Any](), dict[str, Any]()
        for about in (DARA, "ដារា គំរូ", "N 0000 0000", "+855 00 000 002", "DARA.SAMPLE"):
            found = await report(bridge, KH, about)
            (one,) = found["bulletins"]
            assert (one["id"], one["direction"], one["certain"]) == (
                bulletin.hex(), "received", True,
            )  # fmt: skip
        assert one["readings"][0]["system"] == "system"
        assert [each["kind"] for each in one["exports"]] == ["saved"]
        assert found["totals"] == {
            "held": 1, "sent": 0, "received": 1, "destroyed": 0, "exported": 1,
        }  # fmt: skip
        assert found["suppressed"] is None
        at_la = await report(bridge, LA, DARA)
        assert [one["direction"] for one in at_la["bulletins"]] == ["sent"]
        nobody = await report(bridge, KH, "គំរូ សុខា")
        assert (nobody["bulletins"], nobody["destroyed"]) == ([], [])


async def test_what_was_destroyed_is_told_by_its_id_or_by_what_names_it(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        first = await sent(world.la, notice(KH))
        correcting = {"relations": [{"kind": "corrects", "bulletin_id": first.hex()}]}
        second = await sent(world.la, notice(KH, about=correcting | {"message_kind": "correction"}))
        await erase(world.kh, first)
        found = await report(bridge, KH, DARA)
        assert [one["id"] for one in found["bulletins"]] == [second.hex()]
        (gone,) = found["destroyed"]
        assert (gone["id"], gone["found_by"], gone["rule"]) == (first.hex(), "named", "review")
        assert found["destroyed_unknown"] == 0
        await erase(world.kh, second)
        # Nobody can say any more whom they named; that there were two is no secret.
        blank = await report(bridge, KH, DARA)
        assert (blank["bulletins"], blank["destroyed"]) == ([], [])
        assert blank["destroyed_unknown"] == 2
        by_id = await report(bridge, KH, first.hex()[:12])
        assert [one["id"] for one in by_id["destroyed"]] == [first.hex()]
        # The sender has it still, and sees that the other side erased it.
        await eventually(lambda: erased_there(world.la, second))
        at_la = (await report(bridge, LA, DARA))["bulletins"]
        (one,) = [one for one in at_la if one["id"] == second.hex()]
        assert [(each["event"], each["issuer"]) for each in one["elsewhere"]] == [("erased", KH)]


def erased_there(node: NodeService, bulletin: bytes) -> bool:
    query = "SELECT 1 FROM entries WHERE bulletin = ? AND event = 'erased'"
    return node.db.row(query, (bulletin,)) is not None


async def test_after_a_mistake_the_reference_is_suppressed(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        bulletin = await sent(world.la, notice(KH))
        await world.la.recalls.order(bulletin, "wrong_person", f"officer:{OFFICERS[LA]}")
        await eventually(lambda: erased_there(world.kh, bulletin))
        found = await report(bridge, KH, DARA)
        assert found["bulletins"] == []
        assert found["suppressed"]["kind"] == "name"
        assert (await report(bridge, KH, "គំរូ សុខា"))["suppressed"] is None


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_people_read_it_on_a_terminal_and_on_a_page(
    bridge: Bridge, tmp_path: Path, lang: str
) -> None:
    async with desk_bridge(bridge) as world:
        bulletin = await sent(world.la, notice(KH))
        note = partial(world.kh.subjects.exports.note, bulletin, "saved", "keeper", 1)
        await world.kh.engine.in_sealing(note)
        copies = world.kh.subjects.copies

        class Dao:
            handle, key = "dao", bytes(32)

        await world.kh.engine.in_sealing(partial(copies.given, bulletin, Dao()))
        page = tmp_path / "report.html"
        words = ("retention", "report", "--about", DARA, "--page", page, "--lang", lang)
        said = await asyncio.to_thread(saphan_here, *words, "--dir", bridge.place / KH)
        html = await asyncio.to_thread(page.read_text)
        for text in (said.out, html):
            assert bulletin.hex()[:16] in text
            assert "keeper" in text
            assert "dao" in text
            assert "report." not in text  # every word of it is in the catalogue
        assert DARA in html
        assert "://" not in html


async def test_only_the_keeper_may_ask(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        wanted = Wanted(name="case", rights=frozenset(Right))
        async with http_to(world.kh) as http:
            system = await holder(http, world.kh, wanted)
            path = "/v1/retention/report"
            assert await system.code("POST", path, json={"about": DARA}) == "token_scope"
            path = f"/v1/bulletins/{bytes(32).hex()}/exports"
            assert await system.code("GET", path) == "token_scope"
            assert await system.code("POST", path, json={"kind": "printed"}) == "token_scope"
            owner = await keeper(http, world.kh)
            assert await owner.code("POST", path, json={"kind": "saved"}) == "export_kind"


async def test_a_report_about_nothing_is_a_mistake(bridge: Bridge) -> None:
    place = ("--dir", bridge.place / KH)
    await asyncio.to_thread(saphan_here, "retention", "report", "--about", " ", *place, status=2)
    for words in ((), ("--about", DARA, "--exports", "00" * 8)):
        with pytest.raises(SystemExit) as caught:
            await asyncio.to_thread(saphan_here, "retention", "report", *words, *place)
        assert caught.value.code == 2
