"""Attachments of submissions: their files are final and durable before anything is queued.

Only what the bulletin id covers is linked under it; whoever claims another agency's id, or an id
that its bytes do not make, links nothing and is refused by admission.
"""

from __future__ import annotations

from collections.abc import Sequence

from saphan_protocol.admission import BULLETIN_TYPE, HEADER_TYPE, measure
from saphan_protocol.admission_steps import check_attachments
from saphan_protocol.identity import identity
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import InvalidInput, OperatorError, SaphanError, Unavailable
from saphan_schemas.frames import Submission, Submit
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Bulletin, Consignment, Header

from saphan_broker.state import State
from saphan_broker.uploads import ALARM, RETRY_MS
from saphan_broker.work import Logged, Rejected, Submitted, Work


async def settle(state: State, peer: str, frame: Submit) -> dict[int, SaphanError]:
    """Make the attachments of a frame's submissions final.

    Returns:
        For each item whose attachments are not: why, to be said if it is admitted.
    """
    missing: dict[int, SaphanError] = {}
    for place, given in enumerate(frame.items):
        if not given.attachments:
            continue
        try:
            await state.blobs.settle(peer, _bulletin(peer, given), given.attachments)
        except OperatorError as error:
            state.alarms.sound(ALARM, error.message)
            missing[place] = Unavailable(
                "attachments_wait",
                "the broker cannot keep attachments at the moment",
                hint="the broker's operator has been alarmed; the node tries again by itself",
                retry_after_ms=RETRY_MS,
            )
        except SaphanError as error:
            missing[place] = error
    return missing


def _bulletin(peer: str, given: Submission) -> bytes:
    """The id that this agency's header, ciphertext and attachments make.

    Raises:
        InvalidInput, Refused: what admission refuses it for, if it comes to that.
    """
    header = decode(Header, given.header, LIMITS.header_bytes, "header")
    consignment = decode(Consignment, given.consignment, LIMITS.consignment_bytes, "consignment")
    check_attachments(given.attachments)
    record = Bulletin(
        identity(HEADER_TYPE, given.header), measure(given.ciphertext), given.attachments
    )
    made = identity(BULLETIN_TYPE, encode(record))
    if header.sender != peer or made != consignment.bulletin:
        raise InvalidInput(
            "bulletin_id",
            "header, ciphertext and attachments do not make the consigned bulletin id",
            field="consignment.bulletin",
        )
    return made


async def forget(state: State, peer: str, queued: Sequence[Work | Rejected]) -> None:
    """What is logged needs no staged bytes any more. A crash before this: they age out."""
    for work in queued:
        if not isinstance(work, Work) or not isinstance(work.item, Submitted):
            continue
        attachments = work.item.submission.attachments
        if attachments and isinstance(await work.outcome, Logged):
            try:
                await state.blobs.forget(peer, attachments)
            except OperatorError as error:
                state.alarms.sound(ALARM, error.message)
