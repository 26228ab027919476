"""Evidence leaves, corridors and the delivery table."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import pytest
from saphan_protocol.corridor import Tail, follow
from saphan_protocol.delivery import (
    HELD,
    TERMINAL,
    TRANSITIONS,
    State,
    Step,
    begin,
    check_said,
    issuers_of,
    step,
)
from saphan_protocol.evidence import (
    anchor_leaf,
    commitment,
    entry_leaf,
    open_leaf,
    parse_leaf,
    successor_leaf,
)
from saphan_protocol.identity import sha256
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import InvalidInput, Refused, SaphanError
from saphan_schemas.records import (
    TARGETED,
    Entry,
    Event,
    LeafType,
    SealedDetail,
    Statement,
    statement_of,
    statement_record,
)

SALT = b"\x07" * 32


def entry(
    number: int = 1, previous: int | None = None, kind: str = "saphan/consignment/1"
) -> Entry:
    return Entry("la.ospp", "kh.gpo", number, previous, 1000, kind, b"\x01" * 32)


def test_a_submitted_leaf_shows_its_due_day_and_opens() -> None:
    body = encode(entry())
    leaf = entry_leaf(LeafType.SUBMITTED, body, SALT, due_day=20_000)
    assert leaf == b"\x01" + (20_000).to_bytes(4, "big") + commitment(SALT, body)
    parsed, record = open_leaf(leaf, body, SALT)
    assert (parsed.due_day, record.number) == (20_000, 1)


def test_leaves_of_every_event_open_under_their_own_type_only() -> None:
    for event in Event:
        body = encode(entry(kind=f"saphan/{event}/1"))
        target = 7 if event in TARGETED else None
        leaf = entry_leaf(LeafType[event.name], body, SALT, target=target)
        assert parse_leaf(leaf).target == target
        assert open_leaf(leaf, body, SALT)[0].type is LeafType[event.name]
        other = entry_leaf(LeafType.CONSIGNED, body, SALT)
        with pytest.raises(InvalidInput, match="entry_type"):
            open_leaf(other, body, SALT)


def test_what_stands_in_logs_and_stores_is_never_renamed_or_numbered_anew() -> None:
    """Written by hand, release by release; a line may be added, none changed."""
    first = (
        "submitted consigned handover unopened accepted rejected read recalled expired refused"
        " destroyed held released exported anchor successor"
    )
    then = ["unanswered", "erased", "obeyed", "declined", "hold_asked", "hold_answered"]
    numbers = {name: number for number, name in enumerate([*first.split(), *then], 1)}
    numbers |= {
        "operation": 33,
        "agreement": 34,
        "types": 35,
        "order": 36,
        "schema": 37,
        "hold": 38,
    }
    assert {one.name.lower(): int(one) for one in LeafType} == numbers
    states = {"submitted", "handed_over", "unopened", "accepted", "rejected", "recalled", "expired"}
    assert set(State) == states | {"unanswered", "read"}


def test_another_salt_or_entry_does_not_open_a_leaf() -> None:
    body = encode(entry())
    leaf = entry_leaf(LeafType.SUBMITTED, body, SALT, due_day=1)
    for wrong in ((body, b"\x08" * 32), (encode(entry(2, 0)), SALT)):
        with pytest.raises(InvalidInput, match="commitment_differs"):
            open_leaf(leaf, *wrong)
    with pytest.raises(InvalidInput, match="salt_malformed"):
        open_leaf(leaf, body, SALT + b"\x00")


def test_an_anchor_is_clear() -> None:
    leaf = parse_leaf(anchor_leaf(5, b"\x02" * 32))
    assert (leaf.type, leaf.size, leaf.root) == (LeafType.ANCHOR, 5, b"\x02" * 32)


def test_a_successor_leaf_names_the_log_before_it_in_clear() -> None:
    leaf = parse_leaf(successor_leaf("bridge.test/evidence/1", 7, b"\x03" * 32))
    named = sha256(b"bridge.test/evidence/1")
    assert (leaf.type, leaf.old_origin) == (LeafType.SUCCESSOR, named)
    assert (leaf.size, leaf.root, leaf.commitment) == (7, b"\x03" * 32, None)


def test_leaves_of_wrong_length_or_type_are_refused() -> None:
    good = entry_leaf(LeafType.SUBMITTED, encode(entry()), SALT, due_day=1)
    for bad in (b"", good[:-1], good + b"\x00", b"\x00" + good[1:], b"\x63" + good[1:], b"\x0f"):
        with pytest.raises(InvalidInput, match="leaf_malformed"):
            parse_leaf(bad)


def test_a_corridor_counts_without_gap() -> None:
    tail = follow(Tail(), 4, entry())
    tail = follow(tail, 9, entry(2, 4))
    assert tail == Tail(2, 9)
    with pytest.raises(Refused, match="corridor_gap"):
        follow(tail, 12, entry(4, 9))
    for index, wrong in ((12, entry(3, 4)), (12, entry(2, 4)), (9, entry(3, 9)), (8, entry(3, 9))):
        with pytest.raises(Refused, match="corridor_fork"):
            follow(tail, index, wrong)


def test_a_delivery_has_one_outcome_whatever_comes() -> None:
    for steps in itertools.product(Step, repeat=4):
        state, outcomes = begin(), 0
        for one in steps:
            was = state
            try:
                state = step(state, one)
            except SaphanError:
                continue
            outcomes += was not in TERMINAL and state in TERMINAL
        assert outcomes <= 1


def test_every_state_is_reachable_and_has_a_row() -> None:
    reached, edge = set(), {begin()}
    while edge:
        reached |= edge
        edge = {after for state in edge for after in TRANSITIONS[state].values()} - reached
    assert reached == set(State) == set(TRANSITIONS)


def test_no_stanza_without_handover() -> None:
    """Whatever leads to an answer passes through handed_over."""
    for reached, before in (
        (State.HANDED_OVER, State.SUBMITTED),
        (State.UNANSWERED, State.HANDED_OVER),
    ):
        ways = [state for state, row in TRANSITIONS.items() if reached in row.values()]
        assert set(ways) - {reached} == {before}
        assert [one for one, to in TRANSITIONS[reached].items() if to is reached] == [Step.RECALLED]
    for state, row in TRANSITIONS.items():
        for event in (Step.ACCEPTED, Step.REJECTED, Step.UNOPENED):
            assert (event in row) == (state in HELD)


@pytest.mark.parametrize("late", (Step.HANDOVER, Step.EXPIRED, Step.CONSIGN))
def test_after_an_outcome_everything_is_too_late(late: Step) -> None:
    for state in TERMINAL:
        with pytest.raises(Refused, match="already_decided"):
            step(state, late)


def test_an_illegal_order_is_refused() -> None:
    with pytest.raises(Refused, match="order_illegal"):
        step(State.SUBMITTED, Step.ACCEPTED)


NEGATIVE = (
    Event.UNOPENED, Event.REJECTED, Event.RECALLED, Event.UNANSWERED, Event.EXPIRED, Event.REFUSED,
)  # fmt: skip


@pytest.mark.parametrize("event", NEGATIVE)
def test_nothing_negative_is_said_without_a_code(event: Event) -> None:
    with pytest.raises(Refused, match="code_unknown"):
        check_said(event, Statement(SALT, SALT, "kh.gpo", 0, None, None))


def test_every_statement_names_bulletin_bytes_issuer_and_time() -> None:
    """None of them can be left out, for the record has no way to."""
    said = msgspec.structs.asdict(Statement(SALT, SALT, "kh.gpo", 0, None, None))
    for field in ("bulletin", "ciphertext", "issuer", "time"):
        left_out = encode(list((said | {field: None}).values()))
        with pytest.raises(InvalidInput, match="malformed"):
            decode(Statement, left_out, 4096, "statement")


def test_only_the_right_party_may_speak() -> None:
    for event in Event:
        expected = {
            Event.RECALLED: ("la.ospp",),
            Event.EXPIRED: ("broker",),
            Event.REFUSED: ("broker",),
            Event.UNANSWERED: ("broker",),
            Event.DESTROYED: ("broker",),
            Event.HOLD_ASKED: ("la.ospp", "kh.gpo"),
            Event.HOLD_ANSWERED: ("la.ospp", "kh.gpo"),
        }.get(event, ("kh.gpo",))
        assert issuers_of(event, "la.ospp", "kh.gpo") == expected


def test_the_specification_s_table_is_the_program_s() -> None:
    text = (Path(__file__).parents[2] / "schemas/spec/receipts.md").read_text("utf-8")
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")]
    start = next(i for i, row in enumerate(rows) if row[0].strip() == "from")
    events = [Step(cell.strip()) for cell in rows[start][1:]]
    written = {
        State(row[0].strip()): {
            event: State(cell.strip())
            for event, cell in zip(events, row[1:], strict=True)
            if cell.strip()
        }
        for row in rows[start + 2 :][:8]
    }
    assert written == {state: row for state, row in TRANSITIONS.items() if row}


def test_a_late_recall_is_a_request_and_never_an_outcome() -> None:
    for state in State:
        if state in (State.SUBMITTED, State.UNOPENED):
            assert step(state, Step.RECALLED) is State.RECALLED
        elif state is State.RECALLED:
            with pytest.raises(Refused, match="already_decided"):
                step(state, Step.RECALLED)
        else:
            assert step(state, Step.RECALLED) is state


def test_what_the_sender_erased_it_seals_to_nobody() -> None:
    sealed = SealedDetail(SALT, bytes(2160))
    said = Statement(SALT, SALT, "kh.gpo", 0, "closed", sealed)
    check_said(Event.ERASED, said)
    with pytest.raises(Refused, match="detail_malformed"):
        check_said(Event.ERASED, said, own=True)
    check_said(Event.ERASED, msgspec.structs.replace(said, detail=None), own=True)


@pytest.mark.parametrize("event", sorted(TARGETED))
def test_a_target_belongs_to_its_events_and_to_no_other(event: Event) -> None:
    about = (SALT, SALT, "kh.gpo", 0)
    said = statement_of(event, *about, target=7)
    assert decode(statement_record(event), encode(said), 4096, "statement") == said
    with pytest.raises(InvalidInput, match="malformed"):
        decode(statement_record(event), encode(Statement(*about, None, None)), 4096, "statement")
    with pytest.raises(InvalidInput, match="malformed"):
        decode(statement_record(Event.ERASED), encode(said), 4096, "statement")
    for wrong in ((event, None), (Event.ACCEPTED, 7)):
        with pytest.raises(RuntimeError, match="target"):
            statement_of(wrong[0], *about, target=wrong[1])
    for kind, target in ((LeafType[event.name], None), (LeafType.ACCEPTED, 7)):
        with pytest.raises(RuntimeError, match="target"):
            entry_leaf(kind, b"", SALT, target=target)
