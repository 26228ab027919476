"""Make the pinned tables of characters from the Unicode Character Database, version 15.1.0.

python schemas/spec/generate_text_tables.py DIRECTORY

DIRECTORY holds `UnicodeData.txt`, `PropList.txt` and `Scripts.txt` as Unicode publishes them under
`Public/15.1.0/ucd/`. Written are `text_forbidden.json` (content.md, C7) and `text_scripts.json`
(content.md, C9) of the package. Nobody runs this to use Saphan: the tables are shipped.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

VERSION: Final = "15.1.0"
PACKAGE: Final = Path(__file__).parents[1] / "saphan_schemas"

LINE_FEED: Final = 0x0A
KHMER: Final = frozenset({0x17A3, 0x17A4, 0x17B4, 0x17B5, 0x17D8})
"""Signs that the Khmer chapter of the standard advises against; two are deprecated formally."""
TAGS: Final = range(0xE0020, 0xE0080)
"""Copies of ASCII that nothing shows: text that an officer would sign unseen."""
WITH_HAN: Final = frozenset({"Bopomofo", "Hangul", "Hiragana", "Katakana"})
"""Scripts that are written together with Han in one word: they count as Han."""
NO_SCRIPT: Final = frozenset({"Common", "Inherited"})

_RANGE: Final = re.compile(r"^([0-9A-F]{4,6})(?:\.\.([0-9A-F]{4,6}))?\s*;\s*(\w+)")


def main() -> None:
    """Write both tables from the directory named on the command line."""
    source = Path(sys.argv[1])
    for name in ("PropList", "Scripts"):
        first = _text(source, name).split("\n", 1)[0]
        if first != f"# {name}-{VERSION}.txt":
            sys.exit(f"{name}.txt begins with {first!r}: not of version {VERSION}")
    refused = forbidden(source)
    _write("text_forbidden", _runs(dict.fromkeys(refused, None), set()))
    kept = {point: script for point, script in scripts(source).items() if point not in refused}
    _write("text_scripts", _runs(kept, refused))


def forbidden(source: Path) -> set[int]:
    """Every code point that no text may hold."""
    found = set(range(0x110000)) - _assigned(source)
    for first, last, value in _properties(source, "PropList"):
        if value in ("Bidi_Control", "Deprecated", "Noncharacter_Code_Point"):
            found.update(range(first, last + 1))
    return (found | KHMER | set(TAGS)) - {LINE_FEED}


def _assigned(source: Path) -> set[int]:
    """Code points with a character that is no control, no surrogate and not for private use.

    U+2028 and U+2029 are left out too: they break a line as a line feed does, in texts of one line.
    """
    found: set[int] = set()
    begun = 0
    for line in _text(source, "UnicodeData").splitlines():
        code, name, category, *_ = line.split(";")
        point = int(code, 16)
        # Long stretches of alike characters stand in the file as their first and last.
        if name.endswith(", First>"):
            begun = point
            continue
        first = begun if name.endswith(", Last>") else point
        if category not in ("Cc", "Cs", "Co", "Zl", "Zp"):
            found.update(range(first, point + 1))
    return found | {LINE_FEED}


def scripts(source: Path) -> dict[int, str]:
    """The script of every letter and mark that belongs to one."""
    found: dict[int, str] = {}
    for first, last, value in _properties(source, "Scripts"):
        if value not in NO_SCRIPT:
            script = "Han" if value in WITH_HAN else value
            found.update(dict.fromkeys(range(first, last + 1), script))
    return found


def _runs(points: Mapping[int, str | None], between: set[int]) -> list[list[int | str]]:
    """[first, last] or [first, last, value] in order; a run goes on across points of `between`."""
    runs: list[list[int | str]] = []
    end, value = -2, None
    for point in sorted(points):
        near = all(gap in between for gap in range(end + 1, point))
        if runs and near and points[point] == value:
            runs[-1][1] = point
        else:
            value = points[point]
            runs.append([point, point] if value is None else [point, point, value])
        end = point
    return runs


def _properties(source: Path, name: str) -> Iterator[tuple[int, int, str]]:
    """(first, last, value) of a file of the "range ; value # comment" form."""
    for line in _text(source, name).splitlines():
        found = _RANGE.match(line)
        if found:
            yield int(found[1], 16), int(found[2] or found[1], 16), found[3]


def _text(source: Path, name: str) -> str:
    return (source / f"{name}.txt").read_text(encoding="utf-8")


def _write(name: str, runs: list[list[int | str]]) -> None:
    table = json.dumps({"unicode": VERSION, "ranges": runs}, separators=(",", ":"))
    (PACKAGE / f"{name}.json").write_text(table.replace("],[", "],\n[") + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
