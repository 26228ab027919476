"""A node alarms on an operation in its own agency's name that its people did not make."""

from __future__ import annotations

import asyncio
import base64
import shutil
from pathlib import Path

import pytest
from saphan.keyring import add_key
from saphan.local_api import LocalNode
from saphan.node.service import NodeService
from saphan.office import Office
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.records import Role
from support.bridge import CHEAP, LA, SECRET, Bridge, agreed, eventually, opened
from support.command import saphan


def codes(node: NodeService) -> list[str]:
    return [alarm.code for alarm in node.alarms.standing()]


async def made_elsewhere(bridge: Bridge, copy: Path) -> bytes:
    """An operation by somebody who has the root's key and passphrase, on another machine."""

    def make() -> bytes:
        shutil.copytree(bridge.offices[LA].folder, copy, ignore=shutil.ignore_patterns("*.sock"))
        made = add_key(
            Office(copy), Role.OFFICER, SECRET, now=bridge.clock(), handle="mole",
            passphrase=SECRET, cost=CHEAP,
        )  # fmt: skip
        return made.operation.read_bytes()

    return await asyncio.to_thread(make)


async def test_a_foreign_operation_is_an_alarm_until_a_person_has_looked(
    bridge: Bridge, tmp_path: Path
) -> None:
    async with bridge.broker_running() as broker:
        await bridge.enrol()
        operation = await made_elsewhere(bridge, tmp_path / "copy")
        async with bridge.node(LA) as la:
            await agreed(la)
            assert codes(la) == []
            await broker.admit_operation(operation)
            await eventually(lambda: codes(la) == ["operation_foreign"])
            (alarm,) = la.alarms.standing()
            assert "operation 2 (add officer mole)" in alarm.message
        async with bridge.node(LA) as la:  # it stands until somebody has looked
            await eventually(lambda: codes(la) == ["operation_foreign"])
            known = [row["known"] for row in la.watching.operations.listed()]
            assert known == ["made", None]
            with pytest.raises(InvalidInput, match="no operation 3"):
                la.watching.operations.acknowledge(3)
            assert la.watching.operations.acknowledge(2) == operation
            assert codes(la) == []
        async with bridge.node(LA) as la:
            await la.watching.look()
            assert codes(la) == []
            assert la.watching.operations.listed()[1]["known"] == "acknowledged"


async def test_a_folder_out_of_a_backup_goes_on_where_the_log_stands(
    bridge: Bridge, tmp_path: Path
) -> None:
    """Officer mole was enrolled after the backup: until the folder knows, nothing new is logged."""
    office = bridge.offices[LA]
    async with bridge.broker_running() as broker:
        await bridge.enrol()
        operation = await made_elsewhere(bridge, tmp_path / "yesterdays-other")
        async with bridge.node_with_api(LA) as la:
            await agreed(la)
            await broker.admit_operation(operation)
            await eventually(lambda: codes(la) == ["operation_foreign"])
            words = ("keys", "acknowledge", "2", "--yes", "--dir", office.folder)
            said = await asyncio.to_thread(saphan, *words)
            assert "0002.saphan" in said.out
            assert codes(la) == []
    assert office.operation(2).read_bytes() == operation
    made = await asyncio.to_thread(lambda: add_key(office, Role.MAILBOX, SECRET, now=0))
    assert made.version == 3


async def test_what_was_handed_in_through_the_node_is_known(bridge: Bridge, tmp_path: Path) -> None:
    """The ceremony's folder is on another machine; only the finished operation comes here."""
    async with bridge.broker_running():
        await bridge.enrol()
        operation = await made_elsewhere(bridge, tmp_path / "offline")
        async with bridge.node_with_api(LA) as la:
            await opened(la)
            await agreed(la)
            local = LocalNode(bridge.offices[LA].node)
            body = {"operation": base64.b64encode(operation).decode()}
            await asyncio.to_thread(local.post, "/v1/directory", body)
            await eventually(lambda: len(la.watching.operations.listed()) == 2)
            assert la.watching.operations.listed()[1]["known"] == "submitted"
            await la.watching.look()
            assert codes(la) == []
            # Another one of its number, too late: the broker refuses it, and nothing is forgotten.
            late = await made_elsewhere(bridge, tmp_path / "late")
            body = {"operation": base64.b64encode(late).decode()}
            with pytest.raises(Refused, match="operation_chain"):
                await asyncio.to_thread(local.post, "/v1/directory", body)
            await la.watching.look()
            assert codes(la) == []
