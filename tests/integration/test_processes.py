"""Two processes' brokers over one Valkey: what one is told the other knows; one of them signs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from saphan_schemas.frames import StatementItem, Submission
from saphan_schemas.records import BatchSignature, Event
from support.agency import Made
from support.crews import Crew, Member, until

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
    entry, given = await receiving.entry(index)
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
    made, item, batch = one(crew)
    answers = []
    for member in (follower, holder, follower):
        line = await crew.line_at(member, A)
        answers += await line.submit([item], batch)
        await line.close()
    assert {answer.indices for answer in answers} == {answers[0].indices}
    assert {answer.code for answer in answers} == {None}
