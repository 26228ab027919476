"""What of a node's settings does not fit the officers who are enrolled: slips that stop people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from saphan_schemas.findings import Finding

from saphan.node.policy.rules import EVERYBODY
from saphan.node.policy.settings import NodeSettings


def unfitting(settings: NodeSettings, enrolled: Iterable[str]) -> Iterator[Finding]:
    """Warnings for the keeper.

    Args:
        enrolled: handles of the officers with an active key; without any, a node serves programs.
    """
    officers = set(enrolled)
    if not officers:
        return
    unknown = sorted(_named(settings) - officers - {EVERYBODY})
    if unknown:
        yield _warning("officers_unknown", unknown)
    shown = settings.shown
    uncleared = sorted(handle for handle in officers if shown.officer(handle) is None)
    if uncleared:
        yield _warning("officers_uncleared", uncleared)
    if settings.four_eyes is not None and len(officers - set(uncleared)) < 2:
        values = {"count": len(officers - set(uncleared))}
        yield Finding(
            "settings", "warn", "doctor.four_eyes_alone", values, "doctor.four_eyes_alone_next"
        )


def _named(settings: NodeSettings) -> set[str]:
    found = set(settings.officers or ())
    for rule in settings.rules or ():
        found.update(rule.officers)
    for kind in settings.four_eyes or ():
        found.update(kind.by or ())
    for step in () if settings.notice is None else settings.notice.escalate:
        found.update(step.to)
    return found


def _warning(what: str, handles: list[str]) -> Finding:
    values = {"handles": ", ".join(handles)}
    return Finding("settings", "warn", f"doctor.{what}", values, f"doctor.{what}_next")
