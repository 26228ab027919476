"""Two processes' brokers over one Valkey: what one is told the other knows; one of them signs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from saphan_broker.broker import open_broker
from saphan_broker.store.base import Log, SignedHead
from saphan_broker.store.redis.keys import Keys
from saphan_protocol.agreement import AGREEMENT_TYPE
from saphan_protocol.identity import identity
from saphan_protocol.operation import parse_agreement_package
from saphan_schemas.errors import Unavailable
from saphan_schemas.frames import Result, StatementItem, Submission
from saphan_schemas.records import BatchSignature, Event
from support.agency import Agency, Made, agreement, order_by
from support.crews import Crew, Member, until
from support.own_types import OWN, bundle, package

A, B = "la.ospp", "kh.gpo"


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncIterator[Crew]:
    """Two members, two agencies enrolled, one agreement logged."""
    crew = Crew(tmp_path, A, B)
    async with crew.carried(2):
        await crew.enrol()
        yield crew


def one(crew: Crew) -> tuple[Made, Submission, BatchSignature]:
    """A bulletin from A to B."""
    sender = crew.agencies[A]
    made = sender.bulletin([B], crew.clock())
    (item,), batch = sender.submissions([made], [crew.agencies[B]])
    return made, item, batch


def said(crew: Crew, event: Event, made: Made) -> tuple[StatementItem, BatchSignature]:
    about = [(made.bulletin_id, made.ciphertext_digest)]
    (item,), batch = crew.agencies[B].statements(event, about, (A, B), crew.clock())
    return item, batch


async def test_a_bulletin_brought_to_one_is_delivered_and_answered_through_the_other(
    crew: Crew,
) -> None:
    """Sender at the follower, recipient at the holder; then receipts all the way back."""
    holder, follower = crew.members
    assert (holder.broker.role.holding, follower.broker.role.holding) == (True, False)
    sending, receiving = await crew.line_at(follower, A), await crew.line_at(holder, B)
    made, item, batch = one(crew)
    (result,) = await sending.submit([item], batch)
    assert result.code is None, result
    (index,) = result.indices
    _entry, given = await receiving.entry(index)
    assert given.header == made.header_bytes
    assert given.ciphertext == made.ciphertext
    handover, batch = said(crew, Event.HANDOVER, made)
    (result,) = await receiving.state([handover], batch)
    assert result.code is None, result
    await receiving.entry(result.indices[0])
    await sending.entry(result.indices[0])
    accepted, batch = said(crew, Event.ACCEPTED, made)
    (result,) = await receiving.state([accepted], batch)
    assert result.code is None, result
    assert (await sending.entry(result.indices[0]))[0].recipient == B


async def test_whoever_is_asked_gives_the_first_answer_again(crew: Crew) -> None:
    holder, follower = crew.members
    _made, item, batch = one(crew)
    answers: list[Result] = []
    for member in (follower, holder, follower):
        line = await crew.line_at(member, A)
        answers += await line.submit([item], batch)
        await line.close()
    assert {answer.indices for answer in answers} == {answers[0].indices}
    assert {answer.code for answer in answers} == {None}


async def test_what_is_enrolled_through_one_is_known_to_the_other(tmp_path: Path) -> None:
    """Operations, agreement and order enter at the follower; nodes log in at both at once."""
    crew = Crew(tmp_path, A, B)
    async with crew.carried(2):
        holder, follower = crew.members
        for agency in crew.agencies.values():
            head, index = await follower.broker.admit_operation(agency.enrolment())
            assert index is not None
            assert index < head.size
            again = await holder.broker.admit_operation(agency.enrolment())
            assert again == (holder.broker.state.registry.published.ref, None)  # type: ignore[union-attr]
        first = await crew.line_at(follower, A)
        parties = list(crew.agencies.values())
        package = agreement(parties, *crew.pins.lasting, crew.clock())
        result = await first.register(agreement=package)
        assert result.code is None, result
        name = identity(AGREEMENT_TYPE, parse_agreement_package(package).agreement)
        result = await first.register(order=order_by(crew.agencies[A], name, "suspend"))
        assert result.code is None, result
        for member in crew.members:
            line = await crew.line_at(member, B)
            await line.until(lambda line=line: len(line.packages) == 2)  # type: ignore[misc]
            size = member.broker.state.directory.size
            assert size == holder.broker.state.directory.size


async def test_an_own_schema_brought_to_one_is_given_by_the_other(crew: Crew) -> None:
    """Four hundred kilobytes go to the holder in pieces; both read the bundle out of the store."""
    codes = [f"CODE_{number:04d}_{'x' * 60}" for number in range(1_000)]
    fields = {f"field_{number}": {"enum": codes} for number in range(6)}
    wide = {"type": "object", "additionalProperties": False, "properties": fields}
    data = bundle(body=wide)
    assert len(data) > 400_000
    holder, follower = crew.members
    line = await crew.line_at(follower, A)
    result = await line.register(schema=package(crew.agencies[A], data=data))
    assert result.code is None, result
    for member in (holder, follower):
        asking = await crew.line_at(member, B)
        await asking.until(lambda asking=asking: len(asking.leaves) > result.indices[0])  # type: ignore[misc]
        parts = [await asking.schema(OWN, at) for at in range(0, len(data), 1 << 17)]
        assert b"".join(part.data or b"" for part in parts) == data


async def test_a_token_opens_the_log_at_every_process_until_its_session_ends(crew: Crew) -> None:
    holder, follower = crew.members
    for at, other in ((holder, follower), (follower, holder)):
        line = await crew.line_at(at, A)
        assert await log_status(at, line.token) == 200
        assert await log_status(other, line.token) == 200
        assert await log_status(other, line.token[:-1] + "!") == 401
        await line.close()
        await until(lambda at=at: at.broker.state.listeners.total() == 0)  # type: ignore[misc]
        async with asyncio.timeout(10):
            while await log_status(other, line.token) != 401:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def log_status(member: Member, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(f"{member.url}/evidence/checkpoint") as answer,
    ):
        return answer.status


async def test_witnesses_count_wherever_they_are(crew: Crew) -> None:
    """One cosigns at the follower: the holder lets things expire by it, keeps and shows it."""
    holder, follower = crew.members
    witness, other = await crew.line_at(follower, A), await crew.line_at(holder, B)
    _made, item, batch = one(crew)
    (result,) = await witness.submit([item], batch)
    await other.entry(result.indices[0])
    await witness.entry(result.indices[0])
    head = witness.heads[crew.pins.evidence.origin]
    await witness.cosign(head)
    for member in crew.members:
        await until(lambda m=member: m.broker.witnessed.now > 0)  # type: ignore[misc]
    await until(lambda: head.size in holder.broker.state.evidence.cosigned)
    rows = await holder.broker.store.cosignatures("evidence")
    assert [(row.agency, row.size) for row in rows] == [(A, head.size)]
    await other.until(lambda: any(told.head.size == head.size for told in other.witnessed))


async def test_deadlines_are_kept_by_one_on_the_word_of_a_witness_at_another(crew: Crew) -> None:
    _holder, follower = crew.members
    line = await crew.line_at(follower, A)
    sender = crew.agencies[A]
    made = sender.bulletin([B], crew.clock(), expires=crew.clock() + 3_600_000)
    (item,), batch = sender.submissions([made], [crew.agencies[B]])
    (result,) = await line.submit([item], batch)
    assert result.code is None, result
    await line.close()
    crew.clock.ahead += 2 * 3_600_000
    line = await crew.line_at(follower, A, resume=line)
    expired = result.indices[0] + 2  # the hour is over: an anchor comes first
    head = crew.pins.evidence.origin

    def fresh() -> bool:
        return line.heads[head].time * 1000 > crew.clock() - 60_000

    await line.until(fresh)
    await line.cosign(line.heads[head])
    entry, _given = await line.entry(expired)
    assert entry.type == "saphan/expired/1"


async def test_a_node_that_logs_in_at_one_releases_the_signers_of_the_other(crew: Crew) -> None:
    """All processes are started anew; nobody signs before a node was heard, wherever it is."""
    for member in reversed(crew.members):
        await member.broker.stop()
    holder, follower = await crew.join(), await crew.join()
    assert {alarm.code for alarm in holder.broker.ready().reasons} == {"node_not_heard"}
    line = await crew.line_at(follower, A)
    assert line.closing is None
    await until(lambda: holder.broker.heard and holder.broker.ready().ready)
    _made, item, batch = one(crew)
    (result,) = await line.submit([item], batch)
    assert result.code is None, result


async def test_the_operator_of_any_process_lets_the_signers_sign(crew: Crew) -> None:
    for member in reversed(crew.members):
        await member.broker.stop()
    holder, follower = await crew.join(), await crew.join()
    follower.broker.allow_unheard("a test")
    await until(lambda: holder.broker.heard)


async def test_a_node_that_comes_from_the_holder_finds_no_store_behind(crew: Crew) -> None:
    """It knows heads that were signed a moment ago; the follower looks before it says anything."""
    holder, follower = crew.members
    known = None
    for _ in range(8):
        sending = await crew.line_at(holder, A, resume=known)
        _made, item, batch = one(crew)
        (result,) = await sending.submit([item], batch)
        await sending.entry(result.indices[0])
        await sending.close()
        known = await crew.line_at(follower, A, resume=sending)
        assert known.closing is None
        await known.close()
    assert "store_behind_node" not in {a.code for a in follower.broker.state.alarms.active()}


async def test_a_process_that_ends_hands_over_at_once(crew: Crew) -> None:
    holder, follower = crew.members
    line = await crew.line_at(follower, A)
    with crew.server.client() as client:
        held = client.get(Keys("bridge.example", "evidence").lease)
    assert held is not None
    await holder.broker.stop()
    with crew.server.client() as client:
        lease = client.get(Keys("bridge.example", "evidence").lease)
    assert lease is None or lease != held
    await until(lambda: follower.broker.role.holding)
    _made, item, batch = one(crew)
    (result,) = await line.submit([item], batch)
    assert result.code is None, result
    await line.entry(result.indices[0])


async def test_a_host_without_log_keys_serves_and_never_signs(crew: Crew) -> None:
    """The signer's host is lost: nothing is answered with more than "retry", nothing is lost."""
    away = await crew.join(serves_only=True)
    line = await crew.line_at(away, A)
    _first, item, batch = one(crew)
    (result,) = await line.submit([item], batch)
    assert result.code is None, result
    for member in crew.members[:2]:
        await member.broker.stop()
    await until(lambda: not away.broker.role.holder_known)
    assert {alarm.code for alarm in away.broker.ready().reasons} == {"no_holder"}
    _made, later, signed = one(crew)
    (refused,) = await line.submit([later], signed)
    assert refused.code == "no_holder"
    assert refused.retry_after_ms > 0
    back = await crew.join()
    await until(lambda: away.broker.ready().ready)
    (logged,) = await line.submit([later], signed)
    assert logged.code is None, logged
    assert await line.submit([item], batch) == (result,)
    assert back.broker.role.holding


