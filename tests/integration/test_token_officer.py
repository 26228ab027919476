"""An officer whose key lies half in a file, half on a real PKCS#11 token (SoftHSM): a working day.

By the commands alone, between real nodes and a real broker.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan.keys.keyfiles import read_key, write_sealed
from saphan_schemas.records import Role
from support import officers
from support.bridge import CHEAP, KH, LA, SECRET, Bridge, agreed, eventually, states, wish
from support.command import answered as run
from support.desk_letters import letter
from support.desks import desk_bridge, ready_bridge
from support.softhsm import Tokens, drawer


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    async with ready_bridge() as made:
        yield made


@pytest.fixture
async def tokens(tmp_path: Path) -> AsyncIterator[Tokens]:
    made = await asyncio.to_thread(drawer, tmp_path / "drawer", "desk")
    with made.here():
        yield made


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase"
    path.touch(mode=0o600)
    path.write_text("open sesame of a test\n")
    return path


def cheapen(path: Path) -> None:
    """The same halves under the same passphrase, for the commands that will open the file."""
    key = read_key(path, Role.OFFICER, SECRET)
    path.unlink()
    write_sealed(path, key, SECRET, CHEAP)


def pull(tokens: Tokens) -> None:
    """Take the token out; SoftHSM looks into its drawer when it is started."""
    tokens.pull()
    tokens.forget()


def put_back(tokens: Tokens) -> None:
    tokens.put_back()
    tokens.forget()


async def test_at_a_desk(bridge: Bridge, tokens: Tokens, secret: Path, tmp_path: Path) -> None:
    file, passphrase = tmp_path / "bulletin.json", ("--passphrase-file", secret)
    pin = ("--pin-file", tokens.pin_file)
    await asyncio.to_thread(file.write_bytes, letter(LA).data)
    async with desk_bridge(bridge) as world:
        office = ("--dir", bridge.place / KH)
        desk, invitation = bridge.place / "desk", bridge.place / "invitation"
        invited = await run(
            "desk", "invite", *office, "--out", invitation, "--address", world.address
        )
        init = (
            *("desk", "init", desk, "--invitation", invitation, "--handle", "dao"),
            *("--words", invited["words"], *passphrase),
            *("--token", "desk", "--pkcs11", tokens.library, *pin),
        )
        made = await run(*init)
        again = await run(*init)  # the power failed before the person saw the words
        assert again["key_id"] == made["key_id"]
        await asyncio.to_thread(cheapen, desk / "officer.key")
        asked = ("keys", "add", "officer", "--request", made["request"])
        refused = await run(*asked, *office, "--token", "desk", status=2)
        assert refused["code"] == "pkcs11_token_named"
        added = await run(
            *asked,
            *("--words", made["words"], *office, *passphrase),
        )
        await run("keys", "submit", added["operation"], *office)
        await eventually(lambda: world.kh.logs.directory.find(bytes.fromhex(made["key_id"])))

        sent = await world.la.send(wish())
        await eventually(lambda: states(world.la, sent) == ["accepted"])
        at = ("--desk", desk, *passphrase, *pin)
        assert [row["id"] for row in (await run("inbox", *at))["bulletins"]] == [sent.hex()]
        await run("read", sent.hex(), *at)
        mine = await run("send", file, "--to", LA, *at)
        status = await run("status", mine["id"], "--wait", *at)
        assert (status["author"], status["deliveries"][0]["state"]) == ("dao", "accepted")

        await asyncio.to_thread(pull, tokens)
        refused = await run("send", file, "--to", LA, *at, status=5)
        assert refused["code"] == "pkcs11_token_missing"
        assert (await run("inbox", *at, status=5))["code"] == "pkcs11_token_missing"
        outbox = await run("desk", "outbox", desk, *passphrase, *pin)
        assert [row["id"] for row in outbox["outbox"]] == [mine["id"]]
        # What was opened here opens with the passphrase: nothing is signed for it.
        assert (await run("read", sent.hex(), *at))["content"]["body"] == wish().body
        await asyncio.to_thread(put_back, tokens)
        await run("send", file, "--to", LA, *at)


async def test_in_the_agencys_folder(
    bridge: Bridge, tokens: Tokens, secret: Path, tmp_path: Path
) -> None:
    file, pin = tmp_path / "bulletin.json", ("--pin-file", tokens.pin_file)
    await asyncio.to_thread(file.write_bytes, letter(LA).data)
    folder = bridge.place / KH
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node_with_api(KH) as kh:
        await agreed(la)
        added = await run(
            *("keys", "add", "officer", "--handle", "khamla", "--dir", folder),
            *("--passphrase-file", secret, "--new-passphrase-file", secret),
            *("--token", "desk", "--pkcs11", tokens.library, *pin),
        )
        await asyncio.to_thread(cheapen, Path(added["key_file"]))
        await run("keys", "submit", added["operation"], "--dir", folder)
        await eventually(lambda: kh.logs.directory.find(bytes.fromhex(added["key_id"])))
        me = ("--dir", folder, "--handle", "khamla", "--passphrase-file", secret, *pin)

        sent = await la.send(wish())
        await eventually(lambda: states(la, sent) == ["accepted"])
        await asyncio.to_thread(pull, tokens)
        refused = await run("read", sent.hex(), *me, status=5)
        assert refused["code"] == "pkcs11_token_missing"
        assert kh.db.rows("SELECT bulletin FROM readings") == []
        await asyncio.to_thread(put_back, tokens)

        assert (await run("read", sent.hex(), *me))["content"]["body"] == wish().body
        mine = bytes.fromhex((await run("send", file, "--to", LA, *me))["id"])
        await eventually(lambda: states(kh, mine) == ["accepted"])

        everybody = {"*": {"clearance": "red"}}
        await officers.settings(bridge, kh, four_eyes=[{}], officers=everybody)
        sokha = ("--dir", folder, "--handle", "sokha", "--passphrase-file", secret)
        await run("send", file, "--to", LA, *sokha)
        (waits,) = (await run("countersign", "list", *me))["drafts"]
        both = bytes.fromhex((await run("countersign", "sign", waits["id"], "--yes", *me))["id"])
        await eventually(lambda: states(kh, both) == ["accepted"])

        await asyncio.to_thread(tokens.write_pin, "999999")
        tokens.forget()  # every command of a person is a process of its own
        wrong = await run("send", file, "--to", LA, *me, status=5)
        assert (wrong["code"], "999999" in str(wrong)) == ("pkcs11_pin_wrong", False)


async def test_the_roles_that_have_no_token(tokens: Tokens, secret: Path, bridge: Bridge) -> None:
    for words in (("add", "order"), ("add", "node"), ("rotate", "mailbox")):
        refused = await run(
            *("keys", *words, "--dir", bridge.place / KH, "--passphrase-file", secret),
            *("--token", "desk", "--pkcs11", tokens.library, "--pin-file", tokens.pin_file),
            status=2,
        )
        assert refused["code"] == "pkcs11_officers_only"
