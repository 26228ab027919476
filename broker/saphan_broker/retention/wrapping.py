"""What is held past its day: its stanza moves under a later day's key, so that the seed can go on.

Held bytes themselves are ciphertext under their bulletin's own key; only a stanza opens them.
"""

from __future__ import annotations

from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import LIMITS

from saphan_broker.sequencing.work import Rejected, Rewrapping, Submit
from saphan_broker.state import State


async def wrap_anew(state: State, submit: Submit, day: int) -> list[SaphanError]:
    """Wrap every stanza that is due up to `day` and still kept under the key of a later day.

    What was not destroyed by now is held, or waits for its outcome; both keep their stanza. One
    commit without leaves for each batch: a crash leaves old or new rows, which open either way.

    Returns:
        Why some stay as they are, if they do: each keeps its day's key, and the seed.

    Raises:
        SaphanError: what the store raises, and a queue that is full.
    """
    while rows := await state.store.stanzas_due(day + 1, LIMITS.retention_batch):
        keys = tuple((row.bulletin, row.recipient) for row in rows)
        outcome = await submit(Rewrapping(keys, day + LIMITS.held_days)).outcome
        if isinstance(outcome, Rejected):
            return [outcome.error]
        state.counters.rewrapped += len(rows)
        if len(rows) < LIMITS.retention_batch:
            break
    return []
