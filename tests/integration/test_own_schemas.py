"""An agency's own type through broker and nodes: registered, fetched, written, judged, answered."""

from __future__ import annotations

import asyncio

import pytest
from saphan.evidence.checking import check_bundle
from saphan.evidence.exporting import NodeStore, export_bundle
from saphan.node import schema_watch
from saphan.node.api.schemas import describe_type, register_schema
from saphan.node.disclosing import Asked
from saphan.node.schema_watch import FIRST_PIECE, SchemaWatch
from saphan_broker.beside import Bundles
from saphan_schemas.bodies import digest_of
from saphan_schemas.bundles import BundleDisclosure
from saphan_schemas.codec import decode
from saphan_schemas.errors import SaphanError
from saphan_schemas.records import Signature
from support.bridge import KH, LA, Bridge, agreed, eventually, opened, states
from support.evidence import have_patience, settled
from support.own_bridge import has_it, packaged, register, report, rules
from support.own_types import BODY, OWN, bundle, content
from support.roster import alarmed


async def test_an_own_type_is_registered_fetched_and_answered(bridge: Bridge) -> None:
    """Both ways: the partner writes in it too, once its node has fetched it."""
    async with bridge.broker_running():
        await bridge.enrol(rules=rules())
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(la)
            await register(bridge, la, bundle())
            await eventually(lambda: has_it(la) and has_it(kh))
            there = await la.send(report())
            back = await kh.send(report(LA, patrols=7))
            await eventually(lambda: states(la, there) == ["accepted"])
            await eventually(lambda: states(kh, back) == ["accepted"])
            shown = await kh.read_by_system(there)
            assert shown["content"]["body"] == content()["body"]
            described = await asyncio.to_thread(describe_type, kh, OWN)
            assert described["digest"] == digest_of(bundle()).hex()
            assert described["schema"]["properties"]["body"] == BODY


