"""Which bulletin may say what of which other one, and who owes an answer (spec/threads.md)."""

from __future__ import annotations

from typing import Any

import pytest
from saphan.threads.legal import Word, legal
from saphan.threads.owing import Owing, Reply, owing
from saphan.threads.rules import Held, check_received, check_sent
from saphan.threads.words import Answered, Asked, Relation, Words, words_of
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.records import SUITE, Header, Marking

LA, KH, VN = "la.ospp", "kh.gpo", "vn.vks"
REQUEST, REPLY = "saphan/info_request/1", "saphan/info_reply/1"
ALERT = "saphan/trafficking_alert/1"
FIRST, SECOND = bytes(32), bytes([1]) * 32
HOUR = 3_600_000


def header(sender: str, *recipients: str, schema: str = ALERT) -> Header:
    return Header(
        suite=SUITE,
        nonce=bytes(16),
        sender=sender,
        recipients=tuple(sorted(recipients)),
        schema=schema,
        schema_digest=bytes(32),
        marking=Marking("amber", ()),
        urgency="routine",
        exercise=True,
        created=0,
        expires=1,
        answer_by=None,
        retain_until=1,
    )


def words(kind: str | None, target: bytes = FIRST, message: str = "original") -> Words:
    relations = () if kind is None else (Relation(kind, target),)
    return Words(message, "LA-OSPP-2026-AL-0001", relations)


def sent(made: Header, said: Words, held: Held | None, *, unreached: str = "") -> str | None:
    """Code of the refusal by the sender's node."""
    try:
        check_sent(made, said, {FIRST: held}.get, lambda agency: agency != unreached)
    except Refused as error:
        return error.code if error.field and error.hint else "unhelpful"
    return None


# --- T2, T3: at the sender ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (words("corrects", message="correction"), None),
        (words("supersedes", message="update"), None),
        (words("corrects", message="cancel"), None),
        (words("supersedes", message="cancel"), None),
        (words("related", SECOND), None),
        (words("same_case", SECOND), None),
        (words("related", SECOND, message="correction"), "relation_missing"),
        (words("corrects", message="update"), "relation_missing"),
        (words("same_case", message="cancel"), "relation_missing"),
        (words("in_reply_to", message="correction"), "relation_missing"),
        (words("corrects", SECOND), "relation_unknown"),
        (words("in_reply_to", SECOND), "relation_unknown"),
    ],
)
def test_what_takes_the_place_of_another_names_one_that_is_here(
    said: Words, code: str | None
) -> None:
    assert sent(header(LA, KH), said, Held(LA, (KH,), ALERT, True)) == code


def test_only_the_agency_of_the_original_corrects_it_and_in_its_type() -> None:
    said = words("corrects", message="correction")
    assert sent(header(LA, KH), said, Held(KH, (LA,), ALERT, True)) == "relation_foreign"
    assert sent(header(LA, KH), said, Held(LA, (KH,), REQUEST, True)) == "relation_type"
    newer = header(LA, KH, schema="saphan/trafficking_alert/2")
    assert sent(newer, said, Held(LA, (KH,), ALERT, True)) is None


@pytest.mark.parametrize("kind", ["corrects", "supersedes"])
def test_a_correction_that_misses_a_recipient_is_refused_naming_them(kind: str) -> None:
    original = Held(LA, (KH, "kh.nacd", VN), ALERT, True)
    with pytest.raises(Refused) as refused:
        check_sent(header(LA, KH), words(kind), {FIRST: original}.get, lambda _: True)
    assert refused.value.code == "correction_misses"
    assert refused.value.message.startswith("kh.nacd, vn.vks had the original")
    assert sent(header(LA, KH, "kh.nacd", VN, "th.oncb"), words(kind), original) is None


def test_whom_no_agreement_reaches_any_more_cannot_be_missed() -> None:
    original = Held(LA, (KH, VN), ALERT, True)
    assert sent(header(LA, KH), words("corrects"), original, unreached=VN) is None
    assert sent(header(LA, VN), words("corrects"), original, unreached=VN) == "correction_misses"


def test_an_answer_goes_to_who_asked_or_on_to_those_who_were_asked() -> None:
    said = words("in_reply_to")
    assert sent(header(LA, KH), said, Held(KH, (LA,), ALERT, True)) is None
    assert sent(header(LA, KH, VN), said, Held(KH, (LA,), ALERT, True)) is None
    assert sent(header(LA, VN), said, Held(KH, (LA,), ALERT, True)) == "reply_misdirected"
    assert sent(header(LA, KH), said, Held(LA, (KH, VN), ALERT, True)) is None
    assert sent(header(LA, VN), said, Held(LA, (KH,), ALERT, True)) == "reply_misdirected"


