"""The node as witness in one session: the newest checked head of each log, at its own cadence."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from saphan_protocol.checkpoint import Head
from saphan_schemas.errors import OperatorError, Refused
from saphan_schemas.frames import Cosign, Witnessed

from saphan.node.alarms import Alarms
from saphan.node.engine import Engine
from saphan.node.restored import Restored
from saphan.node.witness import Cosigned, Witness, anchor_lags

Send = Callable[[object], Awaitable[None]]

PAUSE_S: Final = 1.0
"""Before a cosignature: the newest head of this second is witnessed, not every commit's, and no
bulletin on its way waits for the writing of the witness's state."""
LATEST_S: Final = 10.0
ROUND_TRIPS: Final = 4


class Witnessing:
    """Cosigns what the session has checked; while one head is signed, others may pass.

    Args:
        send: writes one frame; answer_s: how long the broker's side of the line takes, in seconds.
        own: is called after own lines are kept.
    """

    def __init__(
        self,
        engine: Engine,
        witness: Witness,
        restored: Restored,
        alarms: Alarms,
        send: Send,
        answer_s: Callable[[], float],
        own: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._witness = witness
        self._restored = restored
        self._alarms = alarms
        self._send = send
        self._answer_s = answer_s
        self._own = own
        self._heads: dict[str, Head] = {}
        self._fresh = asyncio.Event()

    def saw(self, head: Head) -> None:
        """A head was verified, found consistent and kept."""
        self._heads[head.origin] = head
        self._fresh.set()

    async def run(self) -> None:
        """Cosign the newest heads, for ever.

        Raises:
            SaphanError: line, disk, and what `Witness.cosign` raises.
        """
        while True:
            await self._fresh.wait()
            await self._pause()
            self._fresh.clear()
            heads, self._heads = self._heads, {}
            for head in heads.values():
                cosigned = await self._engine.in_reading(partial(self._cosigned, head))
                if cosigned is not None:
                    await self._send(Cosign(cosigned.head.ref, cosigned.lines))
                    await self._keep(cosigned)

    async def _pause(self) -> None:
        """A cosignature takes 3.4 KB: on a slow line one of many heads is cosigned, several round
        trips after the first of them."""
        slow = self._answer_s() * ROUND_TRIPS
        await asyncio.sleep(min(max(PAUSE_S, slow), LATEST_S))

    async def _keep(self, cosigned: Cosigned) -> None:
        """Our own lines stand on the kept head too: the broker never tells us those."""
        lines = Witnessed(cosigned.head.ref, cosigned.lines)
        await self._engine.in_frames(partial(self._engine.take_witnessed, lines))
        self._own()

    def allowed(self) -> bool:
        """Whether this node may witness; why it may not is an alarm."""
        try:
            self._restored.check_witness(self._witness.key_id)
        except OperatorError as error:
            self._alarms.sound(error)
            return False
        self._alarms.clear("witness_key_needed")
        return True

    def _cosigned(self, head: Head) -> Cosigned | None:
        logs = self._engine.logs
        if head.origin == logs.evidence_heads.origin and anchor_lags(
            head, logs.anchored(), logs.directory.size, logs.grew_at
        ):
            self._alarms.sound(
                OperatorError(
                    "anchor_lags",
                    "the evidence log's last anchor is more than 60 s behind the directory",
                    hint="this head is not cosigned; tell the broker's operator",
                )
            )
            return None
        self._alarms.clear("anchor_lags")
        if not self.allowed():
            return None
        try:
            return self._witness.cosign(head)
        except Refused:
            # An idle log's head may be an hour old at login: the broker signs a fresh one.
            return None
