"""Write the tables and the diagram of receipts.md from the program's one transition table.

    python schemas/spec/generate_receipts.py [file]

Each block stands between two markers; everything else in the page is written by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from saphan_protocol.delivery import (
    BROKER_EVENTS,
    CODES,
    EITHER_CORRIDOR,
    OWN_EVENTS,
    TERMINAL,
    TRANSITIONS,
    State,
    Step,
    begin,
    issuers_of,
)
from saphan_protocol.etsi import CONSIGNMENTS, NAMES, Name
from saphan_schemas.records import BROKER, Event, LeafType

PAGE: Final = Path(__file__).resolve().parent / "receipts.md"
ISSUERS: Final = {"sender": "sender's node", "recipient": "recipient's node", BROKER: "broker"}
DETAILS: Final = {
    Event.REJECTED: "sealed to the originator, or nil",
    Event.READ: "HMAC-SHA-256(node's salt, PAE(\"saphan/officer_read/1\", officer's record));"
    " nil with `system`",
    Event.EXPORTED: 'HMAC-SHA-256(salt, PAE("saphan/disclosure/1", Disclosure)),'
    ' or PAE("saphan/export/1", Export)',
    Event.HELD: "commitment of the hold order's leaf",
    Event.RELEASED: "commitment of the release order's leaf",
    Event.ERASED: "sealed to the originator, or nil; nil from the sender itself",
}
MANY: Final = 8
"""More codes than these stand in a list of their own."""


def events() -> Iterator[str]:
    """Who says what, with which code and detail, in a leaf of which type."""
    rows = [
        (event.value, str(int(LeafType[event.name])), issuer(event), codes(event), detail(event))
        for event in Event
    ]
    return table(("event", "leaf", "issuer", "code", "detail"), rows)


def issuer(event: Event) -> str:
    if event in OWN_EVENTS and event not in BROKER_EVENTS:
        return "the agency's own node"
    if event in EITHER_CORRIDOR:
        return "recipient's node; sender's, in its own corridor"
    names = issuers_of(event, "sender", "recipient")
    return " or ".join(ISSUERS[name] for name in names)


def codes(event: Event) -> str:
    if event is Event.REFUSED:
        return "the code of admission.md"
    known = [code for code in CODES[event] if code is not None]
    if len(known) > MANY:
        return "one of those below"
    shown = ", ".join(f"`{code}`" for code in sorted(known))
    if None not in CODES[event]:
        return shown
    return f"none, or {shown}" if known else "none"


def detail(event: Event) -> str:
    return DETAILS.get(event, "nil")


def rejections() -> Iterator[str]:
    """The closed list of reasons for a rejection."""
    yield ", ".join(f"`{code}`" for code in sorted(CODES[Event.REJECTED], key=str)) + "."


def states() -> Iterator[str]:
    """The transition table; rows without any step are left out."""
    rows = [
        (state.value, *(row[one].value if one in row else "" for one in Step))
        for state, row in TRANSITIONS.items()
        if row
    ]
    return table(("from", *(one.value for one in Step)), rows)


def diagram() -> Iterator[str]:
    """The transition table as a picture."""
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    [*] --> {begin().value}: {Step.CONSIGN.value}"
    for state, row in TRANSITIONS.items():
        for one, after in row.items():
            yield f"    {state.value} --> {after.value}: {one.value}"
    for state in State:
        if state in TERMINAL:
            yield f"    {state.value} --> [*]"
    yield "```"


def etsi() -> Iterator[str]:
    """Names of the standard, the same or the nearest."""
    rows = []
    for (event, code), name in NAMES.items():
        shown = event if code is None else f"{event}, `{code}`"
        rows.append((str(shown), *_etsi(name)))
    return table(("event", "ETSI name", "code", "URI, where the meaning is the same"), rows)


def _etsi(name: Name | None) -> tuple[str, str, str]:
    if name is None:
        return "none is near", "", ""
    code = f"{name.code} ({name.read})"
    if name.uri is not None:
        return name.name, code, f"`{name.uri}`"
    return f"nearest: {name.name}", code, f"differs: {name.differs}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table."""
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for row in rows:
        yield "|" + "|".join(f" {cell} " if cell else " " for cell in row) + "|"


BLOCKS: Final = {
    "events": events,
    "rejections": rejections,
    "diagram": diagram,
    "states": states,
    "etsi": etsi,
}


def written(page: str) -> str:
    """The page with every block made anew.

    Raises:
        ValueError: a marker is not there.
    """
    for name, lines in BLOCKS.items():
        start, end = f"<!-- begin {name}: generate_receipts.py -->\n", f"<!-- end {name} -->"
        before, rest = page.split(start, 1)
        _old, after = rest.split(end, 1)
        page = before + start + "\n".join(lines()) + "\n" + end + after
    return page


def check_names() -> None:
    """Every event of a leaf has its row in the table of names."""
    known = {event for event, _code in NAMES}
    missing = {*CONSIGNMENTS, *(event.value for event in Event)} - known
    if missing:
        raise ValueError(f"no ETSI row for {sorted(missing)}")


def main(page: Path) -> None:
    """Write the page."""
    check_names()
    page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE)
