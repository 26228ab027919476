"""Bytes on their way out in parts: of bulletins, to their recipient; of registered schemas.

Each part is judged by itself: a recall or an expiry that is logged before it stops the next one.
After the handover the bytes were all taken; asking again (another node of the agency, a restored
one) is allowed as long as the delivery is not recalled, expired or destroyed.
"""

from __future__ import annotations

import asyncio
from typing import Final

from saphan_protocol.delivery import State as Delivery
from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.frames import FetchPart, PartFetched
from saphan_schemas.schema_frames import AskSchema, SchemaBundle

from saphan_broker.state import State

ALARM: Final = "attachment_gone"
"""Until the broker starts again: nothing shows that a lost file is back."""
SCHEMA_ALARM: Final = "schema_missing"
AWAY: Final = "blobs_unreachable"
LOST: Final = frozenset({"object_missing", "object_damaged", "blobs_unusable"})
"""What the store says of a body that it has put into an object; anything else is the store's."""
WITHDRAWN: Final = frozenset({Delivery.RECALLED.value, Delivery.EXPIRED.value})


async def fetch(
    state: State, agency: str, frame: FetchPart | AskSchema
) -> PartFetched | SchemaBundle:
    """The bytes that a node asks for."""
    if isinstance(frame, AskSchema):
        return await fetch_schema(state, frame)
    return await fetch_part(state, agency, frame)


async def fetch_schema(state: State, frame: AskSchema) -> SchemaBundle:
    """Up to `frame.length` bytes of a bundle; any node may ask, the directory is everybody's.

    Without bytes the code says why: `schema_unregistered`, `schema_missing` (the broker has lost
    it: an alarm).
    """
    own, head = state.directory.own_schemas.find(frame.name), state.registry.published
    if own is None or head is None or own.index >= head.size:
        return SchemaBundle(frame.request, None, "schema_unregistered")
    bundle = await state.bundles.read(state.store, own.index)
    if bundle is None:
        state.alarms.sound(SCHEMA_ALARM, f"the bundle of {frame.name} is not in the store")
        return SchemaBundle(frame.request, None, "schema_missing")
    return SchemaBundle(frame.request, bundle[frame.offset : frame.offset + frame.length], None)


async def fetch_part(state: State, agency: str, frame: FetchPart) -> PartFetched:
    """Up to `frame.length` bytes from `frame.offset`; empty at the end.

    Without bytes the code says why: `part_unknown` (no such part in this agency's mailbox),
    `part_withdrawn` (recalled, expired or destroyed), `part_missing` (the broker has lost it: an
    alarm). While the store of objects does not answer it is asked again, and judged again, until
    the session ends: nothing is lost, so nothing is said.
    """
    while True:
        try:
            answer = await _fetch_part(state, agency, frame)
        except Unavailable as error:
            if error.code != AWAY:
                raise
            state.alarms.sound_error(error)
            await asyncio.sleep(error.retry_after_ms / 1000)
        else:
            state.alarms.clear(AWAY)
            return answer


async def _fetch_part(state: State, agency: str, frame: FetchPart) -> PartFetched:
    key = (frame.bulletin, agency)
    deliveries, bulletins = await asyncio.gather(
        state.store.deliveries([key]), state.store.bulletins([frame.bulletin])
    )
    row, facts = deliveries.get(key), bulletins.get(frame.bulletin)
    head = state.evidence.published
    if row is None or facts is None or head is None or row.submitted >= head.size:
        return PartFetched(frame.request, None, "part_unknown")
    if row.state in WITHDRAWN or row.destroyed is not None:
        return PartFetched(frame.request, None, "part_withdrawn")
    if frame.place > len(facts.attachments):
        return PartFetched(frame.request, None, "part_unknown")
    if frame.place == 0:
        return await _ciphertext(state, frame)
    return await _attachment(state, frame, facts.attachments[frame.place - 1].length)


async def _ciphertext(state: State, frame: FetchPart) -> PartFetched:
    try:
        body = (await state.store.bodies([frame.bulletin])).get(frame.bulletin)
        why = "it is not in the store"
    except OperatorError as error:
        if error.code not in LOST:
            raise
        body, why = None, error.message
    if body is None:
        state.alarms.sound(ALARM, f"the ciphertext of {frame.bulletin.hex()[:16]}: {why}")
        return PartFetched(frame.request, None, "part_missing")
    data = body.ciphertext[frame.offset : frame.offset + frame.length]
    return PartFetched(frame.request, data, None)


async def _attachment(state: State, frame: FetchPart, length: int) -> PartFetched:
    place = frame.place - 1
    wanted = max(0, min(frame.length, length - frame.offset))
    try:
        data = await state.blobs.read(frame.bulletin, place, frame.offset, wanted)
        why = None if len(data) == wanted else f"its file ends before its {length} bytes"
    except OperatorError as error:
        data, why = b"", error.message
    if why is None:
        return PartFetched(frame.request, data, None)
    state.alarms.sound(ALARM, f"attachment {place} of {frame.bulletin.hex()[:16]}: {why}")
    return PartFetched(frame.request, None, "part_missing")
