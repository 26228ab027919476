"""A log that follows a lost one: what its leaf 0 names, and whether that continues what is known.

Steps F1 to F6 are those of `schemas/spec/log.md`. Each succession is proven by the log's own keys:
leaf 0 of the new log, its path, a signed head. Nothing here makes two histories out of one: what a
successor names is the largest head that its maker knew, and whoever knows a larger one refuses it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import HeadRef, LeafType
from saphan_schemas.succession_frames import Step

from saphan_protocol.checkpoint import KeyPair, verify_head
from saphan_protocol.evidence import parse_leaf
from saphan_protocol.identity import sha256
from saphan_protocol.merkle import leaf_hash, verify_inclusion
from saphan_protocol.notes import parse_vkey
from saphan_protocol.pins import Pins, numbered, origin_number


@dataclass(frozen=True, slots=True)
class Named:
    """The head of the old log that a successor names.

    Args:
        origin: the old log's.
        by: the step that proves that the log's own keys have said so.
    """

    origin: str
    size: int
    root: bytes
    by: Step

    @property
    def ref(self) -> HeadRef:
        """The head by its value."""
        return HeadRef(self.origin, self.size, self.root)


class SuccessorDiffers(Refused):
    """A successor names another root than is known for one size: two histories.

    `named.by` has the successor's own signed head and path, so that both sides can be shown.
    """

    def __init__(self, named: Named, root: bytes) -> None:
        super().__init__(
            "successor_differs",
            f"the successor of {named.origin} names another root for {named.size} leaves than is "
            "known here",
            field="leaf",
            hint="keep both heads: these are two histories of one log",
        )
        self.named = named
        self.root = root


def check_step(pins: Pins, old_origin: str, step: Step) -> Named:
    """What one succession names, believed because the keys of the pins have signed it (F1 to F4).

    Args:
        pins: of any number; keys and lasting origins count.
        old_origin: of the evidence log that was lost.

    Raises:
        InvalidInput: `successor_malformed` (other origins than the next, another leaf), what
            `verify_head` and `verify_inclusion` raise.
    """
    lasting, number = origin_number(old_origin)
    wanted = numbered(pins.evidence, number + 1)
    if lasting != origin_number(pins.evidence.origin)[0] or step.evidence != wanted.origin:  # F1
        raise _malformed(f"{step.evidence} does not follow {old_origin}")
    if origin_number(step.directory)[0] != origin_number(pins.directory.origin)[0]:
        raise _malformed(f"{step.directory} is no directory log of {pins.name}")
    head = verify_head(step.note, _keys(wanted))  # F2
    verify_inclusion(0, head.size, leaf_hash(step.leaf), step.path, head.root)  # F3
    leaf = parse_leaf(step.leaf)
    if leaf.type is not LeafType.SUCCESSOR or leaf.size is None or leaf.root is None:  # F4
        raise _malformed(f"leaf 0 of {step.evidence} is a {leaf.type.name} leaf")
    if leaf.old_origin != sha256(old_origin.encode()):
        raise _malformed(f"{step.evidence} names another log than {old_origin}")
    return Named(old_origin, leaf.size, leaf.root, step)


def pins_after(pins: Pins, step: Step) -> Pins:
    """The same keys under the origins that a checked step leads to.

    Raises:
        InvalidInput: `successor_malformed`: the directory's number is neither that of the pins
            nor the next one.
    """
    before, after = (origin_number(one)[1] for one in (pins.directory.origin, step.directory))
    if not before <= after <= before + 1:
        raise _malformed(f"{step.directory} does not follow {pins.directory.origin}")
    return Pins(
        name=pins.name,
        directory=numbered(pins.directory, after),
        evidence=numbered(pins.evidence, origin_number(step.evidence)[1]),
    )


def check_chain(pins: Pins, steps: Iterable[Step]) -> tuple[tuple[Named, Pins], ...]:
    """Every succession after the pins' number: what it names, and the pins from there on (F5).

    Steps up to the pins' own number are left out unread.

    Raises:
        InvalidInput: `successor_malformed` (not one chain), and what `check_step` raises.
    """
    found: list[tuple[Named, Pins]] = []
    own = origin_number(pins.evidence.origin)[1]
    for place, step in enumerate(steps):
        if place >= LIMITS.successions:
            raise _malformed(f"at most {LIMITS.successions} logs follow each other")
        if origin_number(step.evidence)[1] <= own:
            continue
        named = check_step(pins, pins.evidence.origin, step)
        pins = pins_after(pins, step)
        found.append((named, pins))
    return tuple(found)


def check_continues(named: Named, known: Iterable[tuple[int, bytes]]) -> None:
    """A successor takes nothing back that was verified or cosigned of the old log (F6).

    Args:
        known: (size, root) of heads of the old log that are known here.

    Raises:
        SuccessorDiffers: `successor_differs`; Refused: `successor_behind`.
    """
    for size, root in known:
        if size > named.size:
            raise Refused(
                "successor_behind",
                f"the successor of {named.origin} follows {named.size} leaves; {size} are known "
                "here",
                field="leaf",
                hint="it cannot be made again: keep this node's data, which proves what is left "
                "out, and speak with the broker's operator and the other agencies",
            )
        if size == named.size and root != named.root:
            raise SuccessorDiffers(named, root)


def _keys(pin: LogPin) -> KeyPair:
    first, second = (parse_vkey(text) for text in pin.vkeys)
    return first, second


def _malformed(why: str) -> InvalidInput:
    return InvalidInput("successor_malformed", f"this is no succession: {why}", field="succession")
