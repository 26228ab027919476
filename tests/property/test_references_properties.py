"""References are found in any content, and folding is a folding: twice changes nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from saphan.folding.skeleton import skeleton
from saphan.folding.spelling import fold
from saphan.subjects.references import KINDS, asked_references, references_of

SCRIPTS = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x17FF, exclude_categories=["Cs"]), max_size=40
)
KEYS = st.sampled_from(
    ["names", "forms", "full", "given", "family", "kind", "value", "plate", "text", "number", "vin"]
)
LEAVES = SCRIPTS | st.integers() | st.none() | st.booleans() | st.sampled_from(["phone", "email"])
CONTENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner), max_leaves=20
)


@given(text=SCRIPTS)
def test_what_is_folded_is_folded(text: str) -> None:
    once = fold(text)
    assert fold(once) == once
    assert once == " ".join(once.split())
    assert skeleton(once) == skeleton(fold(text.upper())) or not text.isascii()


@given(text=SCRIPTS)
def test_whoever_asks_for_a_name_as_it_is_written_finds_it(text: str) -> None:
    content = {"about": {}, "body": {"names": {"forms": [{"full": text}]}}}
    found = references_of("saphan/subject_notice/1", content)
    assert found <= asked_references(text)


@given(content=st.dictionaries(st.sampled_from(["about", "body"]), CONTENTS))
def test_any_content_is_walked(content: dict[str, Any]) -> None:
    for one in references_of("xx.agency/own/1", content):
        assert one.kind in KINDS
        assert one.value
