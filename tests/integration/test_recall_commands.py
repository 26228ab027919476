"""Recalls by commands and over the local API: who may, and what they are told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import pytest
from saphan import Node
from saphan.api_rights import Right
from saphan.cli import speech
from saphan.cli.main import main
from saphan.cli.recall_lines import table_lines
from saphan.node.policy.settings import SETTINGS_NAME
from saphan.node.retaining.reviews import Decision
from saphan.node.rows.recall_standing import StandsAs
from saphan.node.service import NodeService
from saphan.node.token_kept import Wanted
from saphan_schemas.limits import DAY_MS
from support.api_tokens import Pen, another_officer, holder, http_to
from support.bridge import KH, LA, OFFICERS, Bridge, eventually, states, wish
from support.command import answered, saphan_here
from support.desks import desk_bridge, ready_bridge
from support.threads import accepted, letter

Json = dict[str, Any]


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    async with ready_bridge() as made:
        yield made


def settings(bridge: Bridge, agency: str, **recall: Any) -> None:
    path = bridge.place / agency / "node" / SETTINGS_NAME
    path.write_text(json.dumps({"saphan": "settings/1", "recall": recall}))
    path.chmod(0o600)


async def page(*words: str | Path, status: int = 0) -> str:
    """What a command says to a person."""
    return (await asyncio.to_thread(saphan_here, *words, status=status)).out


async def test_a_recall_is_ordered_answered_and_shown(bridge: Bridge) -> None:
    settings(bridge, KH, answer="ask")
    async with desk_bridge(bridge) as world:
        here, there = ("--dir", bridge.place / LA), ("--dir", bridge.place / KH)
        bulletin = (await accepted(world.la, letter("training_notice", (KH,)))).hex()
        start = bulletin[:12]
        ordered = await answered(
            "recall", start, "--reason", "wrong_person", "--officer", OFFICERS[LA], "--yes", *here
        )
        assert (ordered["code"], ordered["by"]) == ("wrong_person", f"keeper:{OFFICERS[LA]}")
        await eventually(lambda: world.kh.recalls.received(0, 9)["recalls"])
        (waiting,) = (await answered("recall", "list", *there))["recalls"]
        assert (waiting["id"], waiting["answer"]) == (bulletin, None)
        await eventually(lambda: row(world.la, bytes.fromhex(bulletin))["state"] == "waiting")
        assert "asked; an answer is owed until" in await page("recall", "show", start, *here)
        listed = await page("inbox", *there)
        assert "~~Training notice~~" in listed
        assert "recalled: it names the wrong person" in listed
        status = await page("status", start, *there)
        assert "recalled: it names the wrong person" in status

        declined = await answered("recall", "answer", start, "--decline", "in_proceedings", *there)
        assert declined["here"]["reason"] == "in_proceedings"
        await eventually(lambda: row(world.la, bytes.fromhex(bulletin))["answered"])
        kept = await page("recall", "show", start, *here, status=6)
        assert "it is used in proceedings" in kept
        await answered("recall", "answer", start, "--obey", "--yes", *there)
        await eventually(lambda: row(world.la, bytes.fromhex(bulletin))["state"] == "obeyed")
        for lang, word in (("en", "obeyed on"), ("lo", "ປະຕິບັດຕາມແລ້ວ"), ("km", "បានធ្វើតាម")):
            assert word in await page("--lang", lang, "recall", "show", start, *here)
        assert "obeyed on" in await page("recall", "list", *there)


async def test_a_program_goes_on_after_what_was_taken_back(bridge: Bridge) -> None:
    async with (
        desk_bridge(bridge) as world,
        Node(bridge.place / LA) as here,
        Node(bridge.place / KH) as there,
    ):
        first, second = [(await accepted(world.la, wish())).hex() for _ in range(2)]
        assert (await here.recall(first, "error"))["code"] == "error"
        await eventually(lambda: row(world.la, bytes.fromhex(first))["state"] == "obeyed")
        assert (await here.recalled(first))["recipients"][0]["erased_code"] in (None, "recalled")
        assert (await there.recalled(first))["here"]["answer"] == "obeyed"
        assert [one.id async for one in there.inbox(follow=False)] == [second]
        unread = await page("inbox", "--dir", bridge.place / KH)
        assert "recalled: sent in error" in unread


@pytest.mark.parametrize(
    "words",
    [
        ("0123456789ab",),
        ("show",),
        ("answer", "0123456789ab"),
        ("answer", "0123456789ab", "--obey", "--decline", "legal_hold"),
        ("0123456789ab", "--reason", "error", "--obey"),
        ("0123456789ab", "--reason", "because"),
        ("list", "0123456789ab"),
    ],
)
def test_a_command_that_is_not_clear_does_nothing(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["recall", *words])
    assert ended.value.code == 2
    assert "hint: saphan recall --help" in capsys.readouterr().err


async def test_authors_and_named_officers_recall_and_systems_what_is_theirs(
    bridge: Bridge,
) -> None:
    settings(bridge, KH, officers=[OFFICERS[KH]])
    async with (
        desk_bridge(bridge) as world,
        http_to(world.la) as here,
        http_to(world.kh) as there,
    ):
        machine = await accepted(world.la, wish())
        officer = await holder(here, world.la, Wanted(name="bounmy", officer=OFFICERS[LA]))
        rights = {"cases": Right.RECALL, "reader": Right.STATUS}
        system, reader = [
            await holder(here, world.la, Wanted(name=name, rights=frozenset({right})))
            for name, right in rights.items()
        ]
        path = f"/v1/bulletins/{machine.hex()}/recall"
        order = {"reason": "error", "officer": None}
        assert await officer.code("POST", path, json=order) == "recall_not_author"
        assert await reader.code("POST", path, json=order) == "token_scope"
        named = order | {"officer": OFFICERS[LA]}
        assert await system.code("POST", path, json=named) == "token_scope"
        assert await system.code("POST", path, json={"reason": "because"}) == "recall_code"
        assert (await system.ask("POST", path, json=order))[1]["by"] == "system:cases"
        await eventually(lambda: row(world.la, machine)["state"] == "obeyed")
        assert states(world.la, machine) == ["accepted"]
        assert (await reader.ask("GET", path))[1]["recipients"][0]["state"] == "obeyed"

        other = await holder(there, world.kh, Wanted(name="sokha", officer=OFFICERS[KH]))
        answer = {"decline": None}
        status, said = await other.ask("POST", f"{path}/answer", json=answer)
        assert (status, said["here"]["answer"]) == (200, "obeyed")
        late = {"decline": "court_order"}
        assert await other.code("POST", f"{path}/answer", json=late) == "answered_before"
        assert await officer.code("POST", f"{path}/answer", json=answer) == "token_scope"
        assert await other.code("GET", "/v1/recalls") == "token_scope"


def row(node: NodeService, bulletin: bytes) -> Json:
    """How the one recipient stands."""
    found: Json = node.recalls.show(bulletin)["recipients"][0]
    return found


async def test_who_wrote_it_takes_it_back_and_no_colleague(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world, http_to(world.la) as here:
        pen = Pen(bridge, LA, OFFICERS[LA])
        author = await holder(here, world.la, Wanted(name="bounmy", officer=OFFICERS[LA]))
        colleague = await another_officer(bridge, world.la, "noy")
        other = await holder(here, world.la, Wanted(name="noy", officer=colleague.handle))
        system = await holder(
            here, world.la, Wanted(name="cases", rights=frozenset({Right.RECALL}))
        )
        day = bridge.clock() // DAY_MS + 60
        signed = await pen.signed(wish(retain_until=day))
        status, sent = await author.ask("POST", "/v1/bulletins/signed", json=signed)
        assert status == 202, sent
        bulletin = bytes.fromhex(sent["id"])
        await eventually(lambda: states(world.la, bulletin) == ["accepted"])
        path, order = f"/v1/bulletins/{sent['id']}/recall", {"reason": "consent_withdrawn"}
        assert await other.code("POST", path, json=order) == "recall_not_author"
        assert await system.code("POST", path, json=order) == "token_scope"
        assert (await author.ask("POST", path, json=order))[1]["by"] == f"officer:{OFFICERS[LA]}"
        await eventually(lambda: row(world.la, bulletin)["state"] == "obeyed")
        assert (await other.ask("GET", path))[1]["code"] == "consent_withdrawn"


@pytest.mark.parametrize("language", ["en", "lo", "km"])
@pytest.mark.parametrize("state", get_args(StandsAs))
def test_every_standing_has_its_words(state: str, language: str) -> None:
    """Also of a recipient whose recall was ordered and is not said yet."""
    names = ("asked", "index", "until", "answered", "code", "erased", "erased_code")
    one = {"recipient": KH, "state": state, "delivery": "accepted", "late": False}
    found = {"id": "ab" * 32, "recalled": True, "code": "error", "time": 1, "by": None}
    given = {**found, "here": None, "recipients": [one | dict.fromkeys(names)]}
    speech.set_language(["--lang", language], {})
    try:
        lines = list(table_lines(given))
    finally:
        speech.set_language([], {})
    assert len(lines) == 2
    assert lines[1].startswith(KH)


async def test_a_system_takes_back_nothing_whose_author_is_not_known_any_more(
    bridge: Bridge,
) -> None:
    async with desk_bridge(bridge) as world, http_to(world.la) as here:
        author = await holder(here, world.la, Wanted(name="bounmy", officer=OFFICERS[LA]))
        system = await holder(
            here, world.la, Wanted(name="cases", rights=frozenset({Right.RECALL}))
        )
        day = bridge.clock() // DAY_MS + 60
        signed = await Pen(bridge, LA, OFFICERS[LA]).signed(wish(retain_until=day))
        _, sent = await author.ask("POST", "/v1/bulletins/signed", json=signed)
        bulletin = bytes.fromhex(sent["id"])
        await eventually(lambda: states(world.la, bulletin) == ["accepted"])
        await world.la.retention.decide(
            bulletin, Decision("erase", "keeper", "a court has ordered it", order=True)
        )
        path, order = f"/v1/bulletins/{sent['id']}/recall", {"reason": "error"}
        assert await system.code("POST", path, json=order) == "token_scope"
        assert (await world.la.recalls.order(bulletin, "error", "keeper"))["code"] == "error"
