"""Print what waits for a native reader of a language: where it stands, the English, the text.

python schemas/spec/sheet_for_readers.py lo > sheet.tsv

Tab-separated, one line each, for a spreadsheet. Who has read a line marks it in its file:
"review" goes away in `messages/`, the language is added to "seen" in `codes/` and `labels/`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import resources
from typing import Any

from saphan_schemas import messages
from saphan_schemas.codes import code_label, unreviewed_codes
from saphan_schemas.labels import description, title, unreviewed_labels

Line = tuple[str, str, str]


def waiting(lang: str) -> Iterator[Line]:
    """(file and key, English, text) of everything that nobody has read yet."""
    english, other = _catalogue("en"), _catalogue(lang)
    for key in messages.unreviewed(lang):
        yield f"messages {key}", english[key], other[key]["text"]
    for key in unreviewed_codes(lang):
        listed, code = key.split(".", 1)
        yield f"codes {key}", code_label(listed, code), code_label(listed, code, lang)
    for key in unreviewed_labels(lang):
        yield f"labels {key}", title(key), title(key, lang)
        yield f"labels {key}", description(key), description(key, lang)


def _catalogue(lang: str) -> dict[str, Any]:
    """As it is written, with its placeholders and marks: the catalogue, and the page's, by area."""
    folder = resources.files("saphan_schemas").joinpath("messages")
    pages = folder.joinpath("page").iterdir()
    files = [
        folder.joinpath(f"{lang}.json"),
        *(p for p in pages if p.name.endswith(f".{lang}.json")),
    ]
    found: dict[str, Any] = {}
    for file in files:
        found |= json.loads(file.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    for line in waiting(sys.argv[1]):
        print("\t".join(cell.replace("\n", " ") for cell in line))
