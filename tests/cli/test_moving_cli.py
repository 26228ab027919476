"""`saphan-broker copy`, `backup`, `restore` as an operator gives them, on a real server."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
from pathlib import Path

import pytest
from saphan_broker.cli.progress import BAR, ProgressBar
from support.broker_command import BrokerRan, saphan_broker, saphan_broker_here
from support.brokers import World
from support.carried import PARTIES, answer_all
from support.command import saphan_here
from support.servers import Server


@pytest.fixture
def world(carried_world: World) -> World:
    """It is only read."""
    return carried_world


@pytest.fixture
def place(world: World, tmp_path: Path, server: Server) -> Path:
    """The same broker in a place of this test's own, and nothing of it on the server."""
    with server.client() as client:
        client.flushall()
    shutil.copytree(world.data, tmp_path / "data")
    shutil.copytree(world.keys, tmp_path / "keys")
    return tmp_path


def test_there_and_back_and_an_audit_of_each(place: Path, server: Server) -> None:
    """The five commands of the page, in their order; every audit prints the same."""
    here = ("--data", place / "data", "--keys", place / "keys")
    redis = ("--redis", server.address().url, "--blobs", place / "objects")
    first = audited(place, "first")
    ran = saphan_broker("copy", *here, *redis, "--to", "redis", "--json")
    assert ran.err == ""
    assert (ran.json["attachments"], ran.json["lost"], ran.json["resumed"]) == (2, 0, 0)
    assert audited(place, "second", *redis) == first
    refused_as_moved(place, "add the --redis options")
    (place / "data/broker.db").rename(place / "old.db")
    shutil.rmtree(place / "data/blobs")
    ran = saphan_broker_here("copy", *here, *redis, "--to", "sqlite")
    assert "every row gives the same answer" in ran.out
    assert audited(place, "third") == first
    refused_as_moved(place, "leave the options of the server out", *redis)


def refused_as_moved(place: Path, hint: str, *where: str | Path) -> None:
    """What a move has left behind is neither run nor backed up."""
    data, keys = ("--data", place / "data"), ("--keys", place / "keys")
    listen = ("--listen", "127.0.0.1:0", "--plain")
    for words in (("run", *listen), ("backup", "--out", place / "stale")):
        ran = saphan_broker_here(*words, *data, *keys, *where, status=5)
        assert (ran.code, ran.hint.startswith(hint)) == ("store_moved", True)
    assert not (place / "stale").exists()


def audited(place: Path, name: str, *where: str | Path) -> str:
    """What `saphan audit verify` prints of the public logs and the records of a store."""
    folder, pack = place / name, place / f"{name}.pack"
    data, keys = ("--data", place / "data"), ("--keys", place / "keys")
    saphan_broker_here("log", "export", *data, *where, "--out", folder)
    saphan_broker_here("records", "export", *data, *keys, *where, "--out", pack)
    pins = place / "data/pins.json"
    ran = saphan_here("audit", "verify", folder, "--pins", pins, "--pack", pack)
    return ran.out.replace(str(place / name), "")


def test_a_backup_is_put_back_on_either_engine(place: Path, server: Server) -> None:
    keys = ("--keys", place / "keys")
    redis = ("--redis", server.address().url)
    kept = place / "kept"
    ran = saphan_broker_here("backup", "--data", place / "data", "--out", kept)
    assert str(kept) in ran.out
    onto = ("restore", "--from", kept, *keys)
    ran = saphan_broker_here(*onto, "--data", place / "new")
    assert "may run" in ran.out
    ran = saphan_broker_here(*onto, "--data", place / "there", *redis, "--json")
    assert (ran.json["lacking"], ran.json["attachments"]) == ({}, 2)
    again = ("backup", "--data", place / "there", *redis, "--out", place / "again", "--json")
    assert saphan_broker_here(*again, *keys).json["evidence"] == ran.json["evidence"]
    assert sorted(names(place / "again")) == sorted(names(kept))


