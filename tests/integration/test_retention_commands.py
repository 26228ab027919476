"""Retention by commands: a plan is seen, then armed; a review is decided; who may not is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from saphan.corridors import allowed
from saphan.node.identity import describe, describe_corridors
from saphan.node.policy.settings import SETTINGS_NAME
from saphan.node.retaining.reckoner import Reckoner
from saphan.node.token_kept import Wanted
from saphan.retention.defaults import default_last_day
from saphan.retention.reckoning import add_months
from saphan_schemas.limits import DAY_MS
from support.api_tokens import holder, http_to
from support.bridge import KH, LA, OFFICERS, Bridge, eventually
from support.command import answered, saphan_here
from support.desks import desk_bridge, ready_bridge
from support.threads import accepted, known, letter

Json = dict[str, Any]


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    async with ready_bridge() as made:
        yield made


def settings(bridge: Bridge, agency: str, **retention: Any) -> None:
    path = bridge.place / agency / "node" / SETTINGS_NAME
    path.write_text(json.dumps({"saphan": "settings/1", "retention": retention}))
    path.chmod(0o600)


async def page(*words: str | Path, status: int = 0) -> str:
    """What a command says to a person."""
    return (await asyncio.to_thread(saphan_here, *words, status=status)).out


SHORT = {"review": None, "erase": [{"after": "created", "days": 5}]}


async def test_rules_act_once_they_were_seen_and_armed(bridge: Bridge) -> None:
    """A node that has bulletins, and other rules than it was armed with."""
    async with desk_bridge(bridge) as world:
        there = ("--dir", bridge.place / KH)
        bulletin = await accepted(world.la, letter("training_notice", (KH,)))
        await known(world.kh, bulletin)
        start = bulletin.hex()[:12]
        settings(
            bridge,
            KH,
            types={"saphan/training_notice": {"without_persons": SHORT, "with_persons": SHORT}},
        )
        await world.kh.reread_settings()
        unseen = await asyncio.to_thread(
            saphan_here, "retention", "arm", "--yes", "--json", *there, status=3
        )
        assert "retention_unseen" in unseen.err
        plan = json.loads(await page("retention", "plan", "--json", *there, status=6))
        (line,) = plan["lines"]
        assert (line["bulletins"], line["rule"], line["acting"]) == (1, "review", False)
        assert line["bytes"] > 4_000
        shown = await answered("retention", "show", start, *there)
        assert shown["day"] == shown["retain_until"] > shown["planned"]
        armed = await answered("retention", "arm", "--rules", plan["rules"][:12], "--yes", *there)
        assert armed["acts"]
        shown = await answered("retention", "show", start, *there)
        assert shown["day"] == shown["planned"] < shown["retain_until"]
        assert "1 bulletins" in await page("retention", "plan", "--days", "9", *there)
        # And others again: what was armed acts no more.
        settings(bridge, KH, undecided_days=30)
        await world.kh.reread_settings()
        await world.kh.retention.sweeping.look()
        shown = await answered("retention", "show", start, *there)
        assert shown["day"] == shown["retain_until"]


async def test_a_review_is_decided_with_a_reason(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        there = ("--dir", bridge.place / KH)
        bulletin = await accepted(world.la, letter("training_notice", (KH,)))
        await known(world.kh, bulletin)
        start = bulletin.hex()[:12]
        until = ("--until", "60d", "--reason", "case 12/2026 goes on", "--officer", OFFICERS[KH])
        found = await answered("retention", "extend", start, *until, *there)
        assert found["state"] == "extended"
        assert found["extended_until"] == found["review"] == bridge.clock() // DAY_MS + 60
        (decision,) = found["decisions"]
        assert decision["by"] == f"keeper:{OFFICERS[KH]}"
        assert decision["reason"] == "case 12/2026 goes on"
        far = await asyncio.to_thread(
            saphan_here,
            *("retention", "extend", start, "--until", "9000d", "--reason", "x", "--json"),
            *there,
            status=3,
        )
        assert "retention_beyond" in far.err
        assert "extended" in await page("retention", "list", *there)
        gone = await answered(
            "retention", "erase", start, "--reason", "not needed", "--order", "--yes", *there
        )
        assert (gone["state"], gone["rule"]) == ("deleted", "order")
        assert [one["reason"] for one in gone["decisions"]] == [None, None]
        assert world.kh.db.rows("SELECT 1 FROM bodies") == []
        listed = await answered("retention", "list", "--state", "deleted", *there)
        assert [one["id"] for one in listed["bulletins"]] == [bulletin.hex()]
        await eventually(
            lambda: (
                "erased" in [e["event"] for e in world.la.bulletins.status(bulletin)["timeline"]]
            )
        )
        assert "erased here: an authority ordered it" in await page("inbox", *there)
        assert "erased here: an authority ordered it" in await page("status", start, *there)
        again = await asyncio.to_thread(
            saphan_here, "retention", "keep", start, "--reason", "x", "--json", *there, status=3
        )
        assert "retention_erased" in again.err


async def test_an_end_that_no_review_moves_is_said_to_who_extends_beyond_it(
    bridge: Bridge,
) -> None:
    """A position of an operation goes after 30 days: nobody is told that it stays for longer."""
    async with desk_bridge(bridge) as world:
        there = ("--dir", bridge.place / KH)
        line = {"review": None, "erase": [{"after": "valid_until", "days": 30}]}
        types = {"saphan/training_notice": {"without_persons": line, "with_persons": line}}
        settings(bridge, KH, types=types)
        await world.kh.reread_settings()
        until = letter("training_notice", (KH,), about_valid_until=at(bridge, 10))
        bulletin = await accepted(world.la, until)
        await known(world.kh, bulletin)
        extend = ("retention", "extend", bulletin.hex()[:12], "--reason", "x", "--json", *there)
        said = await asyncio.to_thread(saphan_here, *extend, "--until", "41d", status=3)
        assert "retention_beyond" in said.err
        assert date_in(bridge, 40) in said.err
        found = await answered(*extend[:-3], *there, "--until", "39d")
        assert found["extended_until"] == bridge.clock() // DAY_MS + 39
        keep = ("retention", "keep", *extend[2:-3], *there)
        assert (await answered(*keep))["extended_until"] == bridge.clock() // DAY_MS + 40


def date_in(bridge: Bridge, days: int) -> str:
    """So many days from now, as people write it."""
    return datetime.fromtimestamp(bridge.clock() / 1000 + days * 86_400, UTC).date().isoformat()


def at(bridge: Bridge, days: int) -> str:
    return f"{date_in(bridge, days)}T12:00:00Z"


async def test_what_the_agency_sets_is_the_last_day_of_what_it_writes(bridge: Bridge) -> None:
    """By a case system at the node, and at a desk; the shipped table has other months."""
    async with desk_bridge(bridge) as world:
        keep = {"with_persons": 7, "without_persons": 7}
        settings(bridge, LA, types={"saphan/training_notice": {"keep_months": keep}})
        await world.la.reread_settings()
        today = bridge.clock() // DAY_MS
        last = add_months(today, 7)
        wish = letter("training_notice", (KH,))
        bulletin = await accepted(world.la, wish)
        assert (await world.la.retention.shown(bulletin))["retain_until"] == last
        for told in (describe(world.la), describe_corridors(world.la)):
            keep_here = allowed(told, LA, (KH,), wish.schema, bridge.clock()).keep
            found = default_last_day(wish.schema, wish.about, wish.body, today, keep_here)
            assert found == last


async def test_what_changes_while_it_is_planned_was_not_seen(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings that are read anew between the reckoning and the plan: the plan is of the new."""
    async with desk_bridge(bridge) as world:
        retaining = world.kh.retention
        finish = Reckoner.finish

        def change(reckoner: Reckoner) -> None:
            finish(reckoner)
            settings(bridge, KH, undecided_days=30)
            world.kh.settings.reread()

        monkeypatch.setattr(Reckoner, "finish", change)
        plan = await retaining.plan(30, "keeper")
        assert plan["shown"]["rules"] == plan["rules"] == retaining.sweeping.reckoner.reckoned()


async def test_officers_that_the_settings_name_decide(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world, http_to(world.kh) as there:
        bulletin = await accepted(world.la, letter("training_notice", (KH,)))
        path = f"/v1/bulletins/{bulletin.hex()}/retention"
        body = {"decision": "keep", "reason": "the course is repeated"}
        wanted = Wanted(name="sokha", officer=OFFICERS[KH])
        officer = await holder(there, world.kh, wanted)
        assert await officer.code("POST", path, json=body) == "token_scope"
        settings(bridge, KH, officers=[OFFICERS[KH]])
        await world.kh.reread_settings()
        status, said = await officer.ask("POST", path, json=body)
        assert (status, said["state"]) == (200, "extended")
        status, shown = await officer.ask("GET", path)
        assert (status, shown["review"]) == (200, None)
        assert await officer.code("GET", "/v1/retention") == "token_scope"
        wrong = (body | {"decision": "extend"}, body | {"until": 30_000})
        for one in wrong:
            assert await officer.code("POST", path, json=one) == "malformed"
        blank = body | {"reason": "  "}
        assert await officer.code("POST", path, json=blank) == "retention_reason"