def test_an_info_reply_answers_a_request() -> None:
    said = replace_words(
        words("in_reply_to"), answered=Answered(FIRST, "full", (("1", "answered"),))
    )
    made = header(LA, KH, schema=REPLY)
    assert sent(made, said, Held(KH, (LA,), REQUEST, True)) is None
    assert sent(made, said, Held(KH, (LA,), REPLY, True)) is None  # a question that came with it
    assert sent(made, said, Held(KH, (LA,), ALERT, True)) == "relation_type"
    alone = replace_words(words("related"), answered=Answered(FIRST, "full", (("1", "answered"),)))
    assert sent(made, alone, Held(KH, (LA,), REQUEST, True)) == "relation_missing"


def test_one_bulletin_in_two_roles_is_refused() -> None:
    both = Words("original", "x", (Relation("in_reply_to", FIRST), Relation("corrects", FIRST)))
    assert sent(header(LA, KH), both, Held(LA, (KH,), ALERT, True)) == "relation_twice"
    beside = Words("original", "x", (Relation("in_reply_to", FIRST), Relation("related", FIRST)))
    assert sent(header(LA, KH), beside, Held(LA, (KH,), ALERT, True)) is None


def replace_words(said: Words, **changes: Any) -> Words:
    fields = {name: getattr(said, name) for name in said.__struct_fields__}
    return Words(**(fields | changes))


# --- T4: at the recipient -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["corrects", "supersedes"])
def test_a_false_correction_is_rejected_and_one_of_the_unknown_is_not(kind: str) -> None:
    for held in (Held(VN, (LA, KH), ALERT, True), Held(LA, (KH,), REQUEST, True)):
        with pytest.raises(InvalidInput) as rejected:
            check_received(header(LA, KH), words(kind), {FIRST: held}.get)
        assert (rejected.value.code, rejected.value.field) == (
            "relation_refused",
            "/about/relations/0",
        )
    check_received(header(LA, KH), words(kind), {FIRST: Held(LA, (KH,), ALERT, True)}.get)
    check_received(header(LA, KH), words(kind, SECOND), lambda _: None)
    check_received(header(LA, KH), words("related"), {FIRST: Held(VN, (KH,), ALERT, True)}.get)


# --- T6 to T9: who owes ---------------------------------------------------------------------------

TWO = Asked(("1", "2"), "direct")


def came(at: float, outcome: str, *answers: str, **more: Any) -> Reply:
    """Answers: numbers of questions, or "2:pending"."""
    listed = tuple((one.partition(":")[0], one.partition(":")[2] or "answered") for one in answers)
    return Reply(bytes([int(at)]) * 32, int(at * HOUR), Answered(FIRST, outcome, listed, **more))


def stands(*replies: Reply, now: float, due: float = 8) -> Owing:
    return owing(TWO, replies, int(due * HOUR), int(now * HOUR))


def questions(found: Owing) -> list[str]:
    return [one.state for one in found.questions]


def test_nothing_came_yet() -> None:
    assert stands(now=8).state == "waiting"
    over = stands(now=8.01)
    assert (over.state, questions(over)) == ("overdue", ["waiting", "waiting"])


@pytest.mark.parametrize(
    ("outcome", "state", "each"),
    [
        ("full", "answered", ["answered", "answered"]),
        ("partial", "partial", ["answered", "refused"]),
        ("no_trace", "partial", ["answered", "no_trace"]),
        ("refused", "partial", ["answered", "refused"]),
        ("transferred", "partial", ["answered", "transferred"]),
        ("interim", "interim", ["answered", "interim"]),
    ],
)
def test_what_an_outcome_says_of_the_rest(outcome: str, state: str, each: list[str]) -> None:
    found = stands(came(1, outcome, "1"), now=2)
    assert (found.state, questions(found), found.late) == (state, each, False)


@pytest.mark.parametrize("outcome", ["no_trace", "refused", "transferred"])
def test_an_outcome_without_answers_settles_all(outcome: str) -> None:
    found = stands(came(1, outcome), now=99)
    assert (found.state, questions(found)) == (outcome, [outcome, outcome])


def test_each_answer_says_how_its_own_question_stands() -> None:
    found = stands(came(1, "partial", "1:no_trace", "2:pending"), now=2)
    assert (found.state, questions(found)) == ("interim", ["no_trace", "interim"])
    after = stands(came(1, "full", "1", "2"), came(3, "interim", "2:pending"), now=4)
    assert (after.state, questions(after)) == ("answered", ["answered", "answered"])


def test_an_announced_delay_moves_when_it_is_overdue_and_says_why() -> None:
    delayed = came(5, "interim", "1", expected=72 * HOUR, reason="judicial_authorisation")
    waits = stands(delayed, now=70)
    assert (waits.state, waits.expected, waits.reason, waits.until) == (
        "interim", 72 * HOUR, "judicial_authorisation", 72 * HOUR,
    )  # fmt: skip
    assert stands(delayed, now=73).state == "overdue"
    done = stands(delayed, came(71, "full", "2"), now=99)
    assert (done.state, done.expected, done.late) == ("answered", None, True)
    assert [one.reply for one in done.questions] == [bytes([5]) * 32, bytes([71]) * 32]


