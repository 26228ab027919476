"""Attachments as people and case systems meet them: commands, SDK, local API."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from saphan import Node
from saphan.cli.main import main
from saphan.local_api import LocalNode
from saphan.node.service import NodeService
from saphan_schemas.errors import InvalidInput, OperatorError, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Blob
from saphan_schemas.samples import sample
from support.attaching import pdf, upload
from support.bridge import KH, LA, Bridge, agreed, eventually, opened, states, wish

PNG = b"\x89PNG\r\n\x1a\n" + bytes(3_000)


@asynccontextmanager
async def both(bridge: Bridge) -> AsyncIterator[tuple[NodeService, NodeService]]:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node_with_api(LA) as la, bridge.node_with_api(KH) as kh:
            await agreed(la)
            await opened(kh)
            yield la, kh


@asynccontextmanager
async def alone(bridge: Bridge) -> AsyncIterator[tuple[NodeService, aiohttp.ClientSession]]:
    """A node without a line, and a client of its API."""
    bridge.url = "ws://127.0.0.1:9"
    async with bridge.node_with_api(LA) as node:
        token = node.config.token_file.read_text().strip()
        connector = aiohttp.UnixConnector(str(node.config.socket))
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(
            "http://node", connector=connector, headers=headers
        ) as http:
            yield node, http


async def test_the_sdk_attaches_saves_and_overwrites_nothing(
    bridge: Bridge, tmp_path: Path
) -> None:
    report, photo = tmp_path / "ບົດລາຍງານ.pdf", tmp_path / "photo.png"
    report.write_bytes(pdf(700_000))
    photo.write_bytes(PNG)
    one, out = wish(), tmp_path / "out"
    out.mkdir()
    async with both(bridge) as (la, kh), Node(bridge.place / LA) as here:
        sent = await here.send(
            to=KH,
            schema=one.schema,
            about=one.about,
            body=one.body,
            attachments=[report, ("photo", photo)],
        )
        await eventually(lambda: states(la, bytes.fromhex(sent)) == ["accepted"])
        assert [*(la.config.blobs / "uploads").iterdir()] == []
        async with Node(bridge.place / KH) as there:
            with pytest.raises(Refused, match="attachment_unread"):
                await there.save(sent, 1, out)
            (got,) = [bulletin async for bulletin in there.inbox(follow=False)]
            assert [(a.number, a.name, a.role, a.length) for a in got.attachments] == [
                (1, "ບົດລາຍງານ.pdf", "other", 700_000),
                (2, "photo.png", "photo", len(PNG)),
            ]
            saved = await there.save(sent, 1, out)
            assert saved == out / "ບົດລາຍງານ.pdf"
            assert saved.read_bytes() == report.read_bytes()
            assert saved.stat().st_mode & 0o777 == 0o600
            with pytest.raises(OperatorError, match="file_exists"):
                await there.save(sent, 1, out)
            with pytest.raises(InvalidInput, match="attachment_unknown"):
                await there.save(sent, 3, out)
            data = [piece async for piece in there.attachment(sent, 2, offset=1_000)]
            assert b"".join(data) == PNG[1_000:]
            assert sorted(path.name for path in out.iterdir()) == [saved.name]
        # The sender sees its own too.
        await la.read_by_system(bytes.fromhex(sent))
        assert (await here.save(sent, 2, out)).read_bytes() == PNG
        assert kh.alarms.standing() == la.alarms.standing() == []


async def test_an_officer_attaches_and_another_saves(
    bridge: Bridge, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret, file = tmp_path / "passphrase", tmp_path / "bulletin.json"
    secret.write_text("open sesame of a test\n")
    secret.chmod(0o600)
    file.write_text(json.dumps({"schema": "saphan/drug_seizure/1", **content()}))
    warrant = tmp_path / "warrant 14/2?.pdf".replace("/", "-")
    warrant.write_bytes(pdf(50_000))

    async def run(*words: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        status = await asyncio.to_thread(main, [*words, "--json"])
        out = capsys.readouterr()
        return status, json.loads(out.out or out.err)

    la_dir, kh_dir = ("--dir", str(bridge.place / LA)), ("--dir", str(bridge.place / KH))
    phrase, out = ("--passphrase-file", str(secret)), tmp_path / "saved.pdf"
    async with both(bridge) as (la, _):
        attach = ("--attach", f"warrant={warrant}")
        status, sent = await run("send", str(file), "--to", KH, *attach, *la_dir, *phrase)
        assert status == 0, sent
        await eventually(lambda: states(la, bytes.fromhex(sent["id"])) == ["accepted"])
        save = ("attachment", sent["id"][:16], "1", "--out", str(out), *kh_dir)
        assert (await run(*save))[0] == 3  # not read yet
        status, read = await run("read", sent["id"], *kh_dir, *phrase)
        assert [one["name"] for one in read["attachments"]] == ["warrant 14-2_.pdf"]
        assert await asyncio.to_thread(main, ["read", sent["id"], *kh_dir, *phrase]) == 0
        assert "warrant 14-2_.pdf" in capsys.readouterr().out
        status, saved = await run(*save)
        assert (status, saved["length"]) == (0, 50_000)
        assert out.read_bytes() == warrant.read_bytes()
        status, again = await run(*save)
        assert (status, again["error"]["code"]) == (5, "file_exists")
    assert [path.name for path in tmp_path.glob("*saved*")] == ["saved.pdf"]  # noqa: ASYNC240


async def test_bulletins_that_share_a_file_do_not_take_it_from_each_other(
    bridge: Bridge, tmp_path: Path
) -> None:
    """Eight at once attach the same two files, which are called the same in different folders."""
    files = [tmp_path / folder / "report.pdf" for folder in ("one", "two")]
    for number, path in enumerate(files):
        path.parent.mkdir()
        path.write_bytes(pdf(20_000, number))
    one = wish()
    async with both(bridge) as (la, kh), Node(bridge.place / LA) as here:
        sent = await asyncio.gather(
            *(
                here.send(
                    to=KH, schema=one.schema, about=one.about, body=one.body, attachments=files
                )
                for _ in range(8)
            )
        )
        ids = [bytes.fromhex(bulletin) for bulletin in sent]
        await eventually(lambda: all(states(la, one) == ["accepted"] for one in ids), 40)
        for bulletin in ids:
            names = [a["name"] for a in (await kh.read_by_system(bulletin))["attachments"]]
            assert names == ["report.pdf", "report-2.pdf"]


async def test_a_command_whose_upload_another_bulletin_took_brings_it_again(
    bridge: Bridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warrant, file = tmp_path / "warrant.pdf", tmp_path / "bulletin.json"
    secret = tmp_path / "passphrase"
    secret.write_text("open sesame of a test\n")
    secret.chmod(0o600)
    warrant.write_bytes(pdf(5_000))
    file.write_text(json.dumps(content() | {"schema": "saphan/drug_seizure/1"}))
    whole = LocalNode.upload
    taken: list[bytes] = []
    async with both(bridge) as (la, _):

        def upload(node: LocalNode, path: Path, blob: Blob) -> None:
            whole(node, path, blob)
            if not taken:
                taken.append(blob.digest)
                la.uploads.remove(taken)

        monkeypatch.setattr(LocalNode, "upload", upload)
        words = ["send", str(file), "--to", KH, "--attach", str(warrant)]
        words += ("--dir", str(bridge.place / LA), "--passphrase-file", str(secret))
        assert await asyncio.to_thread(main, words) == 0
        (bulletin,) = [row[0] for row in la.db.rows("SELECT id FROM bulletins")]
        await eventually(lambda: states(la, bulletin) == ["accepted"])


def content() -> dict[str, Any]:
    found = sample("drug_seizure")
    return {"about": found["about"], "body": found["body"]}


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("page.html", b"<html>", "attachment_type"),
        ("run.exe", b"MZ", "attachment_type"),
        ("not-a.pdf", b"MZ\x90\x00", "attachment_type"),
        ("empty.pdf", b"", "attachment_empty"),
        ("large.pdf", None, "attachments_too_large"),
        ("missing.pdf", ..., "file_missing"),
    ],
)
async def test_a_file_that_cannot_be_attached_is_named_before_anything_is_sent(
    bridge: Bridge, tmp_path: Path, name: str, data: Any, code: str
) -> None:
    path = tmp_path / name
    if data is None:
        with path.open("wb") as file:
            file.write(pdf(100))
            file.truncate(LIMITS.attachment_bytes + 1)
    elif data is not ...:
        path.write_bytes(data)
    one = wish()
    async with alone(bridge) as (node, _), Node(bridge.place / LA) as here:
        with pytest.raises((InvalidInput, OperatorError)) as refused:
            await here.send(
                to=KH, schema=one.schema, about=one.about, body=one.body, attachments=[path]
            )
        assert refused.value.code == code
        assert [*(node.config.blobs / "uploads").iterdir()] == []


async def test_an_upload_goes_on_where_it_stopped_and_is_dropped_if_it_is_another(
    bridge: Bridge,
) -> None:
    data = pdf(100_000)
    digest = hashlib.sha256(data).hexdigest()
    where = f"/v1/attachments/{digest}"
    async with alone(bridge) as (node, http):

        async def put(body: bytes, offset: int, length: int, path: str = where) -> tuple[int, Any]:
            target = f"{path}?offset={offset}&length={length}"
            async with http.put(target, data=body) as response:
                return response.status, await response.json()

        assert await put(data[:40_000], 0, 100_000) == (200, {"held": 40_000, "whole": False})
        status, value = await put(data, 0, 100_000)
        assert (status, value["code"]) == (400, "attachment_offset")
        assert "offset=40000" in value["hint"]
        assert await put(data[40_000:], 40_000, 100_000) == (200, {"held": 100_000, "whole": True})
        assert await put(b"", 0, 100_000) == (200, {"held": 100_000, "whole": True})
        async with http.get(where) as response:
            assert await response.json() == {"held": 100_000, "whole": True}
        other = f"/v1/attachments/{'0' * 64}"
        for body, length, code in (
            (data, 100_000, "attachment_digest"),  # other bytes than their name says
            (data, 50_000, "attachment_digest"),  # more than were announced
            (b"", 0, "attachment_empty"),
            (b"", LIMITS.attachment_bytes + 1, "attachments_too_large"),
        ):
            assert (await put(body, 0, length, other))[1]["code"] == code
        assert (await put(b"", 0, 9, "/v1/attachments/xyz"))[1]["code"] == "attachment_digest"
        uploads = node.config.blobs / "uploads"
        (kept,) = (path for path in uploads.iterdir() if path.name == digest)
        assert (kept.name, kept.stat().st_mode & 0o777) == (digest, 0o600)
        assert data[:9] not in await asyncio.to_thread(kept.read_bytes)
        opened = b"".join(await asyncio.to_thread(list, node.uploads.pieces(bytes.fromhex(digest))))
        assert opened == data


async def test_what_nobody_sends_is_removed_after_a_day(bridge: Bridge) -> None:
    bridge.url = "ws://127.0.0.1:9"
    async with bridge.node(LA) as node:
        begun = await asyncio.to_thread(node.uploads.begin, b"d" * 32, 0, 100)
        assert begun is not None
        await asyncio.to_thread(begun.append, b"half")
        begun.close()
        assert node.uploads.held(b"d" * 32) == (4, False)
        bridge.node_clock.ahead = LIMITS.uploads_ms + 60_000
        await asyncio.to_thread(node.uploads.sweep)
        assert node.uploads.held(b"d" * 32) == (0, False)
        assert list((node.config.blobs / "uploads").iterdir()) == []


async def test_what_a_stopped_node_had_of_uploads_is_noise_and_goes(bridge: Bridge) -> None:
    """The key is in memory alone: a disk that is taken away shows nothing of them."""
    bridge.url, data = "ws://127.0.0.1:9", pdf(50_000)
    uploads = bridge.place / LA / "node/data/blobs/uploads"
    async with bridge.node(LA) as node:
        await asyncio.to_thread(upload, node, data)
    (left,) = uploads.iterdir()
    assert not any(data[at : at + 16] in left.read_bytes() for at in range(0, 50_000, 16))
    async with bridge.node(LA) as node:
        assert list(uploads.iterdir()) == []
        assert node.uploads.held(hashlib.sha256(data).digest()) == (0, False)


async def test_ten_thousand_attachments_are_refused_by_their_number(bridge: Bridge) -> None:
    one = wish()
    attached = {"digest": "0" * 64, "name": "a.pdf", "media_type": "application/pdf"}
    value: dict[str, Any] = {"to": [KH], "schema": one.schema, "about": one.about, "body": one.body}
    async with alone(bridge) as (_, http):
        for count, code in ((10_000, "too_large"), (33, "malformed"), (32, "attachment_missing")):
            value["attachments"] = [attached] * count
            body = io.BytesIO(json.dumps(value).encode())
            async with http.post("/v1/bulletins", data=body) as response:
                assert (response.status, (await response.json())["code"]) == (400, code)
