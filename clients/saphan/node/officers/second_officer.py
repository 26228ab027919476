"""What waits for a second officer, as desks and the local API show it and take it.

Countersigning decides; here its answers are put on record before they leave, turned into JSON, and
told to whoever listens.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from saphan_protocol.content import ciphertext_length
from saphan_schemas.codec import decode, decode_content
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Inner

from saphan.base64_text import text_of
from saphan.header_json import header_json
from saphan.node.drafts_kept import SIGNED, WAITING, DraftsKept, Kept, KeptDraft, unknown
from saphan.node.engine import Engine
from saphan.node.events import COUNTERSIGN, Events
from saphan.node.files.attachments import Shown
from saphan.node.files.blobs import require_length
from saphan.node.kept_anyway import looked_for
from saphan.node.officers.countersigning import Countersigning, Left
from saphan.node.officers.readings import Readings
from saphan.node.officers.showings import ATTACHMENT, DRAFT, Showings
from saphan.node.prepared import Prepared, Waiting
from saphan.node.restored import Restored
from saphan.node.wire.line import Line

Json = dict[str, Any]
FIRST_DIGITS: Final = 8


@dataclass(frozen=True, slots=True)
class SecondOfficer:
    """The countersigning of a running node."""

    engine: Engine
    line: Line
    events: Events
    countersigning: Countersigning
    drafts: DraftsKept
    readings: Readings
    showings: Showings
    restored: Restored

    async def judge(self, prepared: Prepared) -> Waiting | None:
        """Keep what needs a second officer; None: it is sent as it is.

        Raises:
            SaphanError: what `Countersigning.judge` raises.
        """
        waiting = await self.engine.in_sealing(partial(self.countersigning.judge, prepared))
        if waiting is not None and waiting.new:
            await self._tell(waiting.draft, WAITING)
        return waiting

    async def listed(self, handle: str | None, *, proven: bool = True) -> list[Json]:
        """What waits: for an officer what they may sign and what they wrote; None: all of it.

        Args:
            proven: this officer asks; else the keeper does, and it is no showing to the officer.
        """
        return await self.engine.in_sealing(partial(self._listed, handle, proven))

    async def read(self, draft: bytes, record: bytes, signature: bytes) -> Json:
        """What one says, for an officer who has signed that they read it; with the exact bytes,
        so that they sign what they saw.

        Raises:
            InvalidInput: `countersign_unknown`; what `Readings.check` raises.
            Unavailable: `catching_up`: of a node that was restored, whose officers may have left.
        """
        return await self.engine.in_sealing(partial(self._read, draft, record, signature))

    async def attachment(
        self, handle: str, draft: bytes, number: int, *, proven: bool = True
    ) -> Shown:
        """An attachment, for an officer who has read what it belongs to.

        Args:
            proven: as for `listed`.

        Raises:
            InvalidInput: `countersign_unknown`, `attachment_unknown`.
            OperatorError: `attachment_damaged`. Unavailable: `catching_up`.
        """
        return await self.engine.in_sealing(
            partial(self._attachment, handle, draft, number, proven)
        )

    async def sign(self, draft: bytes, signature: bytes) -> bytes:
        """The bulletin's id, once it is sealed and durable under both signatures.

        Raises:
            SaphanError: what `Countersigning.sign` raises. Unavailable: `catching_up`.
        """
        with looked_for(partial(self.line.offer, None)):
            left: Left = await self.engine.in_sealing(partial(self._sign, draft, signature))
        self.line.offer(left.portion)
        await self._tell(draft, SIGNED)
        return left.bulletin

    async def refuse(self, draft: bytes, record: bytes, signature: bytes) -> str:
        """The state in which it is then, for good: refused, or withdrawn by its author.

        Raises:
            SaphanError: what `Countersigning.refuse` raises.
        """
        state = await self.engine.in_sealing(partial(self._refuse, draft, record, signature))
        await self._tell(draft, state)
        return state

    async def resolve(self, text: str, handle: str | None = None) -> bytes:
        """The one that waits, or has waited, whose id begins so.

        Args:
            handle: of the officer who asks: what does not concern them is no candidate.

        Raises:
            InvalidInput: `countersign_unknown`, `id_ambiguous`, `id_malformed`.
        """
        return await self.engine.in_reading(partial(self._resolve, text, handle))

    def shows(self, handle: str, draft: bytes) -> bool | None:
        """Whether an officer is shown it at this moment; None: there is none of this name.

        Blocking."""
        one = self.drafts.find(draft)
        return None if one is None else self.countersigning.concerns(handle, one)

    # --- blocking ---------------------------------------------------------------------------------

    def _listed(self, handle: str | None, proven: bool) -> list[Json]:
        if handle is None:
            return [_row(one, one.author) for one in self.countersigning.waiting()]
        found = self.countersigning.listed(handle)
        if proven:
            self.showings.note(handle, DRAFT, [one.id for one, _, _ in found])
        return [_row(one, author) | {"may_sign": may} for one, author, may in found]

    def _sign(self, draft: bytes, signature: bytes) -> Left:
        self.restored.require_heard()
        return self.countersigning.sign(draft, signature)

    def _refuse(self, draft: bytes, record: bytes, signature: bytes) -> str:
        self.restored.require_heard()
        return self.countersigning.refuse(draft, record, signature)

    def _read(self, draft: bytes, record: bytes, signature: bytes) -> Json:
        self.restored.require_heard()
        said = self.readings.check(draft, record, signature)
        one, kept = self.countersigning.open_for(said.handle, draft)
        self.showings.read(said.handle, draft, record, signature)
        return _content(one, kept)

    def _attachment(self, handle: str, draft: bytes, number: int, proven: bool) -> Shown:
        self.restored.require_heard()
        one, kept = self.countersigning.open_for(handle, draft)
        self.countersigning.require_read(handle, draft)
        inner, described = _inner(kept), _described(kept)
        if not 1 <= number <= len(described):
            raise InvalidInput(
                "attachment_unknown",
                f"the bulletin has {len(described)} attachments",
                field="number",
                hint="their numbers stand in the bulletin, from 1",
            )
        blob = inner.attachments[number - 1]
        path = self.drafts.folder(draft) / str(number)
        require_length(path, ciphertext_length(blob.length))
        if proven:
            self.showings.note(handle, ATTACHMENT, [draft])
        return Shown(
            name=described[number - 1]["name"],
            media_type=described[number - 1]["media_type"],
            blob=blob,
            path=path,
            place=number - 1,
            header_id=one.id,
            content_key=kept.content_key,
        )

    def _resolve(self, text: str, handle: str | None) -> bytes:
        if not FIRST_DIGITS <= len(text) <= 64 or set(text) - set("0123456789abcdef"):
            raise InvalidInput(
                "id_malformed", "an id is 64 hexadecimal digits; its first 8 or more will do",
                field="id", hint="list what waits: saphan countersign list",
            )  # fmt: skip
        found = [
            one.id
            for one in self.drafts.alike(text)
            if handle is None or self.countersigning.concerns(handle, one)
        ]
        if len(found) > 1:
            raise InvalidInput(
                "id_ambiguous", f"more than one id begins with {text}", field="id",
                hint="give more digits",
            )  # fmt: skip
        if not found:
            raise unknown()
        return found[0]

    async def _tell(self, draft: bytes, state: str) -> None:
        """Listeners hear of it, and the desks of those whom it concerns."""
        concerned = await self.engine.in_reading(partial(self._concerned, draft))
        self.events.publish(
            [{"type": COUNTERSIGN, "draft": draft.hex(), "state": state, "officers": concerned}]
        )

    def _concerned(self, draft: bytes) -> list[str]:
        one = self.drafts.get(draft)
        author = [] if one.author is None else [one.author]
        return sorted(author + (self.countersigning.signers(one) if one.state == WAITING else []))


def _row(one: KeptDraft, author: str | None) -> Json:
    return {
        "id": one.id.hex(),
        "author": author,
        "state": one.state,
        "stored": one.stored,
        **header_json(one.header_bytes),
    }


def _content(one: KeptDraft, kept: Kept) -> Json:
    inner, described = _inner(kept), _described(kept)
    exact = {"header": one.header_bytes, "inner": kept.inner, "content": kept.content}
    return {
        "id": one.id.hex(),
        "header": header_json(one.header_bytes),
        "author": one.author,
        "content": decode_content(kept.content, LIMITS.content_bytes),
        "attachments": [
            {"number": number, **each, "length": blob.length, "sha256": blob.digest.hex()}
            for number, (each, blob) in enumerate(zip(described, inner.attachments, strict=True), 1)
        ],
        "exact": {name: text_of(data) for name, data in exact.items()},
    }


def _inner(kept: Kept) -> Inner:
    return decode(Inner, kept.inner, LIMITS.statement_bytes, "inner")


def _described(kept: Kept) -> list[dict[str, str]]:
    found: list[dict[str, str]] = decode_content(kept.content, LIMITS.content_bytes)["attachments"]
    return found
