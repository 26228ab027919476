"""What leaves a desk's page: attachments, paper, evidence; each is a record before it is there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.web import StreamResponse
from multidict import CIMultiDictProxy
from saphan.desk.confirming import Confirming
from saphan.desk.desk import Desk
from saphan.desk.files import EVIDENCE, download_name
from saphan.desk.line import DeskLine
from saphan.desk.store import Shelf
from saphan.evidence.checking import check_bundle
from saphan.node.desks.evidence import FOLDER
from saphan.node.policy.settings import SETTINGS_NAME
from saphan.node.service import NodeService
from saphan.web.reading import taking
from saphan_protocol.bundle.report import Outcome
from saphan_schemas.desk_frames import AskEvidencePart
from saphan_schemas.errors import InvalidInput, OperatorError
from support.attaching import pdf, send
from support.bridge import KH, Bridge, eventually
from support.desks import ready_bridge
from support.reading_page import Reader, reading, words

SIZE = 300 * 1024 + 77
Export = tuple[str, str, int | None]


@pytest.fixture
async def bridge(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    monkeypatch.setattr("saphan.node.desks.session.NEWS_PAUSE_S", 0.05)
    async with ready_bridge() as made:
        yield made


def exports(node: NodeService, bulletin: str) -> list[Export]:
    """What a node has on record of what left: (kind, by, number)."""
    rows = node.subjects.exports.listed(bytes.fromhex(bulletin))
    return [(row["kind"], row["by"], row["number"]) for row in rows]


async def order(
    reader: Reader, path: str, data: dict[str, str] | None = None
) -> tuple[int, CIMultiDictProxy[str], bytes]:
    """Status, headers and bytes of what a browser would save."""
    page = reader.page
    headers = page.headers(Origin=f"http://{page.host}")
    async with page.http.post(page.url(path), headers=headers, data=data or {}) as answer:
        return answer.status, answer.headers, await answer.read()


async def test_an_attachment_is_saved_and_never_shown(bridge: Bridge) -> None:
    async with reading(bridge) as reader:
        data = pdf(SIZE)
        sent = await reader.came(await send(reader.world.la, data))
        status, _, _ = await order(reader, f"/bulletins/{sent}/files/1")
        assert status == 400  # it was not read yet
        assert exports(reader.world.kh, sent) == []
        _, shown = await reader.page.post(f"/bulletins/{sent}/open")
        assert "1.pdf" in shown
        assert words("page.reading.file.there") in shown
        status, headers, got = await order(reader, f"/bulletins/{sent}/files/1")
        assert (status, got) == (200, data)
        assert headers["Content-Disposition"] == "attachment; filename*=UTF-8''1.pdf"
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in headers.getall("Content-Security-Policy")[-1]
        saved: Export = ("saved", "desk:dao", 1)
        await eventually(lambda: exports(reader.world.kh, sent) == [saved])
        await reader.shows(f"/bulletins/{sent}", words("page.reading.file.here"))
        assert (await order(reader, f"/bulletins/{sent}/files/2"))[0] == 400


async def test_nothing_leaves_that_cannot_be_recorded(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OperatorError("desk_disk_full", "there is no room left")

    async with reading(bridge) as reader:
        data = pdf(SIZE)
        sent = await reader.came(await send(reader.world.la, data))
        await reader.page.post(f"/bulletins/{sent}/open")
        monkeypatch.setattr(Confirming, "_left", full)
        status, _, got = await order(reader, f"/bulletins/{sent}/files/1")
        assert status >= 400
        assert data[:64] not in got
        status, shown = await reader.page.post(f"/bulletins/{sent}/print")
        assert status >= 400
        assert words("page.reading.print.how") not in shown


async def test_a_paper_copy_is_recorded_and_whole(bridge: Bridge) -> None:
    async with reading(bridge) as reader:
        sent = await reader.received()
        status, _ = await reader.page.get(f"/bulletins/{sent}/print")
        assert status >= 400
        await reader.page.post(f"/bulletins/{sent}/open")
        _, asked = await reader.page.get(f"/bulletins/{sent}/print")
        assert words("page.reading.print.note") in asked
        assert exports(reader.world.kh, sent) == []
        status, paper = await reader.page.post(f"/bulletins/{sent}/print")
        assert status == 200
        for said in (sent, "saphan/drug_seizure/1", "dao", words("page.reading.fingerprint")):
            assert said in paper
        printed: Export = ("printed", "desk:dao", None)
        await eventually(lambda: exports(reader.world.kh, sent) == [printed])


async def test_evidence_is_made_by_the_node_and_proves_what_happened(
    bridge: Bridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saphan.node.evidence_ready.PAUSES_S", (0.05,))
    async with reading(bridge) as reader:
        data, node = pdf(SIZE), reader.world.kh
        sent = await reader.came(await send(reader.world.la, data))
        await reader.page.post(f"/bulletins/{sent}/open")
        status, headers, small = await order(reader, f"/bulletins/{sent}/evidence")
        assert status == 200
        assert f"{sent[:16]}.evidence" in headers["Content-Disposition"]
        assert exports(node, sent) == [("bundled", "desk:dao", None)]
        given = {"attachments": "yes"}
        status, _, whole = await order(reader, f"/bulletins/{sent}/evidence", given)
        assert status == 200
        assert len(whole) > len(small) + SIZE
        for name, got in (("small", small), ("whole", whole)):
            path = tmp_path / name
            path.write_bytes(got)
            verdict = await asyncio.to_thread(check_bundle, path, node.logs.pins)
            assert verdict.outcome is not Outcome.INVALID
            assert verdict.bulletin_id.hex() == sent
            assert data[:64] not in got
        # Nothing of it stays at the desk, or by any name at the node.
        kept = await reader.page.open.work(lambda desk: left(desk, sent))
        assert kept == 0
        assert list((node.config.data / FOLDER).iterdir()) == []


async def test_evidence_ordered_again_while_it_is_saved_comes_whole_twice(
    bridge: Bridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow browser still takes the first when the second is ordered."""
    monkeypatch.setattr("saphan.node.evidence_ready.PAUSES_S", (0.05,))
    giving, go_on, whole = asyncio.Event(), asyncio.Event(), taking.give

    async def slow(*given: Any) -> StreamResponse:
        if not giving.is_set():
            giving.set()
            await go_on.wait()
        return await whole(*given)

    async with reading(bridge) as reader:
        sent = await reader.came(await send(reader.world.la, pdf(SIZE)))
        await reader.page.post(f"/bulletins/{sent}/open")
        monkeypatch.setattr(taking, "give", slow)
        path = f"/bulletins/{sent}/evidence"
        first = asyncio.create_task(order(reader, path, {"attachments": "yes"}))
        await giving.wait()
        second = asyncio.create_task(order(reader, path))
        alone = reader.page.open.alone(f"evidence {sent}")
        await eventually(lambda: second.done() or "waiters" in repr(alone))
        go_on.set()
        for number, (status, _, got) in enumerate(await asyncio.gather(first, second)):
            assert status == 200
            bundle = tmp_path / str(number)
            bundle.write_bytes(got)
            verdict = await asyncio.to_thread(check_bundle, bundle, reader.world.kh.logs.pins)
            assert verdict.outcome is not Outcome.INVALID
        assert await reader.page.open.work(lambda desk: left(desk, sent)) == 0


