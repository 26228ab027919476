"""Attachments of forms: their bytes are kept by `Files`, their names and roles stand in the form.

Adding or taking one off leaves the form's version alone: another window goes on with its answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from saphan_schemas.attachments import NAME_CHARS, safe_name
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS

from saphan.desk.desk import Desk
from saphan.desk.files import AttachedFile, Files, upload_name
from saphan.desk.form_drafts import FormDraft, FormDrafts


@dataclass(frozen=True, slots=True)
class FormFiles:
    """The attachments of one desk's forms."""

    desk: Desk

    @property
    def _forms(self) -> FormDrafts:
        return FormDrafts(self.desk)

    def attach(self, number: int, files: tuple[AttachedFile, ...]) -> FormDraft:
        """Add files whose bytes are kept here already; other windows go on with their answers.

        Raises:
            InvalidInput: `draft_unknown`, `attachments_too_large`; Refused: `draft_queued`.
        """
        with self.desk.store.transaction():
            form = self._forms.editable(number)
            together = _told_apart((*form.attachments, *files))
            check_attached(together)
            return self._forms.change(
                msgspec.structs.replace(form, attachments=together), version=0
            )

    def set_role(self, number: int, digest: bytes, role: str) -> FormDraft:
        """Say of an attachment what it is; raises as `attach`."""
        with self.desk.store.transaction():
            form = self._forms.editable(number)
            files = tuple(
                msgspec.structs.replace(one, role=role) if one.blob.digest == digest else one
                for one in form.attachments
            )
            return self._forms.change(msgspec.structs.replace(form, attachments=files), version=0)

    def detach(self, number: int, digest: bytes) -> FormDraft:
        """Take a file off; its bytes go with `Outbox.drop_files`; raises as `attach`."""
        with self.desk.store.transaction():
            form = self._forms.editable(number)
            files = tuple(one for one in form.attachments if one.blob.digest != digest)
            return self._forms.change(msgspec.structs.replace(form, attachments=files), version=0)

    def lacking(self, form: FormDraft) -> list[AttachedFile]:
        """Files that are named and whose bytes are not here."""
        files = Files(self.desk)
        return [one for one in form.attachments if not files.has(upload_name(one.blob), one.blob)]


def check_attached(files: tuple[AttachedFile, ...]) -> None:
    """Refuse too many files, or too much of them.

    Raises:
        InvalidInput: `attachments_too_large`.
    """
    total = sum(one.blob.length for one in files)
    if len(files) > LIMITS.attachments or total > LIMITS.attachments_bytes:
        raise InvalidInput(
            "attachments_too_large",
            f"{len(files)} attachments have {total} bytes together",
            field="attachments",
            hint=f"at most {LIMITS.attachments} with {LIMITS.attachments_bytes} bytes together are "
            "taken; send several bulletins",
        )


def _told_apart(files: tuple[AttachedFile, ...]) -> tuple[AttachedFile, ...]:
    """Each file once, each with a name of its own."""
    found: dict[bytes, AttachedFile] = {}
    for one in files:
        found.setdefault(one.blob.digest, one)
    taken: set[str] = set()
    apart: list[AttachedFile] = []
    for one in found.values():
        name, n = one.name, 1
        while name.casefold() in taken:
            n += 1
            stem, _, ending = one.name.rpartition(".")
            name = safe_name(f"{stem[: NAME_CHARS // 2]}-{n}.{ending}", one.media_type)
        taken.add(name.casefold())
        apart.append(msgspec.structs.replace(one, name=name))
    return tuple(apart)