async def test_content_that_the_own_type_refuses_is_never_sealed(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol(rules=rules())
        async with bridge.node(LA) as la:
            await agreed(la)
            await opened(la)
            await register(bridge, la, bundle())
            await eventually(lambda: has_it(la))
            with pytest.raises(SaphanError) as refused:
                await la.send(report(patrols=-1))
            assert (refused.value.code, refused.value.field) == (
                "schema_invalid",
                "/body/patrols",
            )


async def test_a_recipient_without_the_type_waits_then_answers(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker has lost the bundle for a while: nothing is rejected, nothing is shown."""
    async with bridge.broker_running():
        await bridge.enrol(rules=rules())
        async with bridge.node(LA) as la:
            await agreed(la)
            await opened(la)
            await register(bridge, la, bundle())
            await eventually(lambda: has_it(la))
            with monkeypatch.context() as lost:
                lost.setattr(Bundles, "read", _nothing)
                async with bridge.node(KH) as kh:
                    sent = await la.send(report())
                    await eventually(
                        lambda: kh.db.rows("SELECT 1 FROM deliveries WHERE code = 'schema_unknown'")
                    )
                    await eventually(lambda: alarmed(kh, "schema_missing"))
                    assert kh.bulletins.inbox(0, 9) == []
            assert states(la, sent) == ["handed_over"]
            async with bridge.node(KH) as kh:
                await eventually(lambda: states(la, sent) == ["accepted"])
                assert [row["id"] for row in kh.bulletins.inbox(0, 9)] == [sent.hex()]


async def test_what_the_broker_has_lost_comes_by_hand(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The partner's office sends the signed file: what waited for it is answered."""
    package = await asyncio.to_thread(packaged, bridge, bundle())
    monkeypatch.setattr(Bundles, "read", _nothing)
    async with bridge.broker_running():
        await bridge.enrol(rules=rules())
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(la)
            first = await register_schema(la, package)
            await eventually(lambda: has_it(la))
            sent = await la.send(report())
            await eventually(lambda: states(kh, sent) == ["handed_over"])
            await eventually(lambda: alarmed(kh, "schema_missing"))
            assert await register_schema(kh, package) == first
            await eventually(lambda: states(la, sent) == ["accepted"])
            assert not alarmed(kh, "schema_missing")


async def test_a_large_bundle_comes_in_parts_through_a_line_that_breaks(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = [f"CODE_{number:05d}_{'x' * 160}" for number in range(800)]
    wide = BODY | {"properties": BODY["properties"] | {"remarks": {"enum": codes}}}
    data = bundle(body=wide)
    asked: list[int] = []  # by the recipient; the registrant may ask too, before it has its answer
    ask = SchemaWatch._ask
    monkeypatch.setattr(schema_watch, "QUICK_S", 0.0)  # a slow line: pieces stay small
    async with bridge.broker_running():
        await bridge.enrol(rules=rules())
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(kh)

            async def breaks(self: SchemaWatch, name: str, offset: int) -> bytes | None:
                if self is kh.schemas:
                    asked.append(offset)
                    if len(asked) == 2:  # the second part is never answered: the line is gone
                        kh.line._session._ws._response.close()  # type: ignore[union-attr]
                return await ask(self, name, offset)

            monkeypatch.setattr(SchemaWatch, "_ask", breaks)
            await register(bridge, la, data)
            await eventually(lambda: has_it(kh))
            assert kh.own.bundle(OWN) == data
            pieces = len(data) // FIRST_PIECE + 1
            assert asked.count(FIRST_PIECE) >= 2  # the second was broken off
            assert pieces < len(asked) <= pieces + 2  # what had come did not come again


async def test_a_type_survives_the_nodes_restart(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol(rules=rules())
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(la)
            await register(bridge, la, bundle())
            await eventually(lambda: has_it(kh))
    for name in (LA, KH):
        async with bridge.node(name) as node:  # no broker
            assert has_it(node)
            assert node.own.bundle(OWN) == bundle()


async def test_a_bundle_that_the_disk_has_changed_is_fetched_again(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol(rules=rules())
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(la)
            await register(bridge, la, bundle())
            await eventually(lambda: has_it(kh))
            with kh.db.transaction() as tx:
                tx.execute("UPDATE schemas SET bundle = substr(bundle, 2)")
        async with bridge.node(KH) as kh:
            await eventually(lambda: has_it(kh))
            assert kh.own.bundle(OWN) == bundle()


async def test_a_registration_that_is_refused_here_never_reaches_the_broker(
    bridge: Bridge,
) -> None:
    async with bridge.broker_running():
        await bridge.enrol(rules=rules())
        async with bridge.node(LA) as la:
            await agreed(la)
            await opened(la)
            size = la.logs.directory.size
            wanted = {
                packaged(bridge, bundle(), whose=KH): "schema_roots",
                packaged(bridge, bundle("kh.gpo/note/1"), "kh.gpo/note/1"): "schema_roots",
                packaged(bridge, bundle("la.ospp/note/2"), "la.ospp/note/2"): "schema_version",
                packaged(bridge, bundle("la.ospp/note/1")): "schema_frame",
            }
            for package, code in wanted.items():
                with pytest.raises(SaphanError) as refused:
                    await register_schema(la, package)
                assert refused.value.code == code
            assert bridge.broker.state.directory.size == size
            assert la.db.rows("SELECT * FROM schemas") == []


async def _nothing(*_: object) -> None:
    return None


async def test_a_court_judges_content_by_the_schema_in_the_bundle(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exported by the recipient with its key; whoever checks it has only the file."""
    have_patience(monkeypatch)
    async with bridge.broker_running():
        await bridge.enrol(rules=rules())
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(la)
            await register(bridge, la, bundle())
            await eventually(lambda: has_it(la) and has_it(kh))
            sent = await la.send(report())
            await eventually(lambda: states(la, sent) == ["accepted"])
            await kh.read_by_system(sent)
            given = await asyncio.to_thread(kh.disclosing.disclose, sent, Asked("a court", "17"))
            kh.line.wake_statements()
            await eventually(lambda: settled(kh, sent, 5))
            await kh.evidence.prepare(sent)
            signature = decode(Signature, given.signature, 8192, "signature")
            item = BundleDisclosure(given.content_key, given.record, signature, given.salt)
            store = NodeStore(bridge.place / KH / "node" / "data", KH, bridge.pins)
            out = bridge.place / "shown.bundle"
            await asyncio.to_thread(
                lambda: export_bundle(store, sent, out, bridge.clock(), disclosure=item)
            )
            verdict = await asyncio.to_thread(check_bundle, out, bridge.pins)
            assert verdict.finding is None, verdict.finding
            assert verdict.content is not None
            assert verdict.content.schema_checked
            assert verdict.content.content["body"] == content()["body"]
