"""Holds by commands: with the order key at hand, and with a key that lies elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from saphan.evidence.checking import check_bundle
from saphan.node.holding.rows import held_among
from support.bridge import KH, LA, Bridge, eventually
from support.bundled import gap_codes
from support.command import answered, saphan_here
from support.desks import desk_bridge, ready_bridge
from support.hold_files import hold_file
from support.threads import accepted, letter

Json = dict[str, Any]


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    async with ready_bridge() as made:
        yield made


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file with the passphrase of every key here."""
    path = tmp_path / "passphrase"
    path.write_text("open sesame of a test")
    path.chmod(0o600)
    return path


async def page(*words: str | Path, status: int = 0) -> str:
    """What a command says to a person."""
    return (await asyncio.to_thread(saphan_here, *words, status=status)).out


async def test_a_hold_is_ordered_shown_moved_and_released(bridge: Bridge, secret: Path) -> None:
    async with desk_bridge(bridge) as world:
        there = ("--dir", bridge.place / KH)
        bulletin = await accepted(world.la, letter("training_notice", (KH,)))
        signed = ("--passphrase-file", secret, "--yes", *there)
        key = ("--key", bridge.offices[KH].root_key)
        terms = ("--reference", "court of appeal 12/2026", "--review", "90d")
        start = bulletin.hex()[:12]
        held = await answered("hold", "order", "--id", start, *terms, *key, *signed)
        assert (held["logged"], held["bulletins"]) == (True, 1)
        kept = await asyncio.to_thread(Path(held["file"]).stat)
        assert kept.st_mode & 0o777 == 0o600
        assert held_among(world.kh.db, [bulletin]) == {bulletin}
        await eventually(lambda: world.kh.db.row("SELECT 1 FROM entries WHERE event = 'held'"))

        name = held["name"][:12]
        assert "in force" in await page("hold", "list", *there)
        assert "in force" in await page("hold", "list", "--id", start, *there)
        shown = await page("hold", "show", name, *there)
        assert "court of appeal 12/2026" in shown
        assert start in shown
        moved = ("--reference", "appeal 13/2026", "--review", "300d", *key, *signed)
        assert len((await answered("hold", "renew", name, *moved))["orders"]) == 2
        late = ("--reference", "appeal 14/2026", "--review", "1970-01-02", *key, *signed)
        assert (await answered("hold", "renew", name, *late, status=2))["code"] == "hold_review"
        files = await asyncio.to_thread(lambda: sorted(Path(held["file"]).parent.iterdir()))
        assert len(files) == 2
        gone = ("--reference", "appeal 15/2026", *key, *signed)
        released = await answered("hold", "release", name, *gone)
        assert not released["in_force"]
        assert held_among(world.kh.db, [bulletin]) == set()
        assert "released" in await page("hold", "list", *there)
        assert "Nothing is held." in await page("hold", "list", "--id", start, *there)


async def test_an_order_is_carried_to_its_key(bridge: Bridge, secret: Path, tmp_path: Path) -> None:
    async with desk_bridge(bridge) as world:
        there = ("--dir", bridge.place / KH)
        file = tmp_path / "one.hold"
        scope = ("--type", "training_notice", "--from", "2020-01-01", "--case", "AB-12/2026")
        terms = ("--reference", "court 7", "--review", "2026-12-31", "--untold", "--out", file)
        written = await answered("hold", "order", *scope, *terms, "--review", "30d", *there)
        assert not written["signed"]
        assert written["scope"]["schemas"] == ["saphan/training_notice/1"]
        assert (await answered("hold", "submit", file, *there, status=3))["code"] == "hold_unsigned"

        key = ("--key", bridge.offices[KH].root_key, "--passphrase-file", secret)
        ran = await asyncio.to_thread(saphan_here, "hold", "sign", file, *key, "--yes")
        assert "court 7" in ran.err
        assert "AB-12/2026" in ran.err
        assert (await answered("hold", "submit", file, *there))["logged"]
        assert (await answered("hold", "submit", file, *there))["logged"], "handed in again"
        bulletin = await accepted(world.la, letter("training_notice", (KH,)))
        await eventually(lambda: held_among(world.kh.db, [bulletin]) == {bulletin})


async def test_the_other_side_answers(bridge: Bridge, secret: Path) -> None:
    async with desk_bridge(bridge) as world:
        here, there = ("--dir", bridge.place / LA), ("--dir", bridge.place / KH)
        bulletin = (await accepted(world.la, letter("training_notice", (KH,)))).hex()
        assert (await answered("hold", "ask", bulletin, *there))["to"] == [LA]
        await eventually(lambda: world.la.holds.asked.open())
        assert "please hold it  no answer" in await page("hold", "asked", *here)
        kept = await answered("hold", "answer", bulletin, "--kept", *here, status=3)
        assert kept["code"] == "hold_untrue"
        assert (await answered("hold", "answer", bulletin, "--not-kept", *here))["to"] == [KH]
        answers = world.kh.holds.asked.listed
        await eventually(lambda: [one["answer"] for one in answers()] == ["not_kept"])
        assert "it is not held here" in await page("hold", "asked", *there)
        nobody = await answered("hold", "ask", bulletin, "--agency", "vn.vks", *there, status=3)
        assert nobody["code"] == "hold_nobody"


