"""Requests that somebody still has to answer, as far as this desk has heard.

The node counts the time (T6); here it is kept, so that the clocks run without a line, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta
from saphan_protocol.identity import sha256
from saphan_schemas.codec import Record, decode, encode
from saphan_schemas.decoders import convert, json_decoder
from saphan_schemas.desk_frames import AskOwed
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Index

from saphan.desk.answers import Hex, Place, Shown, checked
from saphan.desk.desk import Desk
from saphan.desk.in_thread import in_thread
from saphan.desk.kept import KeptDays
from saphan.desk.line import DeskLine
from saphan.desk.store import ROW_BYTES, Shelf
from saphan.desk.thread_answers import Few, Owed
from saphan.desk_errors import malformed

Json = dict[str, Any]
PAGES: Final = 1_000
"""Of one listing; a node may never end."""
_PAGES: Final = b"pages of what is owed"


class OpenRequest(msgspec.Struct):
    """A request, and how each of those stands who were asked."""

    seq: Place
    id: Hex
    direction: Literal["sent", "received"]
    author: Annotated[str, Meta(max_length=64)] | None
    header: Shown
    owed: Annotated[list[Owed], Few]


class OwedPage(msgspec.Struct):
    """Answers `AskOwed`."""

    requests: Annotated[list[OpenRequest], Meta(max_length=LIMITS.desk_page_items)]
    next: Index
    more: bool


class _Page(Record, frozen=True):
    """A page that is here: where it ends, whether there was more, SHA-256 of it as it came."""

    next: int
    more: bool
    digest: bytes


class _Pages(Record, frozen=True):
    """The pages that are here, by the place after which they begin; `heard`: ms UTC."""

    by_place: dict[int, _Page]
    heard: int


@dataclass(frozen=True, slots=True)
class OwedHere:
    """What is owed by and to this agency, at one desk."""

    desk: Desk

    def all(self) -> list[OpenRequest]:
        """Every open request, in the order in which the node kept them; blocking."""
        values = (value for _, value in self.desk.store.each(Shelf.OWED))
        return sorted((_request(value) for value in values), key=lambda one: one.seq)

    def heard(self) -> int | None:
        """When the node was asked last, ms UTC; None: never."""
        kept = self._pages()
        return kept.heard or None

    async def pull(self, line: DeskLine) -> bool:
        """Ask the node for what has changed; whether anything has.

        Raises:
            SaphanError: of the line, the node, the disk.
        """
        known = (await in_thread(self._pages)).by_place
        after, pages, changed = 0, dict[int, _Page](), False
        for _ in range(PAGES):
            before = known.get(after)
            asked = AskOwed(line.number(), after, None if before is None else before.digest)
            found = await line.ask(asked)
            if found or before is None:
                page = _checked_page(found, after)
                await in_thread(self._keep, page, after)
                before, changed = _told(page, found), True
            pages[after] = before
            if not before.more:
                await in_thread(self._keep_pages, pages)
                return changed
            after = before.next
        raise malformed("the node's pages of what is owed do not end")

    # --- inside -----------------------------------------------------------------------------------

    def _pages(self) -> _Pages:
        kept = self.desk.store.get(Shelf.STATE, _PAGES)
        return _Pages({}, 0) if kept is None else decode(_Pages, kept, ROW_BYTES, "pages")

    def _keep_pages(self, pages: dict[int, _Page]) -> None:
        value = encode(_Pages(pages, self.desk.clock()))
        self.desk.store.put(Shelf.STATE, _PAGES, value)

    def _keep(self, page: OwedPage, after: int) -> None:
        """The page; what was here of its range and is not in it is owed no more. A crash before
        its digest is kept brings the same page once more."""
        store = self.desk.store
        shown = {one.id for one in page.requests}
        kept = {one.id: one for one in self.all()}
        gone = [
            one.id
            for one in kept.values()
            if after < one.seq and (one.seq <= page.next or not page.more) and one.id not in shown
        ]
        with store.transaction():
            for bulletin in gone:
                store.remove(Shelf.OWED, bytes.fromhex(bulletin))
            for one in page.requests:
                if kept.get(one.id) != one:
                    self._put(one)

    def _put(self, one: OpenRequest) -> None:
        """Under the key of its bulletin's day; what is past that by every clock is not kept."""
        name = bytes.fromhex(one.id)
        kept = KeptDays(self.desk).find(name)
        day = one.header.retain_until if kept is None else kept.under
        if kept is not None or day > self.desk.clock() // DAY_MS:
            self.desk.store.put(Shelf.OWED, name, msgspec.json.encode(one), day)


_requests: Final = json_decoder(OpenRequest)


def _request(value: bytes) -> OpenRequest:
    return _requests.decode(value)


def _checked_page(found: Json, after: int) -> OwedPage:
    """A page goes forward, or it is the last one; raises OperatorError `node_answer`."""
    page = convert(checked(OwedPage, found), OwedPage)
    places = [after, *(one.seq for one in page.requests)]
    if (
        places != sorted(set(places))
        or page.next < places[-1]
        or (page.more and page.next == after)
    ):
        raise malformed("the node's pages of what is owed do not go forward")
    return page


def _told(page: OwedPage, found: Json) -> _Page:
    """The node's digest is of its own bytes, which are these: JSON of what was just parsed."""
    return _Page(page.next, page.more, sha256(msgspec.json.encode(found)))
