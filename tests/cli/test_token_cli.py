"""`saphan token`: a keeper gives a case system its own way to the node, and takes it back."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from saphan import Node
from saphan.cli.main import main
from saphan_schemas.errors import Refused
from support.bridge import LA, Bridge, bridged

COMMAND = ("token", "add", "records", "--right", "read", "--right", "status")


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made:
        made.url = "ws://127.0.0.1:9"  # nobody there: the API works without a line
        yield made


class Keeper:
    """Commands in the agency's folder."""

    def __init__(self, bridge: Bridge, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = bridge.place / LA
        self._capsys = capsys

    async def run(self, *arguments: str, status: int = 0) -> tuple[str, str]:
        self._capsys.readouterr()
        found = await asyncio.to_thread(main, [*arguments, "--dir", str(self.folder)])
        out = self._capsys.readouterr()
        assert found == status, out.err
        return out.out, out.err

    async def rows(self) -> list[dict[str, Any]]:
        out, _ = await self.run("token", "list", "--json")
        found: list[dict[str, Any]] = json.loads(out)["tokens"]
        return found


async def test_a_token_is_made_used_listed_and_revoked(
    bridge: Bridge, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "records.token"
    async with bridge.node_with_api(LA, listen=("127.0.0.1", 0)):
        keeper = Keeper(bridge, capsys)
        out, err = await keeper.run("token", "list")
        assert "no tokens" in out
        out, err = await keeper.run(*COMMAND, "--out", str(file))
        secret = file.read_text().strip()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert secret not in out + err
        assert str(file) in out
        assert [row["used"] for row in await keeper.rows()] == [None]

        async with Node(keeper.folder, token_file=file) as node:
            assert [bulletin async for bulletin in node.inbox(follow=False)] == []
            with pytest.raises(Refused, match="token_scope"):
                await node.send(to=LA, schema="saphan/case_statistics/1", about={}, body={})
        (row,) = await keeper.rows()
        assert (row["name"], row["rights"]) == ("records", ["read", "status"])
        assert row["used"] >= row["made"]
        assert secret not in json.dumps(row)
        out, _ = await keeper.run("token", "list")
        assert "records" in out
        assert "last used" in out

        await keeper.run("token", "revoke", "records")
        async with Node(keeper.folder, token_file=file) as node:
            with pytest.raises(Refused, match="token_revoked"):
                await node.identity()
        _, err = await keeper.run("token", "revoke", "records", status=2)
        assert "token_unknown" in err


async def test_a_token_that_cannot_be_kept_opens_nothing(
    bridge: Bridge, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its file is there already: the command fails, and no token is left that nobody holds."""
    file = tmp_path / "records.token"
    file.write_text("somebody's own notes")
    async with bridge.node_with_api(LA):
        keeper = Keeper(bridge, capsys)
        _, err = await keeper.run(*COMMAND, "--out", str(file), status=5)
        assert "file_exists" in err
        assert file.read_text() == "somebody's own notes"
        assert [row["state"] for row in await keeper.rows()] == ["revoked"]


async def test_whose_token_it_is_must_be_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ((), ("--right", "read", "--officer", "dao"), ("--right", "everything")):
        with pytest.raises(SystemExit) as ended:
            main(["token", "add", "records", *words, "--out", str(tmp_path / "t")])
        assert ended.value.code == 2
    assert not (tmp_path / "t").exists()
