"""How holds look on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from saphan_protocol.words import word_lines

from saphan.cli.render import stamp
from saphan.cli.speech import say
from saphan.holds.hold_file import HoldFile

Json = dict[str, Any]


def day_text(day: int) -> str:
    """Days since 1970-01-01 as a date."""
    return date.fromordinal(date(1970, 1, 1).toordinal() + day).isoformat()


def hold_state(one: Json) -> str:
    """Whether a hold stands, ends, has ended, is past its review, or cannot be known."""
    if not one["in_force"]:
        return say("hold_state.released")
    if one["ending"]:
        return say("hold_state.ending")
    if not one["terms_here"]:
        return say("hold_state.terms_missing")
    return say("hold_state.past_review" if one["past_review"] else "hold_state.in_force")


def hold_line(one: Json) -> str:
    """A hold on one line."""
    number = one["orders"][0]["number"]
    reference = one["reference"] or say("hold_state.terms_missing")
    cells = (
        f"{number:>4}  {one['name'][:16]}",
        day_text(one["review"]),
        hold_state(one),
        say("note.hold_count", count=one["bulletins"]),
        reference,
    )
    return "  ".join(cells)


def hold_lines(one: Json) -> Iterator[str]:
    """A hold in full, without what it keeps."""
    yield hold_line(one)
    if one["scope"] is not None:
        yield from (f"    {line}" for line in scope_lines(one["scope"]))
        yield "    " + say("note.hold_told" if one["told"] else "note.hold_untold")
    for order in one["orders"]:
        logged = say("noun.in_the_log" if order["logged"] else "noun.not_in_the_log")
        code = "" if order["broker"] is None else f" ({order['broker']})"
        action = say(f"hold_action.{_action(one, order)}")
        yield f"    {stamp(order['time'])}  {order['number']}  {action}  {logged}{code}"


def _action(one: Json, order: Json) -> str:
    renews = order["action"] == "hold" and order["name"] != one["name"]
    return "renew" if renews else str(order["action"])


def scope_lines(scope: Json) -> Iterator[str]:
    """What is held, by each way in which it was named."""
    if scope["ids"]:
        yield say("note.hold_ids", ids=", ".join(one[:16] for one in scope["ids"]))
    if scope["schemas"] or scope["since"] is not None or scope["until"] is not None:
        yield say(
            "note.hold_types",
            types=", ".join(scope["schemas"]) or say("note.hold_every_type"),
            since="…" if scope["since"] is None else _date(scope["since"]),
            until="…" if scope["until"] is None else _date(scope["until"]),
        )
    if scope["threads"]:
        yield say("note.hold_threads", ids=", ".join(one[:16] for one in scope["threads"]))
    if scope["cases"]:
        yield say("note.hold_cases", cases=", ".join(scope["cases"]))


def member_line(one: Json) -> str:
    """A bulletin that is held; one that is erased here, at the broker alone."""
    logged = say("noun.in_the_log" if one["logged"] else "noun.not_in_the_log")
    erased = "  " + say("retention_state.deleted") if one["erased"] else ""
    return f"    {one['id'][:16]}  {one['sender']}  {logged}{erased}"


def asked_line(one: Json) -> str:
    """What one side of a delivery has asked the other, and the answer."""
    said = say(f"hold_ask.{one['asked']}")
    answer = say(f"hold_answer.{one['answer']}") if one["answer"] else say("note.hold_no_answer")
    to = one["recipient"] if one["by"] == one["sender"] else one["sender"]
    return f"{one['id'][:16]}  {stamp(one['time'])}  {one['by']} -> {to}: {said}  {answer}"


def order_page(file: HoldFile, scope: Json) -> Iterator[str]:
    """An order as whoever signs it reads it."""
    order = file.order
    action = "renew" if order.action == "hold" and order.hold is not None else order.action
    yield f"{order.agency}  {order.number}  {say(f'hold_action.{action}')}"
    if order.hold is not None:
        yield say("note.hold_of", name=order.hold.hex()[:16])
    yield say("note.hold_reference", reference=file.said.reference)
    yield from scope_lines(scope)
    if action != "release":
        yield say("note.hold_review", day=day_text(order.review))
        yield say("note.hold_told" if file.said.told else "note.hold_untold")
    yield say("note.order_words")
    yield from (f"    {line}" for line in word_lines(file.identity))


def _date(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1000, UTC).date().isoformat()
