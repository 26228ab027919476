"""How retention looks on a terminal: a plan, a line for each bulletin, one of them in full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from saphan_schemas.width import fit

from saphan.cli.days import day_text
from saphan.cli.speech import language, say
from saphan.cli.stamps import label, stamp
from saphan.subjects.words import desk_words, export_words

Json = dict[str, Any]
ID_SHOWN: Final = 16
STATE_CELLS: Final = 12


def plan_lines(found: Json) -> Iterator[str]:
    """What would be erased, by day and reason, and which rules act."""
    yield say("retention.plan", until=day_text(found["until"]))
    if found["witnessed"] is None:
        yield say("retention.unwitnessed")
    for one in found["lines"]:
        text = say(
            "retention.line",
            day=day_text(one["day"]),
            count=one["bulletins"],
            size=one["bytes"],
            why=rule_text(one["rule"]),
        )
        notes = [] if one["acting"] else [say("retention.only_armed")]
        if one["held"]:
            notes.append(say("retention.of_these_held", count=one["held"]))
        yield "; ".join((text, *notes))
    if not found["lines"]:
        yield say("retention.nothing")
    if found["reviews"]:
        yield say("retention.reviews", count=found["reviews"])
    for one in found["bulletins"]:
        yield "  " + bulletin_line(one)
    yield rules_line(found)


def rules_line(found: Json) -> str:
    """Which rules are set, and whether they act."""
    rules = found["rules"][:ID_SHOWN]
    if not found["acts"]:
        return say("retention.unarmed", rules=rules)
    armed = found["armed"]
    return say("retention.armed", rules=rules, by=armed["by"], when=stamp(armed["time"]))


def bulletin_line(one: Json) -> str:
    """One bulletin on one line."""
    state = fit(say(f"retention_state.{one['state']}"), STATE_CELLS)
    if one["erased"] is not None:
        when = say("retention.gone", when=stamp(one["erased"]), why=rule_text(one["rule"]))
    else:
        when = say("retention.goes", day=day_text(one["day"]), why=rule_text(one["rule"]))
    return "  ".join((one["id"][:ID_SHOWN], state, one["schema"], when))


def bulletin_lines(one: Json) -> Iterator[str]:
    """One bulletin in full."""
    yield bulletin_line(one)
    for name in ("review", "retain_until", "closed", "extended_until"):
        if one[name] is not None:
            yield f"{label(f'label.retention_{name}')}  {day_text(one[name])}"
    if one["planned"] is not None and one["planned"] < one["day"]:
        yield say(
            "retention.planned", day=day_text(one["planned"]), why=rule_text(one["planned_rule"])
        )
    if one["sealed"] is not None:
        yield say("retention.sealed")
    for each in one["decisions"]:
        until = "" if each["until"] is None else day_text(each["until"])
        what = say(f"retention_decision.{each['decision']}", until=until)
        reason = each["reason"] or say("retention.reason_gone")
        yield f"{stamp(each['time'])}  {each['by']}: {what}: {reason}"
    yield from (export_words(each, language()) for each in one.get("exports", ()))
    yield from (desk_words(each, language()) for each in one.get("desks", ()))


def rule_text(rule: str) -> str:
    """Why it is erased, in words."""
    return say(f"code.{rule}")
