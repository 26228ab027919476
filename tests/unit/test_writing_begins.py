"""What a new form begins with: what agreements allow, and what follows from another bulletin."""

from __future__ import annotations

from typing import Any

import pytest
from saphan.corridors import Allowed
from saphan.web.sending.words import error_words, state_words, title_of
from saphan.web.writing.beginning import (
    Original,
    addressed,
    answers_of,
    first_answers,
    following,
    may,
    types_for,
    under,
)
from saphan.web.writing.deadlines import day_of, deadline, usual_days, zone_of
from saphan.web.writing.partners import ceiling, partners, reachable

LA, KH, TH = "la.ospp", "kh.gpo", "th.oncb"
ASK, REPLY, NOTE = "saphan/info_request/1", "saphan/info_reply/1", "saphan/training_notice/1"
NOW = 1_790_000_000_000
ID = "ab" * 32


def rule(to: str, *schemas: str, tlp: str = "amber", sender: str = KH) -> dict[str, Any]:
    return {
        "sender": sender,
        "recipient": to,
        "schemas": list(schemas),
        "retain_days": 30,
        "tlp_ceiling": tlp,
    }


def agreed(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"agreements": [{"rules": list(rules), **more}]}


def original(**changes: Any) -> Original:
    fields: dict[str, Any] = {
        "id": ID,
        "sender": LA,
        "recipients": (KH, TH),
        "schema": ASK,
        "exercise": True,
        "urgency": "immediate",
        "tlp": "red",
        "content": {
            "about": {
                "title": {"lo": "ຄຳຖາມ"},
                "relations": [
                    {"kind": "corrects", "bulletin_id": "cd" * 32},
                    {"kind": "related", "bulletin_id": "ef" * 32},
                ],
            },
            "body": {"questions": [{"no": 1}, {"no": 4}]},
        },
    }
    return Original(**(fields | changes))


def test_what_is_in_force_is_offered_and_nothing_else() -> None:
    found = agreed(rule(LA, ASK, NOTE), rule(TH, NOTE), rule(KH, ASK, sender=LA))
    types = reachable(found, KH, NOW)
    assert types == {ASK: (LA,), NOTE: (LA, TH)}
    assert partners(types) == (LA, TH)
    for gone in ({"condition": "suspended"}, {"valid_until": NOW}, {"valid_from": NOW + 1}):
        assert reachable(agreed(rule(LA, ASK), **gone), KH, NOW) == {}
    assert reachable({}, KH, NOW) == {}


def test_the_marking_is_the_strictest_that_all_agreements_carry() -> None:
    found = agreed(rule(LA, NOTE, tlp="red"), rule(LA, NOTE, tlp="green"), rule(TH, NOTE))
    assert ceiling(found, KH, [LA], NOTE, NOW) == "red"
    assert ceiling(found, KH, [LA, TH], NOTE, NOW) == "amber"
    assert ceiling(found, KH, [LA], ASK, NOW) is None
    assert under({"/marking/tlp": "red"}, "amber") == {"/marking/tlp": "amber"}
    assert under({"/marking/tlp": "clear"}, "amber") == {"/marking/tlp": "clear"}
    assert under({"/marking/tlp": "?"}, "amber") == {"/marking/tlp": "?"}
    assert under({}, None) == {}


def test_only_its_own_agency_replaces_a_bulletin_and_everybody_may_answer() -> None:
    assert [may(start, original(), KH) for start in ("reply", "correct", "supersede")] == [
        True, False, False,
    ]  # fmt: skip
    assert may("correct", original(), LA)
    assert addressed("reply", original(), KH) == (LA,)
    assert addressed("correct", original(), LA) == (KH, TH)


def test_a_request_is_answered_by_a_reply_first_and_nothing_else_by_one() -> None:
    types = (ASK, REPLY, NOTE)
    assert types_for("reply", original(), types)[0] == REPLY
    assert REPLY not in types_for("reply", original(schema=NOTE), types)
    assert types_for("correct", original(), types) == (ASK,)


def test_a_reply_names_the_request_and_begins_each_answer() -> None:
    found = following("in_reply_to", original(), REPLY)
    assert found["/body/request_id"] == ID
    assert found["/about/relations/0/bulletin_id"] == ID
    assert [found["/body/answers/0/no"], found["/body/answers/1/no"]] == [1, 4]
    assert (found["/exercise"], found["/urgency"]) == (True, "immediate")
    unread = following("in_reply_to", original(content=None), REPLY)
    assert "/body/answers/0/no" not in unread


@pytest.mark.parametrize(
    ("kind", "message"), [("corrects", "correction"), ("supersedes", "update")]
)
def test_what_replaces_says_the_same_and_names_the_original_first(kind: str, message: str) -> None:
    found = following(kind, original(), ASK)
    assert found["/about/message_kind"] == message
    assert found["/about/title/lo"] == "ຄຳຖາມ"
    relations = {at: value for at, value in found.items() if "/relations/" in at}
    assert list(relations.values()) == [kind, ID, "related", "ef" * 32]


def test_a_new_form_begins_with_what_is_usual() -> None:
    found = first_answers(LA, NOTE, "km", NOW, Allowed(codes=("H1", "H3")))
    assert found["/about/originator"] == "LA-OSPP"
    assert found["/about/local_time_zone"] == "Asia/Vientiane"  # the agency's, not the language's
    assert found["/about/source_language"] == "km"
    assert [found["/marking/codes/0"], found["/marking/codes/1"]] == ["H1", "H3"]
    assert "/about/originator" not in first_answers("xx.office", NOTE, "en", NOW, Allowed())


def test_answers_are_spread_by_pointer() -> None:
    assert answers_of({"a": {"b": [1, {"c": "x"}]}, "d": False, "e": {}, "f": None}) == {
        "/a/b/0": 1,
        "/a/b/1/c": "x",
        "/d": False,
    }


def test_a_deadline_is_the_end_of_its_day_where_it_is_owed() -> None:
    there = zone_of(("la.ospp", "xx.office"))
    moment = deadline("2026-12-31", there)
    assert moment == 1_798_761_600_000 - 7 * 3_600_000
    assert day_of(moment, there) == "2026-12-31"
    assert deadline("2026-12-31", zone_of(("xx.office",))) == 1_798_761_600_000
    assert deadline(" ", zone_of(())) is None
    with pytest.raises(ValueError, match="isoformat"):
        deadline("31.12.2026", there)


def test_working_days_leave_out_the_end_of_the_week() -> None:
    friday = 1_798_200_000_000  # 2026-12-25 12:00 UTC
    days = {(one.count, one.unit): one.day for one in usual_days(friday, zone_of((LA,)))}
    assert days[1, "working_days"] == "2026-12-28"
    assert days[5, "working_days"] == "2027-01-01"
    assert days[14, "calendar_days"] == "2027-01-08"


def test_words_of_what_nobody_knows_are_what_was_said() -> None:
    assert state_words("accepted", "en") == "Accepted"
    assert state_words("handed_over", "en") == "Handed over"
    assert state_words("of_next_year", "en") == "of_next_year"
    assert error_words("draft_unknown", "en") == "There is no such draft"
    assert title_of({"en": "Seizure", "lo": " "}, "lo") == ("Seizure", "en")
    assert title_of({"th": "x"}, "lo") == ("x", "th")
    assert title_of({}, "lo") is None
