"""`saphan desk` and `--desk`: an officer's day on their own machine, by the commands alone."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from saphan.cli.main import main
from saphan.compose import Wish
from saphan.desk.folder import DeskFolder
from saphan.desk.outbox import Outbox
from saphan.keys.keyfiles import read_key, write_sealed
from saphan.node.wire.line import LineState
from saphan_schemas.limits import HOUR_MS
from saphan_schemas.records import Role
from support.bridge import CHEAP, KH, LA, SECRET, Bridge, eventually, states, wish
from support.command import answered, environment, saphan_command
from support.desk_letters import kept_here, letter
from support.desks import DeskBridge, desk_bridge, ready_bridge
from support.desks import at as opened_desk

Run = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def bridge(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    monkeypatch.setattr("saphan.node.desks.session.NEWS_PAUSE_S", 0.05)
    async with ready_bridge() as made:
        yield made


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """What the officer, and here the root's holder too, types."""
    path = tmp_path / "passphrase"
    path.touch(mode=0o600)
    path.write_text("open sesame of a test\n")
    return path


@pytest.fixture
def run(secret: Path) -> Run:
    async def command(*words: str | Path, status: int = 0, asks: bool = True) -> dict[str, Any]:
        """One command; its JSON, or that of its error. `asks`: it needs a passphrase."""
        line = (*words, *(("--passphrase-file", secret) if asks else ()))
        return await answered(*line, status=status)

    return command


async def enrolled(world: DeskBridge, run: Run, handle: str = "dao") -> Path:
    """A desk made by the commands of both sides."""
    place, office = world.bridge.place, ("--dir", world.bridge.place / KH)
    desk, invitation = place / f"desk-of-{handle}", place / f"{handle}.invitation"
    invited = await run(
        "desk", "invite", *office, "--out", invitation, "--address", world.address, asks=False
    )
    made = await run(
        *("desk", "init", desk, "--invitation", invitation, "--handle", handle),
        *("--words", invited["words"]),
    )
    assert (made["agency"], made["handle"]) == (KH, handle)
    await asyncio.to_thread(cheapen, desk / "officer.key")
    request = made["request"]
    added = await run(
        "keys", "add", "officer", "--request", request, "--words", made["words"], *office
    )
    await run("keys", "submit", added["operation"], *office, asks=False)
    await eventually(lambda: world.kh.logs.directory.find(bytes.fromhex(made["key_id"])))
    return desk


def cheapen(path: Path) -> None:
    """The same key under the same passphrase, for the dozens of commands that will open it."""
    key = read_key(path, Role.OFFICER, SECRET)
    path.unlink()
    write_sealed(path, key, SECRET, CHEAP)


