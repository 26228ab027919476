"""Weekly keys, revocations by hand and foreign operations at the command line (docs/keys.md).

The nodes are processes of their own, as people run them; so is every command.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role
from support import node_process
from support.bridge import KH, LA, SECRET, Bridge, bridged
from support.command import Ran, saphan, saphan_here


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made:
        made.place.joinpath("root.txt").write_bytes(SECRET.reveal())
        made.place.joinpath("root.txt").chmod(0o600)
        yield made


def agency(bridge: Bridge, name: str) -> tuple[str | Path, ...]:
    return "--dir", bridge.place / name


def root(bridge: Bridge) -> tuple[str | Path, ...]:
    return "--passphrase-file", bridge.place / "root.txt"


async def command(*words: str | Path, status: int = 0) -> Ran:
    return await asyncio.to_thread(lambda: saphan(*words, status=status))


async def shown(bridge: Bridge, name: str, code: str) -> bool:
    """Whether `saphan node status` comes to show an alarm; the bound only ends a hopeless test."""
    async with asyncio.timeout(30):
        while True:
            ran = await command("node", "status", *agency(bridge, name), "--json")
            if code in [alarm["code"] for alarm in ran.json["alarms"]]:
                return True


def rotate(bridge: Bridge, *words: str, status: int = 0) -> Ran:
    here = agency(bridge, LA)
    return saphan_here(*("keys", "rotate", "mailbox"), *here, *root(bridge), *words, status=status)


async def test_weeks_are_made_ahead_and_all_replaced(bridge: Bridge) -> None:
    def run() -> None:
        done = rotate(bridge, "--weeks", "24", "--json").json
        assert len(done["key_files"]) == 24
        assert "1 mailbox keys" in rotate(bridge, "--weeks", "1").out
        assert rotate(bridge, "--weeks", "24", status=3).code == "weeks_planned"
        assert rotate(bridge, "--weeks", "99", status=2).code == "weeks_count"
        assert rotate(bridge, "--replace", status=5).code == "not_confirmed"
        replaced = rotate(bridge, "--replace", "--yes", "--weeks", "12", "--json").json
        assert len(replaced["revoked"]) == LIMITS.mailbox_first_weeks + 25
        keys = saphan_here("keys", "list", *agency(bridge, LA), "--json").json["keys"]
        active = [key for key in keys if key["role"] == "mailbox" and key["revoked_by"] is None]
        assert len(active) == 12

    await asyncio.to_thread(run)


def revocation(bridge: Bridge) -> tuple[str, Path]:
    """(key id, file) of kh.gpo's own ceremony, which nobody else has seen."""
    (officer,) = bridge.offices[KH].replay().keys(KH, Role.OFFICER)
    made = saphan_here(
        *("keys", "revoke", officer.key_id.hex()[:16], "--yes", "--json"),
        *agency(bridge, KH), *root(bridge),
    )  # fmt: skip
    return officer.key_id.hex(), Path(made.json["operation"])


async def test_a_file_from_a_partner_binds_this_node(bridge: Bridge, tmp_path: Path) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with node_process.process(bridge, LA):
            key, file = await asyncio.to_thread(revocation, bridge)
            carried = tmp_path / "from-kh.saphan"
            await asyncio.to_thread(shutil.copyfile, file, carried)
            ran = await command("revoke", "import", carried, *agency(bridge, LA))
            assert "kh.gpo" in ran.out
            assert key[:16] in ran.out
            (row,) = await listed(bridge)
            assert row["revokes"] == [key]
            wrong = await command("revoke", "import", tmp_path, *agency(bridge, LA), status=5)
            assert wrong.code == "file_unreadable"
            text = bridge.place / "root.txt"
            wrong = await command("revoke", "import", text, *agency(bridge, LA), status=2)
            assert wrong.code == "revocation_malformed"
        async with node_process.process(bridge, LA):  # it is kept, and the log has it in the end
            async with asyncio.timeout(30):
                while not (await listed(bridge))[0]["logged"]:
                    pass  # each look is a command of half a second


async def listed(bridge: Bridge) -> list[dict[str, Any]]:
    ran = await command("revoke", "list", *agency(bridge, LA), "--json")
    rows: list[dict[str, Any]] = ran.json["bound"]
    return rows


async def test_an_unknown_operation_is_looked_at_and_acknowledged(
    bridge: Bridge, tmp_path: Path
) -> None:
    other = tmp_path / "elsewhere"

    def elsewhere() -> bytes:
        shutil.copytree(bridge.place / LA, other)
        made = saphan_here(
            *("keys", "rotate", "mailbox", "--weeks", "2", "--json", "--dir", other), *root(bridge)
        )
        return Path(made.json["operation"]).read_bytes()

    async with bridge.broker_running() as broker:
        await bridge.enrol()
        operation = await asyncio.to_thread(elsewhere)
        async with node_process.process(bridge, LA):
            await broker.admit_operation(operation)
            assert await shown(bridge, LA, "operation_foreign")
            ran = await command("keys", "operations", *agency(bridge, LA))
            assert "UNKNOWN HERE" in ran.out
            assert "add mailbox x2" in ran.out
            unasked = await command("keys", "acknowledge", "2", *agency(bridge, LA), status=5)
            assert unasked.code == "not_confirmed"
            await command("keys", "acknowledge", "2", "--yes", *agency(bridge, LA))
            rows = (await command("keys", "operations", *agency(bridge, LA), "--json")).json
            assert [row["known"] for row in rows["operations"]] == ["made", "acknowledged"]
            status = (await command("node", "status", *agency(bridge, LA), "--json")).json
            # Keys that were made elsewhere are not here: that is said too.
            assert [alarm["code"] for alarm in status["alarms"]] == ["mailbox_halves_missing"]
