"""One use case, one effect, one fault: run to its end; and what people had to do for it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Set
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest
from saphan.node import looking, sealing
from saphan.node.retaining import sweeping
from saphan.node.wire import line, session
from saphan_protocol import stanza
from saphan_schemas.errors import SaphanError, Unavailable
from saphan_schemas.limits import LIMITS

from matrix.attachment_seams import install_attachments
from matrix.effects import CRASHES, Effect, Effects, Fault, quiet
from matrix.every_story import EVERY
from matrix.rows import Row
from matrix.seams import install
from matrix.stories import DELIVER, Story
from matrix.table import ROWS
from matrix.world import PATIENCE_S, World

AGAIN_S = 0.02
SILENCE_S = 2.0
"""After this long whoever asked looks whether anybody is there that could answer."""


@dataclass
class Ran:
    """How it went.

    Attributes:
        told: families of errors that whoever asked was told, before it was done.
        hit: the effect happened, and failed.
    """

    told: list[str]
    hit: bool = False


def hasten(patch: pytest.MonkeyPatch) -> None:
    """Lines and looks come again at once: what is tested does not depend on how long they wait."""
    patch.setattr(line, "backoff_ms", lambda _failures: 20)
    patch.setattr(sweeping, "LOOK_S", 0.2)
    patch.setattr(looking, "AGAIN_S", 0.2)
    patch.setattr(session, "LIMITS", replace(LIMITS, heartbeat_ms=5_000))


def spoil(effects: Effects, patch: pytest.MonkeyPatch) -> None:
    """The next stanzas do not open, if the world says so."""

    def seal_stanza(key: bytes, *given: Any) -> bytes:
        if effects.spoiled:
            effects.spoiled -= 1
            return stanza.seal_stanza(bytes(32), *given)
        return stanza.seal_stanza(key, *given)

    patch.setattr(sealing, "seal_stanza", seal_stanza)


async def plainly(
    world: World, story: Story, number: int, wanted: Set[Effect] = frozenset()
) -> dict[Effect, int]:
    """Run it without a fault: every effect that it has.

    Args:
        wanted: effects that may come a while after it is over; they are waited for.
    """
    subject = await story.prepare(world, number)
    world.effects.watch()
    await story.act(world, subject)
    await world.until(lambda: story.done(world, subject))
    with suppress(TimeoutError):
        await world.until(lambda: wanted <= set(world.effects.seen))
    await quiet(world.effects)
    return dict(world.effects.seen)


async def failing(world: World, story: Story, number: int, row: Row, fault: Fault) -> Ran:
    """Run it with one fault, do what is to be done about that, and wait until it is over."""
    subject = await story.prepare(world, number)
    effects, ran = world.effects, Ran([])
    await world.settled()
    effects.fail(row.effect, fault)
    asking = asyncio.create_task(_ask(world, story, subject, ran))

    def over() -> bool:
        return asking.done() and story.done(world, subject)

    try:
        await world.until(lambda: effects.hit or (not row.sure and over()))
        if effects.dead:
            await world.restart(row.effect.whose)
        async with asyncio.timeout(PATIENCE_S):
            await asking
        await world.until(lambda: story.done(world, subject))
    except TimeoutError:
        pytest.fail(f"{row.effect}, {fault}: it did not go on; hit: {effects.hit}, {ran}")
    finally:
        ran.hit = effects.hit
        effects.watch()
        asking.cancel()
        with suppress(asyncio.CancelledError, SaphanError):
            await asking
    return ran


async def _ask(world: World, story: Story, subject: object, ran: Ran) -> None:
    """Whoever is told an error asks again, in the same words, until it is taken."""
    while True:
        crashed = world.effects.crashed
        try:
            await _answered(world, asyncio.ensure_future(story.act(world, subject)))
        except (SaphanError, RuntimeError) as error:
            # Whoever asks a program that is killed hears nothing, and asks when it is back.
            if world.effects.crashed == crashed and isinstance(error, SaphanError):
                ran.told.append(family(error))
            await world.up()
            await asyncio.sleep(AGAIN_S)
        else:
            return


async def _answered(world: World, acting: asyncio.Future[Any]) -> None:
    """Wait for the answer; who has crashed gives none, and is not waited for."""
    crashed = world.effects.crashed
    try:
        while not acting.done():
            await asyncio.wait({acting}, timeout=SILENCE_S)
            if world.effects.crashed > crashed:
                await world.up()
                await asyncio.wait({acting}, timeout=SILENCE_S)
                break
        if not acting.done():
            raise Unavailable("line_down", "whoever was asked has crashed")
        await acting
    finally:
        acting.cancel()


def family(error: SaphanError) -> str:
    """Who must act: the error's family by its name."""
    for kind in type(error).__mro__:
        if SaphanError in kind.__bases__:
            return kind.__name__
    return type(error).__name__


