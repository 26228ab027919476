"""What of this node's bulletins a caller of the local API sees, sends and hears of.

What a caller is not shown does not exist for them: it is unknown, and no event names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from saphan_schemas.codec import decode
from saphan_schemas.errors import Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Header

from saphan.node.callers import Caller, Keeper, Officer, System
from saphan.node.events import DIRECTORY, NOTICE, Event
from saphan.node.officers.readings import SYSTEM
from saphan.node.officers.showings import LISTED, STATUS
from saphan.node.service import NodeService
from saphan.threads.addressing import named_original, recipients_for

Json = dict[str, Any]
GENERAL: Final = frozenset({"line", "settings", "lagged", DIRECTORY})
"""Types of events that concern everybody and name no bulletin."""
SEARCHED: Final = 20 * LIMITS.api_page_items
"""Rows looked at for one page, when much is hidden from the caller."""


@dataclass(frozen=True, slots=True)
class View:
    """One caller's view; its methods block, none of them belongs on the event loop."""

    service: NodeService
    caller: Caller

    def sees(self, bulletin: bytes) -> bool:
        """Whether the caller is shown this bulletin."""
        return self._all or self._sight()(bulletin)

    def resolve(self, text: str) -> bytes:
        """The bulletin whose id begins so.

        Raises:
            InvalidInput: `id_malformed`, `bulletin_unknown`, `id_ambiguous`.
        """
        return self.service.bulletins.resolve(text, None if self._all else self._sight())

    def status(self, text: str) -> Json:
        """One bulletin's life; that an officer was shown it is a record.

        Raises:
            InvalidInput: as `resolve`. OperatorError: the disk.
        """
        found = self.resolve(text)
        self._note(STATUS, [found])
        return self.service.bulletins.status(found, self._shows())

    def thread(self, text: str) -> Json:
        """All that belongs to one bulletin, as far as the caller is shown it; a record of each.

        Raises:
            InvalidInput: as `resolve`. OperatorError: the disk.
        """
        found = self.service.bulletins.threads.thread(self.resolve(text), self._shows())
        self._note(STATUS, [bytes.fromhex(row["id"]) for row in found["bulletins"]])
        return found

    def follow(self, about: Mapping[str, Any]) -> tuple[str, ...]:
        """T10: recipients by what a wish corrects or answers; none if it names nothing shown.

        Raises:
            InvalidInput: as `resolve`.
        """
        named = named_original(about)
        if named is None:
            return ()
        kind, bulletin = named
        found = self.service.outbox.threads.held(self.resolve(bulletin))
        if found is None:
            return ()
        return recipients_for(kind, self.service.agency, found.sender, found.recipients)

    def inbox(self, after: int, limit: int) -> Json:
        """Accepted bulletins; `next` is the place to go on from, `more` whether there is more."""
        look = partial(self.service.bulletins.inbox, shows=self._shows())
        return self._page(look, after, limit)

    def sent(self, after: int, limit: int) -> Json:
        """This agency's own bulletins, in the same form."""
        return self._page(self.service.bulletins.sent, after, limit)

    def reader(self) -> bytes | None:
        """Whose reading of a bulletin opens its attachments; None: anybody's of this agency."""
        match self.caller:
            case Keeper():
                return None
            case System(name=name):
                return system_reader(name)
            case Officer(key=key):
                return key

    @property
    def officer(self) -> str | None:
        """Handle of the officer who asks."""
        return self.caller.handle if isinstance(self.caller, Officer) else None

    def told(self, event: Event) -> Event | None:
        """An event as the caller is told of it; None: it is nothing for them."""
        if isinstance(self.caller, Keeper):
            return event
        if "officers" in event:
            event, named = _without_others(event, self.officer)
            if not named:
                return None
        if event["type"] in GENERAL:
            return event
        # A draft has no id yet: its officers are named, or it is told to nobody.
        about = event.get("id")
        if about is None:
            return event if "officers" in event else None
        return event if self.sees(bytes.fromhex(about)) else None

    # --- inside -----------------------------------------------------------------------------------

    @property
    def _all(self) -> bool:
        match self.caller:
            case Keeper() | System(schemas=None):
                return True
            case _:
                return False

    def _shows(self) -> Callable[[bytes], bool]:
        """The same for all bulletins of one answer."""
        return (lambda _: True) if self._all else self._sight()

    def _sight(self) -> Callable[[bytes], bool]:
        """Judges one bulletin after the other, under the settings of this moment."""
        match self.caller:
            case Officer(handle=handle):
                return self.service.clearance.viewer(handle).shows
            case System(schemas=schemas) if schemas is not None:
                return partial(self._typed, schemas)
        return lambda _: True

    def _typed(self, schemas: frozenset[str], bulletin: bytes) -> bool:
        found = self.service.bulletins.known(bulletin)
        if found is None:
            return False
        return decode(Header, found.header, LIMITS.header_bytes, "header").schema in schemas

    def _page(self, look: Callable[[int, int], list[Json]], after: int, limit: int) -> Json:
        rows: list[Json] = []
        looked, sight = 0, self._sight()
        while True:
            page = look(after, limit)
            for row in page:
                if len(rows) == limit:
                    return self._listed(rows, after, more=True)
                after = row["seq"]
                if sight(bytes.fromhex(row["id"])):
                    rows.append(row)
            looked += len(page)
            if len(page) < limit or looked >= SEARCHED:
                return self._listed(rows, after, more=len(page) == limit)

    def _listed(self, rows: list[Json], after: int, *, more: bool) -> Json:
        self._note(LISTED, [bytes.fromhex(row["id"]) for row in rows])
        return {"bulletins": rows, "next": after, "more": more}

    def _note(self, kind: str, bulletins: Sequence[bytes]) -> None:
        """What an officer is shown is on record before they see it."""
        if isinstance(self.caller, Officer):
            self.service.showings.note(self.caller.handle, kind, bulletins)


def _without_others(event: Event, handle: str | None) -> tuple[Event, bool]:
    """An event that names officers, as the one who asks may see it; whether it is for them.

    Which officers are told of a bulletin is nothing for programs; that somebody is, may be.
    """
    if handle is None:
        rest = {name: value for name, value in event.items() if name != "officers"}
        return rest, event["type"] == NOTICE
    return {**event, "officers": [handle]}, handle in event["officers"]


def system_reader(name: str | None) -> bytes:
    """Reader of a reading by a system; None: by whoever holds the keeper's token."""
    return SYSTEM if name is None else SYSTEM + b":" + name.encode()


def check_schema(caller: Caller, schema: str) -> None:
    """Refuse a body type that is not this system's to send.

    Raises:
        Refused: `token_scope`.
    """
    if isinstance(caller, System) and caller.schemas is not None and schema not in caller.schemas:
        raise Refused(
            "token_scope",
            f"{caller.label} may not send {schema[:80]}",
            field="schema",
            hint="the node's keeper says what a system may send: saphan token list",
        )


def check_officer(caller: Caller, handle: str | None, key: bytes, field: str) -> None:
    """Refuse a record that another officer has signed than the one whose token came with it.

    Raises:
        Refused: `token_scope`.
    """
    if isinstance(caller, Officer) and (handle, key) != (caller.handle, caller.key):
        raise Refused(
            "token_scope",
            f"{caller.label} brings a record of another officer, or signed by another key",
            field=field,
            hint="every officer has a token of their own, made for their newest key",
        )
