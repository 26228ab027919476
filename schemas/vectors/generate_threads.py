"""Write the vectors of threads.md: who may name what, by when an answer is owed, how it stands.

    python schemas/vectors/generate_threads.py [folder]

Expectations are written here by hand and not computed. Times in the files are ms UTC.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
LA, KH, VN = "la.ospp", "kh.gpo", "vn.vks"
ALERT, REQUEST, REPLY = "saphan/trafficking_alert/1", "saphan/info_request/1", "saphan/info_reply/1"
FIRST, SECOND = "00" * 32, "01" * 32
HOUR: Final = 3_600_000

Vector = dict[str, Any]
Named = Iterator[tuple[str, Vector]]


def at(text: str) -> int:
    """A local time with its offset, ms UTC."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


# --- who may name what ----------------------------------------------------------------------------


def relation(code: str | None, step: str, **fields: Any) -> Vector:
    """LA sends an alert to KH that corrects its own first one, but for `fields`."""
    layer = "recipient" if code == "relation_refused" else "sender"
    base: Vector = {
        "expect": "valid" if code is None else layer,
        "code": code,
        "spec": f"schemas/spec/threads.md {step}",
        "layer": layer,
        "sender": LA,
        "recipients": [KH],
        "schema": ALERT,
        "message": "correction",
        "relations": [{"kind": "corrects", "bulletin_id": FIRST}],
        "exercise": False,
        "held": holds(LA, KH),
        "unreached": [],
    }
    return base | fields


def names(*pairs: tuple[str, str]) -> list[Vector]:
    return [{"kind": kind, "bulletin_id": target} for kind, target in pairs]


def holds(sender: str, *recipients: str, schema: str = ALERT) -> Vector:
    one = {"sender": sender, "recipients": list(recipients), "schema": schema, "exercise": False}
    return {FIRST: one}


def chains_and_exercises() -> Named:
    """A correction of a correction; an exercise beside what is real."""
    reply = {"message": "original", "relations": names(("in_reply_to", FIRST))}
    left = {FIRST: holds(LA, KH)[FIRST] | {"left": {SECOND: [KH]}}}
    both = names(("corrects", FIRST), ("corrects", SECOND))
    named = left | {SECOND: holds(LA, KH)[FIRST]}
    yield "leaves_earlier", relation("correction_misses", "T3", held=left)
    newer = {FIRST: holds(LA, KH)[FIRST] | {"replaced_by": [SECOND]}}
    yield "replaced_already", relation("relation_replaced", "T3", held=newer)
    yield "names_newer", relation(None, "T3", held=named | newer, relations=both)
    yield "names_earlier", relation(None, "T3", held=named, relations=both)
    yield "exercise", relation("relation_type", "T1", exercise=True)
    yield (
        "exercise_reply",
        relation("relation_type", "T1", **reply, held=holds(KH, LA), exercise=True),
    )
    yield "exercise_taken", relation("relation_refused", "T4", exercise=True)


