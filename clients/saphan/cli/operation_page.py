"""An operation's draft as the page that the root's holders read to each other before they sign."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from saphan_protocol.words import word_lines

from saphan.ceremony.describing import describe
from saphan.ceremony.operation_draft import OperationDraft
from saphan.cli.render import stamp
from saphan.cli.speech import say

Json = dict[str, Any]


def draft_page(draft: OperationDraft) -> Iterator[str]:
    """Everything that is signed: the changes, the roots, and who has signed."""
    value = describe(draft)
    yield say("note.draft_title", agency=value["agency"], version=value["version"])
    yield say("note.draft_time", time=stamp(value["time"]))
    yield say("note.draft_words")
    yield from _words(value, "  ")
    yield ""
    for change in value["changes"]:
        yield from _change(change)
    yield ""
    threshold = value["threshold"]
    yield say("note.draft_threshold", before=threshold["before"], after=threshold["after"])
    for root in value["roots"]:
        yield _root_line(root)
        yield from _words(root, "    ", "key_id")
    yield ""
    for tally in value["tallies"]:
        yield say(f"tally.{tally['of']}", have=tally["signed"], need=tally["needed"])


def _change(change: Json) -> Iterator[str]:
    who, role = change["handle"] or "", say(f"role.{change['role']}")
    short = change["key_id"][:16]
    if change["action"] == "revoke":
        since = change["enrolled_by"]
        yield _one_space(say("note.draft_revokes", role=role, who=who, id=short, version=since))
        return
    yield _one_space(say("note.draft_adds", role=role, who=who, id=short))
    if change["seal_until"] is not None:
        seal, until = stamp(change["seal_until"]), stamp(change["open_until"])
        yield "    " + say("note.draft_mailbox", seal=seal, open=until)
    elif change["role"] != "root":  # whose words stand with all the roots
        yield from _words(change, "    ", "key_id")


def _root_line(root: Json) -> str:
    marks = [say("paper.signed") if root["signed"] else say("paper.not_signed")]
    if root["state"] != "stays":
        marks.append(say(f"paper.root_{root['state']}"))
    return f"  {root['holder'] or ''} {root['key_id'][:16]}  ({', '.join(marks)})".replace(
        "   ", "  "
    )


def _words(value: Json, indent: str, name: str = "identity") -> Iterator[str]:
    yield from (f"{indent}{line}" for line in word_lines(bytes.fromhex(value[name])))


def _one_space(line: str) -> str:
    return " ".join(line.split())
