"""To whom a bulletin goes whose author names nobody: that follows from what it is about (T10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from saphan.threads.words import CORRECTS, REPLY, SUPERSEDES

Follow = Callable[[Mapping[str, Any]], tuple[str, ...]]
"""Recipients by a wish's `about`, none if it names no other bulletin."""
ORDER: Final = (CORRECTS, SUPERSEDES, REPLY)


def named_original(about: Mapping[str, Any]) -> tuple[str, str] | None:
    """Kind and id of the bulletin that it is about; `about` was not checked before."""
    relations = about.get("relations")
    for kind in ORDER:
        for one in relations if isinstance(relations, list) else ():
            if isinstance(one, dict) and one.get("kind") == kind:
                named = one.get("bulletin_id")
                return (kind, named) if isinstance(named, str) else None
    return None


def recipients_for(
    kind: str, agency: str, sender: str, recipients: Sequence[str]
) -> tuple[str, ...]:
    """Whom it goes to, from `agency`: all that had what it corrects, or who asked.

    Args:
        sender, recipients: of the bulletin that it names.
    """
    if kind == REPLY and sender != agency:
        return (sender,)
    return tuple(recipients) if sender == agency else ()