def test_a_delay_announced_for_an_earlier_time_takes_nothing_away() -> None:
    assert stands(came(1, "interim", expected=2 * HOUR), now=7).state == "interim"


def test_what_was_refused_may_be_answered_after_all() -> None:
    found = stands(came(1, "refused"), came(3, "full", "1", "2"), now=4)
    assert (found.state, found.late) == ("answered", False)


def test_an_answer_after_the_time_counts_and_is_late() -> None:
    found = stands(came(9, "full", "1", "2"), now=10)
    assert (found.state, found.late) == ("answered", True)


# --- T12: legal assistance ------------------------------------------------------------------------

DAY = 24 * HOUR
LINES = {"mla_acknowledge": 5 * DAY, "mla_status": 30 * DAY}


def stands_legally(*words: tuple[int, str | None], day: int, **last: Any) -> tuple[Any, ...]:
    """Words: (day, state of the execution); `day`: today. What is owed, how, by which day."""
    said = [Word(bytes(32), at * DAY, state) for at, state in words]
    if last:
        said[-1] = Word(bytes(32), said[-1].at, said[-1].state, **last)
    found = legal(said, 0, lambda start, line: start + LINES[line], day * DAY)
    due = found.owing.due
    return found.what, found.owing.state, None if due is None else due // DAY, found.owing.late


@pytest.mark.parametrize(
    ("words", "day", "found"),
    [
        ([], 5, ("acknowledgement", "waiting", 5, False)),
        ([], 6, ("acknowledgement", "overdue", 5, False)),
        ([(3, "received")], 33, ("status", "waiting", 33, False)),
        ([(3, "received")], 34, ("status", "overdue", 33, False)),
        ([(3, "received"), (20, "accepted")], 50, ("status", "waiting", 50, False)),
        ([(7, "received")], 8, ("status", "waiting", 37, True)),
        ([(3, "received"), (90, "executed")], 999, ("status", "answered", None, False)),
        ([(3, "returned")], 999, ("status", "answered", None, False)),
        ([(3, "refused")], 999, ("status", "refused", None, False)),
        ([(3, None)], 33, ("status", "waiting", 33, False)),
    ],
)
def test_who_was_asked_for_assistance_owes_word_after_word(
    words: list[tuple[int, str | None]], day: int, found: tuple[Any, ...]
) -> None:
    assert stands_legally(*words, day=day) == found


def test_an_announced_day_moves_the_next_word() -> None:
    postponed = ((3, "postponed"),)
    assert stands_legally(*postponed, day=60, expected=60 * DAY)[1] == "waiting"
    assert stands_legally(*postponed, day=61, expected=60 * DAY)[1] == "overdue"


def test_what_is_cancelled_or_says_how_it_stands_asks_nothing() -> None:
    about = {"message_kind": "original", "reference": "LA-OSPP-2025-ML-0002"}
    kind = "saphan/mla_request/1"
    asking = words_of(kind, {"about": about, "body": {}})
    assert asking is not None
    assert asking.asks
    told = {"execution": {"state": "postponed", "expected_on": "2026-01-05"}}
    telling = words_of(kind, {"about": about, "body": told})
    assert telling is not None
    assert telling.execution is not None
    assert (telling.asks, telling.execution.expected) == (False, 1_767_571_200_000)
    cancelled = words_of(kind, {"about": about | {"message_kind": "cancel"}, "body": {}})
    assert cancelled is not None
    assert not cancelled.asks


# --- reading it from content ----------------------------------------------------------------------


def test_words_are_read_from_content() -> None:
    about = {"message_kind": "original", "reference": "KH-GPO-2025-RQ-0012"}
    body = {
        "questions": [{"no": 1}, {"no": 2}],
        "availability": "direct",
        "reply_within": {"count": 3, "unit": "working_days"},
    }
    asked = words_of(REQUEST, {"about": about, "body": body})
    assert asked is not None
    assert asked.asked == Asked(("1", "2"), "direct", (3, "working_days"))
    named = about | {"relations": [{"kind": "in_reply_to", "bulletin_id": FIRST.hex()}]}
    answer = {
        "request_id": FIRST.hex(),
        "outcome": "interim",
        "answers": [{"no": 1}],
        "delay": {"reason": "judicial_authorisation", "expected_at": "2025-10-17T03:00:00Z"},
    }
    reply = words_of(REPLY, {"about": named, "body": answer})
    assert reply is not None
    assert reply.answered == Answered(
        FIRST, "interim", (("1", "answered"),), 1_760_670_000_000, "judicial_authorisation"
    )
    assert reply.targets("in_reply_to") == (FIRST,)
    assert words_of(ALERT, {"about": about, "body": {}}) is None
