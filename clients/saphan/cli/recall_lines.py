"""How recalls look on a terminal: a line for each recipient, and what this agency answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from saphan_schemas.messages import has_text
from saphan_schemas.width import fit

from saphan.cli.speech import say
from saphan.cli.stamps import stamp

Json = dict[str, Any]
AGENCY_CELLS = 12
ID_SHOWN = 16


def table_lines(found: Json) -> Iterator[str]:
    """A recall: of our own bulletin the table, of a received one our answer."""
    here = found.get("here")
    if here is not None:
        yield from here_lines(here)
        return
    if not found["recalled"]:
        yield say("recall.none", id=found["id"][:ID_SHOWN])
        return
    why = "-" if found["code"] is None else reason_text(found["code"])
    if found["by"] is None:  # ordered in a life of this node that is lost
        yield say("recall.of", id=found["id"][:ID_SHOWN])
    else:
        when, who = stamp(found["time"]), found["by"]
        yield say("recall.head", id=found["id"][:ID_SHOWN], when=when, by=who, why=why)
    for one in found["recipients"]:
        yield f"{fit(one['recipient'], AGENCY_CELLS)}  {stands_text(one)}"
        if one["erased"] is not None:
            yield f"{'':{AGENCY_CELLS}}  {say('recall.erased', when=stamp(one['erased']))}"


def stands_text(one: Json) -> str:
    """How one recipient stands, in words."""
    times = {name: "" if one[name] is None else stamp(one[name]) for name in ("until", "answered")}
    code = one["code"] or "-"
    why = decline_text(code) if one["state"] == "declined" else code
    # Of a recall that was ordered, what was not said yet is about to be.
    state = "sending" if one["state"] == "none" else one["state"]
    text = say(f"recall.{state}", why=why, **times)
    return f"{text}; {say('recall.late')}" if one["late"] else text


def here_lines(here: Json) -> Iterator[str]:
    """What this agency has answered, or still owes."""
    head = {"id": here["id"][:ID_SHOWN], "when": stamp(here["time"])}
    yield say("recall.received", why=reason_text(here["code"]), **head)
    yield answer_text(here)


def listed_line(here: Json) -> str:
    """One recall of another agency's on one line."""
    cells = (here["id"][:ID_SHOWN], stamp(here["time"]), reason_text(here["code"]))
    return "  ".join((*cells, answer_text(here)))


def answer_text(here: Json) -> str:
    """How a recall was answered here."""
    if here["answer"] is None:
        return say("recall.owed", until=stamp(here["until"]))
    when = "" if here["answered"] is None else stamp(here["answered"])
    why = "" if here["reason"] is None else decline_text(here["reason"])
    return say(f"recall.answer_{here['answer']}", when=when, why=why, by=here["by"] or "-")


def reason_text(code: str) -> str:
    """Why a sender takes a bulletin back, in words."""
    return _named("recall_reason", code)


def decline_text(code: str) -> str:
    """Why a holder keeps what was recalled, in words."""
    return _named("decline_reason", code)


def _named(area: str, code: str) -> str:
    return say(f"{area}.{code}") if has_text(f"{area}.{code}") else code
