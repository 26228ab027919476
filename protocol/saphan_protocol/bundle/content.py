"""What the bulletin says, opened with a disclosed key, and whether its authors signed it (V17)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from saphan_schemas.body_types import BodyTypes
from saphan_schemas.errors import InvalidInput, SaphanError
from saphan_schemas.text import check_texts
from saphan_schemas.validation import validate_content

from saphan_protocol.attachment import AttachmentOpener
from saphan_protocol.bundle.facts import AttachmentSeen, ContentSeen
from saphan_protocol.bundle.judging import Judge
from saphan_protocol.bundle.logs import Logs
from saphan_protocol.bundle.seen import key_seen
from saphan_protocol.bundle.subject import About, Judged
from saphan_protocol.bundle.trail import Trail
from saphan_protocol.directory import OURS
from saphan_protocol.opening import Opened, check_authors, open_bulletin

AttachmentSink = Callable[[int, bytes], None]
"""sink(number from 0, bytes): pieces of an opened attachment; nothing counts before the verdict."""


class Content:
    """Opens the ciphertext, then attachments.

    Args:
        judged: every entry; at the first consignment's place authors' keys are judged.
        rejected: codes with which recipients have rejected the bulletin. Content that is wrong in
            that way is what the rejection says: a gap, where any other fault makes the bundle
            invalid.
        types: ours, and the agency's own that the bundle brings.
    """

    def __init__(
        self,
        key: bytes,
        about: About,
        judged: list[Judged],
        rejected: frozenset[str],
        logs: Logs,
        judge: Judge,
        known_types: Mapping[str, bytes],
        types: BodyTypes,
        trail: Trail,
    ) -> None:
        self._key = key
        self._about = about
        self._first = next(one for one in judged if one.logged is about.first)
        self._rejected = rejected
        self._logs = logs
        self._judge = judge
        self._known = known_types
        self._types = types
        self._trail = trail
        self._opened: Opened | None = None
        self._checked = False
        self._files: set[int] = set()

    def open(self, ciphertext: bytes) -> None:
        """The ciphertext is here: open it, judge its authors and its form.

        Raises:
            InvalidInput, Refused: what `open_bulletin` and `validate_content` raise, unless a
                recipient has rejected it with that code.
        """
        try:
            opened = self._open(ciphertext)
            self._check_form(opened)
        except SaphanError as error:
            self.forgive(error)
        else:
            self._opened = opened

    def opener(self, number: int, sink: AttachmentSink | None) -> FileOpener | None:
        """What opens an attachment; None while the content is not open."""
        opened = self._opened
        if opened is None:
            return None
        plain = opened.inner.attachments[number]
        inside = AttachmentOpener(self._key, self._about.header_id, number, plain)
        return FileOpener(number, inside, self, sink)

    def forgive(self, error: SaphanError) -> None:
        """A fault for which a recipient has rejected the bulletin is a gap; any other is raised."""
        if error.code not in self._rejected:
            raise error
        self._trail.gap("content_faulty", code=error.code)

    def file_opened(self, number: int) -> None:
        """Attachment `number` is what the author signed."""
        self._files.add(number)

    def seen(self) -> ContentSeen | None:
        """What was opened; None if it could not be, which is a gap."""
        opened = self._opened
        if opened is None:
            if not any(gap.code == "content_faulty" for gap in self._trail.gaps):
                self._trail.gap("content_unopened")
            return None
        directory = self._logs.directory
        return ContentSeen(
            content=opened.content,
            content_bytes=opened.content_bytes,
            authors=tuple(key_seen(directory, author.key_id) for author in opened.authors),
            schema_checked=self._checked,
            attachments=self._attachments(opened),
        )

    def _open(self, ciphertext: bytes) -> Opened:
        about = self._about
        bracket, directory = self._first.bracket, self._logs.directory
        opened = open_bulletin(
            self._key,
            about.header,
            about.header_id,
            ciphertext,
            directory,
            bracket.first,
            self._judge.verified,
            attachments=about.first.shown.attachments,
        )
        self._judge.at_each(
            self._first.logged,
            bracket,
            lambda facts: check_authors(
                opened.inner,
                opened.inner_bytes,
                opened.signatures,
                about.header.sender,
                directory,
                facts.at,
                facts.verified,
            ),
        )
        return opened

    def _check_form(self, opened: Opened) -> None:
        header = self._about.header
        ours = self._known.get(header.schema) == header.schema_digest
        own = header.schema in self._types and not header.schema.startswith(OURS)
        if not (ours or own):
            check_texts(opened.content)  # a rule of every type
            self._trail.gap("schema_unknown", names=header.schema)
            return
        validate_content(header, opened.content, self._types)
        self._checked = True

    def _attachments(self, opened: Opened) -> tuple[AttachmentSeen, ...]:
        listed = opened.content.get("attachments")
        described = listed if isinstance(listed, list) else []
        return tuple(
            AttachmentSeen(
                name=_text(described, number, "name"),
                media_type=_text(described, number, "media_type"),
                plain=plain,
                opened=number in self._files,
            )
            for number, plain in enumerate(opened.inner.attachments)
        )


class FileOpener:
    """Opens one attachment piece by piece; a fault is told at the end, after the digest's (V16)."""

    def __init__(
        self, number: int, inside: AttachmentOpener, content: Content, sink: AttachmentSink | None
    ) -> None:
        self._number = number
        self._inside = inside
        self._content = content
        self._sink = sink
        self._fault: InvalidInput | None = None

    def take(self, data: bytes) -> None:
        """More sealed bytes."""
        self._run(lambda: self._inside.update(data))

    def finish(self) -> None:
        """The last sealed byte has come, and all are those that the id covers.

        Raises:
            InvalidInput: as `AttachmentOpener`, unless a recipient has rejected it so.
        """
        self._run(self._inside.finish)
        if self._fault is None:
            self._content.file_opened(self._number)
        else:
            self._content.forgive(self._fault)

    def _run(self, work: Callable[[], bytes]) -> None:
        if self._fault is not None:
            return
        try:
            plain = work()
        except InvalidInput as error:
            self._fault = error
            return
        if plain and self._sink is not None:
            self._sink(self._number, plain)


def _text(described: list[object], number: int, name: str) -> str:
    """A text of an attachment's description; content that no schema vouches for may lack it."""
    one = described[number] if number < len(described) else None
    found = one.get(name) if isinstance(one, dict) else None
    return found if isinstance(found, str) else ""