async def test_hints_that_are_lost_cost_a_moment_and_nothing_else(crew: Crew) -> None:
    """The follower hears of no head: it finds them in the store, and who has entries gets them."""
    holder, follower = crew.members
    sending, receiving = await crew.line_at(holder, A), await crew.line_at(follower, B)
    follower.broker.role.following.news = lambda news: None  # type: ignore[attr-defined]
    made, item, batch = one(crew)
    (result,) = await sending.submit([item], batch)
    _entry, given = await receiving.entry(result.indices[0])
    assert given.header == made.header_bytes


async def test_one_hint_lost_among_others_hides_no_entry(crew: Crew) -> None:
    """What was under the head whose hint is lost might be anyone's: everybody looks."""
    holder, follower = crew.members
    sending, receiving = await crew.line_at(holder, A), await crew.line_at(follower, B)
    following = follower.broker.role.following  # type: ignore[attr-defined]
    heard: list[object] = []
    take = following.news
    for place in range(3):
        following.news = heard.append if place % 2 else take
        made, item, batch = one(crew)
        (result,) = await sending.submit([item], batch)
        _entry, given = await receiving.entry(result.indices[0])
        assert given.header == made.header_bytes
    assert heard


async def test_what_the_holder_says_is_shown_without_a_look_into_the_store(crew: Crew) -> None:
    holder, follower = crew.members
    sending, receiving = await crew.line_at(holder, A), await crew.line_at(follower, B)
    _made, item, batch = one(crew)
    (result,) = await sending.submit([item], batch)
    await receiving.entry(result.indices[0])

    async def unreadable(log: object) -> None:
        raise Unavailable("redis_unreachable", "not now")

    follower.broker.store.note = unreadable  # type: ignore[method-assign]
    for _ in range(3):
        made, item, batch = one(crew)
        (result,) = await sending.submit([item], batch)
        _entry, given = await receiving.entry(result.indices[0])
        assert given.header == made.header_bytes


