"""Messages of a session about a log that was lost, and the one that follows it (session.md).

While the operator's `saphan-broker succeed` gathers what its nodes know, `AskReport` stands in the
place of `Welcome`. Afterwards a node whose pins name an older number asks, in the place of its
`Login`, how the log came to the number that the challenge names.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from saphan_schemas.codec import Record
from saphan_schemas.limits import LIMITS
from saphan_schemas.proof_frames import Note
from saphan_schemas.records import Index, Origin, Path

REPORT_LEAVES: Final = 1_024
"""Directory leaves in one part of a report."""
REPORT_BYTES: Final = LIMITS.frame_bytes
"""One message of a report: two notes, and leaves up to the frame's end; at least one leaf fits."""
STEP_BYTES: Final = 8 * 1024
"""A step: two origins, a leaf of 73 bytes, a path of 2 KiB and a note of two lines, 4 KB."""


class AskReport(Record, frozen=True, tag=32):
    """Broker, after a login while it gathers: what is known of both logs.

    Args:
        start: directory leaves that it needs no copy of.
    """

    start: Index


class Report(Record, frozen=True, tag=33):
    """Node's answer, in as many messages as its copy of the directory needs.

    Args:
        directory, evidence: newest note of each log that this node has verified or cosigned,
            whichever is larger, with the log's own two lines; empty where it has none, and in every
            message after the first.
        start: index of the first of `leaves`; the first message's is what was asked for, the
            others go on. A node that holds fewer leaves sends none.
        leaves: directory leaves, up to the size of the directory note.
        last: nothing follows.
    """

    directory: Note
    evidence: Note
    start: Index
    leaves: Annotated[
        tuple[Annotated[bytes, Meta(max_length=LIMITS.leaf_bytes)], ...],
        Meta(max_length=REPORT_LEAVES),
    ]
    last: bool


class AskSuccession(Record, frozen=True, tag=34):
    """Node, in the place of its login: every succession of this broker's logs. Login follows."""


class Step(Record, frozen=True):
    """One succession: what the log that follows says of the one that was lost.

    Args:
        directory, evidence: origins from here on. The evidence log's number is the next one; the
            directory's stays, or is the next one too.
        leaf: leaf 0 of the evidence log.
        path: its inclusion path under `note`, a signed head of that log.
    """

    directory: Origin
    evidence: Origin
    leaf: Annotated[bytes, Meta(min_length=73, max_length=73)]
    path: Path
    note: Annotated[bytes, Meta(max_length=STEP_BYTES)]


class Succession(Record, frozen=True, tag=35):
    """Broker's answer: all steps from number 1 on, in their order; the last one leads to the
    origins of its challenge."""

    steps: Annotated[tuple[Step, ...], Meta(max_length=LIMITS.successions)]


SuccessionFromNode = Report | AskSuccession
SuccessionFromBroker = AskReport | Succession
