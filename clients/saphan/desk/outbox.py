"""The desk's own outbox: signed here, kept until the node has answered with the bulletin's id.

A bulletin is signed when it is queued, so what is sent again is the very same bytes and the node
answers with the first id. What the node refuses becomes a draft again, with the reason.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from saphan_protocol.batch import sign_one
from saphan_schemas.codec import Record, decode, encode
from saphan_schemas.desk_frames import AskSend
from saphan_schemas.errors import InvalidInput, OperatorError, SaphanError, Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Header, Signature

from saphan.compose import INNER_TYPE, URGENCIES, compose
from saphan.corridors import retain_days
from saphan.desk.desk import Desk, number_name
from saphan.desk.drafts import Draft, Drafts, Written
from saphan.desk.files import Files, upload_name
from saphan.desk.line import LINE_ENDED, DeskLine
from saphan.desk.store import ROW_BYTES, Shelf

Json = dict[str, Any]

ELSEWHERE: Final = frozenset({"attachment_offset", "attachment_missing"})
"""Refusals because another bulletin with the same file took it, or brings it at the same time."""


class Queued(Record, frozen=True):
    """A signed bulletin; `bulletin` is its id once the node has answered."""

    number: int
    written: Written
    header: bytes
    inner: bytes
    signature: Signature
    content: bytes
    kept: int
    bulletin: bytes | None = None
    sent: int | None = None
    code: str | None = None
    """Why the node did not take it the last time; it is tried again."""
    asked: bool = False
    """Whether the node was asked to take it, and has not answered: maybe it has."""

    @property
    def shown(self) -> Header:
        """Its header, parsed."""
        return decode(Header, self.header, LIMITS.header_bytes, "header")


@dataclass(frozen=True, slots=True)
class Outbox:
    """The outbox of one desk."""

    desk: Desk

    def queue(self, written: Written, corridors: Json, draft: int | None = None) -> Queued:
        """Compose, sign and keep a bulletin; durable when it returns.

        Args:
            corridors: what the agency may send to whom, as the node told it last; may be empty.
            draft: number of the draft that this was, and that goes away.

        Raises:
            InvalidInput: what `compose` raises, `outbox_full`; OperatorError: the disk, and
                nothing was queued.
        """
        desk = self.desk
        if len(self.waiting()) >= LIMITS.desk_waiting:
            raise InvalidInput(
                "outbox_full",
                f"{LIMITS.desk_waiting} bulletins wait here to be sent",
                field="outbox",
                hint="send them first: saphan desk sync",
            )
        wish = written.wish()
        made = compose(
            wish,
            sender=desk.me.agency,
            now=desk.clock(),
            nonce=os.urandom(16),
            retain_days=retain_days(corridors, desk.me.agency, wish.to, wish.schema),
        )
        inner = made.inner(desk.me.handle, desk.key.key_id)
        signature = sign_one(desk.key, INNER_TYPE, inner, os.urandom(32))
        with desk.store.transaction():
            number = desk.take_number()
            queued = Queued(
                number, written, made.header_bytes, inner, signature, made.content, desk.clock()
            )
            self._keep(queued)
            if draft is not None:
                desk.store.remove(Shelf.DRAFTS, number_name(draft))
        return queued

    def all(self) -> list[Queued]:
        """Everything queued and sent here, oldest first."""
        rows = self.desk.store.all(Shelf.OUTBOX)
        return [decode(Queued, value, ROW_BYTES, "queued") for _, value in rows]

    def waiting(self) -> list[Queued]:
        """What has no answer yet: the most urgent first, then the oldest."""
        waiting = [one for one in self.all() if one.bulletin is None]
        return sorted(waiting, key=lambda one: -URGENCIES.index(one.shown.urgency))

    def remove_draft(self, number: int) -> None:
        """Take a draft away, with the attachments that nothing else needs.

        Raises:
            InvalidInput: `draft_unknown`.
        """
        drafts = Drafts(self.desk)
        written = drafts.get(number).written
        drafts.remove(number)
        self._drop_unused(written)

    def withdraw(self, number: int) -> Draft:
        """Make a draft of what waits; what was sent cannot be taken back here.

        Raises:
            InvalidInput: `queued_unknown`.
        """
        one = self._get(number)
        if one is None or one.bulletin is not None:
            raise InvalidInput(
                "queued_unknown",
                f"no bulletin {number} waits in this outbox",
                field="number",
                hint="list what waits: saphan desk outbox",
            )
        if one.asked:
            raise InvalidInput(
                "queued_asked",
                f"bulletin {number} was on its way when the line broke: the node may have it",
                field="number",
                hint="ask the node when the line is back: saphan desk sync",
            )
        draft = self._to_draft(one, None)
        assert draft is not None
        return draft

    async def send(self, line: DeskLine, only: Sequence[int] | None = None) -> list[SaphanError]:
        """Send what waits; gives the refusals.

        Args:
            only: these numbers; None: everything.

        Raises:
            Unavailable: `line_down`, `line_silent`: what has no answer waits on.
        """
        refused: list[SaphanError] = []
        for one in await asyncio.to_thread(self.waiting):
            if only is None or one.number in only:
                error = await self._send_one(line, one)
                refused += [] if error is None else [error]
        return refused

    async def _send_one(self, line: DeskLine, one: Queued) -> SaphanError | None:
        try:
            answer = await self._bring(line, one)
        except SaphanError as error:
            if error.code in LINE_ENDED:
                raise
            if isinstance(error, Unavailable | OperatorError) or error.code in ELSEWHERE:
                await asyncio.to_thread(self._put_off, one, error)
            else:
                await asyncio.to_thread(self._to_draft, one, error)
            return error
        # A crash here leaves it waiting: it is sent again, and the node answers the same.
        await asyncio.to_thread(self._sent, one, bytes.fromhex(str(answer["id"])))
        return None

    async def _bring(self, line: DeskLine, one: Queued) -> Json:
        """Attachments first, unless the node may have them, and the bulletin, from an earlier time:
        they are not brought over a slow line twice to be told so."""
        ask_first = one.asked
        for last in (False, False, True):
            try:
                if not ask_first:
                    await self._upload(line, one)
                # A crash here, and from here on: only the node knows whether it has the bulletin.
                asked = msgspec.structs.replace(one, asked=True)
                await asyncio.to_thread(self._change, asked)
                return await self._ask(line, one)
            except InvalidInput as error:
                if last or error.code not in ELSEWHERE:
                    raise
                ask_first = False
        raise RuntimeError("the last try has answered or raised")

    async def _upload(self, line: DeskLine, one: Queued) -> None:
        for file in one.written.attachments:
            await Files(self.desk).upload(line, file.blob)

    async def _ask(self, line: DeskLine, one: Queued) -> Json:
        asked = AskSend(line.number(), one.header, one.inner, one.signature, one.content)
        return await line.ask(asked)

    def _drop_unused(self, written: Written) -> None:
        """Attachments of what is sent or removed, unless a draft or the queue still needs them."""
        drafts = [draft.written for draft in Drafts(self.desk).all()]
        queued = [one.written for one in self.waiting()]
        used = {file.blob for other in drafts + queued for file in other.attachments}
        for file in written.attachments:
            if file.blob not in used:
                self.desk.store.drop_parts(upload_name(file.blob))

    # --- what becomes of one; another program of this desk may have been faster -------------------

    def _sent(self, one: Queued, bulletin: bytes) -> None:
        now = self.desk.clock()
        self._change(msgspec.structs.replace(one, bulletin=bulletin, sent=now, code=None))
        self._drop_unused(one.written)

    def _put_off(self, one: Queued, error: SaphanError) -> None:
        self._change(msgspec.structs.replace(one, code=error.code, asked=False))

    def _to_draft(self, one: Queued, error: SaphanError | None) -> Draft | None:
        code = None if error is None else error.code
        message = None if error is None else error.message
        with self.desk.store.transaction():
            if not self._waits(one):
                return None
            draft = Drafts(self.desk).add(one.written, code, message)
            self.desk.store.remove(Shelf.OUTBOX, number_name(one.number))
        return draft

    def _change(self, one: Queued) -> None:
        with self.desk.store.transaction():
            if self._waits(one):
                self._keep(one)

    def _waits(self, one: Queued) -> bool:
        kept = self._get(one.number)
        return kept is not None and kept.bulletin is None

    def _get(self, number: int) -> Queued | None:
        value = self.desk.store.get(Shelf.OUTBOX, number_name(number))
        return None if value is None else decode(Queued, value, ROW_BYTES, "queued")

    def _keep(self, one: Queued) -> None:
        self.desk.store.put(Shelf.OUTBOX, number_name(one.number), encode(one))


def queued_row(one: Queued) -> Json:
    """A bulletin of the outbox in a list; without what it says."""
    header = one.shown
    return {
        "number": one.number,
        "state": "waiting" if one.bulletin is None else "sent",
        "id": None if one.bulletin is None else one.bulletin.hex(),
        "kept": one.kept,
        "sent": one.sent,
        "to": list(header.recipients),
        "schema": header.schema,
        "urgency": header.urgency,
        "attachments": [file.name for file in one.written.attachments],
        "code": one.code,
    }
