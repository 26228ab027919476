"""A node gives away the content key of one bulletin: on record first, and for the log to show."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from saphan.api_rights import Right
from saphan.base64_text import bytes_of
from saphan.node.disclosing import Asked
from saphan.node.rows.statements import mark_refused
from saphan.node.service import NodeService
from saphan.node.token_kept import Wanted
from saphan_protocol.batch import verify_one
from saphan_protocol.content import open_content
from saphan_protocol.disclosure import DISCLOSURE_TYPE, disclosure_commitment
from saphan_protocol.identity import sha256
from saphan_schemas.bundles import Disclosure
from saphan_schemas.codec import decode
from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.records import Sealed, Signature, Statement
from support.api_tokens import Asking, holder, http_to, keeper
from support.bridge import KH, LA, OFFICERS, Bridge, agreed, bridged, eventually, states, wish

WORDS = {"to": "People's Court of Vientiane", "reason": "order 117/2026", "handle": OFFICERS[LA]}


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made, made.broker_running():
        await made.enrol()
        yield made


def path(bulletin: bytes, what: str = "disclosure") -> str:
    return f"/v1/bulletins/{bulletin.hex()}/{what}"


def logged(node: NodeService, bulletin: bytes) -> list[Statement]:
    """What the log shows of disclosures."""
    rows = node.db.rows(
        "SELECT statement FROM entries WHERE bulletin = ? AND event = 'exported' ORDER BY idx",
        (bulletin,),
    )
    return [decode(Statement, body, 4096, "statement") for (body,) in rows]


async def test_the_key_comes_with_a_signed_record_that_the_log_commits_to(bridge: Bridge) -> None:
    async with bridge.node_with_api(LA) as la, bridge.node(KH) as kh, http_to(la) as http:
        await agreed(la)
        bulletin = await la.send(wish())
        await eventually(lambda: states(la, bulletin) == ["accepted"])
        asking = await keeper(http, la)
        status, given = await asking.ask("POST", path(bulletin), json=WORDS)
        assert status == 200, given
        record = bytes_of(given["disclosure"])
        said = decode(Disclosure, record, 8192, "disclosure")
        content_key = bytes_of(given["content_key"])
        assert (said.bulletin, said.agency, said.key_digest) == (bulletin, LA, sha256(content_key))
        assert {"to": said.to, "reason": said.reason, "handle": said.handle} == WORDS
        with la.logs.lock:
            key = la.logs.directory.verifying(la.key.key_id)
        signature = decode(Signature, bytes_of(given["signature"]), 8192, "signature")
        verify_one(signature, key, DISCLOSURE_TYPE, record)
        header_id, ciphertext = la.db.rows(
            "SELECT header_id, ciphertext FROM bulletins JOIN bodies USING (seq) WHERE id = ?",
            (bulletin,),
        )[0]
        decode(Sealed, open_content(content_key, header_id, ciphertext), 1 << 20, "sealed")
        (entry,) = await eventually(lambda: logged(la, bulletin))
        commitment = disclosure_commitment(bytes_of(given["salt"]), record)
        assert (entry.code, entry.detail, entry.ciphertext) == (
            "disclosed",
            commitment,
            said.ciphertext,
        )
        _, listed = await asking.ask("GET", path(bulletin, "disclosures"))
        (row,) = listed["disclosures"]
        assert (row["state"], row["to"], row["handle"]) == ("logged", WORDS["to"], OFFICERS[LA])
        events = [one["event"] for one in la.bulletins.status(bulletin)["timeline"]]
        assert events[-1] == "exported"
        assert logged(kh, bulletin) == []  # it concerns one agency alone


async def test_the_recipient_may_disclose_what_it_received(bridge: Bridge) -> None:
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        bulletin = await la.send(wish())
        await eventually(lambda: states(kh, bulletin) == ["accepted"])
        given = kh.disclosing.disclose(bulletin, Asked("the auditor", "case 4"))
        kh.line.wake_statements()
        (entry,) = await eventually(lambda: logged(kh, bulletin))
        assert (entry.issuer, entry.detail) == (
            KH,
            disclosure_commitment(given.salt, given.record),
        )
        assert states(kh, bulletin) == ["accepted"]  # a step of no delivery


async def test_the_same_again_has_the_first_record_and_another_is_another(bridge: Bridge) -> None:
    """Timeline: the answer was lost, and so was the process; then somebody else asks."""
    court = Asked("the court", "order 1")
    async with bridge.node(LA) as la, bridge.node(KH):
        await agreed(la)
        bulletin = await la.send(wish())
        await eventually(lambda: states(la, bulletin) == ["accepted"])
        first = la.disclosing.disclose(bulletin, court)
    async with bridge.node(LA) as la:
        again = la.disclosing.disclose(bulletin, court)
        assert (again.record, again.salt) == (first.record, first.salt)
        other = la.disclosing.disclose(bulletin, Asked("the auditor", "order 1"))
        third = la.disclosing.disclose(bulletin, Asked("the court", "order 2"))
        assert len({one.record for one in (first, other, third)}) == 3
        la.line.wake_statements()
        await eventually(lambda: len(logged(la, bulletin)) == 3)
        rows = la.disclosing.listed(bulletin)
        assert [row["state"] for row in rows] == ["logged"] * 3
        assert len({row["index"] for row in rows}) == 3


async def test_nothing_is_given_that_is_not_on_record(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bridge.node(LA) as la, bridge.node(KH):
        await agreed(la)
        bulletin = await la.send(wish())
        await eventually(lambda: states(la, bulletin) == ["accepted"])

        def full() -> Any:
            raise OperatorError("disk_full", "there is no room left", hint="free space")

        with monkeypatch.context() as disk:
            disk.setattr(la.db, "transaction", full)
            with pytest.raises(OperatorError, match="disk_full"):
                la.disclosing.disclose(bulletin, Asked("the court", "order 1"))
        assert la.disclosing.listed(bulletin) == []
        given = la.disclosing.disclose(bulletin, Asked("the court", "order 1"))
        assert given.content_key.hex() not in repr(given)


async def test_a_record_that_the_disk_took_without_saying_so_is_the_first_one(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is not given; who asks again has that record, and the log shows it once. The officer
    who decided may be gone by then: they were one when it was recorded."""
    async with bridge.node_with_api(LA) as la, bridge.node(KH), http_to(la) as http:
        await agreed(la)
        bulletin = await la.send(wish())
        await eventually(lambda: states(la, bulletin) == ["accepted"])
        asking, kept = await keeper(http, la), la.db.transaction

        @contextmanager
        def silent() -> Iterator[sqlite3.Connection]:
            with kept() as tx:
                yield tx
            raise OperatorError("store_damaged", "nobody knows what was kept", hint="look")

        with monkeypatch.context() as disk:
            disk.setattr(la.db, "transaction", silent)
            assert await asking.code("POST", path(bulletin), json=WORDS) == "store_damaged"
        (record,) = la.db.rows("SELECT record FROM disclosures")[0]
        monkeypatch.setattr(type(la.logs.directory), "keys", lambda *_: [])
        status, given = await asking.ask("POST", path(bulletin), json=WORDS)
        assert (status, bytes_of(given["disclosure"])) == (200, record)
        assert await eventually(lambda: len(logged(la, bulletin))) == 1
        assert await asking.code("POST", path(bulletin), json=WORDS | {"to": "a"}) == (
            "officer_unknown"
        )
        assert len(la.disclosing.listed(bulletin)) == 1


