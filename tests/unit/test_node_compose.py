"""Composing: defaults, checks before signing, strict JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from saphan.compose import Draft, Wish, compose, parse_wish
from saphan.corridors import Allowed
from saphan.retention.reckoning import add_months
from saphan_protocol.identity import CONTENT_TYPE, identity, record_identity
from saphan_schemas.bodies import digest
from saphan_schemas.codec import decode, decode_content
from saphan_schemas.errors import InvalidInput
from saphan_schemas.explaining import explain, place
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Header, Inner, Marking
from saphan_schemas.samples import sample

NOW = 1_752_624_000_000
SCHEMA = "saphan/training_notice/1"


def wish(**fields: Any) -> Wish:
    content = sample("training_notice")
    content["about"]["handling"]["onward"] = "ask"  # as a red marking has it, too
    given = {"to": ("kh.gpo",), "schema": SCHEMA, **fields}
    return Wish(about=content["about"], body=content["body"], **given)


def test_defaults_are_written_out_in_the_header() -> None:
    draft = compose(wish(), sender="la.ospp", now=NOW, nonce=b"n" * 16)
    assert decode(Header, draft.header_bytes, 8192, "header") == draft.header
    header = draft.header
    assert (header.sender, header.recipients) == ("la.ospp", ("kh.gpo",))
    assert header.schema_digest == digest(SCHEMA)
    assert header.marking == Marking("amber", ("H1", "H2"))
    assert (header.created, header.expires) == (NOW, NOW + 30 * DAY_MS)
    assert header.retain_until == add_months(NOW // DAY_MS, 24)  # a course with names
    assert not header.exercise


def reviewed(on: object) -> Draft:
    content = sample("training_notice")
    made = Wish(
        to=("kh.gpo",),
        schema=SCHEMA,
        about=content["about"] | {"review_at": on},
        body=content["body"],
    )
    return compose(made, sender="la.ospp", now=NOW, nonce=b"n" * 16)


@pytest.mark.parametrize(("review", "days"), [("2025-07-17", 730), ("2030-12-31", 1_994)])
def test_nothing_is_destroyed_before_its_review(review: str, days: int) -> None:
    assert reviewed(review).header.retain_until == NOW // DAY_MS + days


@pytest.mark.parametrize("review", ["2030-13-31", 7, None])
def test_a_review_on_no_day_is_refused_like_any_other_fault(review: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        reviewed(review)
    assert refused.value.field == "/about/review_at"


@pytest.mark.parametrize("value", [3.5, "\ud800"])
def test_a_number_without_quotes_is_explained_as_any_other_fault(value: object) -> None:
    made = wish()
    made.body["dates"]["from"] = value
    with pytest.raises(InvalidInput) as refused:
        compose(made, sender="la.ospp", now=NOW, nonce=b"n" * 16)
    assert refused.value.field == "content/body/dates/from"
    assert place(SCHEMA, "/body/dates/from", "lo") in (explain(refused.value, "lo") or "")


def test_retention_never_exceeds_what_was_agreed() -> None:
    allowed = Allowed(90)
    draft = compose(wish(), sender="la.ospp", now=NOW, nonce=b"n" * 16, allowed=allowed)
    assert draft.header.retain_until == NOW // DAY_MS + 90


def test_the_agreement_says_which_codes_hold_where_the_author_names_none() -> None:
    def marked(**fields: Any) -> Marking:
        allowed = Allowed(90, ("H0", "H2"))
        draft = compose(wish(**fields), sender="la.ospp", now=NOW, nonce=bytes(16), allowed=allowed)
        return draft.header.marking

    assert marked() == Marking("amber", ("H0", "H2"))
    assert marked(tlp="red") == Marking("red", ("H0", "H2"))
    assert marked(marking=Marking("green", ("H1",))) == Marking("green", ("H1",))


def test_a_marking_may_be_written_without_codes() -> None:
    content = sample("training_notice")
    value = {"schema": SCHEMA, "to": ["kh.gpo"], "about": {}, "body": content["body"]}
    assert parse_wish(json.dumps(value | {"marking": {"tlp": "red"}}).encode()).tlp == "red"
    with pytest.raises(InvalidInput, match="malformed"):
        parse_wish(json.dumps(value | {"marking": {"tlp": "red", "codes": []}}).encode())


def test_the_inner_binds_header_and_content() -> None:
    draft = compose(wish(), sender="la.ospp", now=NOW, nonce=b"n" * 16)
    inner = decode(Inner, draft.inner("bounmy", b"k" * 32), 4096, "inner")
    assert inner.header == record_identity(Header, draft.header_bytes)
    assert inner.content == identity(CONTENT_TYPE, draft.content)
    assert (inner.author, inner.author_key) == ("bounmy", b"k" * 32)


def test_recipients_are_sorted_and_unique() -> None:
    draft = compose(wish(to=("vn.vks", "kh.gpo")), sender="la.ospp", now=NOW, nonce=b"n" * 16)
    assert draft.header.recipients == ("kh.gpo", "vn.vks")
    with pytest.raises(InvalidInput, match="header_invalid"):
        compose(wish(to=("kh.gpo", "kh.gpo")), sender="la.ospp", now=NOW, nonce=b"n" * 16)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"to": ("Phnom Penh",)}, "header_invalid"),
        ({"schema": "saphan/none/1"}, "schema_unknown"),
        ({"schema": "saphan/drug_seizure/1"}, "schema_invalid"),
        ({"marking": Marking("amber", ())}, "header_invalid"),
        ({"expires": -1}, "header_invalid"),
    ],
)
def test_what_cannot_be_sent_is_not_composed(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidInput, match=code):
        compose(wish(**fields), sender="la.ospp", now=NOW, nonce=b"n" * 16)


def test_content_over_64_kib_is_refused_before_its_schema() -> None:
    large = wish()
    large.body["programme"] = "x" * 70_000
    with pytest.raises(InvalidInput, match="too_large"):
        compose(large, sender="la.ospp", now=NOW, nonce=b"n" * 16)


def test_json_becomes_the_same_content() -> None:
    content = sample("training_notice")
    value = {
        "to": ["kh.gpo"],
        "schema": SCHEMA,
        "about": content["about"],
        "body": content["body"],
        "marking": {"tlp": "green", "codes": ["H0"]},
        "urgency": "priority",
        "exercise": True,
    }
    found = parse_wish(json.dumps(value).encode())
    assert (found.marking, found.urgency, found.exercise) == (
        Marking("green", ("H0",)),
        "priority",
        True,
    )
    draft = compose(found, sender="la.ospp", now=NOW, nonce=b"n" * 16)
    assert decode_content(draft.content, 65_536) == {
        "about": content["about"],
        "attachments": [],
        "body": content["body"],
    }


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "malformed"),
        (b"[]", "malformed"),
        (b"\xff", "malformed"),
        (b'{"a":' * 100_000, "too_large"),
        (b"[" * 200_000, "malformed"),
        (b'{"schema": 1, "about": {}, "body": {}}', "malformed"),
        (b'{"schema": "s", "about": {}, "body": {}, "bcc": []}', "malformed"),
        (b'{"schema": "s", "about": {}, "body": {}}', "recipients_missing"),
        (b'{"schema": "s", "about": {}, "body": {}, "marking": {"tlp": "pink"}}', "malformed"),
    ],
)
def test_json_that_is_no_bulletin_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(InvalidInput, match=code):
        parse_wish(data)