async def test_an_officers_day(bridge: Bridge, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "bulletin.json"
    await asyncio.to_thread(file.write_bytes, letter(LA).data)
    async with desk_bridge(bridge) as world:
        desk = await enrolled(world, run)
        at = ("--desk", desk)
        sent = (await world.la.send(wish())).hex()
        await eventually(lambda: states(world.la, bytes.fromhex(sent)) == ["accepted"])
        inbox = await run("inbox", *at)
        assert inbox["online"]
        assert [row["id"] for row in inbox["bulletins"]] == [sent]
        read = await run("read", sent[:12], *at)
        assert read["content"]["body"] == wish().body
        mine = await run("send", file, "--to", LA, *at)
        assert mine["state"] == "sent"
        status = await run("status", mine["id"], "--wait", *at)
        assert (status["author"], status["deliveries"][0]["state"]) == ("dao", "accepted")
        draft = await run("desk", "drafts", desk, "--add", file, "--to", LA)
    # The line is gone, and the officer works on.
    again = await run("read", sent[:8], *at)
    assert again["content"] == read["content"]
    assert (await run("status", mine["id"][:8], *at))["id"] == mine["id"]
    inbox = await run("inbox", *at)
    assert (inbox["online"], len(inbox["bulletins"])) == (False, 1)
    error = await run("read", "0123456789", *at, status=4)
    assert "was not opened at this desk" in error["message"]
    assert (await run("send", "--draft", str(draft["number"]), *at))["state"] == "waiting"
    assert (await run("desk", "drafts", desk))["drafts"] == []
    assert (await run("desk", "sync", desk, status=4))["code"] == "node_unreachable"
    waiting = (await run("desk", "outbox", desk))["outbox"]
    assert [one["state"] for one in waiting] == ["sent", "waiting"]


async def test_the_line_comes_back(bridge: Bridge, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "bulletin.json"
    await asyncio.to_thread(file.write_bytes, letter(LA).data)
    async with desk_bridge(bridge) as world:
        desk = (await world.desk()).folder
        listening = world.kh.listening["desks"]
    at = ("--desk", desk)
    queued = await run("send", file, "--to", LA, *at)
    assert (queued["state"], queued["id"]) == ("waiting", None)
    again = await run("desk", "outbox", desk, "--withdraw", str(queued["number"]))
    queued = await run("send", "--draft", str(again["number"]), "--to", LA, *at)
    async with desk_bridge(bridge, desks=listening) as world:
        done = await run("desk", "sync", desk)
        assert [one["state"] for one in done["sent"]] == ["sent"]
        assert (done["waiting"], done["refused"]) == (0, [])
        assert [one.hex() for one in kept_here(world)] == [done["sent"][0]["id"]]
        assert (await run("desk", "sync", desk))["sent"] == []


async def test_the_list_comes_first_and_then_what_waits_goes(
    bridge: Bridge, run: Run, tmp_path: Path
) -> None:
    """One of them could not be delivered in time any more: it is a draft again, with the reason."""
    file, past = tmp_path / "bulletin.json", bridge.clock() - HOUR_MS
    await asyncio.to_thread(file.write_bytes, letter(LA).data)
    async with desk_bridge(bridge) as world:
        desk = (await world.desk()).folder
        listening = world.kh.listening["desks"]
    async with opened_desk(DeskFolder(desk), bridge, ahead=-2 * HOUR_MS) as before:
        await asyncio.to_thread(Outbox(before).queue, letter(LA, expires=past), {})
    assert (await run("send", file, "--to", LA, "--desk", desk))["state"] == "waiting"
    async with desk_bridge(bridge, desks=listening) as world:
        assert (await run("inbox", "--desk", desk))["online"]
        (sent,) = kept_here(world)
    (one,) = (await run("desk", "outbox", desk))["outbox"]
    assert (one["state"], one["id"]) == ("sent", sent.hex())
    (draft,) = (await run("desk", "drafts", desk))["drafts"]
    assert (draft["code"], draft["to"]) == ("expired", [LA])
    assert "deadline has passed" in draft["message"]
    shown = await run("desk", "drafts", desk, "--show", str(draft["number"]))
    assert json.loads(shown["text"])["expires"] == past


async def test_a_file_goes_along_and_is_saved_from_the_desk(
    bridge: Bridge, run: Run, tmp_path: Path
) -> None:
    file, photo = tmp_path / "bulletin.json", tmp_path / "scene.png"
    picture = b"\x89PNG\r\n\x1a\n" + bytes(100_000)
    await asyncio.to_thread(file.write_bytes, letter(LA).data)
    await asyncio.to_thread(photo.write_bytes, picture)
    async with desk_bridge(bridge) as world:
        desk = (await world.desk()).folder
        at = ("--desk", desk)
        add = ("desk", "drafts", desk, "--add", file, "--to", LA, "--attach", f"photo={photo}")
        wrong = tmp_path / "wrong.json"
        await asyncio.to_thread(wrong.write_bytes, letter(LA, body={"nothing": "of it"}).data)
        sending = ("send", wrong, "--to", LA, "--attach", f"photo={photo}", *at)
        assert (await run(*sending, status=2))["code"] == "schema_invalid"
        assert await asyncio.to_thread(parts_kept, desk) == 0  # what was not kept has no files
        draft = await run(*add)
        assert draft["attachments"] == ["scene.png"]
        await asyncio.to_thread(photo.unlink)
        sent = await run("send", "--draft", str(draft["number"]), *at)
        assert sent["state"] == "sent"
        out = tmp_path / "saved.png"
        ask = ("attachment", sent["id"], "1", "--out", out, *at)
        assert (await run(*ask, status=3))["code"] == "attachment_unread"
        read = await run("read", sent["id"], *at)
        assert [one["name"] for one in read["attachments"]] == ["scene.png"]
        assert (await run(*ask))["length"] == len(picture)
        assert await asyncio.to_thread(out.read_bytes) == picture
        assert (await run(*ask, status=5))["code"] == "file_exists"
        other = ("attachment", sent["id"], "2", "--out", tmp_path / "x", *at)
        assert (await run(*other, status=2))["code"] == "attachment_unknown"
    # The desk has it: the line is not needed any more.
    await run("attachment", sent["id"][:10], "1", "--out", tmp_path / "again.png", *at)


def parts_kept(desk: Path) -> int:
    with closing(sqlite3.connect(desk / "desk.db")) as db:
        (found,) = db.execute("SELECT count(*) FROM parts").fetchone()
    return int(found)


async def test_words_that_differ_end_it(bridge: Bridge, run: Run) -> None:
    async with desk_bridge(bridge) as world:
        office = ("--dir", bridge.place / KH)
        other = (await run("agency", "show", *office, asks=False))["roots"][0]["words"]
        invitation = bridge.place / "invitation"
        await run("desk", "invite", *office, "--out", invitation, "--address", world.address,
                  asks=False)  # fmt: skip
        desk = bridge.place / "desk"
        init = ("desk", "init", desk, "--invitation", invitation, "--handle", "dao")
        assert (await run(*init, "--words", other, status=3))["code"] == "words_differ"
        assert not desk.exists()
        made = await run(*init, "--yes")
        add = ("keys", "add", "officer", "--request", made["request"], *office)
        assert (await run(*add, "--words", other, status=3))["code"] == "words_differ"
        error = await run("inbox", "--desk", desk, status=3)
        assert error["code"] == "key_unknown"


async def test_what_is_signed_before_an_error_is_said_to_wait(
    bridge: Bridge, run: Run, secret: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who is told of the error alone sends it once more when the error is gone: twice in all."""
    file = tmp_path / "bulletin.json"
    await asyncio.to_thread(file.write_bytes, letter(LA).data)
    async with desk_bridge(bridge) as world:
        folder = (await world.desk(enrolled=False)).folder
        line = ["send", str(file), "--to", LA, "--desk", str(folder), "--passphrase-file"]
        capsys.readouterr()
        assert await asyncio.to_thread(main, [*line, str(secret)]) == 3
        said = capsys.readouterr().err
        assert "(key_unknown)" in said
        (one,) = (await run("desk", "outbox", folder))["outbox"]
        assert one["state"] == "waiting"
        assert f"kept as number {one['number']};" in said


async def test_what_is_wrong_is_said(bridge: Bridge, run: Run, tmp_path: Path) -> None:
    office = ("--dir", bridge.place / KH)
    nothing = tmp_path / "nothing"
    assert (await run("inbox", "--desk", nothing, status=5))["code"] == "not_a_desk"
    assert (await run("desk", "sync", nothing, status=5))["code"] == "not_a_desk"
    invite = ("desk", "invite", *office, "--out", tmp_path / "i")
    assert (await run(*invite, asks=False, status=2))["code"] == "address_needed"
    for address in ("0.0.0.0:1", "node.example", "node.example:0"):
        error = await run(*invite, "--address", address, asks=False, status=2)
        assert error["code"] in ("address_needed", "address_malformed")
    damaged = tmp_path / "damaged"
    for text in ("", "{}", '{"saphan": "desk_invitation/2"}', "[" * 5000):
        await asyncio.to_thread(damaged.write_text, text)
        init = ("desk", "init", nothing, "--invitation", damaged, "--handle", "dao", "--yes")
        assert (await run(*init, status=2))["code"] == "desk_invitation_malformed"
        add = ("keys", "add", "officer", "--request", damaged, "--yes", *office)
        assert (await run(*add, status=2))["code"] == "request_malformed"
    await run(*invite, "--address", "node.example:8472", asks=False)
    make = ("desk", "init", nothing, "--invitation", tmp_path / "i", "--yes")
    assert (await run(*make, status=2))["code"] == "handle_needed"
    assert (await run(*make, "--handle", "../dao", status=2))["code"] == "handle_malformed"
    brought = bridge.offices[KH].folder / "officers" / "sokha.key"
    made = await run(*make, "--key", brought)
    assert (made["handle"], made["request"]) == ("sokha", None)
    assert (await run("send", "--desk", nothing, status=2))["code"] == "file_or_draft"
    other = ("read", "0123456789", "--handle", "dao", "--desk", nothing)
    assert (await run(*other, status=3))["code"] == "desk_differs"
    error = await run("send", "--draft", "7", "--desk", nothing, status=2)
    assert error["code"] == "draft_unknown"


async def test_an_officer_who_watches_hears_at_once(bridge: Bridge, run: Run, secret: Path) -> None:
    programs = bridge.place / "programs"
    popups = await asyncio.to_thread(notifying, programs)
    async with desk_bridge(bridge) as world:
        desk = (await world.desk()).folder
        env = environment()
        watching = await asyncio.create_subprocess_exec(
            *saphan_command("inbox", "--watch", "--json", "--desk", desk),
            *("--passphrase-file", str(secret)),
            stdout=subprocess.PIPE,
            env=env | {"PATH": f"{programs}:{env['PATH']}"},
        )
        assert watching.stdout is not None
        sent = await world.la.send(wish())
        async with asyncio.timeout(30):
            assert sent.hex().encode() in await watching.stdout.readline()
        second = await world.la.send(wish(urgency="immediate"))
        async with asyncio.timeout(30):
            assert second.hex().encode() in await watching.stdout.readline()
        await eventually(lambda: popups.read_text().count("--app-name=Saphan") == 2)
        watching.terminate()
        await watching.wait()
    one, two = popups.read_text().split("--app-name=Saphan\n")[1:]
    assert "--urgency=low" in one
    assert "--urgency=critical" in two
    for word in (sent.hex(), second.hex(), LA, KH, "case_statistics", "amber", *titles(wish())):
        assert word not in one + two


def notifying(folder: Path) -> Path:
    """A notify-send that writes what it is told, one argument a line."""
    folder.mkdir()
    program, told = folder / "notify-send", folder / "told"
    told.touch()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {told}\n')
    program.chmod(0o700)
    return told


def titles(one: Wish) -> list[str]:
    """What stands first in a bulletin, in every language."""
    return [str(text) for text in one.about["title"].values()]


async def test_an_officer_hears_that_the_node_has_stopped(bridge: Bridge, run: Run) -> None:
    """The line stands still for two histories; each look into the inbox says so, until it ends."""
    async with desk_bridge(bridge) as world:
        desk = await enrolled(world, run)
        before = world.kh.line.state
        why = "two histories; the proof is /srv/split-view-1.json"
        world.kh.line.state = LineState("stopped", 1_752_624_000_000, 0, "split_view", why)
        inbox = await run("inbox", "--desk", desk)
        assert inbox["stopped"] == {
            "code": "split_view",
            "message": why,
            "since": 1_752_624_000_000,
        }
        assert (await run("desk", "sync", desk))["stopped"] == inbox["stopped"]
        world.kh.line.state = before
        assert (await run("inbox", "--desk", desk))["stopped"] is None