def relations() -> Named:
    yield from chains_and_exercises()
    reply = {"message": "original", "relations": names(("in_reply_to", FIRST))}
    yield "corrects", relation(None, "T3")
    yield "corrects_newer_version", relation(None, "T3", schema="saphan/trafficking_alert/2")
    yield "more_recipients", relation(None, "T3", recipients=[KH, VN])
    yield "unreached", relation(None, "T3", held=holds(LA, KH, VN), unreached=[VN])
    yield "misses", relation("correction_misses", "T3", held=holds(LA, KH, VN))
    yield "foreign", relation("relation_foreign", "T3", held=holds(KH, LA))
    yield "other_type", relation("relation_type", "T3", held=holds(LA, KH, schema=REQUEST))
    yield "not_held", relation("relation_unknown", "T1", held={})
    yield "names_nothing", relation("relation_missing", "T1", relations=names(("related", FIRST)))
    yield "cancel_in_reply", relation("relation_missing", "T1", **reply | {"message": "cancel"})
    yield (
        "update_in_reply",
        relation(None, "T1", **reply | {"message": "update"}, held=holds(KH, LA)),
    )
    yield (
        "twice",
        relation(
            "relation_twice", "T1", relations=names(("corrects", FIRST), ("in_reply_to", FIRST))
        ),
    )
    yield (
        "related_unknown",
        relation(
            None,
            "T1",
            message="original",
            relations=names(("same_case", SECOND), ("related", SECOND)),
        ),
    )
    yield "reply", relation(None, "T2", **reply, held=holds(KH, LA))
    yield "reply_to_own", relation(None, "T2", **reply, held=holds(LA, KH))
    yield "reply_elsewhere", relation("reply_misdirected", "T2", **reply, held=holds(VN, LA))
    yield (
        "reply_to_alert",
        relation("relation_type", "T2", **reply, schema=REPLY, held=holds(KH, LA)),
    )
    yield (
        "reply_to_request",
        relation(None, "T2", **reply, schema=REPLY, held=holds(KH, LA, schema=REQUEST)),
    )
    for name, held, code in (
        ("taken", holds(LA, KH), None),
        ("taken_not_held", {}, None),
        ("taken_misses", holds(LA, KH, VN), None),
        ("refused_foreign", holds(VN, KH), "relation_refused"),
        ("refused_type", holds(LA, KH, schema=REQUEST), "relation_refused"),
    ):
        yield name, relation(code, "T4", held=held, layer="recipient")


# --- by when --------------------------------------------------------------------------------------

HOLIDAYS: Final[Vector] = {
    "saphan": "holidays/1",
    "country": "la",
    "dated": "2026-01-05",
    "source": "an invented list",
    "from": "2026-01-01",
    "to": "2026-12-31",
    "days": ["2026-04-14", "2026-04-15", "2026-04-16"],
}
MONDAY: Final = "2026-03-02T09:30+07:00"


def clock(due: str, **fields: Any) -> Vector:
    """A routine request, answered by direct access, accepted on a Monday, but for `fields`."""
    base: Vector = {
        "expect": "valid",
        "spec": "schemas/spec/threads.md T6",
        "accepted": at(MONDAY),
        "urgency": "routine",
        "availability": "direct",
        "reply_within": None,
        "zone": "Asia/Vientiane",
        "holidays": None,
        "due": at(due),
        "holiday_file_missing": False,
    }
    return base | fields


def clocks() -> Named:
    """The table, the requester's own time, and whose days they are."""
    yield "urgent_direct", clock("2026-03-02T17:30+07:00", urgency="immediate")
    yield (
        "urgent_indirect",
        clock("2026-03-06T00:00+07:00", urgency="immediate", availability="indirect"),
    )
    yield (
        "urgent_unknown",
        clock("2026-03-06T00:00+07:00", urgency="immediate", availability="unknown"),
    )
    yield "normal_direct", clock("2026-03-10T00:00+07:00")
    yield "priority_direct", clock("2026-03-10T00:00+07:00", urgency="priority")
    yield "normal_indirect", clock("2026-03-17T00:00+07:00", availability="indirect")
    late = at("2026-03-02T18:30+00:00")
    yield "day_of_the_replier", clock("2026-03-11T00:00+07:00", accepted=late)
    yield "day_in_utc", clock("2026-03-10T00:00+00:00", accepted=late, zone="UTC")
    yield (
        "never_shortened",
        clock("2026-03-10T00:00+07:00", reply_within={"count": 2, "unit": "hours"}),
    )
    yield (
        "lengthened",
        clock("2026-03-23T00:00+07:00", reply_within={"count": 20, "unit": "calendar_days"}),
    )
    yield from working_days()
    yield from edges()


