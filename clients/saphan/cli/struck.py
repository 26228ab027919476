"""What does not stand any more: struck through in every list, under what took its place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from saphan_schemas.width import fit

from saphan.cli.recall_lines import reason_text
from saphan.cli.speech import say

Json = dict[str, Any]
STRIKE = "~~"
"""Around what is struck through, as plain text writes it: no terminal has to know more."""
ID_SHOWN = 16


def stands(row: Json) -> bool:
    """Whether neither its sender has taken it back nor another one took its place."""
    return row.get("recalled") in (None, False) and not row.get("replaced_by")


def struck(text: str, row: Json, cells: int | None = None) -> str:
    """The text as it is to be read of a row, within so many cells."""
    if stands(row):
        return text if cells is None else fit(text, cells)
    inner = text if cells is None else fit(text, cells - 2 * len(STRIKE)).rstrip()
    whole = f"{STRIKE}{inner}{STRIKE}"
    return whole if cells is None else fit(whole, cells)


def standing_marks(row: Json) -> list[str]:
    """Why a row is struck through, and what an officer has to look at before they use it."""
    marks = []
    if isinstance(row.get("recalled"), str):
        marks.append(say("note.recalled_here", why=reason_text(row["recalled"])))
    if isinstance(row.get("erased"), str):
        marks.append(say("note.erased_here", why=say(f"code.{row['erased']}")))
    newest = row.get("replaced_by", ())[-1:]
    marks += [say("note.replaced_mark", id=one[:ID_SHOWN]) for one in newest]
    if row.get("suppressed"):
        marks.append(say("note.suppressed_mark"))
    return marks


def newest_first(rows: Iterable[Json]) -> list[Json]:
    """The rows in their order, but each that was replaced directly under the newest that took its
    place, if that is listed too."""
    listed = list(rows)
    ids = {row["id"] for row in listed}
    under: dict[str, list[Json]] = {}
    for row in listed:
        above = [one for one in row.get("replaced_by", ()) if one in ids]
        if above:
            under.setdefault(above[-1], []).append(row)
    below = {row["id"] for found in under.values() for row in found}
    placed: dict[str, Json] = {}

    def place(row: Json) -> None:
        if row["id"] in placed:
            return
        placed[row["id"]] = row
        for one in reversed(under.get(row["id"], [])):
            place(one)

    for row in listed:
        if row["id"] not in below:
            place(row)
    for row in listed:  # a circle of corrections has no newest one
        place(row)
    return list(placed.values())