async def test_a_directory_that_could_not_be_read_to_its_end_is_read_again(crew: Crew) -> None:
    """They were read for their root, and not once more: who is enrolled is known a look later."""
    holder, follower = crew.members
    known = holder.broker.state.directory.size
    await until(lambda: follower.broker.state.directory.size == known)
    store, reads = follower.broker.store, list[Log]()
    read = store.leaves

    async def unreadable_once(log: Log, start: int, stop: int) -> list[bytes]:
        if log == "directory" and start == known:
            reads.append(log)
            if len(reads) == 2:
                store.leaves = read  # type: ignore[method-assign]
                raise Unavailable("redis_unreachable", "not now")
        return await read(log, start, stop)

    store.leaves = unreadable_once  # type: ignore[method-assign]
    newcomer = Agency("vn.gov", crew.clock())
    await holder.broker.admit_operation(newcomer.enrolment())
    await until(lambda: len(reads) == 2)
    await follower.broker.role.following.catch_up()  # type: ignore[attr-defined]
    assert follower.broker.state.directory.version("vn.gov")[0]


async def test_an_order_is_never_shown_without_its_text(crew: Crew) -> None:
    """A follower has seen the new head and still replays its leaves when a session asks: who is
    given a leaf without the text that belongs to it is never given it again."""
    holder, follower = crew.members
    (agreed,) = holder.broker.state.directory.agreements_of(A)
    line = await crew.line_at(follower, B)
    await line.until(lambda: len(line.packages) == 1)
    store, looks, go_on = follower.broker.store, asyncio.Event(), asyncio.Event()
    read = store.packages

    async def late(start: int, stop: int) -> dict[int, bytes]:
        looks.set()
        await go_on.wait()
        return await read(start, stop)

    store.packages = late  # type: ignore[method-assign]
    size = holder.broker.state.directory.size
    ordering = await crew.line_at(holder, B)
    result = await ordering.register(order=order_by(crew.agencies[B], agreed.name, "suspend"))
    assert result.code is None, result
    await looks.wait()
    made = await crew.line_at(follower, A)  # its pump begins to feed it here and now
    await made.until(lambda: len(made.leaves) >= size)
    await asyncio.sleep(0.05)
    go_on.set()
    for one in (made, line):
        await one.until(lambda one=one: len(one.leaves) == size + 1)  # type: ignore[misc]
        assert len(one.packages) == 2


async def test_a_process_joins_while_the_log_grows(crew: Crew) -> None:
    """Between its reads of leaves and head, others commit and sign: it reads again, and starts."""
    line = await crew.line_at(crew.holder, A)
    joining = await open_broker(crew.data, crew.keys, store=crew.choice, clock=crew.clock)
    read, grown = joining.store.note, list[Result]()

    async def read_late(log: Log) -> SignedHead | None:
        if log == "evidence" and not grown:
            _made, item, batch = one(crew)
            grown.extend(await line.submit([item], batch))
        return await read(log)

    joining.store.note = read_late  # type: ignore[method-assign]
    try:
        await joining.start()
        head, newest = joining.head, crew.holder.broker.head
        assert head is not None
        assert newest is not None
        assert head.ref == newest.ref
        assert [result.code for result in grown] == [None]
    finally:
        await joining.stop()
