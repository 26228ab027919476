"""An audit as a page: what was found, how much was opened, and the traffic as pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from saphan_protocol.audit.report import Coverage, Finding, HeadSeen, Report
from saphan_protocol.audit.statistics import PairRow, Spread
from saphan_protocol.audit.words import successor_lines
from saphan_schemas.limits import SECOND_MS
from saphan_schemas.messages import has_text, text

from saphan.audit.pictures import picture_blocks
from saphan.pages.blocks import (
    Banner,
    Block,
    Cell,
    Heading,
    Page,
    Points,
    Span,
    Table,
)
from saphan.pages.saying import duration, stamp, translation_notice

AREAS: Final = frozenset(("audit_sheet", "sheet", "event", "unit"))
ROOT_DIGITS: Final = 16
Say = Callable[..., str]


def audit_page(report: Report, lang: str, made: int) -> Page:
    """The page of one audit.

    Args:
        lang: of `messages.LANGUAGES`; made: when the page is made, ms.
    """
    say: Say = partial(text, lang=lang)
    head = _last_head(report.coverage)
    origin, root = ("-", "-") if head is None else (head.origin, head.root.hex()[:ROOT_DIGITS])
    return Page(
        lang=lang,
        kind=say("audit_sheet.kind"),
        title=say("audit_sheet.title", origin=origin, entries=f"{report.coverage.entries:,}"),
        foot=say("audit_sheet.foot", origin=origin, root=root, made=stamp(made)),
        made=made,
        notice=translation_notice(lang, AREAS),
        blocks=tuple(_blocks(report, lang, say)),
    )


def _last_head(seen: Coverage) -> HeadSeen | None:
    """The evidence log's, unless the audit ended before it."""
    return seen.heads[-1] if seen.heads else None


def _blocks(report: Report, lang: str, say: Say) -> Iterator[Block]:
    seen = report.coverage
    yield _verdict(report, say)
    yield from _before(seen, say)
    yield from picture_blocks(report.statistics, lang, say)
    yield from _pairs(report, lang, say)
    yield from _kinds(seen, say)
    yield from _witnesses(report, lang, say)
    yield from _heads(seen, say)
    yield Heading(say("audit_sheet.limits"))
    limits = ("limit_closed", "limit_content", "limit_other")
    yield Points(tuple(say(f"audit_sheet.{name}") for name in limits))


def _verdict(report: Report, say: Say) -> Banner:
    seen, finding = report.coverage, report.finding
    if finding is not None:
        sentences = (say("audit_sheet.bad_says"), *_finding(finding, say))
        return Banner(say("audit_sheet.bad"), sentences, "bad")
    opened = seen.entries_opened
    counts = {"entries": f"{seen.entries:,}", "opened": f"{opened:,}"}
    said = [say("audit_sheet.good_says", **counts)]
    left = {
        "closed": seen.entries - opened,
        "unplaced": seen.unplaced,
        "unseen": seen.unseen,
        "beyond": seen.heads_beyond,
        "holds_closed": seen.holds_closed,
    }
    said += (say(f"audit_sheet.{name}", count=f"{n:,}") for name, n in left.items() if n)
    ends = {
        "destroyed": seen.logged["destroyed"],
        "due": seen.destruction_waits,
        "held": seen.destruction_held,
    }
    if any(ends.values()):
        said.append(say("audit_sheet.destruction", **{name: f"{n:,}" for name, n in ends.items()}))
    if seen.destruction_late:
        said.append(say("audit_sheet.destruction_late", count=f"{seen.destruction_late:,}"))
    if opened:
        bounded = f"{seen.bounded:,}"
        said.append(say("audit_sheet.bounded", bounded=bounded, opened=counts["opened"]))
    before = seen.successor
    if any(left.values()) or (before is not None and (before.gap or before.doubted)):
        return Banner(say("audit_sheet.good_part"), tuple(said), "warn")
    return Banner(say("audit_sheet.good"), tuple(said), "good")


