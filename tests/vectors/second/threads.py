"""Threads as another country might read them from schemas/spec/threads.md, by their page alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Vector = dict[str, Any]

HOUR = 3_600_000
PLACES = ("corrects", "supersedes")
NEEDED = {
    "correction": {"corrects"},
    "update": {"supersedes", "in_reply_to"},
    "cancel": {"corrects", "supersedes"},
}


def family(schema: str) -> str:
    return schema[: schema.rindex("/")]


def relation(vector: Vector) -> str | None:
    """The code of the refusal by `layer`, or None."""
    held, sender = vector["held"], vector["sender"]
    named = [(one["kind"], one["bulletin_id"]) for one in vector["relations"]]
    if vector["layer"] == "recipient":  # T4
        for kind, target in named:
            original = held.get(target) if kind in PLACES else None
            if original and (sender, family(vector["schema"]), vector["exercise"]) != (
                original["sender"],
                family(original["schema"]),
                original["exercise"],
            ):
                return "relation_refused"
        return None
    if not NEEDED.get(vector["message"], {kind for kind, _ in named}) & {k for k, _ in named}:
        return "relation_missing"
    bound = [target for kind, target in named if kind in (*PLACES, "in_reply_to")]
    if len(bound) != len(set(bound)):
        return "relation_twice"
    for kind, target in named:
        if target not in bound:
            continue
        if target not in held:
            return "relation_unknown"
        if held[target]["exercise"] != vector["exercise"]:
            return "relation_type"
        found = (_reply if kind == "in_reply_to" else _replaces)(vector, held[target])
        if found is not None:
            return found
    return None


def _reply(vector: Vector, original: Vector) -> str | None:
    own = original["sender"] == vector["sender"]
    partners = original["recipients"] if own else [original["sender"]]
    if not set(partners) & set(vector["recipients"]):
        return "reply_misdirected"
    answers = family(vector["schema"]) == "saphan/info_reply"
    if answers and family(original["schema"]) not in ("saphan/info_request", "saphan/info_reply"):
        return "relation_type"
    return None


def _replaces(vector: Vector, original: Vector) -> str | None:
    if original["sender"] != vector["sender"]:
        return "relation_foreign"
    if family(original["schema"]) != family(vector["schema"]):
        return "relation_type"
    missing = set(original["recipients"]) - set(vector["recipients"]) - set(vector["unreached"])
    ids = {one["bulletin_id"] for one in vector["relations"]}
    if not missing and set(original.get("replaced_by", ())) - ids:
        return "relation_replaced"
    missing |= set(original.get("left", {})) - ids
    return "correction_misses" if missing else None


def clock(vector: Vector) -> tuple[int, bool]:
    """(due, whether holidays were missing)."""
    urgent = vector["urgency"] == "immediate"
    table = {
        (True, "direct"): (8, "hours"),
        (True, "indirect"): (3, "calendar_days"),
        (True, "unknown"): (3, "calendar_days"),
        (False, "direct"): (7, "calendar_days"),
    }
    ends = [_end(vector, *table.get((urgent, vector["availability"]), (14, "calendar_days")))]
    if vector["reply_within"]:
        within = vector["reply_within"]
        ends.append(_end(vector, within["count"], within["unit"]))
    return max(end for end, _ in ends), any(missing for _, missing in ends)


def _end(vector: Vector, count: int, unit: str) -> tuple[int, bool]:
    if unit == "hours":
        return vector["accepted"] + count * HOUR, False
    zone, file = ZoneInfo(vector["zone"]), vector["holidays"]
    day = datetime.fromtimestamp(vector["accepted"] // 1000, UTC).astimezone(zone).date()
    missing = False
    while count:
        day += timedelta(days=1)
        if unit == "working_days":
            text = day.isoformat()
            missing |= file is None or not file["from"] <= text <= file["to"]
            if day.isoweekday() > 5 or (file and text in file["days"]):
                continue
        count -= 1
    return _midnight_after(day, zone), missing


def legal(vector: Vector) -> tuple[str, str, int | None, bool]:
    """(what is owed, how it stands, by when, whether the first word was late)."""
    first, _ = _end(vector, 5, "working_days")
    words = vector["words"]
    if not words:
        return "acknowledgement", _over(vector, first), first, False
    last, late = words[-1], min(words[0]["at"], words[0]["earlier"] or words[0]["at"]) > first
    if last["state"] in ("executed", "returned", "refused"):
        return "status", "refused" if last["state"] == "refused" else "answered", None, late
    due, _ = _end({**vector, "accepted": max(word["at"] for word in words)}, 30, "calendar_days")
    return "status", _over(vector, max(due, last["expected"] or 0)), due, late


def _over(vector: Vector, until: int) -> str:
    return "overdue" if vector["now"] > until else "waiting"


def _midnight_after(day: date, zone: ZoneInfo) -> int:
    after = day + timedelta(days=1)
    return int(datetime(after.year, after.month, after.day, tzinfo=zone).timestamp()) * 1000


def _says(reply: Vector, no: str) -> str:
    """What a reply says of a question that is open."""
    listed = dict(map(tuple, reply["answers"])).get(no)
    if listed is not None:
        return "interim" if listed == "pending" else str(listed)
    return {"full": "answered", "partial": "refused"}.get(reply["outcome"], str(reply["outcome"]))


def standing(vector: Vector) -> tuple[str, list[str], bool, int]:
    """(state, states of the questions, late, until)."""
    each = dict.fromkeys(vector["questions"], "waiting")
    when = dict.fromkeys(vector["questions"], 0)
    expected, late = None, False
    for reply in vector["replies"]:
        chain = [reply, *reply["earlier"]]
        listed = dict(map(tuple, reply["answers"]))
        for no, before in each.items():
            after = _says(reply, no)
            if before in ("waiting", "interim") or (no in listed and after == "answered"):
                each[no] = after
                settling = [one["at"] for one in chain if _says(one, no) != "interim"]
                when[no] = min(settling) if after != "interim" else 0
        expected = reply["expected"]
        late = late or min(one["at"] for one in chain) > vector["due"]
    late = late or max(when.values()) > vector["due"]
    states = list(each.values())
    still = {"waiting", "interim"} & set(states)
    until = max(vector["due"], expected or 0) if still else vector["due"]
    if still and vector["now"] > until:
        return "overdue", states, late, until
    if still:
        return ("interim" if "interim" in still else "waiting"), states, late, until
    return (states[0] if len(set(states)) == 1 else "partial"), states, late, until
