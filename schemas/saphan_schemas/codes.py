"""Code lists: the words a bulletin may choose from, each with its source, date and standing.

Files under `codes/` hold them: `{"lists": {LIST: {"source", "dated", "standing", "codes": {CODE:
{"en", "lo", "km", ...attributes}}}}}`. Their order is the order of an enumeration in a bundle, so
adding a code to a list changes the digest of every type that uses it; changing a label does not.
A Lao or Khmer label waits for a native reader unless its language stands in the code's "seen".
A list with "joins" instead of "codes" has the codes of the lists that it names, in that order.
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any, Final

LANGUAGES: Final[tuple[str, ...]] = ("en", "lo", "km")
STANDINGS: Final[tuple[str, ...]] = ("seen", "remembered", "proposed")
"""How a list is known: read in its source, from memory and to be checked, or ours to discuss."""


def codes(name: str) -> tuple[str, ...]:
    """Every code of a list, in its order.

    Raises:
        KeyError: no such list; a bug.
    """
    return tuple(_lists()[name]["codes"])


def code_label(name: str, code: str, lang: str = "en") -> str:
    """What a code means in a language; any other than `LANGUAGES` gives English.

    Raises:
        KeyError: no such list or code; a bug.
    """
    entry = _lists()[name]["codes"][code]
    label: str = entry[lang if lang in LANGUAGES else "en"]
    return label


def code_attribute(name: str, code: str, attribute: str) -> Any:
    """A further fact of a code such as "cas" or "unit", or None where it has none.

    Raises:
        KeyError: no such list or code; a bug.
    """
    return _lists()[name]["codes"][code].get(attribute)


def code_lists() -> tuple[str, ...]:
    """The names of all lists, sorted."""
    return tuple(sorted(_lists()))


def list_fact(name: str, fact: str) -> str:
    """ "source", "dated" (a day) or "standing" (one of `STANDINGS`) of a list.

    Raises:
        KeyError: no such list or fact; a bug.
    """
    found: str = _lists()[name][fact]
    return found


def unreviewed_codes(lang: str) -> tuple[str, ...]:
    """`LIST.CODE` of every label in a language that waits for a native reader, sorted."""
    return tuple(
        sorted(
            f"{name}.{code}"
            for name, found in _lists().items()
            if "joins" not in found
            for code, entry in found["codes"].items()
            if lang != "en" and lang not in entry.get("seen", ())
        )
    )


@functools.cache
def _lists() -> dict[str, Any]:
    """All files together; two of them with one list's name would be a bug, found here."""
    merged: dict[str, Any] = {}
    for file in resources.files("saphan_schemas").joinpath("codes").iterdir():
        if file.name.endswith(".json"):
            lists = json.loads(file.read_text(encoding="utf-8"))["lists"]
            double = merged.keys() & lists.keys()
            if double:
                raise ValueError(f"codes/{file.name}: {sorted(double)} stand in two files")
            merged.update(lists)
    for joined in merged.values():
        if "joins" in joined:
            parts = [merged[part]["codes"] for part in joined["joins"]]
            joined["codes"] = {code: entry for part in parts for code, entry in part.items()}
    return merged
