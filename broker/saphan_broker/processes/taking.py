"""The holder's side of the work: items of other processes enter the sequencer, outcomes go back."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from saphan_protocol.batch import index_batches
from saphan_schemas.errors import SaphanError

from saphan_broker.processes.channel import Channel
from saphan_broker.processes.wire import (
    Answers,
    ForHead,
    ForHold,
    ForOperation,
    ForOrder,
    ForPackage,
    ForSchema,
    ForStatement,
    ForSubmission,
    Forwarded,
    ForwardedItem,
    Outcome,
    from_wire,
    wire_error,
)
from saphan_broker.sequencing import work as works
from saphan_broker.state import State

ANSWERED_AT_ONCE: Final = 1_024

Batches = works.Batches


class Taking:
    """Owned by the event loop.

    Args:
        submit: the sequencer's; it refuses while this process does not hold the lease.
    """

    def __init__(self, state: State, channel: Channel, submit: works.Submit) -> None:
        self._state = state
        self._channel = channel
        self._submit = submit
        self._done: dict[bytes, list[Outcome]] = {}

    def take(self, sender: bytes, forwarded: Forwarded) -> None:
        """Queue what a follower has sent, in its order."""
        for place in forwarded.verified:
            # Who sealed this message has the day seed: it is this broker that has checked them.
            self._state.verified.add(forwarded.signatures[place])
        batches = index_batches(forwarded.signatures)
        for given in forwarded.items:
            try:
                work = self._submit(_item(given, batches))
            except SaphanError as error:
                self._answer(sender, given.number, works.Rejected(error))
                continue
            done = partial(self._worked_off, sender, given.number)
            work.outcome.add_done_callback(done)

    def _worked_off(
        self, sender: bytes, number: int, outcome: asyncio.Future[works.Outcome]
    ) -> None:
        if not outcome.cancelled():
            self._answer(sender, number, outcome.result())

    def _answer(self, sender: bytes, number: int, outcome: works.Outcome) -> None:
        """Outcomes of one group are resolved in one turn of the loop: they travel together."""
        if not self._done:
            asyncio.get_running_loop().call_soon(self._flush)
        error = wire_error(outcome.error) if isinstance(outcome, works.Rejected) else None
        self._done.setdefault(sender, []).append(Outcome(number, outcome.indices, error))

    def _flush(self) -> None:
        done, self._done = self._done, {}
        directory, evidence = (
            0 if book.published is None else book.published.size
            for book in (self._state.registry, self._state.evidence)
        )
        for sender, outcomes in done.items():
            for start in range(0, len(outcomes), ANSWERED_AT_ONCE):
                part = tuple(outcomes[start : start + ANSWERED_AT_ONCE])
                self._channel.tell(Answers(directory, evidence, part), sender)


def _item(given: ForwardedItem, batches: Batches) -> works.Item:
    if isinstance(given, ForSubmission):
        missing = None if given.missing is None else from_wire(given.missing)
        return works.Submitted(given.peer, given.submission, batches, missing)
    if isinstance(given, ForStatement):
        return works.Stated(given.peer, given.item, batches)
    if isinstance(given, ForOperation):
        return works.Operation(given.signed, given.peer)
    if isinstance(given, ForPackage):
        return works.Package(given.package, given.peer)
    if isinstance(given, ForOrder):
        return works.Order(given.package, given.peer)
    if isinstance(given, ForSchema):
        return works.OwnSchema(given.package, given.peer)
    if isinstance(given, ForHold):
        return works.Hold(given.package, given.peer)
    assert isinstance(given, ForHead)
    return works.NewHead()
