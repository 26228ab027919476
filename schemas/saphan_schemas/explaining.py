"""What is wrong with a bulletin, in the officer's language: which field, and what would be right.

    Substances 1 › Unit: this is not on the list. Right would be: KGM kilogram; GRM gram; ...

Sentences are made of the catalogue (`fault.<keyword or rule>`, `right.<shape>`), the labels of
fields and the labels of codes. The offending value never stands in one: it may be a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from saphan_schemas.errors import InvalidInput, SaphanError
from saphan_schemas.faults import Fault
from saphan_schemas.fields import (
    Choice,
    Field,
    Schema,
    choice_of,
    field_at,
    in_languages,
    known_root,
    narrowed,
)
from saphan_schemas.labels import label_key, title
from saphan_schemas.messages import LANGUAGES, has_text, text

STEP: Final = " › "
"""Between a part and the field in it."""
MOST_CODES: Final = 8
"""Codes that a sentence names; the whole list is in `saphan schema show`."""
_ENTRY: Final = re.compile(r"[0-9]{1,9}")
"""The place of an entry; an unknown field may be named with other digits, or with more of them."""


def explain(error: SaphanError, lang: str = "en") -> str | None:
    """One sentence or two about a fault in a bulletin, or None about any other error.

    Args:
        lang: one of `LANGUAGES`; any other gives English.
    """
    fault = error.fault if isinstance(error, InvalidInput) else None
    return None if fault is None else explain_fault(fault, lang)


def explained(error: SaphanError) -> dict[str, str] | None:
    """The same in every language, for programs that show it to somebody."""
    said = {lang: explain(error, lang) for lang in LANGUAGES}
    return {lang: sentence for lang, sentence in said.items() if sentence} or None


def explain_fault(fault: Fault, lang: str = "en", root: Schema | None = None) -> str:
    """The sentence about one fault.

    Args:
        root: in place of the type's content: of a whole wish, of an agency's own type.
    """
    root = known_root(fault.schema) if root is None else root
    where, what = place(fault.schema, fault.pointer, lang, root), _what(fault, lang, root)
    return _with_right(text("fault.sentence", lang, place=where, what=what), fault, lang, root)


def explain_beside(fault: Fault, lang: str = "en", root: Schema | None = None) -> str:
    """The same sentence where it stands beside its field, whose name it does not repeat."""
    root = known_root(fault.schema) if root is None else root
    said = text("fault.beside", lang, what=_what(fault, lang, root))
    said = said[:1].upper() + said[1:]
    # The field that is missing shows by itself what it takes.
    return said if fault.rule == "required" else _with_right(said, fault, lang, root)


def _with_right(said: str, fault: Fault, lang: str, root: Schema) -> str:
    """A sentence, and what would be right where that helps."""
    field = field_at(root, fault.pointer)
    if field is None or fault.rule not in _SHOWS:
        return said
    key = label_key(fault.schema, fault.pointer, root)
    right = rightly(field, lang, key, fault.expected.get("allowed"))
    return f"{said} {text('right.is', lang, right=right)}" if right else said


def place(schema: str, pointer: str, lang: str = "en", root: Schema | None = None) -> str:
    """A pointer in words: the titles of the fields on the way, entries of lists counted from 1."""
    root = known_root(schema) if root is None else root
    if pointer in _HEADER:
        return text(_HEADER[pointer], lang)
    words: list[str] = []
    for above, step in _steps(pointer):
        if (step in _PARTS and above == "") or step == _EVERY:
            continue
        field = field_at(root, _first(above))
        if field is not None and in_languages(field.node) is not None:
            words.append(text(f"language.{step}", lang) if has_text(f"language.{step}") else step)
        elif _ENTRY.fullmatch(step):
            words[-1:] = [f"{' '.join(words[-1:])} {int(step) + 1}".strip()]
        else:
            words.append(_title(schema, root, f"{above}/{step}", step, lang))
    return STEP.join(words) or text("field.content", lang)


def rightly(field: Field, lang: str = "en", key: str = "", options: list[Any] | None = None) -> str:
    """What may stand in a field, in words: its codes, the form of its text, its bounds.

    Args:
        key: of its label, for a field whose form has words of its own (`right.<key>`).
        options: the codes that are left of it in this place, where they are fewer.
    """
    choice = choice_of(field.node)
    if options is not None:
        choice = narrowed(choice, tuple(map(str, options)))
    if choice is not None:
        return _codes(choice, lang)
    for named in (key, field.shared):
        if named and has_text(f"right.{named}"):
            return text(f"right.{named}", lang)
    return _shape(field.node, lang)


def _shape(node: Schema, lang: str) -> str:
    """The bounds of a value that has no form of its own."""
    kind = node.get("type")
    if kind == "integer":
        least, most = node.get("minimum", 0), node.get("maximum", "...")
        return text("right.integer", lang, least=least, most=most)
    if kind == "array":
        least, most = node.get("minItems", 0), node.get("maxItems", "...")
        return text("right.array", lang, least=least, most=most)
    if str(node.get("pattern", "")).startswith("^[^"):
        return text("right.ascii_line", lang, most=node.get("maxLength", "..."))
    if kind == "string" and "pattern" in node:
        return text("right.pattern", lang, pattern=node["pattern"].strip("^$"))
    if kind == "string":
        return text("right.string", lang, most=node.get("maxLength", "..."))
    return text(f"right.{kind}", lang) if has_text(f"right.{kind}") else ""


def _codes(choice: Choice, lang: str) -> str:
    shown = [_code(choice, code, lang) for code in choice.codes[:MOST_CODES]]
    left = len(choice.codes) - len(shown)
    more = [text("right.more_codes", lang, count=left)] if left else []
    return "; ".join((*shown, *more))


def _code(choice: Choice, code: str, lang: str) -> str:
    label = choice.label(code, lang) if choice.listed else ""
    return code if label in ("", code) else f"{code} = {label}"


def _what(fault: Fault, lang: str, root: Schema) -> str:
    """The clause of the catalogue, with the other fields that the fault speaks of in words."""
    # A total may be wrong, missing, or of nothing: what is expected says which.
    keys = (f"fault.{fault.rule}.{'.'.join(fault.expected)}", f"fault.{fault.rule}")
    key = next(filter(has_text, keys), "fault.other")
    values = {name: _said(name, value, fault, lang, root) for name, value in fault.expected.items()}
    try:
        return text(key, lang, **values)
    except KeyError:  # a fault that says less than the sentence about it wants
        return text("fault.other", lang)


def _said(name: str, value: object, fault: Fault, lang: str, root: Schema) -> str:
    """A path as the field it means, codes with their words, anything else as it is written."""
    if isinstance(value, bool):
        return text(f"right.{str(value).lower()}", lang)
    words = value if isinstance(value, list) else [value]
    if any(isinstance(word, bool) for word in words):
        return "; ".join(_said("", word, fault, lang, root) for word in words)
    if name in _WORDS:
        of = _meant(str(fault.expected.get("of", "")), fault, root) or ""
        at = _WORDS[name].format(pointer=fault.pointer, of=_first(of))
        return rightly(_one_field(root, at), lang, options=words)
    if isinstance(value, list | tuple):
        return ", ".join(_said(name, one, fault, lang, root) for one in value)
    there = _meant(str(value), fault, root) if name in _PATHS else None
    return str(value) if there is None else place(fault.schema, there, lang, root)


def _one_field(root: Schema, pointer: str) -> Field:
    """What stands at a pointer, of a list what its entries are; without any words if unknown."""
    if pointer in _HEADER_CODES:
        return Field({"$codes": _HEADER_CODES[pointer]}, "")
    found = field_at(root, pointer)
    if found is not None and found.node.get("type") == "array":
        found = field_at(root, f"{pointer}/0")
    return found or Field({}, "")


def _meant(path: str, fault: Fault, root: Schema) -> str | None:
    """The pointer of a rule's path: from its place, or the nearest part around that has it."""
    if path in _HEADER:
        return path
    if path.startswith("/"):
        return None if field_at(root, _first(path)) is None else path
    if not path.strip("."):
        return None
    parts = fault.pointer.split("/")
    around = ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]
    for above in ([fault.place] if fault.place else []) + around:
        if field_at(root, _first(f"{above}/{path}")) is not None:
            return f"{above}/{path}"
    return None


