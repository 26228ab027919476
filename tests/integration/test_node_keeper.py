"""What the keeper of a node sees of it, and what it can hand to an auditor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from saphan.cli.main import main
from saphan_schemas.errors import OperatorError
from support.bridge import LA, Bridge, agreed, eventually, opened

Run = Callable[..., Awaitable[str]]


@pytest.fixture
def run(bridge: Bridge, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command of la.ospp's keeper: what it prints, or its error where one is expected."""

    async def command(*words: object, status: int = 0) -> str:
        capsys.readouterr()
        given = [str(word) for word in words]
        if given[0] == "node":
            given += ["--dir", str(bridge.place / LA)]
        found = await asyncio.to_thread(main, given)
        shown = capsys.readouterr()
        assert found == status, shown.err
        return shown.err if status else shown.out

    return command


async def test_its_keeper_sees_how_a_node_stands(bridge: Bridge, run: Run) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node_with_api(LA) as la:
            await agreed(la)
            await opened(la)
            page = await run("node", "status")
            assert "open since" in page
            assert "kh.gpo, la.ospp" in page
            assert "No alarms." in page
            la.alarms.sound(OperatorError("bulletin_refused", "it is not carried", hint="look"))
            page = await run("node", "status")
            assert "it is not carried (bulletin_refused, 1)" in page
            assert "No alarms." not in page
    async with bridge.node_with_api(LA) as la:
        await eventually(lambda: la.line.state.state == "waiting")
        assert "broker_unreachable" in await run("node", "status")


async def test_an_auditor_fetches_the_logs_with_the_sessions_token(
    bridge: Bridge, run: Run, tmp_path: Path
) -> None:
    token, logs = tmp_path / "token", tmp_path / "logs"
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node_with_api(LA) as la:
            await opened(la)
            assert "token_required" in await run("audit", "fetch", bridge.url, logs, status=3)
            shown = await run("node", "token", "--out", token)
            secret = await asyncio.to_thread(token.read_text)
            assert secret.strip() not in shown
            assert token.stat().st_mode & 0o777 == 0o600
            await run("audit", "fetch", bridge.url, logs, "--token-file", token)
            assert (logs / "evidence" / "checkpoint").is_file()
    async with bridge.node_with_api(LA) as la:
        await eventually(lambda: la.line.state.state == "waiting")
        assert "line_down" in await run("node", "token", "--out", tmp_path / "other", status=4)
