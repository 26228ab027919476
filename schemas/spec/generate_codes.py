"""Write the tables of codes.md from the package's code lists: run it after a list has changed.

    python schemas/spec/generate_codes.py

Each table stands between two marks; everything else on the page is written by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from saphan_schemas.codes import code_attribute, code_label, code_lists, codes, list_fact

PAGE: Final = Path(__file__).with_name("codes.md")
FEW: Final = 8
"""So many codes of a list are named; the others stand in its file."""
JOINED: Final = "substance"
"""A list whose codes are those of others: how they are known stands with these."""
NUMBERED: Final = {"table_i": "I", "table_ii": "II", "none": "-"}


def lists() -> list[str]:
    """Every list with what it begins with, where it is from, and how it is known."""
    rows = []
    for name in code_lists():
        named = [f"`{code}`" for code in codes(name)[:FEW]]
        more = [f"... ({len(codes(name))})"] if len(codes(name)) > FEW else []
        rows.append(
            (
                f"`{name}`",
                ", ".join(named + more),
                standing(name),
                *(list_fact(name, fact) for fact in ("dated", "source")),
            )
        )
    return table(("list", "codes", "standing", "dated", "source"), rows)


def standing(name: str) -> str:
    """How a list is known, then its codes of which that is not so."""
    said = [list_fact(name, "standing")]
    if name != JOINED:
        others: dict[str, list[str]] = {}
        for code in codes(name):
            known = code_attribute(name, code, "standing")
            if known not in (None, said[0]):
                others.setdefault(known, []).append(f"`{code}`")
        said += [f"{known}: {', '.join(those)}" for known, those in others.items()]
    return "; ".join(said)


def precursors() -> list[str]:
    """Every chemical with its CAS number, its table of the 1988 Convention and since when."""
    rows = []
    for code in codes("precursor"):
        cas, place, since, unit, known, number_known = (
            code_attribute("precursor", code, fact)
            for fact in ("cas", "table", "since", "unit", "standing", "cas_standing")
        )
        known = known or list_fact("precursor", "standing")
        number = "" if number_known is None else f", its CAS number {number_known}"
        said = (cas or "-", NUMBERED[place], str(since or ""), unit, known + number)
        rows.append((f"`{code}`", code_label("precursor", code), *said))
    return table(("code", "name", "CAS", "table", "since", "unit", "standing"), rows)


def reply_times() -> list[str]:
    """Every situation with the time that it gives."""
    rows = []
    for code in codes("reply_time"):
        count, unit = (code_attribute("reply_time", code, fact) for fact in ("count", "unit"))
        rows.append((f"`{code}`", f"{count} {unit.replace('_', ' ')}"))
    return table(("situation", "time"), rows)


TABLES: Final = {"lists": lists, "precursors": precursors, "reply times": reply_times}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def with_tables(page: str) -> str:
    """The page with every table written anew between its marks."""
    for name, make in TABLES.items():
        begin, end = f"<!-- {name}: written by generate_codes.py -->\n", f"<!-- end of {name} -->\n"
        head, _, rest = page.partition(begin)
        _, _, tail = rest.partition(end)
        page = "".join([head, begin, "\n", "\n".join(make()), "\n\n", end, tail])
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
