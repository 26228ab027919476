"""Bad input at a running node, from every side: a code and a hint each, nothing half-kept.

The other sides are the sender (hostile, with real keys), the line, the agency's own programs and
its own disk. docs/bad-input.md lists every kind with the test that shows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from saphan.node.events import Listener
from saphan.node.service import NodeService
from saphan_schemas import messages
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import Refused
from saphan_schemas.frames import Challenge, DirectoryLeaves, Feed, Welcome
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Event, Statement
from support.bridge import KH, LA, Bridge, agreed, eventually, states, wish
from support.hostile import Hostile
from support.mauling_line import Change, mauling_line
from support.session import Line

replace = msgspec.structs.replace


# --- from a hostile sender ------------------------------------------------------------------------


async def test_hostile_bulletins_are_answered_and_shown_to_nobody(bridge: Bridge) -> None:
    """Each gets its code; the good one among them is accepted; nothing else is shown or kept."""
    async with bridge.broker_running():
        await bridge.enrol()
        hostile = Hostile(bridge, LA, KH)
        line = Line(hostile.agency, bridge.pins, bridge.clock, True)
        async with bridge.node(KH) as kh:
            await agreed(kh)
            await line.connect(bridge.url)
            cases = {made.bulletin_id: (name, code, made) for name, code, made in hostile.cases()}
            good = hostile.bulletin()
            items, batch = hostile.submissions([*(made for _, _, made in cases.values()), good])
            results = await line.submit(items, batch)
            assert {result.code for result in results} == {None}
            answers = await answered(line, len(cases) + 1)
            assert answers.pop(good.bulletin_id) == (Event.ACCEPTED, None)
            for bulletin, (event, code) in answers.items():
                name, wanted, _ = cases[bulletin]
                step = Event.UNOPENED if wanted == "ciphertext_invalid" else Event.REJECTED
                assert (event, code) == (step, wanted), name
            assert [row["id"] for row in kh.bulletins.inbox(0, 99)] == [good.bulletin_id.hex()]
            kept = kh.db.rows("SELECT id FROM bulletins WHERE wrapped IS NOT NULL")
            assert kept == [(good.bulletin_id,)]
            assert kh.alarms.standing() == []
        await line.close()


async def answered(line: Line, count: int) -> dict[bytes, tuple[Event, str | None]]:
    """The recipient's answers to `count` bulletins, as the sender's feed shows them."""
    found: dict[bytes, tuple[Event, str | None]] = {}

    def all_there() -> bool:
        for entry, given in line.entries.values():
            event = entry.type.split("/")[1]
            if event in (Event.ACCEPTED, Event.REJECTED, Event.UNOPENED):
                said = decode(Statement, given.statement, 4096, "statement")
                found[said.bulletin] = (Event(event), said.code)
        return len(found) >= count

    async with asyncio.timeout(20):
        await line.until(all_there)
    return found


# --- from the line --------------------------------------------------------------------------------


def flipped(data: bytes, at: int = -1) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def of(kind: type[Any], **changes: Callable[[Any], object]) -> Change:
    """Change fields of the first frame of this kind."""

    def change(frame: Any) -> object:
        if not isinstance(frame, kind):
            return None
        fields = {name: work(getattr(frame, name)) for name, work in changes.items()}
        return replace(frame, **fields)

    return change


def instead(kind: type[Any], other: object) -> Change:
    return lambda frame: other if isinstance(frame, kind) else None


def entry(**changes: Callable[[Any], object]) -> Change:
    """Change fields of the first entry that has them all."""

    def change(frame: Any) -> object:
        if not isinstance(frame, Feed):
            return None
        for place, one in enumerate(frame.entries):
            if all(getattr(one, name) for name in changes):
                other = {name: work(getattr(one, name)) for name, work in changes.items()}
                rest = frame.entries[place + 1 :]
                entries = (*frame.entries[:place], replace(one, **other), *rest)
                return replace(frame, entries=entries)
        return None

    return change


def first(work: Callable[[bytes], bytes]) -> Callable[[tuple[bytes, ...]], tuple[bytes, ...]]:
    return lambda given: (work(given[0]), *given[1:])


def another_root(note: bytes) -> bytes:
    """The head with another first letter of its root, in right base64."""
    origin, size, rest = note.split(b"\n", 2)
    return b"\n".join((origin, size, (b"B" if rest[:1] == b"A" else b"A") + rest[1:]))


TOO_LONG = LIMITS.frame_bytes + 100_000
AT_THE_OPENING: dict[str, tuple[str, Change]] = {
    "another protocol": ("protocol_differs", of(Challenge, protocol=lambda _: 2)),
    "another broker's log": (
        "origin_differs",
        of(Challenge, evidence=lambda _: "other"),
    ),
    "another challenge": ("signature_invalid", of(Challenge, nonce=flipped)),
    "no welcome": ("malformed", instead(Welcome, "hello")),
    "a changed directory leaf": ("leaves_differ", of(DirectoryLeaves, leaves=first(flipped))),
    # The first of several frames has no leaf left: the next one shows that there was one.
    "a missing directory leaf": ("directory_gap", of(DirectoryLeaves, leaves=lambda v: v[1:])),
}
IN_THE_FEED: dict[str, tuple[str, Change]] = {
    "text": ("malformed", instead(Feed, "hello")),
    "no message of ours": ("malformed", instead(Feed, b"\xc1")),
    "nested a million deep": ("malformed", instead(Feed, b"\x91" * 1_000_000)),
    "not UTF-8": ("malformed", instead(Feed, b"\x95\x04\xa1\xff\xa0\xc0\x00")),
    "cut off": ("malformed", lambda f: encode(f)[:-1] if isinstance(f, Feed) else None),
    "longer than a message may be": (
        "line_down",
        instead(Feed, bytes(TOO_LONG)),
    ),
    "a greeting in the middle": ("malformed", instead(Feed, Welcome("token", 0))),
    "a changed head": ("note_signature", of(Feed, note=another_root)),
    "a head of another log": ("head_origin", of(Feed, note=lambda note: b"x" + note)),
    "a changed header": ("bulletin_id", entry(header=flipped)),
    "a changed ciphertext": ("bulletin_id", entry(ciphertext=flipped)),
    "a changed consignment": ("entry_statement", entry(ciphertext=bytes, statement=flipped)),
    "a changed entry": ("malformed", entry(ciphertext=bytes, entry=lambda data: flipped(data, 1))),
    "another statement's name": ("entry_statement", entry(ciphertext=bytes, entry=flipped)),
    "a changed salt": ("proof_inclusion", entry(ciphertext=bytes, salt=flipped)),
    "a changed path": ("proof_inclusion", entry(ciphertext=bytes, path=first(flipped))),
}


async def heard(node: NodeService, listener: Listener, code: str) -> None:
    """Wait until the node says with this code why its line went down, and what to do."""
    async with asyncio.timeout(20):
        event = await listener.next(20)
        while event is None or (event["type"], event.get("code")) != ("line", code):
            event = await listener.next(20)
    state = node.line.state
    hint = state.hint if state.code == code else None
    assert messages.error_hint(Refused(code, "", hint=hint)), code


async def accepted(node: NodeService, bulletin: bytes) -> None:
    await eventually(lambda: states(node, bulletin) == ["accepted"])


@pytest.mark.parametrize("name", AT_THE_OPENING)
async def test_a_session_that_opens_wrongly_is_left_and_tried_again(
    bridge: Bridge, name: str
) -> None:
    code, change = AT_THE_OPENING[name]
    async with bridge.broker_running(), mauling_line(bridge.url) as (line, address):
        await bridge.enrol()
        direct, bridge.url, line.change = bridge.url, address, change
        async with bridge.node(KH) as kh:
            bridge.url = direct
            with kh.events.listen() as listener:
                await heard(kh, listener, code)
            assert line.done.is_set()
            await agreed(kh)
            await eventually(lambda: kh.line.state.state == "open" and not kh.alarms.standing())


async def test_a_feed_changed_on_the_line_is_not_kept_and_asked_for_again(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One node, one change after the other: each bulletin arrives all the same, once."""
    monkeypatch.setattr(
        "saphan.node.wire.line.backoff_ms", lambda failures: 10
    )  # it would wait longer
    async with bridge.broker_running(), mauling_line(bridge.url) as (line, address):
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
            direct, bridge.url = bridge.url, address
            async with bridge.node(KH) as kh:
                bridge.url = direct
                await agreed(kh)
                sent: list[str] = []
                for code, change in IN_THE_FEED.values():
                    await eventually(lambda: kh.line.state.state == "open")
                    with kh.events.listen() as listener:
                        line.change = change
                        bulletin = await la.send(wish())
                        await heard(kh, listener, code)
                    assert line.done.is_set()
                    line.done.clear()
                    await accepted(la, bulletin)
                    sent.append(bulletin.hex())
                assert [row["id"] for row in kh.bulletins.inbox(0, 99)] == sent
                await eventually(lambda: kh.alarms.standing() == [])


async def test_a_stanza_changed_on_the_line_is_fetched_again(bridge: Bridge) -> None:
    """The recipient does not say "unopened" for what the line did: that would be a record."""
    async with bridge.broker_running(), mauling_line(bridge.url) as (line, address):
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
            direct, bridge.url = bridge.url, address
            line.change = entry(stanza=flipped)
            async with bridge.node(KH) as kh:
                bridge.url = direct
                bulletin = await la.send(wish())
                await eventually(lambda: states(la, bulletin) == ["accepted"])
                assert line.done.is_set()
                events = [e["event"] for e in la.bulletins.status(bulletin)["timeline"]]
                assert events == ["submitted", "handover", "accepted"]
                assert [row["id"] for row in kh.bulletins.inbox(0, 9)] == [bulletin.hex()]
