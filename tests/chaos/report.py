"""The report: one page with everything in it, which any browser shows without a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from statistics import median
from typing import Final

from chaos import pictures
from chaos.recovering import Recovered
from chaos.rounds import Outcome
from chaos.story import Event

STYLE: Final = """
body { font: 15px/1.5 sans-serif; max-width: 1000px; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } th, td { padding: 3px 10px; text-align: right;
border-bottom: 1px solid #ddd } th:first-child, td:first-child { text-align: left }
svg { width: 100%; height: auto } h2 { margin-top: 2em } .bad { color: #b3261e; font-weight: bold }
.good { color: #2e7d32; font-weight: bold } code { background: #f4f4f4; padding: 1px 4px }
summary { cursor: pointer } td { white-space: nowrap }
.words { text-align: left; white-space: normal }
"""


def page(found: Sequence[Outcome], left_out: Sequence[str], words: str, machine: str) -> str:
    """HTML of everything that was played so far.

    Args:
        left_out: what this machine does not allow; words: the command's options.
    """
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Saphan under chaos</title>",
        f"<style>{STYLE}</style><h1>Saphan under chaos</h1>",
        _head(found, words, machine),
        *[f"<p>Left out on this machine: {escape(one)}.</p>" for one in left_out],
        "<h2>Rounds</h2>",
        _rounds(found),
        "<h2>Faults</h2>",
        "<p>A fault has happened if it was felt: the process that was killed had run, the one that"
        " was stopped stood still, a connection was cut or a piece of data waited, a call to the"
        " disk was held back, no byte was left. What found nobody (a line on which nothing passed,"
        " a process that was down already) was drawn and has not happened; in the pictures it is"
        " an outline. The colours are those of the pictures.</p>",
        _faults([event for outcome in found for event in outcome.events]),
        "<h2>Recovery</h2>",
        "<p>For each fault that has happened: seconds from its end (for a kill, from the kill)"
        " until a bulletin that was pushed after the fault had begun was accepted over the same"
        " way. Faults overlap, so this is what an agency felt, not what one fault costs alone; 0"
        " means that bulletins came through while it lasted. A node waits at most 30 s before it"
        " tries again.</p>",
        pictures.recovery_chart([one for outcome in found for one in outcome.recovered]),
        _recovery([one for outcome in found for one in outcome.recovered]),
        "<h2>What happened, round by round</h2>",
        *map(_round, found),
        "</html>",
    ]
    return "\n".join(parts)


def _head(found: Sequence[Outcome], words: str, machine: str) -> str:
    losses = sum(len(one.losses) for one in found)
    bulletins = sum(one.bulletins for one in found)
    deliveries = sum(one.deliveries for one in found)
    faults = sum(happened(event) for one in found for event in one.events)
    letters = sum(one.letters for one in found)
    kills = sum(one.kills for one in found)
    judged = "good" if losses == 0 else "bad"
    seed = found[0].schedule.seed if found else 0
    return (
        f"<p>Measured {datetime.now(UTC):%d %B %Y, %H:%M} UTC by <code>python -m chaos"
        f" {escape(words)}</code>, seed <b>{seed}</b>, on {escape(machine)}.</p>"
        f"<p>{len(found)} rounds, {faults} faults, {kills} of them kills;"
        f" {bulletins} bulletins acknowledged, {letters} of them written at desks,"
        f" {deliveries} deliveries;"
        f" <span class={judged}>{losses} losses</span>.</p>"
        "<p>A loss is anything that the oracle finds in the exported logs and record packs, or that"
        " a reader saw: an acknowledged bulletin that is missing, one shown twice, other content"
        " than was sent, a gap in a corridor, two outcomes, two roots for one size, a signature or"
        " proof that does not verify, a store that fails <code>fsck</code>, or anything still open"
        " when patience ended.</p>"
    )


def _rounds(found: Sequence[Outcome]) -> str:
    head = (
        "round", "world", "load s", "faults", "kills", "starts", "bulletins", "at desks",
        "deliveries", "outcomes", "shown", "settled after s", "losses",
    )  # fmt: skip
    rows = [
        (
            one.schedule.number, one.schedule.form, f"{one.schedule.seconds:.0f}",
            sum(map(happened, one.events)), one.kills, one.starts, one.bulletins, one.letters,
            one.deliveries,
            ", ".join(f"{count} {state}" for state, count in sorted(one.outcomes.items())),
            one.shown, f"{one.settled:.1f}", len(one.losses),
        )
        for one in found
    ]  # fmt: skip
    return _table(head, rows)


def happened(event: Event) -> bool:
    """Whether it tells of a fault that was felt."""
    return event["what"] == "fault over" and bool(event["struck"])


def _faults(events: Sequence[Event]) -> str:
    """By kind, and for what is done to processes by whom it hit."""
    drawn = Counter(event["kind"] for event in events if event["what"] == "fault")
    felt = Counter(event["kind"] for event in events if happened(event))
    whom = Counter(
        (event["kind"], event["target"])
        for event in events
        if happened(event) and ">" not in event["target"]
    )
    rows = []
    for kind in sorted(drawn):
        hit = ", ".join(f"{of[1]} {whom[of]}" for of in sorted(whom) if of[0] == kind)
        named = f'<span style="color:{pictures.colour(kind)}">&#9632;</span> {escape(kind)}'
        cells = f"<td>{named}<td>{drawn[kind]}<td>{felt[kind]}<td class=words>{escape(hit)}"
        rows.append(f"<tr>{cells}</tr>")
    head = "<tr><th>kind<th>drawn<th>happened<th class=words>to whom, if not to a line</tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _recovery(recovered: Sequence[Recovered]) -> str:
    rows = []
    counts = Counter(one.kind for one in recovered)
    for kind in sorted(counts):
        times = sorted(
            one.seconds for one in recovered if one.kind == kind and one.seconds is not None
        )
        shown = (f"{median(times):.2f}", f"{times[-1]:.2f}") if times else ("", "")
        rows.append((kind, counts[kind], *shown, counts[kind] - len(times)))
    return _table(("kind", "faults", "median s", "longest s", "nothing after it"), rows)


def _round(one: Outcome) -> str:
    plan = one.schedule
    last = max([plan.seconds, *(event["at"] for event in one.events)])
    name = f"round-{plan.number:03d}.json"
    listed = "".join(
        f"<li>{fault.at:.2f} s: {escape(fault.kind)} of {escape(fault.target)}"
        f" for {fault.seconds:.2f} s, amount {fault.amount}</li>"
        for fault in plan.faults
    )
    lost = "".join(f"<li class=bad>{escape(loss)}</li>" for loss in one.losses)
    return (
        f"<h3>Round {plan.number}, {plan.form}</h3>"
        + (f"<ul>{lost}</ul>" if lost else "")
        + pictures.timeline(one.events, last)
        + f"<p>Again: <code>python -m chaos --replay {name}</code></p>"
        + f"<details><summary>The schedule</summary><ol>{listed}</ol></details>"
    )


def _table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    def row(cells: Sequence[object], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(str(one))}</{tag}>" for one in cells) + "</tr>"

    return "<table>" + row(head, "th") + "".join(row(one, "td") for one in rows) + "</table>"
