"""How a running node looks to its keeper: its line, what was agreed, what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from saphan_schemas.width import fit

from saphan.cli.render import stamp
from saphan.cli.speech import say

Json = dict[str, Any]
LABEL_CELLS = 14


def node_lines(found: Json) -> Iterator[str]:
    """The answer of `GET /v1/identity` for a person."""
    line = found["line"]
    yield f"{_label('label.agency')}{found['agency']}"
    yield f"{_label('label.broker')}{found['broker']}"
    yield f"{_label('label.line')}{say('line.' + line['state'], since=stamp(line['since']))}"
    if line["code"] is not None:
        yield f"{_label(None)}{line['message']} ({line['code']})"
    yield f"{_label('label.today')}{_cost(found['budget'])}"
    sizes = say("note.verified", directory=found["directory_size"], evidence=found["evidence_size"])
    yield f"{_label('label.logs')}{sizes}"
    for one in found.get("successions", ()):
        at = stamp(one["adopted"])
        told = say("note.log_follows", log=one["log"], old=one["follows"], size=one["size"], at=at)
        yield f"{_label(None)}{told}"
    yield f"{_label('label.agencies')}{', '.join(found['agencies']) or '-'}"
    for place, agreed in enumerate(found["agreements"]):
        dates = f"{stamp(agreed['valid_from'])[:10]} - {stamp(agreed['valid_until'])[:10]}"
        label = None if place else "label.agreements"
        condition = say(f"condition.{agreed['condition']}", by=", ".join(agreed["by"]))
        yield f"{_label(label)}{agreed['reference']}  {dates}  {condition}"
    for row in found["bound"]:
        yield f"{_label('label.bound')}{row['agency']} ({say('noun.not_in_the_log')})"
    yield ""
    if not found["alarms"]:
        yield say("note.no_alarms")
    for alarm in found["alarms"]:
        yield f"{stamp(alarm['last'])}  {alarm['message']} ({alarm['code']}, {alarm['count']})"
        if alarm["hint"]:
            yield f"{'':21}{alarm['hint']}"


def _cost(budget: Json) -> str:
    used = f"{budget['cost'] / 1e6:.1f}"
    if budget["per_day"] is None:
        return say("note.cost", used=used)
    return say("note.cost_of", used=used, of=f"{budget['per_day'] / 1e6:.1f}")


def _label(key: str | None) -> str:
    return fit("" if key is None else say(key), LABEL_CELLS)