async def test_what_the_broker_refused_is_recorded_anew_and_a_restored_node_listens_first(
    bridge: Bridge,
) -> None:
    court = Asked("the court", "order 1")
    async with bridge.node(LA) as la, bridge.node(KH):
        await agreed(la)
        bulletin = await la.send(wish())
        await eventually(lambda: states(la, bulletin) == ["accepted"])
        first = la.disclosing.disclose(bulletin, court)
        with la.db.transaction() as tx:
            ((row,),) = tx.execute("SELECT id FROM statements WHERE state = 'waiting'").fetchall()
            mark_refused(tx, row, "bulletin_unknown")
        la.disclosing._restored.listening = True
        assert code(la, bulletin, "the court", "order 1") == "catching_up"
        la.disclosing._restored.listening = False
        second = la.disclosing.disclose(bulletin, court)
        assert second.salt != first.salt
        assert la.disclosing.disclose(bulletin, court).salt == second.salt
        listed = la.disclosing.listed(bulletin)
        assert [one["state"] for one in listed] == ["refused", "waiting"]


def code(node: NodeService, bulletin: bytes, *words: Any) -> str:
    with pytest.raises(SaphanError) as caught:
        node.disclosing.disclose(bulletin, Asked(*words))
    return caught.value.code


async def test_what_cannot_be_disclosed_says_why(bridge: Bridge) -> None:
    lost = bridge.mailbox(KH)
    lost.unlink()
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        bulletin = await la.send(wish())
        await eventually(lambda: states(kh, bulletin) == ["submitted"])
        await eventually(lambda: states(la, bulletin) == ["submitted"])
        assert code(kh, bulletin, "a", "b") == "not_disclosable"
        assert code(la, bytes(32), "a", "b") == "bulletin_unknown"
        assert code(la, bulletin, "", "b") == "disclosure_words"
        assert code(la, bulletin, " ", "b") == "disclosure_words"
        assert code(la, bulletin, "a", "b" * 1025) == "disclosure_words"
        assert code(la, bulletin, "a\u202eb", "b") == "text_forbidden"
        assert code(la, bulletin, "a", "b", OFFICERS[KH]) == "officer_unknown"
        widest = la.disclosing.disclose(bulletin, Asked("\U00020000" * 256, "\U00020000" * 1024))
        assert len(widest.record) <= 8192
    async with bridge.node(LA) as la:
        await bridge.broker.stop()
        bulletin = await la.send(wish())
        assert code(la, bulletin, "a", "b") == "not_logged_yet"


async def test_the_keeper_alone_may_ask(bridge: Bridge) -> None:
    async with bridge.node_with_api(LA) as la, http_to(la) as http:
        await agreed(la)
        bulletin = await la.send(wish())
        rights = frozenset(Right)
        system: Asking = await holder(http, la, Wanted(name="cases", rights=rights))
        assert await system.code("POST", path(bulletin), json=WORDS) == "token_scope"
        assert await system.code("GET", path(bulletin, "disclosures")) == "token_scope"
        asking = await keeper(http, la)
        assert await asking.code("POST", path(bulletin), json={"to": "a"}) == "malformed"
        assert await asking.code("POST", path(bytes(32)), json=WORDS) == "bulletin_unknown"
