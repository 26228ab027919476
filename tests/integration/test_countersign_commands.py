"""`saphan countersign` and `saphan officer`: at the node and at a desk, by the commands alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from saphan.cli.main import main
from saphan.desk.second import SecondEyes
from saphan_schemas.desk_frames import AskSecond
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.samples import sample
from support import officers
from support.bridge import KH, LA, OFFICERS, Bridge, eventually, states, wish
from support.command import answered
from support.desks import DeskBridge, desk_bridge, on_line, ready_bridge

Run = Callable[..., Awaitable[dict[str, Any]]]
PDF = b"%PDF-1.7 what dao has seen" + bytes(5_000)


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    async with ready_bridge() as made:
        yield made


@pytest.fixture
def run(tmp_path: Path) -> Run:
    secret = tmp_path / "passphrase"
    secret.touch(mode=0o600)
    secret.write_text("open sesame of a test\n")

    async def command(*words: str | Path, status: int = 0, asks: bool = True) -> dict[str, Any]:
        """One command; its JSON, or that of its error. `asks`: it takes a passphrase."""
        line = (*words, *(("--passphrase-file", secret) if asks else ()))
        return await answered(*line, status=status)

    return command


def letter(place: Path) -> Path:
    """A bulletin's file."""
    content = sample("case_statistics")
    value = {name: content[name] for name in ("about", "body")} | {
        "schema": "saphan/case_statistics/1", "exercise": True, "to": [LA]
    }  # fmt: skip
    path = place / "letter.json"
    path.write_text(json.dumps(value))
    return path


async def four_eyes(world: DeskBridge) -> None:
    everybody = {"*": {"clearance": "red", "languages": ["km"]}}
    await officers.settings(world.bridge, world.kh, four_eyes=[{}], officers=everybody)


async def test_written_at_a_desk_signed_at_the_node(
    bridge: Bridge, run: Run, tmp_path: Path
) -> None:
    """Timeline: dao sends with a file; sokha sees it, saves the file, signs; dao's desk hears."""
    async with desk_bridge(bridge) as world:
        desk = (await world.desk("dao")).folder
        await four_eyes(world)
        report = tmp_path / "report.pdf"
        report.write_bytes(PDF)
        sent = await run("send", letter(tmp_path), "--attach", report, "--desk", desk)
        assert (sent["id"], sent["state"]) == (None, "countersign")
        (row,) = (await run("desk", "outbox", desk))["outbox"]
        assert row["state"] == "countersign"
        asked = await run("desk", "outbox", desk, "--withdraw", str(row["number"]), status=2)
        assert asked["code"] == "queued_asked"
        assert "countersign refuse" in asked["hint"]

        office = ("--dir", bridge.place / KH)
        (waits,) = (await run("countersign", "list", *office))["drafts"]
        assert waits["author"] == "dao"
        saved = tmp_path / "saved"
        saved.mkdir()
        shown = await run("countersign", "show", waits["id"][:8], "--save", saved, *office)
        assert shown["content"]["body"] == sample("case_statistics")["body"]
        assert (saved / "report.pdf").read_bytes() == PDF
        no = await run("countersign", "sign", waits["id"], *office, status=5)
        assert no["code"] == "not_confirmed"
        signed = await run("countersign", "sign", waits["id"], "--yes", *office)
        bulletin = bytes.fromhex(signed["id"])
        await eventually(lambda: states(world.kh, bulletin) == ["accepted"])
        (found,) = (await run("desk", "sync", desk))["sent"]
        assert found["id"] == signed["id"]
        assert (await run("countersign", "list", *office))["drafts"] == []

        log = await run("officer", "log", *office, "--handle", OFFICERS[KH], asks=False)
        kinds = {one["kind"] for one in log["showings"] if one["id"] == waits["id"]}
        assert kinds == {"read"}  # the rest is the keeper's own to see, in the agency's folder
        for start in (waits["id"][:8], signed["id"][:8]):  # and what became of it
            of = await run("officer", "log", *office, "--bulletin", start, asks=False)
            assert waits["id"] in {one["id"] for one in of["showings"]}
        people = (await run("officer", "list", *office, asks=False))["officers"]
        assert [(one["handle"], one["clearance"], one["active"]) for one in people] == [
            ("dao", "red", True), (OFFICERS[KH], "red", True)
        ]  # fmt: skip


