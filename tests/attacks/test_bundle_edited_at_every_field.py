"""Somebody edits a bundle in every field of every record, and counts its items anew.

An edit is refused; or it loses something, and the verdict says what; or it is in what a bundle
merely claims (its maker, its date), and nothing that is proven changes.
"""

from __future__ import annotations

from typing import Any

import pytest
from saphan_protocol.bundle.report import Outcome
from saphan_schemas.bundles import BundleBody, BundleEnd, BundleItem
from saphan_schemas.codec import encode
from saphan_schemas.records import Event
from support.agency import Agency
from support.audits import KH, LA, THERE
from support.bundled import Maker, closed, recounted
from support.ceremony import NOW
from support.edited_bundles import edits, harmless, judged
from support.logbook import Logbook


@pytest.fixture(scope="module")
def items() -> list[BundleItem]:
    book = Logbook([Agency(LA, NOW), Agency(KH, NOW)])
    made, _ = book.submit(LA, KH)
    for event in (Event.HANDOVER, Event.ACCEPTED):
        book.time += 1000
        book.state(event, made, THERE)
    maker = Maker(book, made, LA)
    maker.disclose(book.agencies[LA])
    maker.sign()
    return maker.items()


def test_every_field_of_every_item(items: list[BundleItem]) -> None:
    before = judged(items)
    assert before is not None
    assert before.outcome is Outcome.VALID
    tried, through = 0, []
    for place, item in enumerate(items):
        for other in edits(item):
            changed: list[Any] = [*items[:place], encode(other), *items[place + 1 :]]
            after = judged(changed)
            tried += 1
            if not harmless(before, after):
                through.append((type(item).__name__, place, other))
    assert through == []
    assert tried > 300


@pytest.mark.parametrize("what", ["taken out", "put in twice"])
def test_every_item_taken_out_or_put_in_twice(items: list[BundleItem], what: str) -> None:
    before = judged(items)
    assert before is not None
    body = [item for item in items[1:] if not isinstance(item, BundleEnd)]
    for place, item in enumerate(body):
        held = [] if what == "taken out" else [item, item]
        after = judged(closed(items[0], [*body[:place], *held, *body[place + 1 :]]))  # type: ignore[arg-type]
        assert after is not None
        lines = {line.code for line in after.unproven} - {line.code for line in before.unproven}
        if after.outcome is Outcome.VALID:
            same = after.events == before.events
            # A later event that is left out, or a signature given twice: nothing more is proven.
            assert lines or same or len(after.events) < len(before.events), item
        if isinstance(item, BundleBody):
            assert after.outcome is not Outcome.VALID


def test_every_pair_of_neighbours_exchanged(items: list[BundleItem]) -> None:
    before = judged(items)
    assert before is not None
    for place in range(1, len(items) - 2):
        changed = list(items)
        changed[place : place + 2] = changed[place + 1], changed[place]
        assert harmless(before, judged(recounted(changed))), place
