"""From a form to what is composed, and what of that the broker sees. Pure but for the desk's
store."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from saphan_protocol.content import ciphertext_length
from saphan_schemas.body_types import BodyType
from saphan_schemas.records import Header

from saphan.compose import Draft, compose
from saphan.corridors import allowed
from saphan.desk.desk import Desk
from saphan.desk.drafts import Written
from saphan.desk.form_drafts import FormDraft
from saphan.desk.inbox import Inbox
from saphan.desk.types import DeskTypes
from saphan.web.writing.forms.model import with_recipients
from saphan.web.writing.forms.wish import wish_of

Json = dict[str, Any]
NONCE: Final = bytes(16)
"""Of a preview; the one that is signed has fresh random bytes there."""
SIGNED_BYTES: Final = 3_460
"""Of one officer's signature and the frame around inner and content (`Sealed`)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the broker sees of a bulletin.

    Args:
        content_bytes: of the sealed content, after padding; files: of each sealed attachment.
    """

    header: Header
    content_bytes: int
    files: tuple[int, ...]

    @property
    def total(self) -> int:
        """Bytes of everything sealed."""
        return self.content_bytes + sum(self.files)


def described(form: FormDraft) -> list[dict[str, str]]:
    """Its attachments as the content describes them."""
    return [
        {"media_type": one.media_type, "name": one.name, "role": one.role}
        for one in form.attachments
    ]


def written(form: FormDraft, kind: BodyType) -> Written:
    """What would be signed, as `Outbox.queue` takes it; wrong where the form is wrong."""
    wish = wish_of(kind, with_recipients(form.answers, form.to)) | {"to": list(form.to)}
    if form.answer_by is not None:
        wish["answer_by"] = form.answer_by
    data = json.dumps(wish, ensure_ascii=False, separators=(",", ":")).encode()
    return Written(data, (), form.attachments)


def composed(desk: Desk, form: FormDraft) -> Draft:
    """The bulletin as it would be sealed now; nothing is signed.

    Raises:
        InvalidInput: what `compose` and `parse_wish` raise: the form is not finished, or wrong.
    """
    types = DeskTypes(desk).all()
    wish, now = written(form, types.get(form.schema)).wish(), desk.clock()
    corridors, me = Inbox(desk).corridors(), desk.me.agency
    by = allowed(corridors, me, wish.to, wish.schema, now)
    return compose(wish, sender=me, now=now, nonce=NONCE, allowed=by, types=types)


def seen(desk: Desk, draft: Draft) -> Seen:
    """What everybody on the way sees of it: the header, and lengths after padding."""
    inner = draft.inner(desk.me.handle, desk.key.key_id)
    sealed = ciphertext_length(SIGNED_BYTES + len(inner) + len(draft.content))
    files = tuple(ciphertext_length(one.blob.length) for one in draft.attachments)
    return Seen(draft.header, sealed, files)
