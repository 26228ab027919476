"""`validate_content`: the header names type and digest, and rules see its facts."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from saphan_schemas import bodies
from saphan_schemas.body_types import BUILT_IN
from saphan_schemas.errors import InvalidInput
from saphan_schemas.header_facts import FACTS, header_facts
from saphan_schemas.records import Header, Marking
from saphan_schemas.samples import sample
from saphan_schemas.validation import validate_content
from support.rooms import ROOT

NAME = "saphan/training_notice/1"


def header(**changes: Any) -> Header:
    whole = Header(
        suite=1,
        nonce=bytes(16),
        sender="la.ospp",
        recipients=("kh.gpo", "kh.nacd"),
        schema=NAME,
        schema_digest=bodies.digest(NAME),
        marking=Marking("amber", ("H1", "H2")),
        urgency="routine",
        exercise=True,
        created=1_760_424_000_007,
        expires=253_402_300_799_999,
        answer_by=None,
        retain_until=20_375,
    )
    return msgspec.structs.replace(whole, **changes)


def refused(found: Header, content: dict[str, Any]) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        validate_content(found, content)
    return caught.value


def test_a_sample_is_what_its_header_says() -> None:
    validate_content(header(), sample("training_notice"))


def test_another_digest_under_a_known_name_waits_like_an_unknown_type() -> None:
    error = refused(header(schema_digest=bytes(32)), sample("training_notice"))
    assert (error.code, error.field) == ("schema_unknown", "header.schema_digest")
    error = refused(header(schema="la.ospp/own/1"), {})
    assert (error.code, error.field) == ("schema_unknown", "header.schema")


def test_an_own_type_is_known_to_whom_it_is_given() -> None:
    data = bodies.bundle_bytes(NAME)
    types = BUILT_IN.with_own("la.ospp/own/1", data)
    own = header(schema="la.ospp/own/1")
    validate_content(own, sample("training_notice"), types)
    assert refused(own, sample("training_notice")).code == "schema_unknown"


def test_rules_see_the_header() -> None:
    """H3 says "other, text needed": the code is in the header, the text in the content."""
    content = sample("training_notice")
    error = refused(header(marking=Marking("amber", ("H3",))), content)
    assert (error.code, error.field) == ("rule_broken", "/about/handling/h3_text")
    content["about"]["handling"]["h3_text"] = {"en": "Not to the press."}
    validate_content(header(marking=Marking("amber", ("H3",))), content)


def test_the_facts_are_those_of_the_page() -> None:
    assert header_facts(header()) == {
        "codes": ["H1", "H2"],
        "created": "2025-10-14T06:40:00.007Z",
        "exercise": True,
        "expires": "9999-12-31T23:59:59.999Z",
        "recipients": ["kh.gpo", "kh.nacd"],
        "retain_until": "2025-10-14",
        "schema": NAME,
        "sender": "la.ospp",
        "tlp": "amber",
        "urgency": "routine",
    }
    assert header_facts(header(answer_by=0), ["answer_by"]) == {
        "answer_by": "1970-01-01T00:00:00.000Z"
    }
    page = (ROOT / "schemas/spec/rules.md").read_text(encoding="utf-8")
    paragraph = page[page.index("\nR8.") : page.index("### Kinds")]
    assert set(re.findall(r"`([a-z_]+)`", paragraph)) - {"header"} == FACTS.keys()


@pytest.mark.parametrize("name", bodies.NAMES)
def test_a_type_is_given_every_fact_that_its_rules_name(name: str) -> None:
    bundle = BUILT_IN.get(name).bundle
    named = set(re.findall(r"'/header/([a-z_]+)", str(bundle["rules"])))
    assert named <= BUILT_IN.get(name).header_facts <= FACTS.keys()


def test_the_steps_come_in_their_order() -> None:
    content = sample("training_notice")
    content["about"]["translations"][1]["lang"] = content["about"]["translations"][0]["lang"]
    assert refused(header(), content).code == "rule_broken"
    content["attachments"] = [{"media_type": "application/pdf", "name": "con.pdf", "role": "form"}]
    assert refused(header(), content).code == "attachment_name"
    content["body"]["unknown"] = 1
    assert refused(header(), content).code == "schema_invalid"
    content["about"]["title"]["en"] = "a\u202eb"
    assert refused(header(), content).code == "text_forbidden"
    assert refused(header(schema_digest=bytes(32)), content).code == "schema_unknown"


def test_a_fault_says_what_would_be_right_in_which_type() -> None:
    content = sample("training_notice")
    content["about"]["handling"]["pap"] = "blue"
    fault = refused(header(), content).fault
    assert fault is not None
    assert (fault.rule, fault.pointer) == ("enum", "/about/handling/pap")
    assert fault.expected == {"allowed": ["red", "amber", "green", "clear"]}
    assert fault.schema == NAME