async def test_what_cannot_be_held_so_is_refused(
    bridge: Bridge, secret: Path, tmp_path: Path
) -> None:
    async with desk_bridge(bridge):
        there = ("--dir", bridge.place / KH)
        terms = ("--reference", "court 7", "--review", "30d")
        assert (await answered("hold", "order", *terms, *there, status=2))["code"] == "hold_scope"
        no_day = ("--reference", "court 7", "--review", "soon", "--case", "AB-12")
        assert (await answered("hold", "order", *no_day, *there, status=2))["code"] == (
            "day_malformed"
        )
        no_key = await answered("hold", "order", "--case", "AB-12", *terms, *there, status=5)
        assert no_key["code"] == "order_key_missing"
        torn = tmp_path / "torn.hold"
        torn.write_text('{"saphan": "hold/1"}')
        assert (await answered("hold", "submit", torn, *there, status=2))["code"] == (
            "hold_file_malformed"
        )
        unknown = await answered("hold", "show", "77", *there, status=2)
        assert unknown["code"] == "hold_unnamed"


async def test_a_court_is_shown_the_order_and_not_why(
    bridge: Bridge, secret: Path, tmp_path: Path
) -> None:
    async with desk_bridge(bridge) as world:
        there = ("--dir", bridge.place / KH)
        bulletin = (await accepted(world.la, letter("training_notice", (KH,)))).hex()
        other = ("--case", "ZZ-99", "--reference", "court 8", "--review", "30d", "--untold")
        ours = ("--id", bulletin, "--reference", "court 7/2026", "--review", "30d", "--untold")
        key = ("--key", bridge.offices[KH].root_key, "--passphrase-file", secret, "--yes")
        await answered("hold", "order", *other, *key, *there)
        await answered("hold", "order", *ours, *key, *there)
        await eventually(lambda: world.kh.db.row("SELECT 1 FROM entries WHERE event = 'held'"))
        file = tmp_path / "one.saphan"
        await answered("evidence", "export", bulletin, "--out", file, *there)
        verdict = await asyncio.to_thread(check_bundle, file)
        assert gap_codes(verdict) <= {"unwitnessed"}, "not for want of the order"
        assert verdict.deliveries[0].closed == 0, "a hold says nothing of agreements"
        shown = await asyncio.to_thread(file.read_bytes)
        assert b"court 7/2026" not in shown
        orders = world.kh.db.rows("SELECT package FROM hold_orders ORDER BY number")
        assert [package in shown for (package,) in orders] == [False, True]


async def test_a_hold_without_its_file_is_released_by_name(bridge: Bridge, secret: Path) -> None:
    """The order key was in other hands, and everything here was held."""
    async with desk_bridge(bridge) as world:
        there = ("--dir", bridge.place / KH)
        bulletin = await accepted(world.la, letter("training_notice", (KH,)))
        stolen = hold_file(bridge, KH, ids=(bytes(32),), told=False)
        assert (await world.kh.line.register(hold=stolen.package)).code is None
        await eventually(lambda: held_among(world.kh.db, [bulletin]) == {bulletin})
        assert "terms" in await page("hold", "list", *there)
        signed = ("--passphrase-file", secret, "--yes", *there)
        given = ("--reference", "theft of 12 May", "--key", bridge.offices[KH].root_key, *signed)
        name = stolen.name.hex()[:12]
        renewed = await answered("hold", "renew", name, "--review", "9d", *given, status=5)
        assert renewed["code"] == "hold_terms_missing"
        released = await answered("hold", "release", name, *given)
        assert (released["in_force"], released["logged"]) == (False, True)
        assert held_among(world.kh.db, [bulletin]) == set()

        own = ("--id", bulletin.hex(), "--untold", "--review", "90d", *given)
        held = await answered("hold", "order", *own)
        thief = hold_file(
            bridge, KH, number=4, release=bytes.fromhex(held["name"]), ids=(bulletin,)
        )
        assert (await world.kh.line.register(hold=thief.package)).code is None
        await eventually(lambda: world.kh.holds.orders.foreign())
        assert held_among(world.kh.db, [bulletin]) == {bulletin}
        released = await answered("hold", "release", held["name"][:12], *given)
        assert (released["in_force"], released["logged"]) == (False, False)
        assert held_among(world.kh.db, [bulletin]) == set()


@pytest.mark.parametrize(
    ("scope", "code"),
    [
        (("--case", "a7"), "hold_scope"),
        (("--case", "???"), "hold_scope"),
        (("--type", "trainign_notice"), "schema_unknown"),
        (("--id", "00" * 32, "--reference", "x" * 401), "malformed"),
        (("--id", "00" * 32, "--reference", ""), "malformed"),
    ],
)
async def test_what_would_hold_nothing_is_not_signed(
    bridge: Bridge, tmp_path: Path, scope: tuple[str, ...], code: str
) -> None:
    async with bridge.broker_running(), bridge.node_with_api(KH):
        given = ("--review", "90d", "--out", tmp_path / "a.hold", "--dir", bridge.place / KH)
        ran = await answered("hold", "order", "--reference", "court 7", *scope, *given, status=2)
        assert ran["code"] == code
        assert not (tmp_path / "a.hold").exists()


async def test_a_hold_that_keeps_nothing_yet_says_so(bridge: Bridge, secret: Path) -> None:
    async with bridge.broker_running(), bridge.node_with_api(KH) as kh:
        await eventually(lambda: KH in kh.logs.directory.agencies())
        key = ("--key", bridge.offices[KH].root_key, "--passphrase-file", secret, "--yes")
        given = ("--reference", "court 7", "--review", "90d", "--dir", bridge.place / KH)
        assert "Nothing here is held by it yet" in await page(
            "hold", "order", "--case", "AB-12/2026", *given, *key
        )
