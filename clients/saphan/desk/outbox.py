"""The desk's own outbox: signed here, kept until the node has answered with the bulletin's id.

A bulletin is signed when it is queued, so what is sent again is the very same bytes and the node
answers with the first id. What the node refuses becomes a draft again, with the reason.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from saphan_protocol.batch import sign_one
from saphan_protocol.identity import record_identity
from saphan_schemas.codec import Record, decode, encode
from saphan_schemas.desk_frames import AskSend
from saphan_schemas.errors import InvalidInput, OperatorError, SaphanError, Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Header, Signature
from saphan_schemas.strict_json import parse_json

from saphan.compose import INNER_TYPE, URGENCIES, compose
from saphan.corridors import allowed
from saphan.desk.answers import Sent, checked
from saphan.desk.desk import Desk, number_name
from saphan.desk.drafts import Draft, Drafts, Written
from saphan.desk.files import AttachedFile, Files, upload_name
from saphan.desk.form_drafts import FormDraft, FormDrafts
from saphan.desk.in_thread import in_thread
from saphan.desk.kept import KeptDays
from saphan.desk.line import LINE_ENDED, DeskLine
from saphan.desk.searchable import Searchable, searchable
from saphan.desk.store import ROW_BYTES, Shelf
from saphan.desk.types import DeskTypes

Json = dict[str, Any]

COUNTERSIGN: Final = "countersign_waiting"
"""Code of what the node keeps until a second officer has signed it."""
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
    def draft(self) -> bytes:
        """The name under which the node keeps it until a second officer has signed."""
        return record_identity(Header, self.header)

    @property
    def shown(self) -> Header:
        """Its header, parsed."""
        return decode(Header, self.header, LIMITS.header_bytes, "header")


@dataclass(frozen=True, slots=True)
class Outbox:
    """The outbox of one desk."""

    desk: Desk

    def queue(
        self,
        written: Written,
        corridors: Json,
        draft: int | None = None,
        form: FormDraft | None = None,
    ) -> Queued:
        """Compose, sign and keep a bulletin; durable when it returns.

        Args:
            corridors: what the agency may send to whom, as the node told it last; may be empty.
            draft: number of the draft that this was, and that goes away.
            form: the form that this was; the bulletin takes its number (`form_drafts`).

        Raises:
            InvalidInput: what `compose` raises, `outbox_full`, `draft_unknown`,
                `attachment_missing`; Refused: `form_draft_changed`, `draft_queued`;
                OperatorError: the disk, and nothing was queued.
        """
        desk = self.desk
        if len(self.waiting()) >= LIMITS.desk_waiting:
            raise InvalidInput(
                "outbox_full",
                f"{LIMITS.desk_waiting} bulletins wait here to be sent",
                field="outbox",
                hint="send them first: saphan desk sync",
            )
        wish, now = written.wish(), desk.clock()
        made = compose(
            wish,
            sender=desk.me.agency,
            now=now,
            nonce=os.urandom(16),
            allowed=allowed(corridors, desk.me.agency, wish.to, wish.schema, now),
            types=DeskTypes(desk).all(),
        )
        inner = made.inner(desk.me.handle, desk.key.key_id)
        signature = sign_one(desk.key, INNER_TYPE, inner, os.urandom(32))
        with desk.store.transaction():
            if draft is not None:
                Drafts(desk).remove(draft)  # another program may have sent it meanwhile
            self._check_files(written)
            number = desk.take_number() if form is None else FormDrafts(desk).take(form)
            queued = Queued(
                number, written, made.header_bytes, inner, signature, made.content, desk.clock()
            )
            self._keep(queued)
        return queued

    def all(self) -> list[Queued]:
        """Everything queued and sent here, oldest first."""
        return list(self._each())

    def some(self, numbers: Iterable[int]) -> list[Queued]:
        """Those of these numbers that are here."""
        return [one for number in numbers if (one := self._get(number)) is not None]

    def waiting(self) -> list[Queued]:
        """What has no answer yet: the most urgent first, then the oldest."""
        waiting = [one for one in self._each() if one.bulletin is None]
        return sorted(waiting, key=lambda one: -URGENCIES.index(one.shown.urgency))

    def waits(self, number: int) -> bool:
        """Whether it is here and has no answer yet."""
        return any(one.bulletin is None for one in self.some([number]))

    def remove_draft(self, number: int) -> None:
        """Take a draft away, with the attachments that nothing else needs.

        Raises:
            InvalidInput: `draft_unknown`.
        """
        with self.desk.store.transaction():
            drafts = Drafts(self.desk)
            written = drafts.get(number).written
            drafts.remove(number)
            self.drop_unused(written)

    def remove_form(self, number: int) -> None:
        """The same for a form; what was taken off one goes by `drop_unused`.

        Raises:
            InvalidInput: `draft_unknown`; Refused: `draft_queued`.
        """
        with self.desk.store.transaction():
            self.drop_files(FormDrafts(self.desk).remove(number).attachments)

    def drop_unused(self, written: Written) -> None:
        """Take away the files of what was sent, removed or never kept, as `drop_files`."""
        self.drop_files(written.attachments)

    def drop_files(self, dropped: Sequence[AttachedFile]) -> None:
        """Take files away; not those that a draft, a form or the queue still needs."""
        store = self.desk.store
        with store.transaction():  # nobody queues one of them meanwhile
            drafts = [draft.written for draft in Drafts(self.desk).all()]
            queued = [one.written for one in self.waiting()]
            forms = [form.attachments for form in FormDrafts(self.desk).each()]
            others = [other.attachments for other in drafts + queued]
            used = {file.blob for files in forms + others for file in files}
            for file in dropped:
                if file.blob not in used:
                    store.drop_parts(upload_name(file.blob))

    def withdraw(self, number: int) -> Draft | FormDraft:
        """Make a draft of what waits, or the form again that it was; what was sent cannot be taken
        back here.

        Raises:
            InvalidInput: `queued_unknown`, `queued_asked`.
        """
        with self.desk.store.transaction():
            one = self._get(number)
            if one is None or one.bulletin is not None:
                raise InvalidInput(
                    "queued_unknown",
                    f"no bulletin {number} waits in this outbox",
                    field="number",
                    hint="list what waits: saphan desk outbox",
                )
            if one.code == COUNTERSIGN:
                raise InvalidInput(
                    "queued_asked",
                    f"bulletin {number} waits at the node for a second officer",
                    field="number",
                    hint=f"take it back there: saphan countersign refuse {one.draft.hex()[:16]}",
                )
            if one.asked:
                raise InvalidInput(
                    "queued_asked",
                    f"bulletin {number} was on its way when the line broke: the node may have it",
                    field="number",
                    hint="ask the node when the line is back: saphan desk sync",
                )
            return self._back(one, None)

    async def send(self, line: DeskLine, only: Sequence[int] | None = None) -> list[SaphanError]:
        """Send what waits; gives the refusals.

        Args:
            only: these numbers; None: everything.

        Raises:
            Unavailable: `line_down`, `line_silent`: what has no answer waits on.
        """
        refused: list[SaphanError] = []
        for one in await in_thread(self.waiting):
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
                await in_thread(self._put_off, one, error)
            else:
                await in_thread(self._to_draft, one, error)
            return error
        # A crash here leaves it waiting: it is sent again, and the node answers the same.
        if answer is None:
            return None
        if answer["id"] is None:
            await in_thread(self._second, one)
        else:
            await in_thread(self._sent, one, bytes.fromhex(answer["id"]))
        return None

    async def _bring(self, line: DeskLine, one: Queued) -> Json | None:
        """The node's answer; None when another program of this desk has sent it or withdrawn it.

        Attachments first, unless the node may have them, and the bulletin, from an earlier time:
        they are not brought over a slow line twice to be told so."""
        ask_first = one.asked
        for last in (False, False, True):
            try:
                if not ask_first:
                    await self._upload(line, one)
                # A crash here, and from here on: only the node knows whether it has the bulletin.
                asked = msgspec.structs.replace(one, asked=True)
                if not await in_thread(self._change, asked):
                    return None
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
        return checked(Sent, await line.ask(asked))

    # --- what becomes of one; who was faster has sent it, or queued another of its number ---------

    def _sent(self, one: Queued, bulletin: bytes) -> None:
        now = self.desk.clock()
        # What was written stays; its signed form is the node's now.
        sent = msgspec.structs.replace(
            one, bulletin=bulletin, sent=now, code=None, inner=b"", content=b""
        )
        with self.desk.store.transaction():
            if self._still(one):
                day = KeptDays(self.desk).day_of(bulletin, one.shown.retain_until)
                self._keep(sent, day)
                FormDrafts(self.desk).sent(one.number)
                self.drop_unused(one.written)

    def _second(self, one: Queued) -> None:
        """The node keeps it for a second officer; what becomes of it is asked at every sync."""
        self._change(msgspec.structs.replace(one, code=COUNTERSIGN, asked=True))

    def _put_off(self, one: Queued, error: SaphanError) -> None:
        """Only an answer about the bulletin itself says that the node has not got it."""
        with self.desk.store.transaction():
            if (kept := self._still(one)) is not None:
                asked = kept.asked and error.code not in ELSEWHERE
                self._keep(msgspec.structs.replace(kept, code=error.code, asked=asked))

    def _to_draft(self, one: Queued, error: SaphanError) -> None:
        with self.desk.store.transaction():
            if self._still(one):
                self._back(one, error)

    def _back(self, one: Queued, error: SaphanError | None) -> Draft | FormDraft:
        for shelf in (Shelf.OUTBOX, Shelf.SEARCH):
            self.desk.store.remove(shelf, number_name(one.number))
        if (form := FormDrafts(self.desk).back(one.number, error)) is not None:
            return form
        code, message = (None, None) if error is None else (error.code, error.message)
        return Drafts(self.desk).take_back(one.written, code, message)

    def _check_files(self, written: Written) -> None:
        """Another program that has sent a bulletin with the same file took it away with it."""
        for file in written.attachments:
            if not Files(self.desk).has(upload_name(file.blob), file.blob):
                raise InvalidInput(
                    "attachment_missing",
                    f"{file.name} is not at this desk any more",
                    field="attachments",
                    hint="give the same command again",
                )

    def _change(self, one: Queued) -> bool:
        """Keep it so, if it still waits; whether it did."""
        with self.desk.store.transaction():
            waits = self._still(one) is not None
            if waits:
                self._keep(one)
        return waits

    def _still(self, one: Queued) -> Queued | None:
        """This very signature as it waits now. A form that was withdrawn and queued again has its
        number still, and says something else."""
        kept = self._get(one.number)
        waits = kept is not None and kept.bulletin is None and kept.signature == one.signature
        return kept if waits else None

    def _each(self) -> Iterator[Queued]:
        for _, value in self.desk.store.each(Shelf.OUTBOX):
            yield decode(Queued, value, ROW_BYTES, "queued")

    def _get(self, number: int) -> Queued | None:
        value = self.desk.store.get(Shelf.OUTBOX, number_name(number))
        return None if value is None else decode(Queued, value, ROW_BYTES, "queued")

    def _keep(self, one: Queued, day: int | None = None) -> None:
        day = one.shown.retain_until if day is None else day
        store, name = self.desk.store, number_name(one.number)
        store.put(Shelf.OUTBOX, name, encode(one), day)
        # Once it was sent, it is found by its id, too.
        before = store.get(Shelf.SEARCH, name) if one.bulletin is None else None
        store.put(Shelf.SEARCH, name, before or encode(of_queued(one)), day)


def of_queued(one: Queued) -> Searchable:
    """What of a signed bulletin is searched in."""
    header, names = one.shown, [file.name for file in one.written.attachments]
    said = parse_json(dict, one.written.data)
    bulletin = "" if one.bulletin is None else one.bulletin.hex()
    return searchable(msgspec.structs.asdict(header), said, names, bulletin=bulletin)


def queued_row(one: Queued) -> Json:
    """A bulletin of the outbox in a list; without what it says."""
    header = one.shown
    return {
        "number": one.number,
        "state": _state(one),
        "id": None if one.bulletin is None else one.bulletin.hex(),
        "kept": one.kept,
        "sent": one.sent,
        "to": list(header.recipients),
        "schema": header.schema,
        "urgency": header.urgency,
        "attachments": [file.name for file in one.written.attachments],
        "code": one.code,
    }


def _state(one: Queued) -> str:
    if one.bulletin is not None:
        return "sent"
    return "countersign" if one.code == COUNTERSIGN else "waiting"
