"""A logbook whose log was lost, and the logbook of the log that follows it."""

from __future__ import annotations

from copy import copy

from saphan_protocol.audit.before import OldLogs
from saphan_protocol.evidence import anchor_leaf, successor_leaf
from saphan_protocol.merkle import EMPTY_ROOT, inclusion_path, leaf_hash, root_of
from saphan_protocol.pins import Pins, numbered, origin_number
from saphan_schemas.succession_frames import Step

from support.logbook import Log, Logbook


def succeed(
    lost: Logbook, size: int | None = None, root: bytes | None = None, *, directory: bool = False
) -> Logbook:
    """The log after `lost`: it names all of its leaves, or what is given in their place.

    Args:
        directory: whether the directory log begins anew too, with the leaves that are known.
    """
    size = len(lost.evidence.kept) if size is None else size
    root = lost.evidence.root(size) if root is None else root
    book = copy(lost)
    book.pins = _grown(lost.pins, directory=directory)
    book.directory = Log(book.pins.directory.origin)
    book.directory.kept = list(lost.directory.kept)
    book.evidence = Log(book.pins.evidence.origin)
    book.evidence.kept = [successor_leaf(lost.evidence.origin, size, root)]
    book.notes, book.shown, book.corridors = [], [], {}
    book.anchor()
    return book


def _grown(pins: Pins, *, directory: bool) -> Pins:
    after = {
        log: numbered(pin, origin_number(pin.origin)[1] + grows)
        for log, pin, grows in (
            ("directory", pins.directory, directory),
            ("evidence", pins.evidence, True),
        )
    }
    return Pins(name=pins.name, **after)


def step_after(lost: str, size: int, root: bytes, time: int) -> Step:
    """What the log after `lost` shows of itself: that it names this head."""
    lasting, number = origin_number(lost)
    log = Log(f"{lasting}/{number + 1}")
    log.kept = [successor_leaf(lost, size, root), anchor_leaf(0, EMPTY_ROOT), b"and so on"]
    log.sign(time)
    hashes = [leaf_hash(leaf) for leaf in log.kept]

    def node(level: int, index: int) -> bytes:
        return root_of(hashes[index << level : (index + 1) << level])

    path = inclusion_path(0, len(hashes), node)
    directory = f"{lasting.rpartition('/')[0]}/directory/1"
    return Step(directory, log.origin, log.kept[0], path, log.note())


def cut(lost: Logbook, size: int) -> Log:
    """What is in hand of a lost log: its first leaves, under the head that they had."""
    log = Log(lost.evidence.origin)
    log.kept = lost.evidence.kept[:size]
    log.sign(lost.time)
    return log


def in_hand(lost: Logbook, size: int | None = None) -> OldLogs:
    """Both logs as they were lost, or the evidence log's first leaves only."""
    lost.sign()
    return OldLogs(lost.evidence if size is None else cut(lost, size), lost.directory)
