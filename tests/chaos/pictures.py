"""Pictures of the report, as SVG: nothing but a browser is needed to look at the page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

from chaos.recovering import Recovered

WIDTH: Final = 960
LEFT: Final = 150
RIGHT: Final = 12
ROW: Final = 16
CHART: Final = 110
STEP_S: Final = 1.0

COLOURS: Final = {
    "kill": "#b3261e",
    "stop": "#c77700",
    "file_limit": "#6d4c41",
    "disk_full": "#4e342e",
    "slow_disk": "#8d6e63",
    "clock_step": "#00695c",
    "clock_leap": "#004d40",
    "clock_drift": "#26a69a",
    "lose_data": "#000000",
    "promote": "#8e24aa",
}
LINE_COLOUR: Final = "#3949ab"
"""Of whatever is done to a line."""


def colour(kind: str) -> str:
    """Of a kind of fault."""
    return COLOURS.get(kind, LINE_COLOUR)


def timeline(events: Sequence[dict[str, Any]], end: float) -> str:
    """Faults by target, and below them what was acknowledged and accepted each second."""
    spans = _spans(events, end)
    targets = sorted({span["target"] for span in spans})
    over = next((one["at"] for one in events if one["what"] == "faults are over"), end)
    height = ROW * len(targets) + CHART + 56
    across = _scale(end)
    parts = [_open(height, "Faults by target, and throughput")]
    for number, target in enumerate(targets):
        y = 8 + ROW * number
        parts.append(_text(LEFT - 8, y + 11, target, anchor="end"))
        parts.append(_rule(LEFT, y + ROW - 1, WIDTH - RIGHT, y + ROW - 1))
        parts += [_span(span, y, across) for span in spans if span["target"] == target]
    top = 8 + ROW * len(targets) + 16
    highest = max([1, *_counts(events, "acknowledged", end), *_counts(events, "accepted", end)])
    for what, stroke, fill in (
        ("acknowledged", "#546e7a", "none"),
        ("accepted", "#2e7d32", "#a5d6a7"),
    ):
        heights = [count / highest for count in _counts(events, what, end)]
        parts.append(_curve(heights, top, end, stroke, fill))
    x = across(over)
    parts.append(_rule(x, 8, x, top + CHART, dash="4 3"))
    parts.append(_text(x - 4, top - 4, "all faults over", anchor="end"))
    parts.append(_text(LEFT - 8, top + 12, "per second", anchor="end"))
    parts.append(_text(LEFT - 8, top + 28, "accepted", anchor="end", fill="#2e7d32"))
    parts.append(_text(LEFT - 8, top + 44, "acknowledged", anchor="end", fill="#546e7a"))
    parts.append(_text(LEFT - 8, top + 60, f"at most {highest}", anchor="end"))
    parts.append(_axis(top + CHART, end, across))
    return "".join([*parts, "</svg>"])


def recovery_chart(recovered: Sequence[Recovered]) -> str:
    """A dot for each fault: seconds until its way carried again, by kind."""
    kinds = sorted({one.kind for one in recovered})
    times = [one.seconds for one in recovered if one.seconds is not None]
    end = max([1.0, *times])
    across = _scale(end)
    height = ROW * len(kinds) + 40
    parts = [_open(height, "Seconds until carried again, by kind of fault")]
    for number, kind in enumerate(kinds):
        y = 8 + ROW * number
        parts.append(_text(LEFT - 8, y + 11, kind, anchor="end"))
        parts.append(_rule(LEFT, y + ROW - 1, WIDTH - RIGHT, y + ROW - 1))
        for one in recovered:
            if one.kind == kind and one.seconds is not None:
                said = escape(f"{one.kind} of {one.target}: {one.seconds:.2f} s")
                parts.append(
                    f'<circle cx="{across(one.seconds):.1f}" cy="{y + 7}" r="3.5"'
                    f' fill="{colour(kind)}" fill-opacity="0.6"><title>{said}</title></circle>'
                )
    parts.append(_axis(8 + ROW * len(kinds) + 4, end, across))
    return "".join([*parts, "</svg>"])


def _spans(events: Sequence[dict[str, Any]], end: float) -> list[dict[str, Any]]:
    """Faults with begin and end as they really were."""
    spans: list[dict[str, Any]] = []
    for event in events:
        if event["what"] == "fault":
            spans.append(event | {"end": end, "struck": 1})
        elif event["what"] == "fault over":
            of = (event["kind"], event["target"])
            for span in reversed(spans):
                if (span["kind"], span["target"]) == of and span["end"] == end:
                    span |= {"end": event["at"], "struck": event["struck"]}
                    break
    return spans


def _counts(events: Sequence[dict[str, Any]], what: str, end: float) -> list[int]:
    counts = [0] * (int(end / STEP_S) + 1)
    for event in events:
        accepted = event["what"] == "outcome" and event["state"] == "accepted"
        if event["what"] == what or (what == "accepted" and accepted):
            counts[min(len(counts) - 1, max(0, int(event["at"] / STEP_S)))] += 1
    return counts


def _scale(end: float) -> Any:
    return lambda at: LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, at / end))


def _curve(heights: Sequence[float], top: int, end: float, stroke: str, fill: str) -> str:
    """Heights from 0 to 1, one for each second: both curves of a picture have one scale."""
    across = _scale(end)
    points = [
        f"{across((number + 0.5) * STEP_S):.1f},{top + CHART - (CHART - 8) * height:.1f}"
        for number, height in enumerate(heights)
    ]
    first, last = f"{across(0):.1f},{top + CHART}", f"{across(end):.1f},{top + CHART}"
    area = f'<polygon points="{first} {" ".join(points)} {last}" fill="{fill}" opacity="0.5"/>'
    line = (
        f'<polyline points="{" ".join(points)}" fill="none" stroke="{stroke}" stroke-width="1.5"/>'
    )
    return (area if fill != "none" else "") + line


def _span(span: dict[str, Any], y: int, across: Any) -> str:
    x, width = across(span["at"]), max(3.0, across(span["end"]) - across(span["at"]))
    said = escape(f"{span['kind']} of {span['target']}, {span['at']:.1f} to {span['end']:.1f} s")
    opaque = 1 if span["struck"] else 0.08
    return (
        f'<rect x="{x:.1f}" y="{y + 1}" width="{width:.1f}" height="{ROW - 4}" rx="2"'
        f' fill="{colour(span["kind"])}" fill-opacity="{opaque}" stroke="{colour(span["kind"])}">'
        f"<title>{said}</title></rect>"
    )


def _axis(y: float, end: float, across: Any) -> str:
    step = next(one for one in (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 1000) if end / one <= 12)
    parts = [_rule(LEFT, y, WIDTH - RIGHT, y)]
    at = 0.0
    while at <= end:
        parts.append(_text(across(at), y + 14, f"{at:g} s", anchor="middle"))
        at += step
    return "".join(parts)


def _open(height: int, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}"'
        ' font-family="sans-serif" font-size="11">'
    )


def _text(x: float, y: float, words: str, *, anchor: str = "start", fill: str = "#333") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}">{escape(words)}</text>'
    )


def _rule(x1: float, y1: float, x2: float, y2: float, dash: str = "") -> str:
    more = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"{more}/>'
