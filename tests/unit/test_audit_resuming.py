"""An audit goes on where it was, with the same result; and tells when it cannot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest
from saphan_protocol.audit import resuming as module
from saphan_protocol.audit.delivered import DeliveriesKept
from saphan_protocol.audit.report import AuditStep, Report
from saphan_protocol.audit.resuming import Resuming
from saphan_protocol.audit.states import State
from saphan_schemas.errors import InvalidInput
from saphan_schemas.packs import PackItem
from saphan_schemas.records import Event, LeafType
from support.agency import Agency
from support.audits import BACK, KH, LA, THERE, at, found
from support.ceremony import NOW
from support.logbook import Logbook
from support.retained import retained


class Kept:
    """Keeps every state it is offered."""

    def __init__(self) -> None:
        self.states: list[list[bytes]] = []

    def due(self) -> bool:
        return True

    def keep(self, pieces: Iterable[bytes]) -> None:
        self.states.append(list(pieces))


@pytest.fixture(autouse=True)
def every_leaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """States are asked for after every leaf."""
    monkeypatch.setattr(module, "KEEP_LEAVES", 1)


@pytest.fixture
def book() -> Logbook:
    """Open deliveries, decided ones, one that was opened anew, two recipients, heads, holes."""
    made = Logbook([Agency(name, NOW) for name in (LA, KH, "th.oncb")])
    agency = made.agencies[LA]
    one = agency.bulletin([KH, "th.oncb"], made.time)
    (item,), batch = agency.submissions([one], [made.agencies[KH], made.agencies["th.oncb"]])
    for name in (KH, "th.oncb"):
        made.admit(one, item, batch, (LA, name))
    made.show_head(made.agencies[KH])
    made.deliver(*THERE)
    two, _ = made.submit(*THERE)
    made.state(Event.HANDOVER, two, THERE)
    made.state(Event.UNOPENED, two, THERE, "stanza_unopenable")
    (item,), batch = agency.submissions([two], [made.agencies[KH]])
    made.admit(two, item, batch, THERE, kind=LeafType.CONSIGNED)
    made.time += 60_000
    made.show_head(made.agencies["th.oncb"])
    made.submit(*BACK)
    return made


def run(
    book: Logbook,
    *packs: tuple[bytes, Sequence[PackItem]],
    state: Iterable[bytes] | None = None,
    **how: Any,
) -> tuple[Report, list[list[bytes]]]:
    """An audit with (identity, pack); gives every state that could have been kept."""
    keeper = Kept()
    names = {f"pack {place}": name for place, (name, _) in enumerate(packs)}
    fields: dict[str, Any] = {"program": "test", "identities": names} | how
    given = Resuming(**fields, state=state, keeper=keeper)
    return book.audit(*(items for _, items in packs), resuming=given), keeper.states


def read(pieces: list[bytes]) -> list[object]:
    """A state by its values: sets have no order."""
    head = msgspec.msgpack.decode(pieces[0], type=State)
    return [head, *(msgspec.msgpack.decode(one, type=DeliveriesKept) for one in pieces[1:])]


def stretch(book: Logbook, start: int, stop: int) -> list[PackItem]:
    """The pack of leaves [start, stop)."""
    return book.pack(range(start, stop), start=start, stop=stop)


def test_from_every_leaf_it_comes_to_the_same_result(book: Logbook) -> None:
    pack = (b"1", book.pack())
    whole, states = run(book, pack)
    assert whole.finding is None
    assert whole == book.audit()
    assert len(states) == len(book.evidence.kept) + 1
    for place, state in enumerate(states):
        again, later = run(book, pack, state=state)
        assert again == whole
        rest = states[place + 1 :] or states[-1:]  # the end is said again
        assert [read(state) for state in later] == [read(state) for state in rest]


def test_a_finding_after_the_state_is_the_same(book: Logbook) -> None:
    book.time += 1000
    made, _ = book.submit(*THERE)
    bad = book.state(Event.ACCEPTED, made, THERE)  # without a handover
    pack = (b"1", book.pack())
    whole, states = run(book, pack)
    assert found(whole) == at(bad, AuditStep.DELIVERY, "order_illegal")
    assert len(states) == bad
    for state in states:
        assert run(book, pack, state=state)[0] == whole


def test_last_months_audit_goes_on_with_a_grown_log(book: Logbook) -> None:
    size = len(book.evidence.kept)
    first = (b"1", book.pack())
    before, states = run(book, first)
    book.time += 60_000
    book.deliver(*BACK)
    book.show_head(book.agencies[KH])
    book.deliver(*THERE)
    second = (b"2", stretch(book, size, len(book.evidence.kept)))
    whole = book.audit(first[1], second[1])
    assert whole.finding is None
    # The first pack need not be given again: all its entries were judged, to a good end.
    grown, later = run(book, second, state=states[-1])
    # It knows one head more: the one under which the first audit stood.
    whole.coverage.heads_shown += 1
    assert grown == whole
    assert before.coverage.entries_opened < grown.coverage.entries_opened
    assert len(later) == len(book.evidence.kept) - size + 1


def test_events_of_a_delivery_begun_last_month_are_judged_by_it(book: Logbook) -> None:
    made, _ = book.submit(*THERE)
    size = len(book.evidence.kept)
    _, states = run(book, (b"1", book.pack()))
    book.time += 1000
    bad = book.state(Event.ACCEPTED, made, THERE)
    second = (b"2", stretch(book, size, bad + 1))
    report, _ = run(book, second, state=states[-1])
    assert found(report) == at(bad, AuditStep.DELIVERY, "order_illegal")


def test_broker_rewrote_what_was_audited(book: Logbook) -> None:
    _, states = run(book, (b"1", book.pack()))
    size = len(book.evidence.kept)
    book.evidence.kept[size - 1] = book.evidence.kept[size - 1][:-1] + b"?"
    report, _ = run(book, (b"1", book.pack()), state=states[-1])
    assert found(report) == at(None, AuditStep.EVIDENCE_ROOT, "history_differs")


def test_broker_rewrote_the_directory(book: Logbook) -> None:
    _, states = run(book, (b"1", book.pack()))
    first, second, *rest = book.directory.kept
    book.directory.kept = [second, first, *rest]
    report, _ = run(book, (b"1", book.pack()), state=states[-1])
    assert report.finding is not None
    assert (report.finding.log, report.finding.code) == ("directory", "history_differs")


def refused(book: Logbook, *packs: tuple[bytes, Sequence[PackItem]], **how: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        run(book, *packs, **how)
    return caught.value.code


def test_a_state_that_does_not_fit_is_refused(book: Logbook) -> None:
    pack = (b"1", book.pack())
    _, states = run(book, pack)
    half = states[len(states) // 2]
    assert refused(book, pack, state=half, program="another") == "state_foreign"
    assert refused(book, pack, state=[half[0][:-1]]) == "state_malformed"
    assert refused(book, pack, state=[half[0], half[1] + b"?"]) == "state_malformed"
    assert refused(book, pack, state=[]) == "state_malformed"
    # An interrupted audit goes on with the very packs that it was given.
    assert refused(book, state=half) == "state_packs"
    assert refused(book, (b"other", pack[1]), state=half) == "state_packs"
    size = len(book.evidence.kept)
    first, second = (b"1", stretch(book, 0, 4)), (b"2", stretch(book, 4, size))
    _, cut = run(book, first, second)
    assert refused(book, second, state=cut[-2]) == "state_packs"
    assert run(book, second, state=cut[-1])[0].finding is None
    # A pack that says it goes on behind the end may open more of a log that has grown.
    longer = (b"1", book.pack(stop=size + 1))
    _, ended = run(book, longer)
    later = (b"2", stretch(book, size, size + 1))
    assert refused(book, later, state=ended[-1]) == "state_packs"
    assert run(book, longer, later, state=ended[-1])[0].finding is None
    # What was judged without a pack is not judged again with it.
    assert refused(book, pack, (b"2", stretch(book, 2, 4)), state=states[-1]) == "state_packs"
    registered = book.directory.kept.pop()
    assert refused(book, pack, state=states[-1]) == "state_ahead"
    book.directory.kept.append(registered)
    del book.evidence.kept[-2:]
    book.shown = [row for row in book.shown if row[0].index < len(book.evidence.kept)]
    book.notes.clear()
    assert refused(book, pack, state=states[-1]) == "state_ahead"


def test_what_is_destroyed_held_and_erased_is_known_again() -> None:
    book = retained()
    made, target = book.ended()
    _, order = book.hold(made, target)
    kept, second = book.ended()
    book.state(Event.RECALLED, made, THERE, "error", by=LA)
    book.state(Event.HOLD_ASKED, made, THERE, "hold", by=LA)
    book.state(Event.ERASED, kept, (LA, LA), "closed", by=LA)
    book.state(Event.OBEYED, made, THERE)
    book.show_head()
    book.come(made)
    book.destroy(kept, second)
    book.release(made, target, order)
    book.show_head()
    book.destroy(made, target)
    pack = (b"1", book.pack())
    whole, states = run(book, pack)
    assert whole.finding is None
    assert whole == book.audit()
    for state in states:
        again, later = run(book, pack, state=state)
        assert again == whole
        assert read(later[-1]) == read(states[-1])
    for bad, code in (
        (book.state(Event.ERASED, kept, (LA, LA), "review", by=LA), "erased_before"),
        (book.state(Event.RECALLED, made, THERE, "court_order", by=LA), "recalled_before"),
        (book.destroy(made, target, salt=bytes(32)), "destroyed_before"),
    ):
        late = retained_again(book, states[-1], bad)
        assert late == code


def retained_again(book: Logbook, state: list[bytes], bad: int) -> str:
    """What an audit that goes on from a state finds at the leaf that came after it."""
    size = msgspec.msgpack.decode(state[0], type=State).index
    pack = (b"2", book.pack([bad], start=size, stop=len(book.evidence.kept)))
    report, _ = run(book, pack, state=state)
    assert report.finding is not None
    assert report.finding.index == bad
    return report.finding.code


def test_a_log_dated_beyond_every_calendar_leaves_a_state_as_well() -> None:
    book = retained()
    made, target = book.ended()
    _, order = book.hold(made, target)
    book.release(made, target, order)
    book.time = 2**62 * 1000
    book.show_head()
    kept = Kept()
    book.audit(book.pack(only=[]), resuming=Resuming("here", keeper=kept))
    assert len(kept.states) == len(book.evidence.kept) + 1
    assert all(kept.states)
