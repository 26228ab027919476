"""A path through a Merkle tree does not say how large the tree is: what a node signed as the last
of three is shown as one of five, or as a batch of its own.
"""

from __future__ import annotations

import msgspec
import pytest
from saphan_protocol.audit.report import AuditStep
from saphan_protocol.batch import item_root
from saphan_schemas.errors import InvalidInput
from saphan_schemas.frames import StatementItem
from saphan_schemas.records import BatchSignature, Event, statement_type
from support.agency import Agency
from support.audits import KH, LA, THERE, at, found
from support.brokers import World
from support.ceremony import NOW
from support.logbook import Logbook

SIZE = 6


def same_root(said: StatementItem, size: int) -> int | None:
    """An index at which the same path leads to the same root in a batch of `size`, if any."""
    own = item_root(said.item, statement_type(said.event), said.statement)
    for index in range(size):
        other = msgspec.structs.replace(said.item, size=size, index=index)
        try:
            if item_root(other, statement_type(said.event), said.statement) == own:
                return index
        except InvalidInput:
            continue
    return None


def resized(
    said: StatementItem, batch: BatchSignature, size: int, index: int
) -> tuple[StatementItem, BatchSignature]:
    """The same path and the same signature, said to be of a batch of another size."""
    item = msgspec.structs.replace(said.item, size=size, index=index)
    return (
        msgspec.structs.replace(said, item=item),
        msgspec.structs.replace(batch, size=size),
    )


def signed_together(agency: Agency, book: Logbook) -> tuple[StatementItem, BatchSignature]:
    made = [book.submit(LA, KH)[0] for _ in range(SIZE)]
    about = [(one.bulletin_id, one.ciphertext_digest) for one in made]
    items, batch = agency.statements(Event.HANDOVER, about, THERE, book.time)
    return items[-1], batch


def test_there_are_sizes_under_which_the_path_still_leads_to_the_root() -> None:
    """Else the tests below would show nothing."""
    book = Logbook((Agency(LA, NOW), Agency(KH, NOW)))
    said, _ = signed_together(book.agencies[KH], book)
    assert {size for size in range(1, 33) if same_root(said, size) is not None} > {SIZE}


@pytest.mark.parametrize("renamed", ("item and signature", "item alone", "signature alone"))
def test_the_auditor_takes_no_other_size(renamed: str) -> None:
    book = Logbook((Agency(LA, NOW), Agency(KH, NOW)))
    said, batch = signed_together(book.agencies[KH], book)
    size = next(n for n in range(1, 33) if n != SIZE and same_root(said, n) is not None)
    index = same_root(said, size)
    assert index is not None
    forged, signature = resized(said, batch, size, index)
    codes = {"signature_invalid"}
    if renamed == "item alone":
        signature, codes = batch, {"signature_missing", "batch_path"}
    elif renamed == "signature alone":
        forged, codes = said, {"signature_missing", "batch_path"}
    entered = book.log_statement(forged, signature)
    where = found(book.audit())
    assert where in {at(entered, AuditStep.SIGNED, code) for code in codes}


async def test_the_broker_takes_no_other_size(world: World) -> None:
    sender, recipient = world.agencies[LA], world.agencies[KH]
    there, here = await world.line(LA), await world.line(KH)
    made = [sender.bulletin([KH], world.clock()) for _ in range(SIZE)]
    bulletins, signed = sender.submissions(made, [recipient])
    assert {result.code for result in await there.submit(bulletins, signed)} == {None}
    about = [(one.bulletin_id, one.ciphertext_digest) for one in made]
    items, batch = recipient.statements(Event.HANDOVER, about, THERE, world.clock())
    for size in range(1, 33):
        index = same_root(items[-1], size)
        if size != SIZE and index is not None:
            forged, signature = resized(items[-1], batch, size, index)
            (result,) = await here.state([forged], signature)
            assert result.code == "signature_invalid"
    assert {result.code for result in await here.state(items, batch)} == {None}
