"""What waits for a second officer, at the desk of one who may sign it, or who wrote it.

Nothing of it is kept here: it is not a bulletin yet, and the next one to look may be another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from saphan_schemas.desk_frames import AskDraft, AskRefuse, AskSecond, AskWaiting

from saphan.desk.answers import Ended, Second, Waiting, checked, checked_of
from saphan.desk.answers import Exact as ExactAnswer
from saphan.desk.desk import Desk
from saphan.desk.line import DeskLine
from saphan.desk.types import DeskTypes
from saphan.second_signature import Exact, Signer, exact_of, schema_of

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SecondEyes:
    """The countersigning side of one desk; every method raises what the line and the node raise."""

    desk: Desk

    @property
    def signer(self) -> Signer:
        """This desk's officer, now."""
        desk = self.desk
        return Signer(desk.me.agency, desk.me.handle, desk.key, desk.clock())

    async def waiting(self, line: DeskLine) -> list[Json]:
        """What the officer may sign, and what they wrote."""
        found = checked(Waiting, await line.ask(AskWaiting(line.number())))
        drafts: list[Json] = found["drafts"]
        return drafts

    async def open(self, line: DeskLine, draft: bytes) -> Exact:
        """Sign that the officer reads it, and get it.

        Raises:
            OperatorError: `node_answer`.
        """
        record, signature = self.signer.reading(draft)
        answer = await line.ask(AskDraft(line.number(), draft, record, signature))
        found = checked_of(ExactAnswer, answer, draft.hex())
        types = await DeskTypes(self.desk).bring(line, schema_of(found))
        return exact_of(found, draft, lambda _: types)

    async def sign(self, line: DeskLine, exact: Exact) -> str:
        """Sign second what was opened; the bulletin's id."""
        signature = self.signer.second(exact)
        answer = await line.ask(AskSecond(line.number(), exact.draft, signature))
        found: str = checked(Second, answer)["id"]
        return found

    async def refuse(self, line: DeskLine, draft: bytes, reason: str | None) -> str:
        """Do not sign it, or take one's own back; the state that it has then."""
        record, signature = self.signer.refusal(draft, reason)
        answer = await line.ask(AskRefuse(line.number(), draft, record, signature))
        state: str = checked(Ended, answer)["state"]
        return state
