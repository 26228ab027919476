"""Types that are made to hurt: refused by counting, or checked within bounded memory and steps.

What could run away runs in a process of its own with a limit on memory; its end is asserted, not
how fast it came.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from saphan_schemas.codec import encode_content
from saphan_schemas.errors import InvalidInput
from saphan_schemas.faults import Fault
from saphan_schemas.limits import LIMITS, MIB
from saphan_schemas.profile import measure
from saphan_schemas.schema_check import check_schema, compile_schema
from support.command import environment
from support.hostile_types import closed, hostile
from support.sources import (
    NAME,
    Json,
    bundle_refusal,
    made,
    opened,
    source,
    source_refusal,
)

TIMEOUT_S = 60
MEMORY = 1024 * MIB


def doubled(levels: int, wide: int = 2) -> Json:
    """Definitions of which each holds the next one twice: 2**levels parts when written out."""
    defs: Json = {"l0": {"type": "boolean"}}
    for level in range(1, levels + 1):
        inner = {"$ref": f"#/$defs/l{level - 1}"}
        defs[f"l{level}"] = closed({f"f{number}": inner for number in range(wide)})
    return defs


def body_of(target: str) -> Json:
    return closed({"x": {"$ref": f"#/$defs/{target}"}})


def test_a_bomb_of_references_is_counted_and_never_built() -> None:
    for levels in (20, 300):
        name = f"l{levels}"
        bomb = hostile(body_of(name), doubled(levels))
        assert bundle_refusal(bomb).code in ("schema_nodes", "schema_deep")
        value = source(body=body_of(name), defs=doubled(levels), rules=[])
        assert source_refusal(value).code in ("schema_nodes", "schema_deep")


def test_just_below_the_bound_is_counted_right_and_can_be_used(tmp_path: Path) -> None:
    value = source(body=body_of("l6"), defs=doubled(6, 4), rules=[])
    common, _, _ = measure(opened(source(body={"type": "boolean"}, defs={}, rules=[]))["schema"])
    nodes, _, _ = measure(opened(value)["schema"])
    written = sum(2 * 4**level for level in range(1, 7)) + 1
    assert nodes == common + written + 1
    assert nodes > LIMITS.schema_nodes / 2
    assert checked(tmp_path, value, {"x": {"f0": {"f1": {}}}}) == "valid"
    assert checked(tmp_path, value, {"x": {"f0": {"f9": {}}}}) == "schema_invalid"


CIRCLES: dict[str, Json] = {
    "itself": {"l0": closed({"a": {"$ref": "#/$defs/l0"}})},
    "two": {
        "l0": closed({"a": {"$ref": "#/$defs/l1"}}),
        "l1": {"type": "array", "maxItems": 2, "items": {"$ref": "#/$defs/l0"}},
    },
    "nothing but itself": {"l0": {"$ref": "#/$defs/l0"}},
    "in a condition": {"l0": {"type": "boolean", "not": {"$ref": "#/$defs/l0"}}},
    "in a branch": {"l0": {"type": "boolean", "if": True, "else": {"$ref": "#/$defs/l0"}}},
}


@pytest.mark.parametrize("case", CIRCLES)
def test_no_type_refers_to_itself(case: str) -> None:
    defs = CIRCLES[case]
    assert bundle_refusal(hostile(body_of("l0"), defs)).code == "schema_recursive"
    assert source_refusal(source(body=body_of("l0"), defs=defs, rules=[])).code == (
        "schema_recursive"
    )


def test_a_chain_of_ten_thousand_references() -> None:
    defs: Json = {f"l{n}": {"$ref": f"#/$defs/l{n + 1}"} for n in range(9_000)}
    defs["l9000"] = {"type": "boolean"}
    assert bundle_refusal(hostile(body_of("l0"), defs)).code == "schema_deep"


def test_one_value_is_not_held_against_a_thousand_schemas() -> None:
    many = {"type": "boolean"} | {"allOf": [{"anyOf": [{"const": True}] * 31}] * 31}
    bundle = hostile(closed({"x": many}), {})
    assert bundle_refusal(bundle).code == "schema_meets"
    spread = {
        "type": "array",
        "maxItems": 1000,
        "items": {"type": "boolean"},
        "allOf": [{"allOf": [{"items": {"const": True}}] * 8}] * 8,
    }
    assert bundle_refusal(hostile(closed({"x": spread}), {})).code == "schema_meets"


def test_one_text_is_not_held_against_many_patterns() -> None:
    several = text("^a{1,200}$") | {"allOf": [{"pattern": f"^{c}{{1,78}}$"} for c in "abcd"]}
    assert opened(source(body=closed({"x": several}), defs={}, rules=[]))
    several["allOf"][3] = {"pattern": "^d{1,79}$"}
    assert bundle_refusal(hostile(closed({"x": several}), {})).code == "schema_pattern_large"


def test_the_patterns_of_a_bundle_are_small_together() -> None:
    """4,000 small ones of other characters than a few took a gigabyte and seven seconds."""
    fields = {f"f{n}": text(f"^[^b-z]{{250}}{n}$") for n in range(42)}
    assert opened(source(body=closed(dict(list(fields.items())[:38])), defs={}, rules=[]))
    assert bundle_refusal(hostile(closed(fields), {})).code == "schema_pattern_large"
    assert opened(source(body=closed(dict.fromkeys(fields, fields["f1"])), defs={}, rules=[]))


def test_a_bundle_at_its_longest_is_read_and_one_byte_more_is_not() -> None:
    codes = [f"code_{n:04d}_{'x' * 60}" for n in range(1024)]
    fields: Json = {f"f{n}": {"enum": codes} for n in range(6)}
    assert len(made(source(body=closed(fields), defs={}, rules=[]))) < LIMITS.schema_bytes
    fields |= {f"g{n}": {"enum": codes} for n in range(6)}
    assert source_refusal(source(body=closed(fields), defs={}, rules=[])).code == "too_large"


# --- in a process of its own ----------------------------------------------------------------------

CHECK = """
import sys
from saphan_schemas.body_types import BodyType
from saphan_schemas.codec import decode_content
from saphan_schemas.errors import InvalidInput
from saphan_schemas.profile import open_bundle
from support.contents import FACTS
bundle, content = (open(path, "rb").read() for path in sys.argv[2:4])
open_bundle(sys.argv[1], bundle)
try:
    BodyType(sys.argv[1], lambda: bundle).check(decode_content(content, 4 << 20), FACTS)
