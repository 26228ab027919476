"""Drafts that are forms: answers as far as they were given, also wrong ones, kept sealed at the
desk.

1. A form keeps its number for its life. Queued, it stays beside the bulletin in the outbox that has
   the same number; sent, it goes; refused or withdrawn, it is a form again, with the reason.
2. Each save names the version that it began from. What was saved meanwhile in another window is
   never written over: the later one is refused, and can be kept as a form of its own.
3. Nothing of a form is judged here: a draft may be wrong, what is queued may not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta
from saphan_protocol.identity import sha256
from saphan_schemas.codec import Record, decode, encode
from saphan_schemas.errors import InvalidInput, Refused, SaphanError
from saphan_schemas.limits import LIMITS

from saphan.desk.desk import Desk, number_name
from saphan.desk.files import AttachedFile
from saphan.desk.store import ROW_BYTES, Shelf
from saphan.form.question import Answers as Answers

RelationKind = Literal["in_reply_to", "corrects", "supersedes"]
CONFLICT: Final = "form_draft_changed"


class Follows(Record, frozen=True):
    """The bulletin that a form answers, or whose place it takes; `id` has 64 hex digits."""

    kind: RelationKind
    id: str


class FormDraft(Record, frozen=True):
    """A form.

    Args:
        version: from 1; each change of answers, recipients or deadline makes it one more.
        to: agency ids, as they were chosen.
        answers: by pointer, in the order in which they were given; see `form.question.Answers`.
        lang: the officer's language when it was begun.
        saved: ms UTC; answer_by: ms UTC.
        code, message, field: why the node refused it when it was sent.
    """

    number: int
    version: int
    schema: str
    to: tuple[str, ...]
    answers: Annotated[Answers, Meta(max_length=LIMITS.form_answers)]
    attachments: tuple[AttachedFile, ...]
    follows: Follows | None
    lang: str
    saved: int
    answer_by: int | None = None
    code: str | None = None
    message: str | None = None
    field: str | None = None

    @property
    def digest(self) -> str:
        """Of all that would be sent: what was previewed is what is signed; 64 hex digits."""
        said = (self.schema, self.to, self.answers, self.attachments, self.answer_by)
        return sha256(encode(said)).hex()


@dataclass(frozen=True, slots=True)
class FormDrafts:
    """The forms of one desk; every method that changes one is durable when it returns."""

    desk: Desk

    # --- one form ---------------------------------------------------------------------------------

    def begin(
        self,
        schema: str,
        to: tuple[str, ...],
        lang: str,
        *,
        answers: Answers | None = None,
        follows: Follows | None = None,
        attachments: tuple[AttachedFile, ...] = (),
        answer_by: int | None = None,
    ) -> FormDraft:
        """A new form; `answers` are those that stand there before anybody has typed.

        Raises:
            InvalidInput: `drafts_full`, `too_large`, `malformed`; OperatorError: the disk.
        """
        desk, store = self.desk, self.desk.store
        with store.transaction():
            if store.count(Shelf.FORMS) + store.count(Shelf.DRAFTS) >= LIMITS.desk_drafts:
                raise InvalidInput(
                    "drafts_full",
                    f"this desk keeps {LIMITS.desk_drafts} drafts already",
                    field="draft",
                    hint="remove what is not needed from the list of drafts",
                )
            form = FormDraft(
                number=desk.take_number(),
                version=1,
                schema=schema,
                to=to,
                answers=answers or {},
                attachments=attachments,
                follows=follows,
                lang=lang,
                saved=desk.clock(),
                answer_by=answer_by,
            )
            self._keep(form)
        return form

    def get(self, number: int) -> FormDraft:
        """One form, also of what waits in the outbox.

        Raises:
            InvalidInput: `draft_unknown`.
        """
        form = self.find(number)
        if form is None:
            raise InvalidInput(
                "draft_unknown",
                f"this desk keeps no draft {number}",
                field="draft",
                hint="it was sent or removed; look at the lists of what was sent and of drafts",
            )
        return form

    def find(self, number: int) -> FormDraft | None:
        """The same; None: there is none."""
        value = self.desk.store.get(Shelf.FORMS, number_name(number))
        return None if value is None else _form(value)

    def editable(self, number: int) -> FormDraft:
        """One form that can be changed: not while it waits to be sent.

        Raises:
            InvalidInput: `draft_unknown`; Refused: `draft_queued`.
        """
        form = self.get(number)
        if self.queued(number):
            raise Refused(
                "draft_queued",
                f"draft {number} is signed and waits to be sent",
                field="draft",
                hint="withdraw it first, in the list of what was sent",
            )
        return form

    def queued(self, number: int) -> bool:
        """Whether it is in the outbox, signed."""
        return self.desk.store.has(Shelf.OUTBOX, number_name(number))

    def all(self) -> list[FormDraft]:
        """Every form that does not wait in the outbox, oldest first."""
        return [form for form in self.each() if not self.queued(form.number)]

    def each(self) -> Iterable[FormDraft]:
        """Every form, queued ones too."""
        return [_form(value) for _, value in self.desk.store.all(Shelf.FORMS)]

    # --- writing in it ----------------------------------------------------------------------------

    def save(
        self,
        number: int,
        version: int,
        answers: Answers,
        to: tuple[str, ...] | None = None,
        answer_by: int | None = None,
    ) -> FormDraft:
        """Keep answers, right or wrong; saved again unchanged, nothing happens.

        Args:
            version: that these answers began from; to: None: as before.

        Raises:
            InvalidInput: `draft_unknown`, `too_large`, `malformed`; Refused: `draft_queued`,
                `form_draft_changed`: nothing was kept, and nothing of what is there was lost.
        """
        with self.desk.store.transaction():
            form = self.editable(number)
            wanted = msgspec.structs.replace(
                form, answers=answers, to=form.to if to is None else to, answer_by=answer_by
            )
            if _encoded(wanted) == _encoded(form):
                return form
            if version != form.version:
                raise changed(number)
            if _mended(form, wanted):
                wanted = msgspec.structs.replace(wanted, code=None, message=None, field=None)
            return self.change(wanted)

    def branch(
        self, number: int, answers: Answers, to: tuple[str, ...], answer_by: int | None
    ) -> FormDraft:
        """What another window made impossible to save, as a form of its own; files go along.

        Raises:
            InvalidInput: `draft_unknown`, `drafts_full`, `too_large`, `malformed`.
        """
        form = self.get(number)
        return self.begin(
            form.schema,
            to,
            form.lang,
            answers=answers,
            follows=form.follows,
            attachments=form.attachments,
            answer_by=answer_by,
        )

    def remove(self, number: int) -> FormDraft:
        """Take a form away; gives what it was, for whoever drops its files (`Outbox`).

        Raises:
            InvalidInput: `draft_unknown`; Refused: `draft_queued`.
        """
        with self.desk.store.transaction():
            form = self.editable(number)
            self.desk.store.remove(Shelf.FORMS, number_name(number))
        return form

    # --- the outbox; inside its transactions ------------------------------------------------------

    def take(self, form: FormDraft) -> int:
        """Step 1: it is queued, as it was shown; its number.

        Raises:
            InvalidInput: `draft_unknown`; Refused: `draft_queued`, `form_draft_changed`.
        """
        if self.editable(form.number).digest != form.digest:
            raise changed(form.number)
        return form.number

    def sent(self, number: int) -> None:
        """Step 1: its bulletin has an id."""
        self.desk.store.remove(Shelf.FORMS, number_name(number))

    def back(self, number: int, error: SaphanError | None) -> FormDraft | None:
        """Step 1: what waited is a form again; None: it never was one."""
        form = self.find(number)
        if form is None:
            return None
        code, message, field = (
            (None, None, None) if error is None else (error.code, error.message, error.field)
        )
        return self.change(msgspec.structs.replace(form, code=code, message=message, field=field))

    def change(self, form: FormDraft, version: int = 1) -> FormDraft:
        """Keep what has become of a form; `version` is how many more it is.

        Raises:
            InvalidInput: `too_large`, `malformed`; OperatorError: the disk.
        """
        changed = msgspec.structs.replace(
            form, version=form.version + version, saved=self.desk.clock()
        )
        self._keep(changed)
        return changed

    # --- inside -----------------------------------------------------------------------------------

    def _keep(self, form: FormDraft) -> None:
        self.desk.store.put(Shelf.FORMS, number_name(form.number), _encoded(form))


def form_row(form: FormDraft) -> dict[str, Any]:
    """A form in a list, as `drafts.draft_row` has drafts; without what it says."""
    return {
        "number": form.number,
        "kept": form.saved,
        "to": list(form.to),
        "schema": form.schema,
        "urgency": form.answers.get("/urgency", "routine"),
        "attachments": [one.name for one in form.attachments],
        "code": form.code,
        "message": form.message,
    }


def _mended(before: FormDraft, after: FormDraft) -> bool:
    """Whether something else stands now where the node found a fault."""
    if before.field is None:
        return False
    if not before.field.startswith("/"):
        return before.to != after.to
    one, other = (
        {at: value for at, value in form.answers.items() if f"{at}/".startswith(f"{before.field}/")}
        for form in (before, after)
    )
    return one != other


def _encoded(form: FormDraft) -> bytes:
    """Of what the store takes.

    Raises:
        InvalidInput: `too_large`, `malformed`.
    """
    if len(form.answers) > LIMITS.form_answers:
        raise _too_large(f"{len(form.answers)} answers, at most {LIMITS.form_answers}")
    try:
        value = encode(form)
    except (UnicodeEncodeError, OverflowError):
        raise InvalidInput(
            "malformed",
            "half of a character, or a number that no field holds, stands in an answer",
            field="answers",
            hint="type it again",
        ) from None
    if len(value) > LIMITS.form_draft_bytes:
        raise _too_large(f"{len(value)} bytes, at most {LIMITS.form_draft_bytes}")
    return value


def _form(value: bytes) -> FormDraft:
    return decode(FormDraft, value, ROW_BYTES, "form")


def changed(number: int) -> Refused:
    """Why something about an older look at a form is refused."""
    return Refused(
        CONFLICT,
        f"draft {number} was changed in another window meanwhile",
        field="version",
        hint="keep what is here as a draft of its own, or load the newer one",
    )


def _too_large(what: str) -> InvalidInput:
    return InvalidInput(
        "too_large",
        f"the draft has {what} are kept",
        field="answers",
        hint="shorten it, or attach the long part as a file",
    )
