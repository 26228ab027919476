"""What an audit found, in plain words: verdict first, then coverage in numbers.

Texts come from the catalogue through `say`, in the language of whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from saphan_schemas.messages import has_text

from saphan_protocol.audit.report import Coverage, Finding, HeadSeen, Report, SuccessorSeen

Say = Callable[..., str]
"""say(key, **values): a text of the catalogue."""


def report_page(report: Report, say: Say) -> Iterator[str]:
    """The report for a person."""
    finding = report.finding
    if finding is None:
        yield say("note.audit_good")
    else:
        yield from _finding_page(finding, say)
    yield ""
    yield from _directory_page(report.coverage, say)
    yield from _evidence_page(report.coverage, say)


def _finding_page(finding: Finding, say: Say) -> Iterator[str]:
    yield say("note.audit_wrong")
    title = f"error.{finding.code}"
    if has_text(title):
        yield f"    {say(title)}."
    yield f"    {finding.message} ({finding.code})"
    log = say(f"note.audit_{finding.log}")
    if finding.index is None:
        where = say("note.audit_at_log", log=log, step=finding.step.value)
    else:
        where = say("note.audit_at_leaf", log=log, index=finding.index, step=finding.step.value)
    yield f"    {where}"
    if finding.pack is not None:
        yield "    " + say("note.audit_at_pack", pack=finding.pack)
    if finding.hint is not None:
        yield f"    hint: {finding.hint}"
    yield say("note.audit_stopped")


def _directory_page(seen: Coverage, say: Say) -> Iterator[str]:
    yield say("note.audit_directory")
    yield from (f"    {_head_line(head, say)}" for head in seen.heads[:1])
    yield "    " + say(
        "note.audit_operations",
        leaves=seen.directory_leaves,
        operations=seen.operations,
        signatures=seen.operation_signatures,
    )
    yield "    " + say(
        "note.audit_agreements", opened=seen.agreements_opened, logged=seen.agreements_logged
    )


def _evidence_page(seen: Coverage, say: Say) -> Iterator[str]:
    yield say("note.audit_evidence")
    yield from (f"    {_head_line(head, say)}" for head in seen.heads[1:])
    yield from (f"    {line}" for line in successor_lines(seen.successor, "note.audit_", say))
    yield "    " + say(
        "note.audit_entries",
        leaves=seen.evidence_leaves,
        entries=seen.entries,
        opened=seen.entries_opened,
        packs=seen.packs,
    )
    yield "    " + say("note.audit_signatures", signatures=seen.signatures)
    for name, count in sorted(seen.logged.items()):
        if name not in ("anchor", "successor"):
            of = say("note.audit_of", opened=seen.opened[name], logged=count)
            yield f"        {name:<12} {of}"
    for (sender, recipient), corridor in sorted(seen.corridors.items()):
        yield "    " + say(
            "note.audit_corridor",
            sender=sender,
            recipient=recipient,
            opened=corridor.opened,
            first=corridor.first,
            last=corridor.last,
        )
    if seen.deliveries:
        states = ", ".join(f"{name} {count}" for name, count in sorted(seen.deliveries.items()))
        yield "    " + say("note.audit_deliveries", states=states)
    if seen.logged["destroyed"] or seen.destruction_waits or seen.destruction_held:
        yield "    " + say(
            "note.audit_destruction",
            destroyed=seen.logged["destroyed"],
            due=seen.destruction_waits,
            held=seen.destruction_held,
        )
    if seen.destruction_late:
        yield "    " + say("note.audit_destruction_late", count=seen.destruction_late)
    if seen.holds_closed:
        yield "    " + say("note.audit_holds_closed", count=seen.holds_closed)
    if seen.entries > seen.entries_opened:
        yield "    " + say("note.audit_unopened", count=seen.entries - seen.entries_opened)
    if seen.unplaced:
        yield "    " + say("note.audit_unplaced", count=seen.unplaced)
    yield "    " + say(
        "note.audit_bounded",
        heads=seen.heads_shown,
        witnessed=seen.heads_witnessed,
        bounded=seen.bounded,
        opened=seen.entries_opened,
    )
    if seen.unseen:
        yield "    " + say("note.audit_unseen", count=seen.unseen)
    if seen.heads_beyond:
        yield "    " + say("note.audit_beyond", count=seen.heads_beyond)


def successor_lines(seen: SuccessorSeen | None, area: str, say: Say) -> Iterator[str]:
    """What the log follows, and what lies between the two; nothing for the first of its name.

    Args:
        area: what the keys of its sentences begin with.
    """
    if seen is None or not seen.root:
        return
    given = {"origin": seen.origin, "size": f"{seen.size:,}", "root": seen.root.hex()}
    yield say(f"{area}successor", **given)
    if seen.head is not None:
        name = "gap" if seen.gap else "whole"
        yield say(f"{area}successor_{name}", here=f"{seen.head.size:,}", gap=f"{seen.gap:,}")
    if seen.heads:
        yield say(f"{area}successor_{'signed' if seen.signed else 'unsigned'}", heads=seen.heads)
    else:
        yield say(f"{area}successor_alone")
    if seen.doubted:
        yield say(f"{area}successor_doubted", count=f"{seen.doubted:,}")


def _head_line(head: HeadSeen, say: Say) -> str:
    witnesses = ", ".join(head.witnesses) or say("note.audit_nobody")
    return say("note.audit_head", origin=head.origin, time=_stamp(head.time), witnesses=witnesses)


def _stamp(seconds: int) -> str:
    """A head's time as people write it; far beyond every calendar it stays a number."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return str(seconds)
