"""From stanza to verdict: open, check author and schema, keep the key (design 4, step 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from saphan_protocol.batch import VerifiedRoots
from saphan_protocol.delivery import REJECTION_CODES
from saphan_protocol.detail import TEXT_BYTES, seal_detail
from saphan_protocol.directory import Directory
from saphan_protocol.opening import Opened, open_bulletin
from saphan_protocol.stanza import open_stanza
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput, Refused, SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Blobs, Event, Header, SealedDetail
from saphan_schemas.validation import validate_content

from saphan.node.archive import Archive
from saphan.node.files.attachments import check_received
from saphan.node.files.blobs import BlobFiles
from saphan.node.logs import Logs
from saphan.node.own_schemas import OwnSchemas
from saphan.node.threads.book import ThreadBook
from saphan.node.trust.mailboxes import Mailboxes
from saphan.node.verdict import Verdict as Verdict

WAITS: Final = "schema_unknown"
"""Code of a delivery that cannot be judged yet: an agency's own type has not come, or this program
is too old for one of ours. It answers when that is over, and never rejects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A received bulletin, as stored."""

    id: bytes
    header: bytes
    header_id: bytes
    ciphertext: bytes
    digest: bytes
    judged_at: int | None
    attachments: Blobs = ()


class Judge:
    """Opens what this agency received.

    Args:
        directory: replayed; authors are judged at the bulletin's first admission.
        files: received attachments, sealed; threads: what bulletins may say of others;
        own: types that agencies have registered.
    """

    def __init__(
        self,
        agency: str,
        archive: Archive,
        mailboxes: Mailboxes,
        directory: Directory,
        files: BlobFiles,
        threads: ThreadBook,
        own: OwnSchemas,
    ) -> None:
        self._own = own
        self._threads = threads
        self._agency = agency
        self._archive = archive
        self._mailboxes = mailboxes
        self._directory = directory
        self._files = files
        self._verified = VerifiedRoots()

    def judge(self, bulletin: Received, stanza: bytes, mailbox_key: bytes) -> Verdict:
        """Open with a stanza; the content key is durable under its archive key before an answer.

        Raises:
            OperatorError: the archive key cannot be written, `attachment_damaged`; nothing was
                answered.
        """
        key = self._mailboxes.get(mailbox_key)
        if key is None:
            return Verdict(Event.UNOPENED, "mailbox_key_gone")
        try:
            content_key = open_stanza(stanza, key, bulletin.id, self._agency)
        except InvalidInput:
            return Verdict(Event.UNOPENED, "stanza_unopenable")
        return self.judge_content(bulletin, content_key)

    def judge_content(self, bulletin: Received, content_key: bytes) -> Verdict:
        """Judge with the content key at hand."""
        header = decode(Header, bulletin.header, LIMITS.header_bytes, "header")
        try:
            opened = self._open(bulletin, header, content_key)
        except (InvalidInput, Refused) as error:
            if error.code == "ciphertext_invalid":
                return Verdict(Event.UNOPENED, error.code)
            return self._rejected(error, None)
        author = self._archive.seal_author(opened.inner.author, bulletin.id, header.retain_until)
        try:
            validate_content(header, opened.content, self._own.types)
            self._check_attachments(bulletin, content_key, opened)
            words = self._threads.received(header, opened.content, bulletin.id)
        except InvalidInput as error:
            if error.code == WAITS:
                wrapped = self._archive.wrap(content_key, bulletin.id, header.retain_until)
                return Verdict(None, WAITS, wrapped=wrapped, author=author)
            return self._rejected(error, author)
        wrapped = self._archive.wrap(content_key, bulletin.id, header.retain_until)
        return Verdict(Event.ACCEPTED, wrapped=wrapped, author=author, words=words)

    def _open(self, bulletin: Received, header: Header, content_key: bytes) -> Opened:
        """Judged by its place in the log; and by what was bound by hand, which the log withholds:
        nobody can say then whether it was signed before or after."""
        opened = open_bulletin(
            content_key,
            header,
            bulletin.header_id,
            bulletin.ciphertext,
            self._directory,
            bulletin.judged_at,
            self._verified,
            attachments=bulletin.attachments,
        )
        for key in opened.authors:
            if self._directory.is_bound(key.key_id):
                raise Refused(
                    "author_revoked",
                    f"{key.agency} has revoked the author's key by hand; the log is behind",
                    field="inner.author_key",
                )
        return opened

    def _check_attachments(self, bulletin: Received, content_key: bytes, opened: Opened) -> None:
        check_received(
            self._files,
            bulletin.id,
            content_key,
            bulletin.header_id,
            bulletin.attachments,
            opened.inner.attachments,
            opened.content["attachments"],
        )

    @staticmethod
    def _rejected(error: SaphanError, author: bytes | None) -> Verdict:
        code = error.code if error.code in REJECTION_CODES else "content_malformed"
        return Verdict(Event.REJECTED, code, reason=str(error), author=author)


def seal_reason(
    logs: Logs, agency: str, bulletin: bytes, sender: str, reason: str | None, now: int
) -> SealedDetail | None:
    """Why a bulletin was rejected, for its originator alone; without a mailbox the code must do."""
    if reason is None:
        return None
    text = reason.encode()[:TEXT_BYTES].decode(errors="ignore")
    try:
        with logs.lock:
            box = logs.directory.mailbox(sender, now)
        return seal_detail(text, bulletin, agency, box.key_id, box.public)
    except SaphanError:
        return None