def test_a_backup_that_is_behind_is_put_back_and_not_run(place: Path, world: World) -> None:
    keys = ("--keys", place / "keys")
    kept = place / "kept"
    saphan_broker_here("backup", "--data", place / "data", "--out", kept)
    asyncio.run(go_on(place, world))
    ran = saphan_broker_here("restore", "--from", kept, *keys, "--data", place / "new")
    assert "It lacks" in ran.out
    words = ("run", "--data", place / "new", *keys, "--listen", "127.0.0.1:0", "--plain")
    ran = saphan_broker_here(*words, status=5)
    assert ran.code == "store_behind_signer"
    assert "saphan-broker succeed" in ran.hint


async def go_on(place: Path, world: World) -> None:
    """The broker signs some more."""
    working = World(place, *PARTIES)
    working._pins, working.agencies = world.pins, world.agencies
    async with working.running():
        await answer_all(working)


def names(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def test_what_is_missing_is_named(place: Path) -> None:
    here = ("--data", place / "data", "--keys", place / "keys", "--json")
    url = "redis://127.0.0.1:1"
    cases: list[tuple[tuple[str | Path, ...], str, str]] = [
        (("copy", *here, "--to", "redis"), "option_missing", "redis"),
        (("backup", "--data", place, "--out", place, "--redis", url), "option_missing", "keys"),
        (("backup", "--data", place / "no", "--out", place / "kept"), "store_missing", "data"),
        (("restore", *here, "--from", place), "backup_unfinished", "from"),
    ]
    for words, code, field in cases:
        ran = saphan_broker_here(*words, "--json", status=2 if code == "option_missing" else 5)
        assert (error(ran)["code"], error(ran)["field"]) == (code, field)
        assert error(ran)["hint"]


def error(ran: BrokerRan) -> dict[str, str]:
    found: dict[str, str] = json.loads(ran.err)["error"]
    return found


def test_a_broker_does_not_run_on_half_a_copy(place: Path, server: Server) -> None:
    here = ("--data", place / "data", "--keys", place / "keys")
    redis = ("--redis", server.address().url)
    saphan_broker_here("copy", *here, *redis, "--to", "redis")
    name = next(key for key in keys_of(server) if key.endswith(b"directory}:head"))
    with server.client() as client:
        client.hdel(name, "note", "note_size")  # the last effect of a copy
    ran = saphan_broker_here("run", *here, *redis, "--listen", "127.0.0.1:0", "--plain", status=5)
    assert ran.code == "copy_unfinished"
    assert "copy" in ran.hint


def keys_of(server: Server) -> list[bytes]:
    with server.client() as client:
        found: list[bytes] = client.keys()
    return found


# --- progress ------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_moves_on_a_terminal_and_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("saphan_broker.cli.progress.time.monotonic", lambda: now)
    out = Terminal()
    bar = ProgressBar(out)
    bar("evidence", 1, 4)
    bar("evidence", 2, 4)  # at once: nobody could read it
    now += 1
    bar("evidence", 4, 4)
    bar.close()
    first, second, blank, end = out.getvalue().split("\r")[1:]
    assert first.startswith(f"[{'#' * (BAR // 4)}.")
    assert "1 of 4" in first
    assert second.startswith(f"[{'#' * BAR}]")
    assert (blank.strip(), end) == ("", "")


def test_a_file_gets_a_line_now_and_then_and_json_none(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("saphan_broker.cli.progress.time.monotonic", lambda: now)
    out, silent = io.StringIO(), io.StringIO()
    bars = [ProgressBar(out), ProgressBar(silent, silent=True)]
    for second in (1, 30, 31, 60):
        now = 100.0 + second
        for bar in bars:
            bar("compared", second, 60)
    assert out.getvalue().splitlines() == [
        "compared: 30 of 60 leaves",
        "compared: 60 of 60 leaves",
    ]
    assert silent.getvalue() == ""
