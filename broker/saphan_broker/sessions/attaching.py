"""Attachments of submissions: their files are final and durable before anything is queued.

Only what admission would take is linked, so only under an id that header, ciphertext and
attachments make, and only for the agency that the header names. What can still refuse it after that
is judged at the commit; such files are orphans, bounded for each agency, and swept.
"""

from __future__ import annotations

from collections.abc import Sequence

from saphan_protocol.admission import Facts, admit
from saphan_schemas.codec import decode
from saphan_schemas.errors import OperatorError, SaphanError, Unavailable
from saphan_schemas.frames import Submission, Submit
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Consignment

from saphan_broker.blobs.store import not_here
from saphan_broker.sequencing.work import Batches, Logged, Rejected, Submitted, Work
from saphan_broker.sessions.uploads import ALARM, AWAY, waiting
from saphan_broker.state import State


async def settle(
    state: State, peer: str, frame: Submit, batches: Batches
) -> dict[int, SaphanError]:
    """Make the attachments of a frame's submissions final.

    Args:
        batches: signatures that came with the frame, and before it in the session.

    Returns:
        For each item whose attachments are not: why, to be said if it is admitted.
    """
    missing: dict[int, SaphanError] = {}
    for place, given in enumerate(frame.items):
        if not given.attachments:
            continue
        error = await _settle(state, peer, given, batches)
        if error is not None:
            missing[place] = error
    return missing


async def _settle(
    state: State, peer: str, given: Submission, batches: Batches
) -> SaphanError | None:
    facts = Facts(state.directory, state.clock(), None, state.verified)
    try:
        admitted = admit(
            given.header,
            given.consignment,
            given.item,
            batches,
            given.ciphertext,
            facts,
            peer=peer,
            stanzas=given.stanzas,
            attachments=given.attachments,
        )
    except SaphanError:
        # The sequencer says so itself, and what it says goes into the log; should it find by then
        # that all is well, the node brings it again.
        return not_here(0)
    try:
        await state.blobs.settle(peer, admitted.bulletin_id, given.attachments)
    except OperatorError as error:
        state.alarms.sound(ALARM, error.message)
        return waiting()
    except Unavailable as error:
        if error.code == AWAY:
            state.alarms.sound_error(error)
        return error
    return None


async def forget(state: State, peer: str, queued: Sequence[Work | Rejected]) -> None:
    """What is logged needs no staged bytes any more. A crash before this: they age out."""
    for work in queued:
        if not isinstance(work, Work) or not isinstance(work.item, Submitted):
            continue
        given = work.item.submission
        if given.attachments and isinstance(await work.outcome, Logged):
            bulletin = decode(Consignment, given.consignment, LIMITS.consignment_bytes, "").bulletin
            try:
                await state.blobs.forget(peer, bulletin, given.attachments)
            except (OperatorError, Unavailable) as error:
                state.alarms.sound_error(error)
