"""Content of any form is shown whole, as text: a node may tell a desk whatever it likes."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from saphan.showing.comparing import changes, left_out
from saphan.showing.document import document
from saphan.web.rendering.environment import environment
from saphan_schemas.fields import root_of
from saphan_schemas.messages import LANGUAGES, text

SCHEMA = "saphan/drug_seizure/1"
PAGE = (
    "{% import 'reading/parts.html' as parts with context %}{{ parts.left_out() }}"
    "{% import 'reading/document.html' as reading with context %}{{ reading.document(doc) }}"
)
BODY = tuple(root_of(SCHEMA)["properties"]["body"]["properties"])
ABOUT = tuple(root_of(SCHEMA)["$defs"]["about"]["properties"])
KEYS = st.sampled_from(
    ("value", "names", "forms", "full", "lang", "kind", "country", "en", "lo", "scheme", "source")
) | st.text(max_size=8)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=12)
    | st.sampled_from(("<script>", "2026-13-45", "0001-01-01T00:00:00Z", "5e" * 32, "lo", "0"))
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def parts(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(names) | st.text(max_size=5), ANYTHING, max_size=6)


CONTENT = st.fixed_dictionaries({"about": parts(ABOUT), "body": parts(BODY)})


@settings(max_examples=60, deadline=None)
@given(CONTENT, CONTENT, st.sampled_from(LANGUAGES))
def test_anything_is_shown_as_text(
    content: dict[str, Any], before: dict[str, Any], lang: str
) -> None:
    def say(key: str, **values: object) -> str:
        return text(key, lang, **values)

    doc = document(SCHEMA, None, content, lang)
    earlier = document(SCHEMA, None, before, lang)
    was, gone = changes(earlier, doc), left_out(earlier, doc)
    shown = environment().from_string(PAGE).render(
        doc=doc, was=was, gone=gone, lang=lang, say=say, now=0, me=None
    )  # fmt: skip
    assert "<script" not in shown
