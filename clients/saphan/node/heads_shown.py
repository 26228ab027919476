"""What a node can show of a log at one size, for somebody who has seen something else."""

from __future__ import annotations

from functools import partial

from saphan_protocol.split_file import History, SplitFile
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.records import HeadRef

from saphan.node.engine import Engine
from saphan.node.heads import Heads
from saphan.node.split import Known, shown_history
from saphan.node.wire.line import Line


async def show_heads(engine: Engine, line: Line, log: str, size: int, now: int) -> SplitFile:
    """The signed head of that size, if it is kept; else a later one, and the way from the size.

    Args:
        log: "directory" or "evidence"; now: ms UTC.

    Raises:
        InvalidInput: `head_unknown` for a size that this node has not verified.
        Refused: `head_not_shown`: it is not kept, and the broker does not prove it.
        Unavailable: `line_down`, `no_answer`.
    """
    logs = engine.logs
    heads = logs.directory_heads if log == "directory" else logs.evidence_heads
    kept, newest = await engine.in_reading(partial(_kept, heads, size))
    made = partial(SplitFile, pins=logs.pins, found_by=engine.agency, found_at=now)
    if kept is not None:
        return made(notes=(kept.note,))
    ref = HeadRef(heads.origin, newest.size, newest.root)
    proofs = await line.asking().prove(ref, (size,), (size,))
    path = shown_history(size, newest.size, newest.root, proofs)
    if path is None:
        raise Refused(
            "head_not_shown",
            f"this node has not kept its head of {size} leaves, and the broker does not prove what "
            "the log was then",
            hint="show the newest head instead: saphan audit heads without a size",
        )
    history = History(heads.origin, size, newest.size, path)
    return made(notes=(newest.note,), histories=(history,))


def _kept(heads: Heads, size: int) -> tuple[Known | None, Known]:
    """(head of that size if it is kept, newest); size 0 is the newest."""
    newest = heads.newest
    if newest is None or size > newest.size:
        known = 0 if newest is None else newest.size
        raise InvalidInput(
            "head_unknown",
            f"this node has verified {known} leaves of {heads.origin}, not {size}",
            field="size",
        )
    kept = heads.kept(size or newest.size)
    if kept is None and size in (0, newest.size) and newest.note:
        kept = newest
    return kept, newest