def left(desk: Desk, bulletin: str) -> int:
    """Parts of evidence that rest at the desk, and records that wait."""
    waits = len(desk.store.all(Shelf.EXPORTS))
    return waits + desk.store.parts(download_name(bytes.fromhex(bulletin), EVIDENCE))


async def test_a_desk_gets_no_evidence_but_what_it_asked_for_and_may_see(bridge: Bridge) -> None:
    async with reading(bridge) as reader:
        desk, node = reader.page.open, reader.world.kh
        sent = await reader.received()
        raw = bytes.fromhex(sent)

        async def part(_: Desk, line: DeskLine) -> None:
            await line.ask(AskEvidencePart(line.number(), raw, 0, 100))

        with pytest.raises(InvalidInput, match="evidence_unmade"):
            await desk.ask(part)
        status, _, _ = await order(reader, f"/bulletins/{'ab' * 32}/evidence")
        assert status == 400
        rule = {"officers": ["dao"], "schemas": ["saphan/case_statistics/1"]}
        settings = json.dumps({"saphan": "settings/1", "rules": [rule]})
        await asyncio.to_thread((bridge.offices[KH].node / SETTINGS_NAME).write_text, settings)
        await node.reread_settings()
        status, _, _ = await order(reader, f"/bulletins/{sent}/evidence")
        assert status == 400
        assert exports(node, sent) == []
        assert desk.line.state.online


async def test_what_was_taken_back_still_has_evidence(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saphan.node.evidence_ready.PAUSES_S", (0.05,))
    async with reading(bridge) as reader:
        sent = await reader.received()
        await reader.page.post(f"/bulletins/{sent}/open")
        await reader.world.la.recalls.order(bytes.fromhex(sent), "error", "keeper")
        await reader.shows(f"/bulletins/{sent}", words("page.reading.proves.erased"))
        status, _, given = await order(reader, f"/bulletins/{sent}/evidence")
        assert status == 200
        assert len(given) > 10_000
        assert (await reader.page.get(f"/bulletins/{sent}/print"))[0] >= 400
