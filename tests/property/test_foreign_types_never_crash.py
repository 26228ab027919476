"""Whatever stands in a bundle or a source, the answer is yes or InvalidInput with a known code."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st
from saphan_schemas.body_types import BodyType
from saphan_schemas.codec import encode_content
from saphan_schemas.errors import InvalidInput
from saphan_schemas.growth import check_growth
from saphan_schemas.messages import has_text
from saphan_schemas.own_types import bundle_source
from saphan_schemas.profile import open_bundle
from saphan_schemas.profile_keywords import KEYWORDS
from saphan_schemas.samples import sample
from support.contents import FACTS
from support.sources import NAME, Json, opened, raw_bundle, source

GOOD = opened(source())
CHECKED = ("taken", "schema_invalid", "rule_broken", "text_forbidden")
GREW = ("taken", "schema_growth")
WORDS = (*KEYWORDS, "$schema", "$id", "$defs", "title", "x", "about", "way", "rule", "each", "is")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from((-1, 0, 1, 2**53, 2**63)),
    st.sampled_from((*WORDS, "", "#", "#/$defs/way", "#/$defs/about", "^a$", "^(a+)+$", "/body/*")),
    st.sampled_from(("object", "array", "string", "date", "unique", "sum", "/", "a/*/b", "\u202e")),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
    ),
    max_leaves=8,
)


def paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = enumerate(node) if isinstance(node, list) else ()
    steps = node.items() if isinstance(node, dict) else items
    return [path, *(found for key, value in steps for found in paths(value, (*path, key)))]


OWN = (("rules",), ("schema", "properties", "body"), ("schema", "$defs", "way"))
"""Where a bundle is not the same for all types."""


def where(value: Any) -> list[tuple[Any, ...]]:
    """Places that are worth spoiling: all of a source, of a bundle its own."""
    found = paths(value)[1:]
    return [path for path in found if "schema" not in value or path[: len(own(path))] == own(path)]


def own(path: tuple[Any, ...]) -> tuple[str, ...]:
    return next((part for part in OWN if path[: len(part)] == part), ("nowhere",))


def spoil(draw: st.DrawFn, value: Json) -> Json:
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(where(value) or [("rules",)]))
        box: Any = value
        for step in path[:-1]:
            box = box[step]
        how = draw(st.integers(0, 2))
        if how == 0:
            del box[path[-1]]
        elif how == 1 and isinstance(box, dict):
            box[draw(st.sampled_from(WORDS))] = draw(ANYTHING)
        else:
            box[path[-1]] = draw(ANYTHING)
    return value


@st.composite
def bundles(draw: st.DrawFn) -> Json:
    """The good bundle, spoiled in its body, its definitions or its rules."""
    return spoil(draw, raw_bundle())


@st.composite
def sources(draw: st.DrawFn) -> Json:
    return spoil(draw, source())


def outcome(work: Callable[[], object]) -> str:
    """The code with which something is refused, or "taken"; any other error is a crash."""
    try:
        work()
    except InvalidInput as error:
        return error.code if error.field is not None else "nowhere"
    return "taken"


@given(bundles())
def test_a_spoiled_bundle_is_taken_or_refused(bundle: Json) -> None:
    found: list[Json] = []
    said = outcome(lambda: found.append(open_bundle(NAME, encode_content(bundle))))
    event(said)
    assert said == "taken" or has_text(f"error.{said}")
    if said != "taken":
        return
    kind = BodyType(NAME, lambda: encode_content(bundle))
    body = {"patrols": 1, "remarks": {"en": "x"}, "seen": [{"what": "person", "count": 1}]}
    content = {"about": sample("training_notice")["about"], "attachments": [], "body": body}
    assert outcome(lambda: kind.check(content, FACTS)) in CHECKED
    assert outcome(lambda: check_growth(GOOD, found[0])) in GREW
    assert outcome(lambda: check_growth(found[0], GOOD)) in GREW


@given(sources())
def test_a_spoiled_source_is_taken_or_refused(value: Json) -> None:
    found: list[tuple[str, bytes]] = []
    said = outcome(lambda: found.append(bundle_source(json.dumps(value).encode())))
    event(said)
    assert said == "taken" or has_text(f"error.{said}")
    if said == "taken":
        assert open_bundle(*found[0])
