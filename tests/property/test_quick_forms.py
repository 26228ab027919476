"""What is quick decides as what is published: the narrower schema, and one walk of all rules."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saphan_schemas import bodies
from saphan_schemas.body_types import BUILT_IN
from saphan_schemas.errors import InvalidInput
from saphan_schemas.quick_schema import quick_schema
from saphan_schemas.rules import RuleSet
from saphan_schemas.samples import sample
from saphan_schemas.schema_check import compile_schema, is_valid
from saphan_schemas.text import check_texts
from support.contents import FACTS

EACH = pytest.mark.parametrize("name", bodies.NAMES)
TEXTS = (
    "",
    "x",
    "two\nlines",
    "a\u202eb",
    "a\u200bb",
    "\u17a3",
    "\ue000",
    "Привет",
    "ສະບາຍດີ",
    "សួស្តី",
    "\x7f",
    "tab\there",
    "\U0001f600",
    "2025-10-14",
    "2025-02-30",
    "LA",
    "1.5",
    "wanted",
    "imei",
    "day",
)


def forms(name: str) -> tuple[Any, Any, RuleSet]:
    parts = BUILT_IN.get(name).bundle
    quick = quick_schema(parts["schema"])
    assert quick is not None
    return compile_schema(quick), compile_schema(parts["schema"]), RuleSet(parts["rules"])


FORMS = {name: forms(name) for name in bodies.NAMES}


def exactly(name: str, content: dict[str, Any]) -> bool:
    try:
        check_texts(content)
    except InvalidInput:
        return False
    return is_valid(FORMS[name][1], content)


def paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = enumerate(node) if isinstance(node, list) else ()
    steps = node.items() if isinstance(node, dict) else items
    return [path, *(found for key, value in steps for found in paths(value, (*path, key)))]


def at(node: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        node = node[step]
    return node


PATHS = {name: paths(sample(name.split("/")[1]))[1:] for name in bodies.NAMES}


@st.composite
def changed(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A sample with one to three values replaced, left out, copied or written over by another."""
    name = draw(st.sampled_from(bodies.NAMES))
    content = sample(name.split("/")[1])
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(PATHS[name]))
        try:
            holder, value = at(content, path[:-1]), at(content, path)
        except (KeyError, IndexError, TypeError):
            continue
        if not isinstance(holder, (dict, list)):
            continue
        how = draw(st.integers(0, 3))
        if how == 0 and isinstance(holder, dict):
            del holder[path[-1]]
        elif how == 1 and isinstance(holder, list):
            holder.append(copy.deepcopy(value))
        elif how == 2:
            source = draw(st.sampled_from(PATHS[name]))
            holder[path[-1]] = copy.deepcopy(at(sample(name.split("/")[1]), source))
        else:
            texts = st.sampled_from(TEXTS) | st.text(max_size=3)
            holder[path[-1]] = draw(texts | st.integers(-2, 40) | st.booleans())
    return name, content


@EACH
def test_a_sample_takes_the_quick_way(name: str) -> None:
    quick = FORMS[name][0]
    content = sample(name.split("/")[1])
    assert is_valid(quick, content)
    assert exactly(name, content)


@given(changed())
def test_the_quick_schema_accepts_nothing_that_the_published_one_refuses(
    one: tuple[str, dict[str, Any]],
) -> None:
    name, content = one
    if is_valid(FORMS[name][0], content):
        assert exactly(name, content)


@given(changed())
def test_content_of_our_scripts_is_taken_by_both_or_by_none(
    one: tuple[str, dict[str, Any]],
) -> None:
    name, content = one
    foreign = any(char in str(content) for char in "Привет\U0001f600")
    if exactly(name, content) and str(content).isprintable() and not foreign:
        text = "".join(char for char in str(content) if ord(char) > 0x24F)
        if all("\u0e80" <= char <= "\u0eff" or "\u1780" <= char <= "\u17ff" for char in text):
            assert is_valid(FORMS[name][0], content)


@given(changed(), st.sets(st.sampled_from(("H0", "H1", "H2", "H3"))), st.booleans())
def test_the_walk_finds_what_the_rules_find_one_by_one(
    one: tuple[str, dict[str, Any]], codes: set[str], exercise: bool
) -> None:
    name, content = one
    root = {**content, "header": {**FACTS, "codes": sorted(codes), "exercise": exercise}}
    if isinstance(content.get("attachments"), list):
        rules = FORMS[name][2]
        assert rules.hold(root) is (rules.first_broken(root) is None)


STEPS = ("a", "b", "c")
path = st.lists(st.sampled_from(STEPS), min_size=1, max_size=2).map("/".join)
each = st.sampled_from(
    ("", "/body", "/body/a", "/body/a/*", "/body/*", "/body/a/*/b", "/body/a/*/b/*")
)
anywhere = path | path.map(lambda steps: f"/body/{steps}") | st.just("/header/codes")
words = st.lists(st.sampled_from(("x", "y", True, 1, 0)), min_size=1, max_size=3)
guard = st.fixed_dictionaries({}, optional={"when": anywhere, "is": words})
shape = st.one_of(
    st.fixed_dictionaries({"rule": st.just("given_when"), "given": st.lists(anywhere, min_size=1)}),
    st.fixed_dictionaries({"rule": st.just("absent_when"), "absent": st.lists(path, min_size=1)}),
    st.fixed_dictionaries({"rule": st.just("must_be"), "value": anywhere, "be": words}),
    st.fixed_dictionaries({"rule": st.just("at_most"), "value": anywhere, "limit": anywhere}),
    st.fixed_dictionaries({"rule": st.just("refers"), "value": path, "into": anywhere}),
    st.fixed_dictionaries({"rule": st.just("one_of_given"), "of": st.lists(path, min_size=1)}),
    st.fixed_dictionaries({"rule": st.just("listed"), "list": anywhere}),
)
values = st.recursive(
    st.sampled_from(("x", "y", True, False, 0, 1, 2, "1.5", None)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(STEPS), inner, max_size=3)
    ),
    max_leaves=12,
)


@st.composite
def own_rules(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = []
    for _ in range(draw(st.integers(1, 4))):
        one = {**draw(shape), **draw(guard), "each": draw(each)}
        if one["rule"] == "listed" and not one["each"]:
            one["each"] = "/body"
        found.append(one)
    return found


@given(own_rules(), values, st.lists(st.sampled_from(("x", "y")), max_size=2))
def test_any_rules_over_any_content_are_judged_alike_and_never_crash(
    rules: list[dict[str, Any]], content: Any, codes: list[str]
) -> None:
    root = {"body": content, "attachments": [], "header": {"codes": codes}}
    compiled = RuleSet(rules)
    assert compiled.hold(root) is (compiled.first_broken(root) is None)
