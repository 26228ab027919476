"""Whatever stands in content, the answer is yes or InvalidInput with a pointer."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from saphan_schemas import bodies
from saphan_schemas.codec import encode_content
from saphan_schemas.errors import InvalidInput
from saphan_schemas.samples import SAMPLES, sample
from support.contents import check

CODES = frozenset(("schema_invalid", "rule_broken", "text_forbidden"))


def paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = enumerate(node) if isinstance(node, list) else ()
    steps = node.items() if isinstance(node, dict) else items
    return [path, *(found for key, value in steps for found in paths(value, (*path, key)))]


def fragments() -> st.SearchStrategy[Any]:
    """Any piece of any sample: right in shape somewhere else, which random JSON never is."""
    pieces: list[Any] = []
    for name in SAMPLES:
        content = sample(name)
        pieces.extend(at(content, path) for path in paths(content))
    return st.sampled_from(pieces)


def at(node: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        node = node[step]
    return node


def judged(name: str, content: dict[str, Any]) -> bool:
    """Whether content is valid; a refusal has one of three codes and says where."""
    refused = None
    try:
        check(name, content)
    except InvalidInput as error:
        refused = error
    assert refused is None or (refused.code in CODES and refused.field is not None)
    return refused is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.data())
def test_changed_content_is_judged_and_never_crashes(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(bodies.NAMES))
    content = sample(name.split("/")[1])
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([found for found in paths(content) if found]))
        place = at(content, path[:-1])
        if data.draw(st.booleans()):
            place[path[-1]] = data.draw(fragments() | json_values)
        else:
            del place[path[-1]]
        if not content:
            break
    if judged(name, content):
        encode_content(content)


@given(st.dictionaries(st.text(max_size=6), json_values, max_size=4))
def test_any_map_is_judged_and_never_crashes(content: dict[str, Any]) -> None:
    for name in bodies.NAMES:
        assert not judged(name, content)
