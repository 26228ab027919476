"""What another agency recalls, answered by an officer at their desk (step C5 to C7 of
schemas/spec/retention.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from saphan_schemas.desk_frames import AskRecallAnswer, DeskAnswer
from saphan_schemas.errors import Refused

from saphan.node.desks.login import DeskPeer
from saphan.node.officers.clearance import Viewer
from saphan.node.officers.showings import STATUS
from saphan.node.service import NodeService

Json = dict[str, Any]


class DeskRecalls:
    """Recalls of others, for one session.

    Args:
        viewer: the officer as the rules know them now.
    """

    def __init__(self, service: NodeService, peer: DeskPeer, viewer: Callable[[], Viewer]) -> None:
        self._service = service
        self._peer = peer
        self._viewer = viewer

    def told(self, found: Json) -> Json:
        """How a recall stands, and whether this officer may answer it."""
        return found | {"may_answer": self._named()}

    async def answer(self, asked: AskRecallAnswer) -> DeskAnswer:
        """Obey it, which erases it here, or decline for a reason; the same again changes nothing.

        Raises:
            InvalidInput: `bulletin_unknown`, `recall_code`. Refused: `recall_not_named`,
                `not_recalled`, `answered_before`, `held_here`. Unavailable: `catching_up`,
                `hold_unsure`. OperatorError: the disk.
        """
        service = self._service

        def look() -> None:
            found = service.bulletins.resolve(asked.bulletin.hex(), self._viewer().shows)
            if not self._named():
                raise Refused(
                    "recall_not_named",
                    f"{self._peer.handle} is not among the officers who answer recalls",
                    field="id",
                    hint="ask one of them, or the keeper: settings.json, recall.officers",
                )
            service.showings.note(self._peer.handle, STATUS, [found])

        await service.engine.in_reading(look)
        found = await service.recalls.answer(asked.bulletin, asked.declined, self._peer.label)
        return DeskAnswer(asked.request, msgspec.json.encode(self.told(found)))

    def _named(self) -> bool:
        return self._peer.handle in self._service.settings.now.recall.officers
