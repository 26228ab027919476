"""Every sample, spoiled in one place at a time: refused before it is signed, with its pointer."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from saphan.compose import Attached, Wish, compose
from saphan_schemas import bodies
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import Blob
from saphan_schemas.samples import SAMPLES, sample, schema_of, wish
from support.contents import check
from support.mutations import spoil

NOW = 1_762_300_000_000
BLOB = Blob(1, bytes(32))
EACH = pytest.mark.parametrize("name", SAMPLES)
KINDS = {
    "Khmer digits",
    "Lao digits",
    "beyond exact numbers",
    "control character",
    "dates",
    "empty",
    "hidden direction",
    "lone surrogate",
    "missing",
    "negative",
    "sum off by one",
    "the number -1",
    "the number NaN",
    "too long",
    "too many",
    "unknown field",
    "wrong code",
    "wrong type",
}


def written(name: str, content: dict[str, Any]) -> Wish:
    """A sample as it is sent, with another content."""
    given = wish(name)
    marking = given["marking"]
    return Wish(
        to=("kh.gpo",),
        schema=given["schema"],
        about=content["about"],
        body=content["body"],
        urgency=given["urgency"],
        tlp=marking["tlp"],
        exercise=True,
        attachments=tuple(Attached(**one, blob=BLOB) for one in content["attachments"]),
    )


def test_every_type_has_its_sample() -> None:
    assert {name.split("/")[1] for name in bodies.NAMES} <= set(SAMPLES)
    assert {schema_of(name) for name in SAMPLES} == set(bodies.NAMES)


@EACH
def test_a_sample_is_an_exercise_that_can_be_sent(name: str) -> None:
    assert wish(name)["exercise"] is True
    draft = compose(written(name, sample(name)), sender="la.ospp", now=NOW, nonce=bytes(16))
    assert draft.header.schema == schema_of(name)


def refused_at(name: str, content: dict[str, Any]) -> str | None:
    """The field of the refusal; None if it was taken. Attachments are described by `compose`."""
    given = wish(name)
    facts = {"urgency": given["urgency"], "tlp": given["marking"]["tlp"]}
    try:
        if content["attachments"] == given.get("attachments", []):
            compose(written(name, content), sender="la.ospp", now=NOW, nonce=bytes(16))
        else:
            check(given["schema"], content, **facts)
    except InvalidInput as error:
        # What no encoding can hold is named from the content on.
        return (error.field or "").removeprefix("content")
    return None


@EACH
def test_a_spoiled_sample_is_refused_at_the_place(name: str) -> None:
    found = ((one, refused_at(name, one.content)) for one in spoil(schema_of(name), sample(name)))
    assert [f"{one}: {field}" for one, field in found if field not in one.pointers] == []


def test_every_kind_of_fault_is_tried() -> None:
    tried = Counter(one.kind for name in SAMPLES for one in spoil(schema_of(name), sample(name)))
    assert set(tried) >= KINDS