except InvalidInput as error:
    print(error.code)
else:
    print("valid")
"""


def checked(folder: Path, value: Json, body: Json) -> str:
    """What a process with a limit on memory says about a content of an own type."""
    content = {"about": about(), "attachments": [], "body": body}
    (folder / "bundle").write_bytes(made(value))
    (folder / "content").write_bytes(encode_content(content))
    ended = subprocess.run(
        [sys.executable, "-c", CHECK, NAME, folder / "bundle", folder / "content"],
        capture_output=True,
        text=True,
        env=environment(PYTHONPATH="schemas:tests"),
        timeout=TIMEOUT_S,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def about() -> Json:
    from saphan_schemas.samples import sample

    about: Json = sample("training_notice")["about"]
    return about


def text(pattern: str) -> Json:
    return {"type": "string", "maxLength": 65_536, "pattern": pattern}


def test_patterns_that_explode_elsewhere_end_here(tmp_path: Path) -> None:
    slow = "^(a{0,17}){0,15}b$"
    fields = {f"f{n}": text(slow) for n in range(8)}
    value = source(body=closed(fields), defs={}, rules=[])
    body = dict.fromkeys(fields, "a" * 7_000)
    assert checked(tmp_path, value, body) == "schema_invalid"


def test_wide_content_against_wide_codes(tmp_path: Path) -> None:
    codes = [f"c{'x' * 40}{n}" for n in range(1024)]
    fields = {"f": {"type": "array", "maxItems": 60_000, "items": {"enum": codes}}}
    rules = [
        {"rule": "must_be", "each": "/body/f/*", "value": "", "be": codes[:900]},
        {"rule": "unique", "each": "/body/f/*"},
    ]
    value = source(body=closed(fields), defs={}, rules=rules)
    assert checked(tmp_path, value, {"f": [codes[7]] * 20_000}) == "rule_broken"


SLOW_RULES: dict[str, tuple[Json, list[int], str]] = {
    "be": ({"rule": "must_be", "value": "/body/f"}, [59_999] * 20_000, "valid"),
    "all": (
        {"rule": "must_have", "value": "/body/f"},
        [59_999] * 10_000 + [*range(10_000)],
        "rule_broken",
    ),
    "is": (
        {"rule": "given_when", "given": ["/body/x"], "when": "/body/f"},
        [60_000] * 20_000,
        "valid",
    ),
}


@pytest.mark.parametrize("words", SLOW_RULES)
def test_many_values_against_many_words(words: str, tmp_path: Path) -> None:
    rule, values, said = SLOW_RULES[words]
    items = {"type": "integer", "minimum": 0, "maximum": 99_999}
    fields = {"f": {"type": "array", "maxItems": 60_000, "items": items}, "x": {"type": "boolean"}}
    rules = [rule | {words: list(range(60_000))}]
    assert checked(tmp_path, source(body=closed(fields), defs={}, rules=rules), {"f": values}) == (
        said
    )


def test_a_rule_runs_once_whatever_words_it_waits_for(tmp_path: Path) -> None:
    items = {"type": "integer", "minimum": 0, "maximum": 99_999}
    lists = {name: {"type": "array", "maxItems": 20_000, "items": items} for name in ("f", "g")}
    numbers = list(range(9_000))
    for words in (numbers, [1] * 60_000):
        waits = {"rule": "must_be", "value": "/body/g", "be": [1], "when": "/body/f", "is": words}
        value = source(body=closed(lists), defs={}, rules=[waits])
        assert checked(tmp_path, value, {"f": numbers, "g": [1] * 20_000}) == "valid"
        assert checked(tmp_path, value, {"f": [1] * 20_000, "g": [1] * 20_000}) == "valid"


def test_the_last_entry_of_a_long_list_stands_twice(tmp_path: Path) -> None:
    items = {"type": "integer", "minimum": 0, "maximum": 99_999}
    fields = {"f": {"type": "array", "maxItems": 60_000, "items": items}}
    rule = {"rule": "unique", "each": "/body/f/*"}
    value = source(body=closed(fields), defs={}, rules=[rule])
    assert checked(tmp_path, value, {"f": [*range(20_000), 19_999]}) == "rule_broken"


def test_deep_content_against_a_shallow_type(tmp_path: Path) -> None:
    nested: Any = True
    for _ in range(28):
        nested = {"x": nested}
    assert checked(tmp_path, source(), {"patrols": nested}) == "schema_invalid"


def test_unique_items_of_a_long_list(tmp_path: Path) -> None:
    items = {"type": "integer", "minimum": 0, "maximum": 10**9}
    fields = {"f": {"type": "array", "maxItems": 60_000, "uniqueItems": True, "items": items}}
    value = source(body=closed(fields), defs={}, rules=[])
    assert checked(tmp_path, value, {"f": list(range(60_000))}) == "valid"
    assert checked(tmp_path, value, {"f": [*range(59_999), 3]}) == "schema_invalid"


def test_the_first_of_many_faults_is_told_and_no_other_is_written_out(tmp_path: Path) -> None:
    codes = [f"c{'x' * 190}{n}" for n in range(1024)]
    wide = {"type": "array", "maxItems": 60_000, "items": {"enum": codes}}
    either = {
        "type": "array",
        "maxItems": 60_000,
        "items": text("^[a-z]$"),
        "anyOf": [{"items": {"$ref": "#/$defs/codes"}}, {"items": {"$ref": "#/$defs/codes"}}],
    }
    value = source(body=closed({"f": wide}), defs={}, rules=[])
    assert checked(tmp_path, value, {"f": ["b"] * 30_000}) == "schema_invalid"
    value = source(body=closed({"f": either}), defs={"codes": {"enum": codes}}, rules=[])
    assert checked(tmp_path, value, {"f": ["b"] * 30_000}) == "schema_invalid"


ALTERNATIVES: dict[str, tuple[Json, str]] = {
    "anyOf": ({"anyOf": [{"minimum": 5}, {"maximum": 2}]}, "anyOf"),
    "oneOf": ({"oneOf": [{"minimum": 1}, {"maximum": 7}]}, "oneOf"),
    "oneOf beside not": ({"not": {"const": 9}, "oneOf": [{"minimum": 4}]}, "oneOf"),
    "not": ({"not": {"anyOf": [{"const": 3}]}}, "not"),
    "never": ({"not": True}, "not"),
}


@pytest.mark.parametrize("case", ALTERNATIVES)
def test_a_fault_of_alternatives_keeps_its_name(case: str) -> None:
    schema, keyword = ALTERNATIVES[case]
    with pytest.raises(InvalidInput) as refused:
        check_schema(compile_schema({"properties": {"x": schema}}), {"x": 3})
    assert refused.value.fault == Fault(keyword, "/x")
