"""Erasures that name the last day for every holder: it stands in the header, which is read again.

The due-day of the broker is often earlier, and all that its facts hold. What a holder says too
early is refused here, or an auditor would find it in a log that this broker has kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from saphan_protocol.aftermath import check_erasure
from saphan_schemas.codec import decode
from saphan_schemas.errors import Refused, SaphanError, Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Event, Header

from saphan_broker.at_rest import open_header
from saphan_broker.sequencing.facts import Known
from saphan_broker.sequencing.saying import DUE, Said
from saphan_broker.sequencing.unreadable import told
from saphan_broker.state import State
from saphan_broker.store.base import BulletinRow

AT_ONCE: Final = 64
"""Bulletins read together, of up to 96 KiB; most ciphertexts are destroyed by then."""


async def find_early(state: State, said: Sequence[Said], known: Known, now: int) -> None:
    """Note in `known.early` which bulletins' last day has not come.

    Args:
        now: the time of the group, ms.

    Raises:
        OperatorError, Unavailable: what the store raises.
    """
    asked = sorted(_asked(said, known))
    for start in range(0, len(asked), AT_ONCE):
        bodies = await state.store.bodies(asked[start : start + AT_ONCE])
        for bulletin, body in bodies.items():
            stop = _early(state, body, now) if body.header else None
            if stop is not None:
                known.early[bulletin] = stop


def _asked(said: Iterable[Said], known: Known) -> set[bytes]:
    """Bulletins of `erased` with code `due` that are admitted and stored."""
    return {
        one.admitted.statement.bulletin
        for one in said
        if one.admitted.event is Event.ERASED
        and one.admitted.statement.code == DUE
        and one.admitted.statement.bulletin in known.bulletins
    }


def _early(state: State, body: BulletinRow, now: int) -> Refused | Unavailable | None:
    try:
        header = decode(Header, open_header(state.keys, body), LIMITS.header_bytes, "header")
        check_erasure(DUE, None, header.retain_until, now)
    except Refused as early:
        return early
    except SaphanError as error:
        return told(state, error)
    return None
