"""Who listens to a node's events, and when it is woken."""

from __future__ import annotations

import asyncio

from saphan.node.events import KEPT, Event, Events

NEVER_S = 60.0


async def settled() -> None:
    """Let every task that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_sleeps_is_woken_by_what_matters_and_by_nothing_else() -> None:
    events = Events()
    with events.listen(lambda event: event["type"] == "holds") as listener:
        waiting = asyncio.create_task(listener.next(NEVER_S))
        await settled()
        events.publish([{"type": "inbox"}] * (2 * KEPT))
        await settled()
        assert not waiting.done()
        events.publish([{"type": "holds", "n": 1}])
        assert await waiting == {"type": "holds", "n": 1}
        assert listener.drain() == []


async def test_what_came_during_a_look_is_judged_when_the_look_is_over() -> None:
    events, any_holds = Events(), False

    def matters(event: Event) -> bool:
        return event["type"] == "inbox" and any_holds

    with events.listen(matters) as listener:
        events.publish([{"type": "inbox"}])
        any_holds = True  # as the look has found
        assert await listener.next(NEVER_S) == {"type": "inbox"}


async def test_what_does_not_matter_is_passed_over_without_an_answer() -> None:
    events = Events()
    with events.listen(lambda event: event["type"] == "holds") as listener:
        events.publish([{"type": "inbox"}, {"type": "holds"}, {"type": "inbox"}])
        assert await listener.next(NEVER_S) == {"type": "holds"}
        assert await listener.next(0.0) is None


async def test_who_lags_is_told_so_and_goes_on() -> None:
    events = Events()
    with events.listen() as listener:
        events.publish([{"type": "event", "n": n} for n in range(KEPT + 1)])
        assert await listener.next(NEVER_S) == {"type": "lagged"}
        assert await listener.next(NEVER_S) == {"type": "event", "n": 1}