WHOLE = "MATRIX" in os.environ
"""`make matrix`: every row with every fault. `make test` makes each row fail in one way, of all
four in turn, and leaves out what does not happen in every run."""


LONG: Final = frozenset({"destroy", "attach", "release a hold"})
"""Stories whose steps other tests kill one by one as well (tests/faults)."""


def cases(*stories: str) -> list[Any]:
    """Parameters of a test: a story, and the one fault that all its rows have in this run of it;
    None: each row has its turn's."""
    faults: tuple[Fault | None, ...] = tuple(Fault) if WHOLE else (None,)
    return [
        pytest.param(
            story,
            fault,
            id=story if fault is None else f"{story}, {fault}",
            marks=(pytest.mark.long,) if story in LONG else (),
        )
        for story in stories
        for fault in faults
    ]


def failures(story: str, fault: Fault | None) -> list[tuple[Row, Fault]]:
    """Rows of a story with the faults that one case makes."""
    rows = [(number, row) for number, row in enumerate(ROWS) if row.story == story]
    if fault is not None:
        return [(row, fault) for _, row in rows if not row.seldom]
    turns = tuple(Fault)
    chosen = [(n, row) for n, row in rows if row.sure and (not row.alike or n % 3 == 0)]
    return [(row, turns[number % len(turns)]) for number, row in chosen]


def prepared(patch: pytest.MonkeyPatch) -> Effects:
    """Every effect of this process can be made to fail."""
    effects = Effects()
    install(effects, patch)
    install_attachments(effects, patch)
    hasten(patch)
    spoil(effects, patch)
    return effects


async def check(
    opened: AbstractAsyncContextManager[World],
    name: str,
    fault: Fault | None,
    only: str | None = None,
) -> None:
    """Every failure of a case in one world, and the oracle's judgement.

    Args:
        only: faults of this party alone.
    """
    chosen = [one for one in failures(name, fault) if only in (None, one[0].effect.whose)]
    async with opened as world:
        await _check(world, name, chosen)


async def _check(world: World, name: str, faults: list[tuple[Row, Fault]]) -> None:
    story = EVERY[name]
    await plainly(world, DELIVER, 1)
    wanted = {row.effect for row in ROWS if row.story == name and row.sure}
    seen = await plainly(world, story, 2, wanted)
    strange = {str(effect) for effect in set(seen) - {row.effect for row in ROWS}}
    assert not strange, f"effects that no row of tests/matrix/table.py names: {strange}"
    missing = {str(effect) for effect in wanted - set(seen)}
    assert not missing, f"rows of tests/matrix/table.py without an effect: {missing}"
    for number, (row, fault) in enumerate(faults, 3):
        ran = await failing(world, story, number, row, fault)
        check_told(row, fault, ran)
    found = [str(finding) for finding in await world.judged()]
    assert not found, found


def check_told(row: Row, fault: Fault, ran: Ran) -> None:
    """Nobody is bothered but whom the table names, and who must act has heard so."""
    may = row.acts.families
    if fault in CRASHES:
        may.add("Unavailable")  # of another party, which the asker reaches
    assert set(ran.told) <= may, (row, fault, ran.told)
    if row.acts.always and row.sure and fault not in CRASHES:
        assert ran.told, (row, fault)
