"""What a desk may ask, answered from the parts that serve the local API too.

The node's rules stand before every answer: a bulletin that they do not show to this officer is
unknown to their desk.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
from saphan_protocol.identity import sha256
from saphan_schemas.codec import decode, encode
from saphan_schemas.desk_frames import (
    AskDraft,
    AskErased,
    AskExported,
    AskFetch,
    AskIdentity,
    AskInbox,
    AskKeeping,
    AskOwed,
    AskRead,
    AskRecall,
    AskRefuse,
    AskSecond,
    AskSend,
    AskStatus,
    AskType,
    AskWaiting,
    DeskAnswer,
    DeskPart,
)
from saphan_schemas.errors import InvalidInput, Refused, SaphanError
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Inner, Signature

from saphan.base64_text import text_of
from saphan.node.api.recalls import check_officer
from saphan.node.api.requests import INNER_BYTES, SignedBody, prepare_signed
from saphan.node.api.schemas import describe_type
from saphan.node.bulletins import unknown
from saphan.node.desks.evidence import DeskEvidence
from saphan.node.desks.login import DeskPeer
from saphan.node.desks.parts import Bringing, DeskParts
from saphan.node.desks.recalls import DeskRecalls
from saphan.node.identity import describe_corridors
from saphan.node.officers.clearance import Viewer
from saphan.node.officers.showings import LISTED, STATUS
from saphan.node.prepared import Prepared, Waiting
from saphan.node.service import NodeService

Json = dict[str, Any]
MARKED_MS: int = 30 * DAY_MS
"""How long a desk that has the list is told what was taken back or replaced in it."""
SEARCHED: int = 20 * LIMITS.desk_page_items
"""Rows looked at for one page, when the rules hide many."""


class Questions:
    """Questions of one officer."""

    def __init__(self, service: NodeService, peer: DeskPeer, bringing: Bringing) -> None:
        self._service = service
        self._peer = peer
        self.parts = DeskParts(service, peer, bringing)
        self.evidence = DeskEvidence(service, peer)
        self.recalls = DeskRecalls(service, peer, self._viewer)
        self._mark, self._heard = 0, list[tuple[str, bytes]]()

    async def identity(self, asked: AskIdentity) -> DeskAnswer:
        """What may be sent to whom; an empty object when the desk has it already."""
        value = await self._service.engine.in_reading(partial(describe_corridors, self._service))
        answer = _answer(asked.request, value)
        if sha256(answer.value) == asked.known:
            return _answer(asked.request, {})
        return answer

    async def inbox(self, asked: AskInbox) -> DeskAnswer:
        """A page of the inbox; `next` is the place to go on from, `more` whether there is more,
        `rules` the mark of the rules that it was shown under, `waiting` how many bulletins wait
        for this officer's second signature."""
        value = await self._service.engine.in_reading(
            partial(self._inbox, asked.after, asked.limit)
        )
        return _answer(asked.request, value)

    async def owed(self, asked: AskOwed) -> DeskAnswer:
        """A page of the requests that somebody still has to answer, and who owes what by when; an
        empty object when the desk has it already."""

        def look() -> Json:
            shows, size = self._viewer().shows, LIMITS.desk_answer_bytes // 4
            threads = self._service.bulletins.threads
            page = threads.open.page(asked.after, LIMITS.desk_page_items, size, shows)
            listed = [bytes.fromhex(one["id"]) for one in page["requests"]]
            self._service.showings.note(self._peer.handle, LISTED, listed)
            return page

        answer = _answer(asked.request, await self._service.engine.in_reading(look))
        return _answer(asked.request, {}) if sha256(answer.value) == asked.known else answer

    async def status(self, asked: AskStatus) -> DeskAnswer:
        """One bulletin's life; `thread`: those that name it or that it names, as in lists."""

        def look() -> Json:
            bulletins, viewer = self._service.bulletins, self._viewer()
            found = bulletins.resolve(asked.bulletin, viewer.shows)
            told = bulletins.status(found, viewer.shows)
            thread = bulletins.threads.near(found, viewer.shows)
            near = [bytes.fromhex(row["id"]) for row in thread]
            self._service.showings.note(self._peer.handle, STATUS, [found])
            self._service.showings.note(self._peer.handle, LISTED, near)
            return told | {"thread": thread}

        return _answer(asked.request, await self._service.engine.in_reading(look))

    async def read(self, asked: AskRead) -> DeskAnswer:
        """Content; the officer's signed reading is durable here before it leaves.

        Raises:
            Refused: `key_foreign` for a reading by another officer's key; what `read` raises.
        """
        await self._service.engine.in_reading(partial(self._check_shown, asked.bulletin))
        self._check_own(asked.signature, "record")
        content = await self._service.read(asked.bulletin, asked.record, encode(asked.signature))
        await self._given(asked.bulletin)
        return _answer(asked.request, content)

    async def send(self, asked: AskSend) -> DeskAnswer:
        """Keep a bulletin that this officer has signed; the same again gets the same id."""
        service = self._service

        def prepare() -> Prepared:
            if decode(Inner, asked.inner, INNER_BYTES, "inner").author_key != self._peer.key:
                raise _foreign("inner.author_key")
            with service.logs.lock:
                prepared = prepare_signed(
                    _body(asked), service.agency, service.logs.directory, service.own.types
                )
            return replace(prepared, owner=self._peer.label)

        outcome = await service.send_signed(await service.engine.in_sealing(prepare))
        if isinstance(outcome, SaphanError):
            raise outcome
        if isinstance(outcome, Waiting):
            return _answer(asked.request, {"id": None, "draft": outcome.draft.hex()})
        await self._given(outcome)
        return _answer(asked.request, {"id": outcome.hex()})

    async def fetch(self, asked: AskFetch) -> DeskPart:
        """The next bytes of an attachment."""
        await self._service.engine.in_reading(partial(self._check_fetched, asked.bulletin))
        return await self.parts.fetch(asked)

    async def waiting(self, asked: AskWaiting) -> DeskAnswer:
        """What waits for a second officer, as far as it concerns this one."""
        return _answer(
            asked.request, {"drafts": await self._service.second.listed(self._peer.handle)}
        )

    async def draft(self, asked: AskDraft) -> DeskAnswer:
        """What one says; the officer's signed reading is durable here before it leaves."""
        self._check_own(asked.signature, "record")
        second = self._service.second
        return _answer(
            asked.request, await second.read(asked.draft, asked.record, encode(asked.signature))
        )

    async def second(self, asked: AskSecond) -> DeskAnswer:
        """The bulletin's id, once it is sealed under both signatures."""
        self._check_own(asked.signature, "signature")
        bulletin = await self._service.second.sign(asked.draft, encode(asked.signature))
        return _answer(asked.request, {"id": bulletin.hex()})

    async def refuse(self, asked: AskRefuse) -> DeskAnswer:
        """The state in which it is then."""
        self._check_own(asked.signature, "record")
        second = self._service.second
        state = await second.refuse(asked.draft, asked.record, encode(asked.signature))
        return _answer(asked.request, {"state": state})

    async def type(self, asked: AskType) -> DeskAnswer:
        """An agency's own type."""
        told = await self._service.engine.in_reading(
            partial(describe_type, self._service, asked.name)
        )
        return _answer(asked.request, {name: told[name] for name in ("name", "digest", "exact")})

    # --- how long the desk keeps it ---------------------------------------------------------------

    async def keeping(self, asked: AskKeeping) -> DeskAnswer:
        """What this desk has not heard of its copies: `day` (days since 1970-01-01), whether one is
        `held`, `sealed` or `gone`; and the witnessed time."""
        copies, peer = self._service.subjects.copies, self._peer
        if self._heard and asked.taken == self._mark:
            await self._service.engine.in_sealing(partial(copies.heard, peer, self._heard))
        found, witnessed, self._heard = await self._service.engine.in_reading(
            partial(copies.news, peer)
        )
        self._mark += 1
        value = {"copies": found, "mark": self._mark, "witnessed": witnessed}
        return _answer(asked.request, value)

    async def erased(self, asked: AskErased) -> DeskAnswer:
        """How many of these bulletins this node had given to the desk."""
        take = partial(
            self._service.subjects.copies.erased, self._peer, asked.record, asked.signature
        )
        return _answer(asked.request, {"kept": await self._service.engine.in_sealing(take)})

    async def exported(self, asked: AskExported) -> DeskAnswer:
        """Whether the log is told of it."""
        keep = self._service.subjects.copies.exported
        take = partial(keep, self._peer, asked.record, asked.signature, self._shown)
        stated = await self._service.engine.in_sealing(take)
        if stated:
            self._service.line.wake_statements()
        return _answer(asked.request, {"stated": stated})

    async def _given(self, bulletin: bytes) -> None:
        note = partial(self._service.subjects.copies.given, bulletin, self._peer)
        await self._service.engine.in_sealing(note)

    async def recall(self, asked: AskRecall) -> DeskAnswer:
        """How a recall stands, after it was ordered if a reason came with the question.

        Raises:
            Refused: `recall_not_author`; what `Recalls.order` raises.
        """
        service, handle, reason = self._service, self._peer.handle, asked.reason

        def look() -> bytes:
            found = service.bulletins.resolve(asked.bulletin, self._viewer().shows)
            if reason is not None:
                check_officer(service, handle, found)
            service.showings.note(handle, STATUS, [found])
            return found

        bulletin = await service.engine.in_reading(look)
        if reason is None:
            show = partial(service.recalls.show, bulletin)
            found = await service.engine.in_reading(show)
        else:
            found = await service.recalls.order(bulletin, reason, self._peer.label)
        return _answer(asked.request, self.recalls.told(found))

    # --- what the rules show ----------------------------------------------------------------------

    def _inbox(self, after: int, limit: int) -> Json:
        rows: list[Json] = []
        looked, mark, viewer = 0, self._service.rules.mark, self._viewer()
        while True:
            page = self._service.bulletins.inbox(after, limit, viewer.shows)
            for row in page:
                if len(rows) == limit:
                    return self._listed(rows, after, True, mark)
                after = row["seq"]
                if viewer.shows(bytes.fromhex(row["id"])):
                    rows.append(row)
            looked += len(page)
            if len(page) < limit or looked >= SEARCHED:
                return self._listed(rows, after, len(page) == limit, mark)

    def _listed(self, rows: list[Json], after: int, more: bool, mark: str) -> Json:
        """The page, once it is on record that this officer was shown it."""
        shown = [bytes.fromhex(row["id"]) for row in rows]
        self._service.showings.note(self._peer.handle, LISTED, shown)
        waiting = self._service.second.countersigning.to_sign(self._peer.handle)
        page = {"bulletins": rows, "next": after, "more": more, "rules": mark, "waiting": waiting}
        if more:
            return page
        since = self._service.config.clock() - MARKED_MS
        return page | {"changed": self._service.bulletins.changed(since, self._viewer().shows)}

    def _viewer(self) -> Viewer:
        return self._service.clearance.viewer(self._peer.handle)

    def _check_own(self, signature: Signature, field: str) -> None:
        if signature.item.key != self._peer.key:
            raise _foreign(field)

    def _check_fetched(self, named: bytes) -> None:
        """Judged at every piece: a bulletin that is shown, or one that waits for a second officer
        and concerns this one."""
        concerns = self._service.second.shows(self._peer.handle, named)
        if concerns is None:
            self._check_shown(named)
        elif not concerns:
            raise unknown(named)

    def _check_shown(self, bulletin: bytes) -> None:
        self._viewer().check(bulletin)

    def _shown(self, bulletin: bytes) -> bool:
        try:
            self._check_shown(bulletin)
        except (InvalidInput, Refused):
            return False
        return True


def _body(asked: AskSend) -> SignedBody:
    return SignedBody(
        text_of(asked.header), text_of(asked.inner), text_of(encode(asked.signature)),
        text_of(asked.content),
    )  # fmt: skip


def _answer(request: int, value: Json) -> DeskAnswer:
    return DeskAnswer(request, msgspec.json.encode(value))


def _foreign(field: str) -> Refused:
    return Refused(
        "key_foreign", "another officer's key signed this than the desk's own", field=field
    )