async def test_written_at_the_node_signed_or_refused_at_a_desk(
    bridge: Bridge, run: Run, tmp_path: Path
) -> None:
    async with desk_bridge(bridge) as world:
        desk = (await world.desk("dao")).folder
        await four_eyes(world)
        office = ("--dir", bridge.place / KH)
        for _ in range(2):
            assert (await run("send", letter(tmp_path), *office))["id"] is None
        assert (await run("inbox", "--desk", desk))["waiting"] == 2
        first, second = (await run("countersign", "list", "--desk", desk))["drafts"]
        assert first["may_sign"]
        signed = await run("countersign", "sign", first["id"], "--yes", "--desk", desk)
        assert world.kh.bulletins.status(bytes.fromhex(signed["id"]))["author"] == OFFICERS[KH]
        ended = await run(
            "countersign", "refuse", second["id"], "--reason", "not ours", "--desk", desk
        )
        assert ended == {"state": "refused"}
        gone = await run("countersign", "show", second["id"], "--desk", desk, status=2)
        assert gone["code"] == "countersign_unknown"
        assert (await run("inbox", "--desk", desk))["waiting"] == 0


async def test_what_a_colleague_refuses_is_a_draft_again(
    bridge: Bridge, run: Run, tmp_path: Path
) -> None:
    async with desk_bridge(bridge) as world:
        desk = (await world.desk("dao")).folder
        await four_eyes(world)
        await run("send", letter(tmp_path), "--desk", desk)
        office = ("--dir", bridge.place / KH)
        (waits,) = (await run("countersign", "list", "--desk", desk))["drafts"]
        assert not waits["may_sign"]
        await run("countersign", "refuse", waits["id"], "--reason", "wrong month", *office)
        synced = await run("desk", "sync", desk)
        assert [one["code"] for one in synced["refused"]] == ["countersign_refused"]
        (draft,) = (await run("desk", "drafts", desk))["drafts"]
        assert "wrong month" in draft["message"]


async def test_people_are_told_in_words(
    bridge: Bridge, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with desk_bridge(bridge) as world:
        desk = (await world.desk("dao")).folder
        await four_eyes(world)
        office = ["--dir", str(bridge.place / KH)]
        await run("send", letter(tmp_path), "--desk", desk)

        async def page(*words: str) -> str:
            capsys.readouterr()
            assert await asyncio.to_thread(main, [*words, *office]) == 0
            return capsys.readouterr().out

        assert "dao  la.ospp" in await page("countersign", "list")
        assert "TLP:RED" in await page("officer", "list")
        await run("countersign", "list", "--desk", desk)
        assert "was shown that it waits" in await page("officer", "log")


async def test_a_colleagues_desk_hears_that_something_waits(bridge: Bridge) -> None:
    """And then by the desk's own line: listed, refused under another officer's key, signed."""
    async with desk_bridge(bridge) as world:
        folder = await world.desk("dao")
        await four_eyes(world)
        sokha = await officers.first(bridge, world.kh, OFFICERS[KH])
        async with on_line(folder, bridge) as (desk, line):
            draft = await sokha.write(wish(LA))
            await line.news()
            second = SecondEyes(desk)
            (waits,) = await second.waiting(line)
            assert waits["id"] == draft.hex()
            exact = await second.open(line, draft)
            foreign = sokha.signer.second(exact)
            with pytest.raises(Refused, match="key_foreign"):
                await line.ask(AskSecond(line.number(), draft, foreign))
            for nothing in (bytes(32), exact.inner.content):
                with pytest.raises(InvalidInput, match="countersign_unknown"):
                    await second.open(line, nothing)
            bulletin = await second.sign(line, exact)
            assert await second.sign(line, exact) == bulletin  # the answer was not heard
            assert await second.waiting(line) == []