def _before(seen: Coverage, say: Say) -> Iterator[Block]:
    """Which log this one follows, and how much of that one is missing."""
    lines = tuple(successor_lines(seen.successor, "audit_sheet.", say))
    if lines:
        yield Heading(say("audit_sheet.before"))
        yield Points(lines)


def _finding(finding: Finding, say: Say) -> Iterator[str]:
    place = {"log": say(f"audit_sheet.{finding.log}"), "step": finding.step.value}
    if finding.index is None:
        yield say("audit_sheet.at_log", **place)
    else:
        yield say("audit_sheet.at_leaf", index=finding.index, **place)
    if finding.pack is not None:
        yield say("audit_sheet.at_pack", pack=finding.pack)
    yield say("verdict.failed_why", message=finding.message, code=finding.code)


def _pairs(report: Report, lang: str, say: Say) -> Iterator[Block]:
    """How much of each corridor was opened, and how long its deliveries took."""
    corridors = report.coverage.corridors
    if not corridors:
        return
    yield Heading(say("audit_sheet.pairs"))
    names = ("pair", "opened", "handover", "answer")
    rows: list[tuple[Cell, ...]] = []
    for pair, corridor in sorted(corridors.items()):
        figures = report.statistics.pairs.get(pair, PairRow())
        rows.append(
            (
                ", ".join(pair),
                _opened(corridor.opened, corridor.last, say),
                _spread(figures.handover, lang, say),
                _spread(figures.answer, lang, say),
            )
        )
    yield Table(tuple(say(f"audit_sheet.{name}") for name in names), tuple(rows), (28, 18, 27, 27))


def _kinds(seen: Coverage, say: Say) -> Iterator[Block]:
    kinds = [(name, count) for name, count in sorted(seen.logged.items()) if _has_entry(name)]
    if not kinds:
        return
    yield Heading(say("audit_sheet.coverage"))
    rows = tuple(
        (_kind(name, say), _opened(seen.opened[name], count, say)) for name, count in kinds
    )
    yield Table((say("audit_sheet.leaf"), say("audit_sheet.opened")), rows, (60, 40))


def _witnesses(report: Report, lang: str, say: Say) -> Iterator[Block]:
    lags = report.statistics.lags
    if not lags:
        return
    yield Heading(say("audit_sheet.lag"))
    rows = tuple(
        (name, f"{lag.count:,}", _spread(lag, lang, say)) for name, lag in sorted(lags.items())
    )
    heads = ("witness", "seen_heads", "took")
    yield Table(tuple(say(f"audit_sheet.{name}") for name in heads), rows, (30, 25, 45))


def _heads(seen: Coverage, say: Say) -> Iterator[Block]:
    yield Heading(say("audit_sheet.heads"))
    names = ("sheet.log", "sheet.size", "sheet.root", "sheet.witnesses")
    rows = tuple(
        (
            head.origin,
            f"{head.size:,} ({stamp(head.time * SECOND_MS)})",
            Span(head.root.hex(), "code"),
            ", ".join(head.witnesses) or "-",
        )
        for head in seen.heads
    )
    yield Table(tuple(map(say, names)), rows, (22, 18, 38, 22))


def _has_entry(name: str) -> bool:
    return name not in ("anchor", "successor")


def _kind(name: str, say: Say) -> str:
    return say(f"event.{name}") if has_text(f"event.{name}") else name


def _opened(opened: int, logged: int, say: Say) -> Span:
    said = say("audit_sheet.opened_of", opened=f"{opened:,}", logged=f"{logged:,}")
    return Span(said, "plain" if opened == logged else "warn")


def _spread(spread: Spread, lang: str, say: Say) -> str:
    """Half and nearly all of the durations, and the longest; a dash where there is none."""
    half, most = spread.within(50), spread.within(95)
    if half is None or most is None:
        return "-"
    return "; ".join(
        (
            f"{say('audit_sheet.half')} {duration(half, lang)}",
            f"{say('audit_sheet.most')} {duration(most, lang)}",
            f"{say('audit_sheet.longest')} {duration(spread.longest, lang)}",
        )
    )
