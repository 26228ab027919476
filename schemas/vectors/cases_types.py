"""What is wrong with a type of an agency when one thing in its bundle, or in its next version, is
changed: the changes, the code, and the place. The source is that of schemas/spec/types.md.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from cases_bodies import GONE, Case, case, one

PAGE: Final = Path(__file__).resolve().parent.parent / "spec" / "types.md"
BODY: Final = "/schema/properties/body"
FIELDS: Final = f"{BODY}/properties"
EXTRA: Final = f"{FIELDS}/extra"
DEFS: Final = "/schema/$defs"


def source() -> dict[str, Any]:
    """The sample of the page."""
    (sample,) = re.findall(r"(?ms)^```json\n(.*?)^```$", PAGE.read_text(encoding="utf-8"))
    found: dict[str, Any] = json.loads(sample)
    return found


def closed(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": fields}


def extra(why: str, code: str, schema: Any, at: str = "") -> Case:
    """The bundle has one more field, `extra`; `at` is the place inside it."""
    return case(why, f"schema_{code}", f"{EXTRA}{at}", (EXTRA, schema))


def text(pattern: str) -> dict[str, Any]:
    return {"type": "string", "maxLength": 20, "pattern": pattern}


def doubled(levels: int) -> tuple[tuple[str, Any], ...]:
    """Changes after which a field unfolds to 2**levels parts."""
    parts: list[tuple[str, Any]] = [(f"{DEFS}/l0", {"type": "boolean"})]
    for level in range(1, levels + 1):
        inner = {"$ref": f"#/$defs/l{level - 1}"}
        four = {f"f{number}": inner for number in range(4)}
        parts.append((f"{DEFS}/l{level}", closed(**four)))
    return (*parts, (EXTRA, {"$ref": f"#/$defs/l{levels}"}))


LIST: Final = {
    "type": "array",
    "maxItems": 60_000,
    "items": {"type": "integer", "minimum": 0, "maximum": 9},
}

PROFILE: Final[tuple[Case, ...]] = (
    one("another name", "schema_frame", "/schema/$id", "urn:la.ospp:field_report:2"),
    one("content of any other kind", "schema_frame", "/schema/additionalProperties", True),
    one("no attachments demanded", "schema_frame", "/schema/required", ["about", "body"]),
    one("a grading without its scheme", "schema_about", f"{DEFS}/grading", {"type": "boolean"}),
    one("a common type is gone", "schema_about", f"{DEFS}/line", GONE),
    one("a definition that nothing uses", "schema_definition", f"{DEFS}/idle", {"enum": ["a"]}),
    one("a code of two lines", "schema_keyword", f"{DEFS}/way/enum", ["a\nb"])._replace(
        at=f"{DEFS}/way/enum"
    ),
    one("a bidirectional control in a code", "text_forbidden", f"{DEFS}/way/enum/0", "a\u202eb"),
    extra("a title", "keyword", {"type": "boolean", "title": "x"}),
    extra("a dynamic reference", "keyword", {"$dynamicRef": "#x"}),
    extra("a number that is none of ours", "keyword", {"type": "number"}, "/type"),
    extra("nothing said", "untyped", {}),
    extra("an open object", "open", {"type": "object"}),
    extra("a text without end", "unbounded", {"type": "string"}),
    extra("a list without end", "unbounded", {"type": "array", "items": {"enum": ["a"]}}),
    extra("a number without end", "unbounded", {"type": "integer", "minimum": 0}),
    extra("a field demanded that is not there", "required", closed() | {"required": ["x"]}),
    extra("a field in capitals", "property", closed(A={"type": "boolean"}), "/properties"),
    extra("1,025 codes", "codes", {"enum": list(range(1_025))}, "/enum"),
    extra("a reference to a file", "reference_remote", {"$ref": "file:///x"}, "/$ref"),
    extra("a reference inside", "reference_remote", {"$ref": "#/properties/body"}, "/$ref"),
    extra("a reference to nothing", "reference_missing", {"$ref": "#/$defs/nobody"}, "/$ref"),
    extra("a pattern without its end", "pattern_anchor", text("^a"), "/pattern"),
    extra("two sides, one anchor each", "pattern_anchor", text("^a|b$"), "/pattern"),
    extra("any digit of any script", "pattern_syntax", text(r"^\d$"), "/pattern"),
    extra("a look ahead", "pattern_syntax", text("^(?=a)a$"), "/pattern"),
    extra("a repetition of repetitions", "pattern_nested", text("^(a+)+$"), "/pattern"),
    extra("257 positions", "pattern_large", text("^a{257}$"), "/pattern"),
    case(
        "a definition that holds itself",
        "schema_recursive",
        f"{DEFS}/way",
        (f"{DEFS}/way", closed(way={"$ref": "#/$defs/way"})),
    ),
    case("a bomb of references", "schema_nodes", f"{DEFS}/l7", *doubled(7)),
    extra(
        "one value against 65 parts", "meets", {"enum": ["a"], "anyOf": [{"not": {}}] * 32}
    )._replace(at="/schema"),
    case(
        "a rule over every pair",
        "schema_rules",
        "/rules",
        (f"{FIELDS}/a", LIST),
        (f"{FIELDS}/b", LIST),
        ("/rules", [{"rule": "listed", "each": "/body/a/*", "list": "/body/b"}]),
    ),
    case("a rule of no kind", "rule_malformed", "/rules/0/rule", ("/rules", [{"rule": "run"}])),
)
"""Changes of the bundle, for the steps of "Checking a bundle"."""

GROWTH: Final[tuple[Case, ...]] = (
    one("a field is gone", "schema_growth", f"{FIELDS}/drug", GONE),
    one("a field is another", "schema_growth", f"{FIELDS}/drug", {"type": "boolean"}),
    one("a code is gone", "schema_growth", f"{FIELDS}/way/enum", GONE)._replace(
        change=((f"{DEFS}/way/enum", ["river", "road"]),)
    ),
    one("less is the most", "schema_growth", f"{FIELDS}/patrols/maximum", 999),
    one("more is the least", "schema_growth", f"{FIELDS}/seen/items/properties/count/minimum", 2),
    one("shorter lists", "schema_growth", f"{FIELDS}/seen/maxItems", 19),
    one("no doubles", "schema_growth", f"{FIELDS}/seen/uniqueItems", True),
    one("demanded", "schema_growth", f"{BODY}/required", ["patrols", "remarks", "way"]),
    one("demanded with another", "schema_growth", f"{BODY}/dependentRequired/way", GONE)._replace(
        change=((f"{BODY}/dependentRequired", {"way": ["seen"]}),)
    ),
    one("a condition", "schema_growth", BODY, GONE)._replace(
        change=((f"{BODY}/allOf", [{"not": {"required": ["way", "drug"]}}]),)
    ),
)
"""Changes of the bundle that its next version must not have."""

GROWN: Final[tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]] = (
    ("a new field", ((EXTRA, {"type": "boolean"}),)),
    ("a new code", ((f"{DEFS}/way/enum", ["river", "road", "rail", "air"]),)),
    ("more is the most", ((f"{FIELDS}/patrols/maximum", 1_001),)),
    ("longer lists", ((f"{FIELDS}/seen/maxItems", 21),)),
    ("demanded no more", ((f"{BODY}/required", ["patrols"]),)),
    ("no rules", (("/rules", []),)),
)
"""Changes that it may have."""
