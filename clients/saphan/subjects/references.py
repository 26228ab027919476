"""What a bulletin's content refers to: names and numbers, normalised; pure.

1. Looked at are the fields of the shared types (names, identifiers, documents, plates, registers)
   and the references in `about`; an agency's own types are read the same way, by the names of their
   fields. Free text is not searched, and what it names is not found.
2. Each reference has a kind (`KINDS`) and is normalised by it, so that one who asks years later
   need not know how it was written. `name_like` is a loose form: it finds more than it should.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from saphan_schemas.codec import MAX_CONTENT_DEPTH

from saphan.folding.phones import phone_forms
from saphan.folding.skeleton import skeleton
from saphan.folding.spelling import fold

NAME: Final = "name"
NAME_LIKE: Final = "name_like"
PHONE: Final = "phone"
ACCOUNT: Final = "account"
NUMBER: Final = "number"
KINDS: Final = (NAME, NAME_LIKE, PHONE, ACCOUNT, NUMBER)
CERTAIN: Final = frozenset(KINDS) - {NAME_LIKE}
"""Kinds that name one person or thing, as far as its name or number does."""

_ACCOUNTS: Final = frozenset({"email", "messaging", "bank_account", "wallet"})
_IDENTIFIERS: Final = _ACCOUNTS | {
    "phone", "imei", "imsi", "parcel", "container", "seal", "customs_declaration",
    "case", "docket", "report",
}  # fmt: skip
"""Kinds of `identifier` and of `about.national_refs`."""
_NUMBERS: Final = frozenset({
    "number", "registration_no", "engine_no", "vin", "imo", "mmsi", "call_sign", "notice_no",
    "case_no", "case_ref", "pics_ref", "reference",
})  # fmt: skip
_OF_NOBODY: Final = frozenset({"legal_bases", "national_law", "contact"})
"""What stands below is of a law, or of an office."""
_FEWEST: Final = 3
"""Letters and digits below which a number says nothing."""
_PHONE: Final = re.compile(r"[0-9 ]{6,}", re.ASCII)
"""Folded."""


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """What a bulletin refers to; `value` is normalised by `kind`, one of `KINDS`."""

    kind: str
    value: str


def references_of(schema: str, content: dict[str, Any]) -> frozenset[Reference]:
    """References of a bulletin's content of a type, such as `saphan/subject_notice/1`.

    A statistic names nobody in its body: only its own `about` is looked at."""
    parts = [content.get("about")]
    if schema.rpartition("/")[0] != "saphan/case_statistics":
        parts.append(content.get("body"))
    return frozenset(found for part in parts for found in _walk(part, 0))


def asked_references(text: str) -> frozenset[Reference]:
    """What somebody may mean who asks about a text: a name, an account, a number, a phone."""
    found = {*_names([text]), *_of_kind(ACCOUNT, text), *_of_kind(NUMBER, text)}
    if _is_phone(text):
        found |= set(_of_kind(PHONE, text))
    return frozenset(found)


def numbers_asked(text: str) -> frozenset[Reference]:
    """What a case is compared by; empty: it is too short, and nothing has it."""
    return frozenset(one for one in asked_references(text) if one.kind == NUMBER)


def _is_phone(value: Any) -> bool:
    """Whether it may be a telephone's number, with whatever dashes and brackets it was copied."""
    return isinstance(value, str) and _PHONE.fullmatch(fold(value)) is not None


def fold_digits(text: str) -> str:
    """Decimal digits of all scripts in ASCII; everything else as it is."""
    return "".join(str(int(one)) if one.isdecimal() else one for one in text.strip())


def _walk(value: Any, depth: int) -> Iterator[Reference]:
    if depth > MAX_CONTENT_DEPTH:
        return
    if isinstance(value, list):
        for one in value:
            yield from _walk(one, depth + 1)
    elif isinstance(value, dict):
        yield from _of_map(value)
        for key, one in value.items():
            if key not in _OF_NOBODY:
                yield from _walk(one, depth + 1)


def _of_map(found: dict[str, Any]) -> Iterator[Reference]:
    """What a map says by itself."""
    forms, kind, plate = found.get("forms"), found.get("kind"), found.get("plate")
    if isinstance(forms, list):
        for form in forms:
            yield from _of_form(form)
    if isinstance(kind, str) and kind in _IDENTIFIERS:
        sort = PHONE if kind == "phone" else ACCOUNT if kind in _ACCOUNTS else NUMBER
        yield from _of_kind(sort, found.get("value"))
        if kind == "messaging" and _is_phone(found.get("value")):
            yield from _of_kind(PHONE, found.get("value"))
    if isinstance(plate, dict):
        yield from _of_kind(NUMBER, plate.get("text"))
    for key in _NUMBERS & found.keys():
        yield from _of_kind(NUMBER, found[key])


def _of_form(form: Any) -> Iterator[Reference]:
    if not isinstance(form, dict):
        return
    given, family = form.get("given"), form.get("family")
    yield from _names([form.get("full")])
    if isinstance(given, str) and isinstance(family, str):
        yield from _names([given, family])
        yield from _names([family, given])


def _names(parts: list[Any]) -> Iterator[Reference]:
    """A name as it is written together, and its words in the order of the alphabet: who writes the
    family's name last, or a space between them, has the same one."""
    words = fold(" ".join(one for one in parts if isinstance(one, str))).split()
    if all(one.isdigit() for one in words):
        return
    for value in {"".join(words), "".join(sorted(words))} - {""}:
        yield Reference(NAME, value)
    if bones := skeleton(" ".join(words)):
        yield Reference(NAME_LIKE, bones)


def _of_kind(kind: str, value: Any) -> Iterator[Reference]:
    """Numbers without their spaces and signs; accounts without case."""
    if not isinstance(value, str):
        return
    if kind == ACCOUNT:
        # Mail and messengers keep their signs, bank accounts are written with and without them.
        text, plain = "".join(fold_digits(value).casefold().split()), "".join(fold(value).split())
        for one in {text, plain if plain.isdigit() else text}:
            if len(one) >= _FEWEST:
                yield Reference(ACCOUNT, one)
        return
    text = "".join(fold(value).split())
    if kind == NUMBER:
        if len(text) >= _FEWEST:
            yield Reference(NUMBER, text)
        return
    for digits in phone_forms("".join(one for one in text if one.isdigit())):
        yield Reference(PHONE, digits)