def working_days() -> Named:
    within = {"count": 5, "unit": "working_days"}
    april = {"accepted": at("2026-04-10T15:00+07:00"), "urgency": "immediate"}
    yield (
        "working_days",
        clock("2026-04-23T00:00+07:00", reply_within=within, holidays=HOLIDAYS, **april),
    )
    yield (
        "working_days_unknown",
        clock("2026-04-18T00:00+07:00", reply_within=within, holiday_file_missing=True, **april),
    )
    three = {"count": 3, "unit": "working_days"}
    monday: Vector = {"urgency": "immediate", "availability": "indirect", "reply_within": three}
    yield (
        "working_days_no_longer",
        clock("2026-03-06T00:00+07:00", holiday_file_missing=True, **monday),
    )
    yield (
        "working_days_no_longer_known",
        clock("2026-03-06T00:00+07:00", holidays=HOLIDAYS, **monday),
    )
    december = {"accepted": at("2026-12-28T15:00+07:00"), "urgency": "immediate"}
    yield "working_days_beyond", clock(
        "2027-01-05T00:00+07:00", reply_within=within, holidays=HOLIDAYS,
        holiday_file_missing=True, **december,
    )  # fmt: skip


def edges() -> Named:
    """A weekend, midnight, a leap day."""
    urgent: Vector = {"urgency": "immediate"}
    five = {"count": 5, "unit": "working_days"}
    yield (
        "hours_over_a_weekend",
        clock("2026-03-07T04:00+07:00", accepted=at("2026-03-06T20:00+07:00"), **urgent),
    )
    yield (
        "accepted_at_midnight",
        clock("2026-03-14T00:00+07:00", accepted=at("2026-03-06T00:00+07:00")),
    )
    yield (
        "over_a_leap_day",
        clock("2028-03-05T00:00+07:00", accepted=at("2028-02-26T10:00+07:00")),
    )
    yield (
        "working_days_from_a_saturday",
        clock(
            "2026-04-18T00:00+07:00", accepted=at("2026-04-11T10:00+07:00"), reply_within=five,
            holiday_file_missing=True, **urgent,
        ),
    )  # fmt: skip


# --- how it stands --------------------------------------------------------------------------------


def said(
    hour: int, outcome: str, *answers: str, expected: int | None = None, of: Vector | None = None
) -> Vector:
    """A reply; answers: "1" or "2:pending"; `of`: the one whose place it takes."""
    listed = [[one.partition(":")[0], one.partition(":")[2] or "answered"] for one in answers]
    when = None if expected is None else expected * HOUR
    made = {"at": hour * HOUR, "outcome": outcome, "answers": listed, "expected": when}
    return made | {"earlier": [] if of is None else [of]}


def stands(state: str, each: list[str], now: int, *replies: Vector, late: bool = False) -> Vector:
    """Two questions, accepted at 0, due after 8 hours."""
    expected = replies[-1]["expected"] if replies else None
    opened = {"waiting", "interim"} & set(each)
    return {
        "expect": "valid",
        "spec": "schemas/spec/threads.md T8, T9",
        "questions": ["1", "2"],
        "due": 8 * HOUR,
        "now": now * HOUR,
        "replies": list(replies),
        "state": state,
        "each": each,
        "late": late,
        "until": max(8 * HOUR, expected) if expected and opened else 8 * HOUR,
    }


def standings() -> Named:
    yield "nothing", stands("waiting", ["waiting"] * 2, 8)
    yield "overdue", stands("overdue", ["waiting"] * 2, 9)
    yield "full", stands("answered", ["answered"] * 2, 2, said(1, "full", "1"))
    yield "partial", stands("partial", ["answered", "refused"], 2, said(1, "partial", "1"))
    yield "no_trace", stands("no_trace", ["no_trace"] * 2, 2, said(1, "no_trace"))
    yield "refused", stands("refused", ["refused"] * 2, 99, said(1, "refused"))
    yield "transferred", stands("transferred", ["transferred"] * 2, 99, said(1, "transferred"))
    delay = said(5, "interim", "1", "2:pending", expected=72)
    yield "delayed", stands("interim", ["answered", "interim"], 70, delay)
    yield "delay_over", stands("overdue", ["answered", "interim"], 73, delay)
    yield (
        "delay_kept",
        stands("answered", ["answered"] * 2, 99, delay, said(71, "full", "2"), late=True),
    )
    yield "delay_no_later", stands("overdue", ["interim"] * 2, 9, said(1, "interim", expected=2))
    yield (
        "each_says",
        stands(
            "partial", ["no_trace", "refused"], 2, said(1, "partial", "1:no_trace", "2:refused")
        ),
    )
    yield (
        "after_all",
        stands("answered", ["answered"] * 2, 4, said(1, "refused"), said(3, "full", "1", "2")),
    )
    yield (
        "settled_stays",
        stands("answered", ["answered"] * 2, 4, said(1, "full", "1", "2"), said(3, "refused")),
    )
    yield "late", stands("answered", ["answered"] * 2, 10, said(9, "full", "1", "2"), late=True)
    full = said(1, "full", "1", "2")
    better = said(9, "full", "1", "2:no_trace", of=full)
    yield "corrected", stands("partial", ["answered", "no_trace"], 10, better)
    for name, hour in (("in_place_of_a_delay", 7), ("in_place_of_a_delay_late", 9)):
        last = said(hour, "full", "1", "2", of=delay)
        yield name, stands("answered", ["answered"] * 2, 10, last, late=hour > 8)
    again = said(9, "interim", "1", "2:pending", expected=72, of=delay)
    yield "delay_corrected", stands("interim", ["answered", "interim"], 10, again)


