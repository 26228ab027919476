"""C7, C9 and names of files: which characters may stand where, by the published tables."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from pathlib import Path
from typing import Any

from mp import refuse

FOLDER = Path(__file__).resolve().parents[3] / "schemas/saphan_schemas"
DEVICE = re.compile(r"(con|prn|aux|nul|clock\$|(com|lpt)[0-9])\Z", re.IGNORECASE)


class Ranges:
    """Ranges of code points, both ends included, and what is said of each."""

    def __init__(self, file: str) -> None:
        ranges = json.loads((FOLDER / file).read_text(encoding="utf-8"))["ranges"]
        self._starts, self._ranges = [one[0] for one in ranges], ranges

    def at(self, char: str) -> Any:
        place = bisect_right(self._starts, ord(char)) - 1
        if place < 0 or ord(char) > self._ranges[place][1]:
            return None
        return self._ranges[place][-1]


FORBIDDEN, SCRIPTS = Ranges("text_forbidden.json"), Ranges("text_scripts.json")


def check_text(value: Any) -> None:
    """C7: every text of a content map, its keys apart."""
    if isinstance(value, str) and any(FORBIDDEN.at(char) is not None for char in value):
        refuse("text_forbidden")
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            check_text(item)


def mixes_scripts(text: str) -> bool:
    """C9"""
    for word in re.split(r"[\x00-/:-@\[-`{-\x7f]", text):
        if len({SCRIPTS.at(char) for char in word} - {None}) > 1:
            return True
    return False


def check_names(attachments: list[dict[str, Any]]) -> None:
    """attachments.md, F5 and F6; which endings a media type has is not looked at."""
    names = [one["name"] for one in attachments]
    for name in names:
        edges = name[0] in ".-~ " or name[-1] in ". "
        if edges or re.search(r'[/\\:*?"<>|\n]', name) or DEVICE.match(name.split(".")[0].strip()):
            refuse("attachment_name")
        if len(name.encode()) > 240:
            refuse("attachment_name")
    if len({name.casefold() for name in names}) != len(names):
        refuse("attachment_name")