def _first(path: str) -> str:
    """The pointer of the first place that a path with `*` means."""
    return path.replace(f"/{_EVERY}", "/0")


def _title(schema: str, root: Schema, pointer: str, step: str, lang: str) -> str:
    pointer = _first(pointer)
    if field_at(root, pointer) is None:
        return step.replace("_", " ")  # of what the type does not know, the name itself
    around = "wish" + pointer.replace("/", ".")
    if has_text(around):  # what stands beside the content: recipients, urgency, marking
        return text(around, lang)
    return title(label_key(schema, pointer, root), lang)


def _steps(pointer: str) -> Iterator[tuple[str, str]]:
    """(pointer of what it stands in, step) from the top down."""
    above = ""
    for raw in pointer.split("/")[1:]:
        yield above, raw.replace("~1", "/").replace("~0", "~")
        above = f"{above}/{raw}"


_PATHS: Final = frozenset(
    [
        "not_before",
        "at_most",
        "of",
        "by",
        "key",
        "into",
        "list",
        "product",
        "parts",
        "unique",
        "because",
        "starts_with",
    ]
)
"""Of what a fault expects: names under which paths of other fields stand."""
_WORDS: Final = {
    "allowed": "{pointer}",
    "holds": "{pointer}",
    "relation": "/about/relations/0/kind",
    "some": "{of}",
}
"""Names under which codes stand, and the field whose codes they are."""
_EVERY: Final = "*"
_HEADER: Final = {
    "/header/created": "wish.created",
    "/header/tlp": "wish.marking.tlp",
    "/header/codes": "wish.marking.codes",
    "/header/urgency": "wish.urgency",
    "/header/exercise": "wish.exercise",
    "/header/recipients": "wish.to",
}
"""Facts of the header that rules speak of."""
_HEADER_CODES: Final = {
    "/header/tlp": "tlp",
    "/header/codes": "handling_code",
    "/header/urgency": "urgency",
}
"""Those of them that are codes, and their lists."""
_PARTS: Final = frozenset({"about", "body"})
_SHOWS: Final = frozenset(
    [
        "required",
        "type",
        "enum",
        "const",
        "pattern",
        "format",
        "maxLength",
        "minLength",
        "minimum",
        "maximum",
        "maxItems",
        "minItems",
        "check_digit",
    ]
)
"""Faults after which it helps to say what the field takes."""
