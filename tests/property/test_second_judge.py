"""Content judged twice: by Saphan, and by the second reader from bundle, schema and rule pages.

Samples are spoiled at random places; whatever comes of it, both give one verdict.
"""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from saphan_schemas.bodies import digest
from saphan_schemas.body_types import BUILT_IN
from saphan_schemas.errors import InvalidInput
from saphan_schemas.header_facts import header_facts
from saphan_schemas.records import Header, Marking
from saphan_schemas.samples import SAMPLES, sample, schema_of, wish
from saphan_schemas.validation import validate_content
from support.rooms import ROOT

sys.path.insert(0, str(ROOT / "tests/vectors/second"))
from mp import Refuse
from rules import check_rules
from schema import check_schema
from text import check_names, check_text

SPOILED = 80
"""Contents of each sample that are spoiled; verdicts of all kinds come of so many."""
JUDGED_BY_BOTH = frozenset({"valid", "schema_invalid", "rule_broken", "text_forbidden"})

NASTY: tuple[Any, ...] = (
    "", "a\u202eb", "a\u200bb", "\u17a3", "\U0001f600", "аbc", "១២", "0", "00", "1.", "1e3", "NaN",
    "9" * 18 + ".999999", "9" * 19, "0.0000001", "2025-02-30", "2025-10-14T06:40:60Z", "LA\n",
    "2025-10-14T06:40:00.5Z", "\u2028", 2**53 - 1, 2**53, 2**63, 2**64 - 1, -1, True, None, [], {},
)  # fmt: skip
KEYS = ("", "/", "~1", "*", "\u202e", "header", "LO", "zh-Hant", "lo\n", "$ref", "unheard_of")
Content = dict[str, Any]
Place = tuple[Any, Any]
"""A map or list, and the key or index in it."""


def header_of(name: str, chance: random.Random | None = None) -> Header:
    """The sample's own, or one with facts that it may not go with."""
    marking, given = wish(name).get("marking", {}), wish(name)
    if chance is not None and chance.random() < 0.3:
        codes = chance.choice(([], ["H0"], ["H1", "H2"], ["H3"]))
        marking = {"tlp": chance.choice(("clear", "amber", "amber+strict", "red")), "codes": codes}
        given = {"urgency": chance.choice(("routine", "priority", "immediate"))}
    return Header(
        suite=1,
        nonce=bytes(16),
        sender="la.ospp",
        recipients=("kh.gpo",),
        schema=schema_of(name),
        schema_digest=digest(schema_of(name)),
        marking=Marking(marking.get("tlp", "amber"), tuple(marking.get("codes", ("H1", "H2")))),
        urgency=given.get("urgency", "routine"),
        exercise=chance is None or chance.random() < 0.9,
        created=1_795_000_000_000,
        expires=1_797_000_000_000,
        answer_by=None,
        retain_until=21_000,
    )


def places(value: Any) -> Iterator[Place]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield value, key
        if isinstance(item, dict | list):
            yield from places(item)


def leaves(value: Any) -> list[Any]:
    return [box[key] for box, key in places(value) if not isinstance(box[key], dict | list)]


def spoil(content: Content, chance: random.Random) -> None:
    """One change at one place: gone, another's value, a bit more or less, a second time."""
    box, key = chance.choice(list(places(content)))
    value, kind = box[key], chance.randrange(9)
    if kind == 0:
        del box[key]
    elif kind == 1:
        box[key] = chance.choice(leaves(content))
    elif kind == 2 and isinstance(value, list) and value:
        value.append(copy.deepcopy(chance.choice(value)))
    elif kind == 3 and isinstance(box, dict):
        box[chance.choice(KEYS)] = value
    elif kind == 4:
        box[key] = copy.deepcopy(chance.choice(NASTY))
    elif kind == 5 and isinstance(value, list) and value:
        value.extend(copy.deepcopy(chance.choice(value)) for _ in range(chance.choice((30, 300))))
    elif isinstance(value, bool):
        box[key] = not value
    elif isinstance(value, int):
        box[key] = value + chance.choice((-1, 1, 10**6))
    elif isinstance(value, str) and value:
        box[key] = altered(value, chance)
    else:
        box[key] = chance.choice((None, [], {}, "", 0, True))


def altered(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text))
    change = chance.choice(("digit", "digit", "gone", "twice", "longer"))
    if change == "digit":
        return text[:at] + chance.choice("0123456789") + text[at + 1 :]
    if change == "gone":
        return text[:at] + text[at + 1 :]
    return text * 2 if change == "twice" else text * 60


def first(header: Header, content: Content) -> str:
    try:
        validate_content(header, content)
    except InvalidInput as error:
        return error.code
    return "valid"


def second(header: Header, content: Content) -> str:
    whole = BUILT_IN.get(header.schema).bundle
    try:
        check_text(content)
        check_schema(whole["schema"], content)
        check_names(content["attachments"])
        check_rules(whole["rules"], content, header_facts(header))
    except Refuse as refused:
        return refused.code
    return "valid"


@pytest.mark.parametrize("name", SAMPLES)
def test_both_give_one_verdict(name: str) -> None:
    plain, seen = header_of(name), set()
    assert first(plain, sample(name)) == second(plain, sample(name)) == "valid"
    for seed in range(SPOILED):
        chance, content = random.Random(f"{name} {seed}"), sample(name)
        header = header_of(name, chance)
        for _ in range(chance.choice((1, 1, 2))):
            spoil(content, chance)
        verdict = first(header, content)
        seen.add(verdict)
        if verdict in JUDGED_BY_BOTH:
            assert second(header, content) == verdict, (seed, content)
    assert seen >= {"schema_invalid"}


def test_every_verdict_comes_of_it() -> None:
    seen = set()
    for name in SAMPLES:
        for seed in range(SPOILED):
            chance, content = random.Random(f"{name} {seed}"), sample(name)
            spoil(content, chance)
            seen.add(first(header_of(name), content))
    assert seen >= JUDGED_BY_BOTH - {"text_forbidden"}