# --- legal assistance -----------------------------------------------------------------------------


def legal(
    what: str, state: str, due: str | None, now: str, *words: Vector, late: bool = False
) -> Vector:
    """Accepted on a Monday; `due` None: nothing is owed any more."""
    return {
        "expect": "valid",
        "spec": "schemas/spec/threads.md T12",
        "accepted": at(MONDAY),
        "zone": "Asia/Vientiane",
        "holidays": None,
        "now": at(now),
        "words": list(words),
        "what": what,
        "state": state,
        "due": None if due is None else at(due),
        "late": late,
    }


def word(
    when: str, state: str | None, expected: str | None = None, earlier: str | None = None
) -> Vector:
    """A word; `earlier`: when what it took the place of was said."""
    return {
        "at": at(when),
        "state": state,
        "expected": None if expected is None else at(expected),
        "earlier": None if earlier is None else at(earlier),
    }


def legals() -> Named:
    first = "2026-03-10T00:00+07:00"  # after five working days
    march, april = "2026-03-04T10:00+07:00", "2026-04-04T00:00+07:00"
    yield "asked", legal("acknowledgement", "waiting", first, "2026-03-09T23:00+07:00")
    yield "silent", legal("acknowledgement", "overdue", first, "2026-03-10T01:00+07:00")
    received = word(march, "received")
    yield "acknowledged", legal("status", "waiting", april, "2026-04-03T23:00+07:00", received)
    yield "silent_again", legal("status", "overdue", april, "2026-04-04T01:00+07:00", received)
    yield "any_word_counts", legal("status", "waiting", april, march, word(march, None))
    after = "2026-03-12T10:00+07:00"
    yield (
        "acknowledged_late",
        legal(
            "status", "waiting", "2026-04-12T00:00+07:00", after, word(after, "received"), late=True
        ),
    )
    newer = word(after, "accepted", earlier=march)
    yield "newer_word", legal("status", "waiting", "2026-04-12T00:00+07:00", after, newer)
    postponed = word(march, "postponed", "2026-06-01T00:00+00:00")
    yield "postponed", legal("status", "waiting", april, "2026-05-31T00:00+00:00", postponed)
    yield "postponed_over", legal("status", "overdue", april, "2026-06-02T00:00+00:00", postponed)
    for state, end in (("executed", "answered"), ("returned", "answered"), ("refused", "refused")):
        yield state, legal("status", end, None, "2027-01-01T00:00+00:00", word(march, state))


FAMILIES: Final = {"relation": relations, "clock": clocks, "standing": standings, "legal": legals}


def main(folder: Path) -> None:
    """Write all of them into `folder`/threads."""
    place = folder / "threads"
    place.mkdir(parents=True, exist_ok=True)
    for kind, cases in FAMILIES.items():
        for name, vector in cases():
            full = {"name": f"{kind}_{name}", "kind": kind} | vector
            text = json.dumps(full, indent=1, ensure_ascii=False) + "\n"
            (place / f"{kind}_{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
