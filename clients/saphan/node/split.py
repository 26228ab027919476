"""Two histories of one log, at the moment at which a node meets them: what shows it, kept together.

A node meets them where a signed head does not continue the newest one it knows. What it can show is
collected here and judged by `split_view` before anybody is accused of anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from saphan_protocol.checkpoint import Head
from saphan_protocol.merkle import (
    consistency_path,
    history_path,
    leaf_hash,
    root_of,
    roots_of_history,
)
from saphan_protocol.shared_paths import read_path
from saphan_protocol.split_file import History, ShownAnchor, ShownSuccessor
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.frames import AnchorProof
from saphan_schemas.proof_frames import Proofs

DOUBT: Final = "proof_consistency"


@dataclass(frozen=True, slots=True)
class Known:
    """The newest verified head of a log; size 0 and no root before the first.

    Args:
        note: the signed head itself; empty where only an older release's state is left.
    """

    size: int
    root: bytes
    time: int
    note: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What shows two histories: parts of a `SplitFile`."""

    notes: tuple[bytes, ...]
    histories: tuple[History, ...] = ()
    anchors: tuple[ShownAnchor, ...] = ()
    successors: tuple[ShownSuccessor, ...] = ()


class TwoHistories(OperatorError):
    """The log's own signatures contradict each other; `shown` is what can be shown of it."""

    def __init__(self, origin: str, size: int, shown: Shown, code: str = "split_view") -> None:
        super().__init__(
            code,
            f"{origin} has signed two different histories of {size} leaves",
            hint="stop sending; show both heads to the other agencies and to the auditor",
        )
        self.origin = origin
        self.size = size
        self.shown = shown


class Doubt(InvalidInput):
    """A signed head does not continue the known one by the path that came with it.

    The path may have been spoiled on the line. What the log's root was at the known size, in the
    tree under this head, decides: `settled` judges the broker's answer about that.
    """

    def __init__(self, known: Known, head: Head, why: str) -> None:
        super().__init__(DOUBT, f"{head.origin}: {why}", field="consistency")
        self.known = known
        self.head = head


def compare(known: Known, head: Head, path: Sequence[bytes]) -> TwoHistories | None:
    """Two histories, if this path shows that the head's tree has another root at the known size.

    Args:
        path: a history path from known.size to head.size; made by anybody.
    """
    try:
        before, after = roots_of_history(known.size, head.size, path)
    except InvalidInput:
        return None
    if after != head.root or before == known.root:
        return None
    history = History(head.origin, known.size, head.size, tuple(path))
    shown = Shown(notes=(known.note, head.note), histories=(history,))
    return TwoHistories(head.origin, known.size, shown)


def settled(doubt: Doubt, proofs: Proofs) -> TwoHistories | None:
    """Judge the answer to `AskProofs` for leaf and size `known.size` under the doubted head."""
    known, head = doubt.known, doubt.head
    path = shown_history(known.size, head.size, head.root, proofs)
    return None if path is None else compare(known, head, path)


def shown_history(
    size: int, head_size: int, head_root: bytes, proofs: Proofs, place: int = 0
) -> tuple[bytes, ...] | None:
    """What a broker's answer shows of the log's root at `size` leaves, under a head; None: nothing.

    For a power of two the consistency path leaves out what is asked for; it stands in the inclusion
    path of the next leaf then, and the signed root tells which of its hashes it is.

    Args:
        proofs: the answer for `size` at `place` among the sizes; leaf `size` first of the leaves.
    """
    try:
        step = read_path(proofs.hashes, proofs.consistency[place])
        beside = [read_path(proofs.hashes, places) for places in proofs.inclusion[:1]]
    except (InvalidInput, IndexError):
        return None
    starts = [b""] if size & (size - 1) else [start for path in beside for start in path]
    for start in starts:
        path = history_path(size, start, step)
        if after(size, head_size, path) == head_root:
            return path
    return None


def after(old: int, new: int, path: Sequence[bytes]) -> bytes | None:
    """The later root that a history path leads to; None for what is no path."""
    try:
        return roots_of_history(old, new, path)[1]
    except InvalidInput:
        return None


def history_of_leaves(
    origin: str, leaves: Sequence[bytes], size: int, newest: Known
) -> tuple[History, ...]:
    """The history path from `size` to the newest head of a log whose leaves are all here."""
    if not 0 < size < newest.size:
        return ()
    hashes = [leaf_hash(leaf) for leaf in leaves]

    def node(level: int, index: int) -> bytes:
        return root_of(hashes[index << level : (index + 1) << level])

    path = consistency_path(size, newest.size, node)
    whole = history_path(size, root_of(hashes[:size]), path)
    return (History(origin, size, newest.size, whole),)


def two_directories(
    origin: str, anchor: AnchorProof, head: Head, newest: Known, histories: tuple[History, ...]
) -> TwoHistories:
    """The evidence log (under `head`) vouches for another directory than the directory log."""
    leaf = ShownAnchor(head.size, anchor.index, anchor.size, anchor.root, anchor.path)
    shown = Shown(notes=(head.note, newest.note), histories=histories, anchors=(leaf,))
    return TwoHistories(origin, anchor.size, shown, "directory_differs")
