"""Somebody who breaks one of the two algorithms, or only cuts and pastes, joins halves."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from saphan_protocol.audit.report import AuditStep
from saphan_protocol.batch import signed_bytes
from saphan_protocol.composite import MLDSA_SIGNATURE_BYTES as CUT
from saphan_schemas.records import BatchSignature, Event
from support.agency import Agency
from support.audits import KH, LA, THERE, at, found
from support.brokers import World
from support.ceremony import NOW
from support.logbook import Logbook


def mixed(first: BatchSignature, second: BatchSignature) -> BatchSignature:
    """The batch of `first` with its ML-DSA half, and the Ed25519 half of `second`."""
    joined = first.signature[:CUT] + second.signature[CUT:]
    return msgspec.structs.replace(first, signature=joined)


async def test_the_broker_takes_no_receipt_made_of_two(world: World) -> None:
    """Both halves are kh.gpo's own, each good, over two receipts that it did sign."""
    sender, recipient = world.agencies[LA], world.agencies[KH]
    there, here = await world.line(LA), await world.line(KH)
    made = [sender.bulletin([KH], world.clock()) for _ in range(2)]
    items, batch = sender.submissions(made, [recipient])
    assert [result.code for result in await there.submit(items, batch)] == [None, None]
    about = [[(one.bulletin_id, one.ciphertext_digest)] for one in made]
    said = [recipient.statements(Event.HANDOVER, one, THERE, world.clock()) for one in about]
    (first, a), (second, b) = said
    for items_of, forged in ((first, mixed(a, b)), (second, mixed(b, a))):
        (result,) = await here.state(items_of, forged)
        assert result.code == "signature_invalid"
    assert [(await here.state(*pair))[0].code for pair in said] == [None, None]


HALVES: dict[str, Callable[[bytes, bytes], bytes]] = {
    "ml-dsa of another statement": lambda own, other: other[:CUT] + own[CUT:],
    "ed25519 of another statement": lambda own, other: own[:CUT] + other[CUT:],
    "ml-dsa alone": lambda own, other: own[:CUT] + bytes(64),
    "ed25519 alone": lambda own, other: bytes(CUT) + own[CUT:],
    "ml-dsa twice, cut to length": lambda own, other: (own[:CUT] * 2)[: len(own)],
    "the other way round": lambda own, other: own[CUT:] + own[:CUT],
}


@pytest.mark.parametrize("halves", HALVES)
def test_the_auditor_takes_none_either(halves: str) -> None:
    book = Logbook((Agency(LA, NOW), Agency(KH, NOW)))
    made, _ = book.submit(LA, KH)
    about = [(made.bulletin_id, made.ciphertext_digest)]
    kh = book.agencies[KH]
    (item,), batch = kh.statements(Event.HANDOVER, about, THERE, book.time)
    _, other = kh.statements(Event.ACCEPTED, about, THERE, book.time)
    joined = HALVES[halves](batch.signature, other.signature)
    index = book.log_statement(item, msgspec.structs.replace(batch, signature=joined))
    assert found(book.audit()) == at(index, AuditStep.SIGNED, "signature_invalid")


def test_two_signatures_of_one_statement_may_be_mixed_and_it_means_nothing() -> None:
    """Each half says the same of the same bytes: no statement, and no name, comes of it."""
    book = Logbook((Agency(LA, NOW), Agency(KH, NOW)))
    made, _ = book.submit(LA, KH)
    kh = book.agencies[KH]
    about = [(made.bulletin_id, made.ciphertext_digest)]
    (item,), first = kh.statements(Event.HANDOVER, about, THERE, book.time)
    signed = signed_bytes(kh.node.role, first.size, first.root)
    again = msgspec.structs.replace(first, signature=kh.node.sign(signed))
    assert first.signature[:CUT] != again.signature[:CUT]
    book.log_statement(item, mixed(first, again))
    assert book.audit().finding is None
