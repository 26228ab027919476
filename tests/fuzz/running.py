"""One input at a time, and what became of it: taken, refused as promised, or a fault."""

from __future__ import annotations

import re
import resource
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Final

from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import KIB, MIB

from fuzz.mutating import POOL, Mutator, bombs
from fuzz.target import MOST_BYTES, Target

NOVEL_BYTES: Final = 8 * KIB
"""Of inputs from which others are made because their answer was new; longer ones take long."""
HANG_S: Final = 1.0
"""Of processor time: a machine that is busy with others makes no hang."""
LEAP_BYTES: Final = 96 * MIB
"""An input for which the process held so much more than ever before is a fault."""
GROWTH_BYTES: Final = 256 * MIB
"""The same for all inputs of one run: what is kept of each would show here."""
_NUMBERS: Final = re.compile(r"[0-9]+")
_QUOTED: Final = re.compile(r"'.*'|\".*\"", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fault:
    """An input that did what no input may do."""

    target: str
    kind: str
    """`crash`, `hang` or `memory`."""
    said: str
    data: bytes


@dataclass(slots=True)
class Tally:
    """What happened to the inputs of one target."""

    target: str
    inputs: int = 0
    taken: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    grown: int = 0
    """Bytes by which the most that the process ever held rose while inputs were parsed."""
    answers: dict[str, bytes] = field(default_factory=dict)
    """The shortest input for each answer that was given."""
    faults: dict[str, Fault] = field(default_factory=dict)
    """The first of each sort."""


class Runner:
    """Gives inputs to one target and keeps the tally.

    Args:
        about: is told each input before it is parsed, so that it is known should the process die.
    """

    def __init__(self, target: Target, about: Callable[[bytes], None] = lambda _data: None) -> None:
        self.tally: Final = Tally(target.name)
        self._target = target
        self._about = about

    def give(self, data: bytes) -> bool:
        """Parse one input; True if nothing like its answer was seen before."""
        tally, target = self.tally, self._target
        self._about(data)
        held = _held_bytes()
        before = time.process_time()
        try:
            target.parse(data)
            answer = "taken"
            tally.taken += 1
        except target.errors as error:
            answer = _answer(error)
        except Exception as error:
            answer = f"fault {type(error).__name__} {_place(error)}"
            self._fault("crash", answer, data)
        spent = time.process_time() - before
        tally.inputs += 1
        tally.slowest = max(tally.slowest, spent)
        if spent > HANG_S:
            self._fault("hang", "it took more than a second", data)
        self._measure(data, held)
        known = tally.answers.get(answer)
        if known is None or len(data) < len(known):
            tally.answers[answer] = data
        return known is None

    def _measure(self, data: bytes, held: int) -> None:
        """How much further the high-water mark of this process rose; what made the input counts
        for nothing."""
        rise = _held_bytes() - held
        if not rise:
            return
        self.tally.grown += rise
        if rise > LEAP_BYTES:
            self._fault("memory", f"{rise // MIB} MiB for one input", data)
        if self.tally.grown > GROWTH_BYTES:
            self._fault("memory", "all inputs together", data)

    def _fault(self, kind: str, said: str, data: bytes) -> None:
        name = f"{kind} {said if kind == 'crash' else ''}"
        self.tally.faults.setdefault(name, Fault(self._target.name, kind, said, data))


def run(
    target: Target,
    count: int,
    chance: Random,
    kept: Iterable[bytes] = (),
    about: Callable[[bytes], None] = lambda _data: None,
    beat: Callable[[], None] = lambda: None,
    most: int | None = None,
) -> Tally:
    """`count` inputs for one target: its real ones, kept ones, bombs, then changed ones.

    Args:
        beat: called now and then, while inputs come to an end.
        most: bytes of a bomb, if the longest that the parser looks at take too long.
    """
    runner = Runner(target, about)
    seeds = list(target.seeds())
    begun = time.perf_counter()
    first = [*seeds, *kept]
    for data in [*first, *bombs(target.form, min(target.longest, most or target.longest))][:count]:
        runner.give(data)
        beat()
    longest = max([MOST_BYTES, *map(len, first)])
    mutator = Mutator(target.form, first or [b""], chance, longest)
    novel = 0
    while runner.tally.inputs < count:
        data = mutator.next()
        if runner.give(data) and novel < POOL and len(data) < NOVEL_BYTES:
            novel += 1
            mutator.add(data)
        if runner.tally.inputs % 256 == 0:
            beat()
    runner.tally.seconds = time.perf_counter() - begun
    return runner.tally


def _held_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _answer(error: Exception) -> str:
    """What tells one refusal from another."""
    if isinstance(error, SaphanError):
        return _short(error.code, error.field or "", error.message[:120])
    return _short(type(error).__name__, "", str(error)[:120])


@lru_cache(4096)
def _short(code: str, where: str, said: str) -> str:
    """Numbers in it, and what it quotes of the input, do not tell refusals apart."""
    said = _QUOTED.sub("", said)
    return f"{code} {_NUMBERS.sub('#', where)[:40]} {_NUMBERS.sub('#', said)[:24]}"


def _place(error: Exception) -> str:
    """The function of ours in which it happened last."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/saphan" in frame.filename] or list(frames)
    last = ours[-1]
    return f"{last.filename.rpartition('/saphan')[2]}:{last.name}"
