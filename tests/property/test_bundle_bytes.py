"""Change any bytes of a bundle, anywhere: nothing that was not proven before is proven then."""

from __future__ import annotations

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from saphan_protocol.bundle.report import Outcome, Verdict
from saphan_schemas.bundles import BundleItem
from saphan_schemas.codec import encode
from saphan_schemas.records import Event
from support.agency import Agency
from support.audits import KH, LA, THERE
from support.bundled import Maker
from support.ceremony import NOW
from support.edited_bundles import harmless, judged
from support.logbook import Logbook


@cache
def bundle() -> tuple[list[bytes], Verdict]:
    """The items of a good bundle as they stand in a file, and the verdict on them."""
    book = Logbook([Agency(LA, NOW), Agency(KH, NOW)])
    made, _ = book.submit(LA, KH)
    book.state(Event.HANDOVER, made, THERE)
    maker = Maker(book, made, LA)
    maker.disclose(book.agencies[LA])
    maker.sign()
    items = [encode(item) for item in maker.items()]
    verdict = judged(items)
    assert verdict is not None
    assert verdict.outcome is Outcome.VALID
    return items, verdict


@settings(max_examples=150)
@given(st.data())
def test_a_changed_byte(data: st.DataObject) -> None:
    items, before = bundle()
    place = data.draw(st.integers(0, len(items) - 1), "item")
    body = bytearray(items[place])
    at = data.draw(st.integers(0, len(body) - 1), "byte")
    body[at] ^= data.draw(st.integers(1, 255), "change")
    changed: list[BundleItem | bytes] = [*items[:place], bytes(body), *items[place + 1 :]]
    assert harmless(before, judged(changed))


@settings(max_examples=40)
@given(st.data())
def test_an_item_cut_off_or_longer(data: st.DataObject) -> None:
    items, before = bundle()
    place = data.draw(st.integers(0, len(items) - 1), "item")
    end = data.draw(st.integers(0, len(items[place]) - 1), "end")
    more = data.draw(st.binary(max_size=2), "more")
    changed: list[BundleItem | bytes] = list(items)
    changed[place] = items[place][:end] + more
    if changed[place] != items[place]:
        after = judged(changed)
        assert after is None or after.outcome is Outcome.INVALID or harmless(before, after)
