"""What an audit found, as JSON: the same for the auditor's command and for the broker's."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from saphan_protocol.audit.report import Finding, HeadSeen, Report, SuccessorSeen
from saphan_protocol.audit.statistics import EDGES_MS, DayRow, Spread, Statistics

_EPOCH: Final = date(1970, 1, 1)
_LAST_DAY: Final = (date.max - _EPOCH).days


def report_json(report: Report) -> dict[str, Any]:
    """The whole report; `ok` is true when nothing is wrong in what was checked."""
    finding, seen = report.finding, report.coverage
    return {
        "ok": finding is None,
        "finding": None if finding is None else _finding_json(finding),
        "coverage": {
            "heads": [_head_json(head) for head in seen.heads],
            "packs": seen.packs,
            "directory": {
                "leaves": seen.directory_leaves,
                "operations": seen.operations,
                "signatures": seen.operation_signatures,
                "types": seen.types,
                "agreements": {"logged": seen.agreements_logged, "opened": seen.agreements_opened},
            },
            "evidence": {
                "successor": _successor_json(seen.successor),
                "leaves": seen.evidence_leaves,
                "entries": seen.entries,
                "opened": seen.entries_opened,
                "signatures": seen.signatures,
                "types": {
                    name: {"logged": count, "opened": seen.opened[name]}
                    for name, count in sorted(seen.logged.items())
                },
                "corridors": [
                    {
                        "sender": pair[0],
                        "recipient": pair[1],
                        "opened": c.opened,
                        "first": c.first,
                        "last": c.last,
                    }
                    for pair, c in sorted(seen.corridors.items())
                ],
                "deliveries": dict(sorted(seen.deliveries.items())),
                "unplaced": seen.unplaced,
                "destruction": {
                    "destroyed": seen.logged["destroyed"],
                    "due": seen.destruction_waits,
                    "held": seen.destruction_held,
                    "late": seen.destruction_late,
                    "orders_not_opened": seen.holds_closed,
                },
                "heads_not_compared": seen.unseen,
                "heads": {
                    "shown": seen.heads_shown,
                    "witnessed": seen.heads_witnessed,
                    "beyond": seen.heads_beyond,
                },
                "dated_between_witnessed_heads": seen.bounded,
            },
        },
    }


def statistics_json(seen: Statistics) -> dict[str, Any]:
    """All figures by day, by pair and by witness; durations in ms, days as YYYY-MM-DD."""
    return {
        "edges_ms": EDGES_MS,
        "days": [_day_json(row, seen.lags_by_day.get(row.day)) for row in seen.days],
        "pairs": [
            {
                "sender": pair[0],
                "recipient": pair[1],
                "events": row.events,
                "handover": _spread_json(row.handover),
                "answer": _spread_json(row.answer),
            }
            for pair, row in sorted(seen.pairs.items())
        ],
        "witnesses": [
            {"name": name, "lag": _spread_json(spread)}
            for name, spread in sorted(seen.lags.items())
        ],
    }


def _day_json(row: DayRow, lag: Spread | None) -> dict[str, Any]:
    return {
        "day": day_name(row.day),
        "events": row.events,
        "handover": _spread_json(row.handover),
        "answer": _spread_json(row.answer),
        "open": row.open,
        "overdue": row.overdue,
        "lag": _spread_json(lag or Spread()),
    }


def day_name(day: int) -> str:
    """A day as YYYY-MM-DD; far beyond every calendar its number."""
    return str(_EPOCH + timedelta(day)) if day <= _LAST_DAY else str(day)


def _spread_json(spread: Spread) -> dict[str, Any]:
    return {
        "count": spread.count,
        "median": spread.within(50),
        "nine_tenths": spread.within(90),
        "longest": spread.longest,
        "classes": spread.classes,
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "log": finding.log,
        "index": finding.index,
        "step": finding.step.value,
        "code": finding.code,
        "message": finding.message,
        "pack": finding.pack,
        "hint": finding.hint,
    }


def _successor_json(seen: SuccessorSeen | None) -> dict[str, Any] | None:
    """What the log follows; None for the first of its name."""
    if seen is None or not seen.root:
        return None
    return {
        "origin": seen.origin,
        "size": seen.size,
        "root": seen.root.hex(),
        "head": None if seen.head is None else _head_json(seen.head),
        "gap": seen.gap,
        "heads_compared": seen.heads,
        "named_head_signed": seen.signed,
        "larger_head_claimed": seen.doubted,
    }


def _head_json(head: HeadSeen) -> dict[str, Any]:
    return {
        "origin": head.origin,
        "size": head.size,
        "root": head.root.hex(),
        "time": head.time,
        "witnesses": list(head.witnesses),
    }
