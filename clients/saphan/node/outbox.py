"""The durable outbox: a bulletin is kept until each recipient's outcome is known (design 4).

What was answered with an id is on disk, sealed and consigned; the line sends it as often as needed.
Work comes in batches: one node signature for all inners, one for all consignments, one transaction.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from saphan_protocol.admission import Facts, admit
from saphan_protocol.batch import SALT_BYTES, VerifiedRoots, sign_batch
from saphan_protocol.directory import KeyInfo
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput, SaphanError
from saphan_schemas.frames import Submission
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import BatchSignature, Blob, Header, Signature, SignatureItem
from saphan_schemas.retention import Keep

from saphan.compose import INNER_TYPE, Draft, Wish, compose
from saphan.corridors import Allowed, together
from saphan.keys.mailbox_schedule import choose
from saphan.node.anew import Delivery, carried, without_waiting
from saphan.node.archive import Archive
from saphan.node.consignments import Ready, bulletin_row, keep_consignments, submission_of
from saphan.node.drafts_kept import keep_left
from saphan.node.files.attachments import seal_uploaded
from saphan.node.files.blobs import BlobFiles
from saphan.node.files.parts import HERE, keep_parts
from saphan.node.files.uploads import Uploads
from saphan.node.logs import Logs
from saphan.node.nonces import check_new, known_nonces
from saphan.node.own_schemas import OwnSchemas
from saphan.node.portions import Portion
from saphan.node.prepared import Outcome as Outcome
from saphan.node.prepared import Prepared as Prepared
from saphan.node.prepared import countersign_needed
from saphan.node.repeats import KEEPERS, Asked, keep_repeats
from saphan.node.rows.db import Database
from saphan.node.rows.deliveries import QUEUED
from saphan.node.rows.schema import KEEP_BODY
from saphan.node.rows.signatures import keep
from saphan.node.sealing import Consigned, SealedBulletin, consign, seal
from saphan.node.threads.book import ThreadBook
from saphan.node.trust.agreed import found
from saphan.node.waiting import SUBMIT_BYTES, bytes_of, cut

NONCE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Submitted:
    """An outcome for each bulletin, and what to send of it; None leaves that to a look."""

    outcomes: list[Outcome]
    portion: Portion[Submission] | None


class Outbox:
    """Seals and keeps what this agency sends. Thread-safe.

    Args:
        key: the node's signing key; clock: ms UTC; files: sealed attachments; uploads: those
            that clients have brought; own: types that agencies have registered; needs_two:
            whether such a bulletin leaves with the signatures of two officers only.
    """

    def __init__(
        self,
        agency: str,
        key: SigningKey,
        db: Database,
        archive: Archive,
        logs: Logs,
        files: BlobFiles,
        uploads: Uploads,
        own: OwnSchemas,
        clock: Callable[[], int],
        needs_two: Callable[[Header], bool] = lambda header: False,
        keep: Callable[[], Mapping[str, Keep]] = dict,
    ) -> None:
        self._keep_months = keep
        self._needs_two = needs_two
        self._agency = agency
        self._key = key
        self._db = db
        self._archive = archive
        self._logs = logs
        self._files = files
        self._uploads = uploads
        self._own = own
        self._clock = clock
        self._verified = VerifiedRoots()
        self.threads = ThreadBook(agency, db, archive, self._carries)

    # --- in ---------------------------------------------------------------------------------------

    def submit_machine(
        self, wishes: Sequence[Wish], askers: Sequence[Asked] | None = None
    ) -> Submitted:
        """Compose, sign as the node, seal and keep; durable when it returns.

        Args:
            askers: for each wish who asks for it; None: it is all the keeper's.

        Returns:
            For each wish its bulletin id, or the SaphanError that refused it alone.

        Raises:
            OperatorError: the disk; nothing was kept.
        """
        outcomes: list[Outcome | None] = [None] * len(wishes)
        portion = None
        drafts: list[tuple[int, Draft, bytes]] = []
        now = self._clock()
        # Random bytes once for all: the system is asked a few times, not five times a bulletin.
        nonces = cut(os.urandom(NONCE_BYTES * len(wishes)), NONCE_BYTES)
        asked = askers or [KEEPERS] * len(wishes)
        for place, (wish, nonce) in enumerate(zip(wishes, nonces, strict=True)):
            try:
                draft = compose(
                    self._uploads.measured(wish, asked[place].owner),
                    sender=self._agency,
                    now=now,
                    nonce=nonce,
                    allowed=self.allowed(wish.to, wish.schema, now),
                    types=self._own.types,
                )
                drafts.append((place, draft, draft.inner(None, self._key.key_id)))
            except SaphanError as error:
                outcomes[place] = error
        if drafts:
            batch, items = self._sign(INNER_TYPE, [inner for _, _, inner in drafts])
            prepared = [
                Prepared(
                    draft=draft,
                    author=None,
                    inner=inner,
                    signatures=(Signature(item, batch.signature),),
                    owner=asked[place].owner,
                    repeat=asked[place].repeat,
                )
                for (place, draft, inner), item in zip(drafts, items, strict=True)
            ]
            submitted = self.submit(prepared)
            portion = submitted.portion
            for (place, _, _), outcome in zip(drafts, submitted.outcomes, strict=True):
                outcomes[place] = outcome
        return Submitted([outcome for outcome in outcomes if outcome is not None], portion)

    def submit(self, prepared: Sequence[Prepared]) -> Submitted:
        """Seal, consign, sign in one batch, judge as the broker will, and keep.

        Raises:
            OperatorError: the disk; nothing was kept.
        """
        outcomes: list[Outcome | None] = [None] * len(prepared)
        portion = None
        ready: list[tuple[int, Ready]] = []
        nonces = [one.draft.header.nonce for one in prepared]
        known = known_nonces(self._db, self._agency, nonces)
        for place, one in enumerate(prepared):
            try:
                check_new(one.draft.header.nonce, known)
                self.threads.check(one.draft)
                if len(one.signatures) == 1 and self._needs_two(one.draft.header):
                    raise countersign_needed()
                ready.append((place, self._make(one)))
            except SaphanError as error:
                outcomes[place] = error
        if ready:
            batch, items = self._sign(CONSIGNMENT_TYPE, [made.consigned.body for _, made in ready])
            good: list[tuple[Ready, SignatureItem]] = []
            answered: list[tuple[Prepared, bytes]] = []
            for (place, made), item in zip(ready, items, strict=True):
                try:
                    self._admit(made, item, batch)
                    good.append((made, item))
                    answered.append((prepared[place], made.sealed.id))
                    outcomes[place] = made.sealed.id
                except SaphanError as error:
                    self._files.remove(made.sealed.id)
                    outcomes[place] = error
            if good:
                try:
                    portion = self._keep(good, batch, answered)
                except SaphanError:
                    self._take_away([made.sealed for made, _ in good])
                    raise
        return Submitted([outcome for outcome in outcomes if outcome is not None], portion)

    def allowed(self, recipients: Sequence[str], schema: str, now: int) -> Allowed:
        """What agreements allow for this schema to all of these recipients, at `now` (ms UTC)."""
        with self._logs.lock:
            directory, pairs = self._logs.directory, [(self._agency, to) for to in recipients]
            return together(
                [
                    # Where none is in force its ceiling still counts: what is refused then is
                    # refused for the order on it.
                    found(directory, pair, schema, now)
                    or found(directory, pair, schema, now, ordered=True)
                    for pair in pairs
                ],
                self._keep_months(),
            )

    def _carries(self, schema: str, recipient: str) -> bool:
        with self._logs.lock:
            now = self._clock()
            return bool(found(self._logs.directory, (self._agency, recipient), schema, now))

    def _make(self, one: Prepared) -> Ready:
        header = one.draft.header
        content_key = os.urandom(32) if one.presealed is None else one.presealed.content_key
        boxes = [self._mailbox(agency, header.expires) for agency in header.recipients]
        sealed = self._seal(one, content_key)
        consigned = consign(sealed.id, content_key, boxes, self._key.key_id, self._logs.seen())
        # Durable before the bulletin is: a key file without a bulletin is harmless.
        wrapped = self._archive.wrap(content_key, sealed.id, header.retain_until)
        author = self._archive.seal_author(one.author, sealed.id, header.retain_until)
        return Ready(sealed=sealed, wrapped=wrapped, author=author, consigned=consigned)

    def _seal(self, one: Prepared, content_key: bytes) -> SealedBulletin:
        """Attachments first: the bulletin id covers their sealed bytes, and their folder bears it.

        A crash after this leaves a folder that no row of the store names: swept at the start.
        """
        draft, before = one.draft, one.presealed
        if not draft.attachments:
            return seal(draft, one.inner, one.signatures, content_key)
        staged = self._files.stage(draft.header.nonce.hex())
        try:
            if before is None:
                blobs = seal_uploaded(
                    self._uploads, self._files, draft, content_key, staged, one.owner
                )
            else:
                blobs = before.blobs
                self._files.link(before.folder, staged)
            sealed = seal(draft, one.inner, one.signatures, content_key, blobs)
            self._files.adopt(staged, sealed.id)
        except BaseException:
            self._files.unstage(staged)
            raise
        return sealed

    def _mailbox(self, agency: str, expires: int) -> KeyInfo:
        """The key of an agency to which something is sealed now, with a deadline in ms UTC."""
        with self._logs.lock:
            return choose(self._logs.directory, agency, self._clock(), expires)

    def _sign(
        self, kind: str, bodies: Sequence[bytes]
    ) -> tuple[BatchSignature, Sequence[SignatureItem]]:
        salts = cut(os.urandom(SALT_BYTES * len(bodies)), SALT_BYTES)
        return sign_batch(
            self._key, [(kind, body, salt) for body, salt in zip(bodies, salts, strict=True)]
        )

    def _admit(self, one: Ready, item: SignatureItem, batch: BatchSignature) -> None:
        """The broker's own function, before anything leaves: the author hears of it at once."""
        with self._logs.lock:
            admit(
                one.sealed.draft.header_bytes,
                one.consigned.body,
                item,
                batch,
                Blob(len(one.sealed.ciphertext), one.sealed.digest),
                Facts(self._logs.directory, self._clock(), verified=self._verified),
                peer=self._agency,
                stanzas=one.consigned.stanzas,
                attachments=one.sealed.attachments,
            )

    # --- kept -------------------------------------------------------------------------------------

    def _keep(
        self,
        good: Sequence[tuple[Ready, SignatureItem]],
        batch: BatchSignature,
        answered: Sequence[tuple[Prepared, bytes]],
    ) -> Portion[Submission] | None:
        now = self._clock()
        with self._db.transaction() as tx:
            keep(tx, (batch,))
            tx.executemany(
                "INSERT INTO bulletins (id, sender, nonce, header, header_id,"
                " digest, wrapped, wrap_day, author, stored, urgency, judged_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(*bulletin_row(one, now), self._logs.directory.size) for one, _ in good],
            )
            tx.executemany(KEEP_BODY, [(one.sealed.id, one.sealed.ciphertext) for one, _ in good])
            for one, _ in good:
                keep_parts(tx, one.sealed.id, one.sealed.attachments, HERE)
            tx.executemany(
                "INSERT INTO deliveries (bulletin, recipient, sender, state, changed, attempts)"
                " VALUES (?, ?, ?, ?, ?, 1)",
                [
                    (one.sealed.id, recipient, self._agency, QUEUED, now)
                    for one, _ in good
                    for recipient in one.consigned.recipients
                ],
            )
            consigned = [(one.consigned, item) for one, item in good]
            last, salts = keep_consignments(tx, consigned, batch.root)
            self.threads.keep(tx, [(one.draft, bulletin) for one, bulletin in answered])
            keep_repeats(tx, [(one.repeat, bulletin) for one, bulletin in answered], now)
            for prepared, bulletin in answered:
                if prepared.presealed is not None:
                    keep_left(tx, prepared.draft.header_id, prepared.presealed, bulletin, now)
        taken = False
        for prepared, _ in answered:
            digests = [each.blob.digest for each in prepared.draft.attachments]
            if prepared.presealed is None:
                self._uploads.remove(digests, prepared.owner)
            taken = taken or bool(digests)
        items = tuple(
            submission_of(one, item, salt) for (one, item), salt in zip(good, salts, strict=True)
        )
        if taken or sum(map(bytes_of, items)) > SUBMIT_BYTES:
            return None
        return Portion(list(range(last - len(items) + 1, last + 1)), items, (batch,))

    def _take_away(self, unkept: Sequence[SealedBulletin]) -> None:
        """Sealed files of what the store did not take; if it does not even say so, they are swept
        at the next start."""
        with contextlib.suppress(SaphanError):
            for one in unkept:
                if self._db.row("SELECT 1 FROM bulletins WHERE id = ?", (one.id,)) is None:
                    self._files.remove(one.id)

    def consign_anew(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """New stanzas for bulletins that did not open or whose keys are gone; same id, no officer
        signs again. What waits to be sent already is left out, and what no agreement carries now.

        Raises:
            OperatorError: the disk.
        """
        by_bulletin: dict[bytes, list[str]] = {}
        wanted = carried(self._db, self._logs, deliveries, self._clock())
        for bulletin, recipient in without_waiting(self._db, wanted):
            by_bulletin.setdefault(bulletin, []).append(recipient)
        outcomes: list[Outcome] = []
        made: list[Consigned] = []
        for bulletin, recipients in by_bulletin.items():
            try:
                consigned = self._consign(bulletin, sorted(recipients), outcomes)
            except SaphanError as error:
                outcomes.append(error)
                continue
            if consigned is not None:
                made.append(consigned)
                outcomes.append(bulletin)
        if made:
            self._keep_anew(made)
        return outcomes

    def _keep_anew(self, made: Sequence[Consigned]) -> None:
        batch, items = self._sign(CONSIGNMENT_TYPE, [one.body for one in made])
        with self._db.transaction() as tx:
            keep(tx, (batch,))
            keep_consignments(tx, list(zip(made, items, strict=True)), batch.root)
            tx.executemany(
                "UPDATE deliveries SET attempts = attempts + 1 WHERE bulletin = ?"
                " AND recipient = ?",
                [(one.bulletin, agency) for one in made for agency in one.recipients],
            )

    def _consign(
        self, bulletin: bytes, recipients: Sequence[str], failed: list[Outcome]
    ) -> Consigned | None:
        """One recipient without a mailbox key, put to `failed`, keeps no other one waiting."""
        row = self._db.row(
            "SELECT wrapped, wrap_day, header FROM bulletins WHERE id = ?", (bulletin,)
        )
        if row is None or row[0] is None:
            raise InvalidInput(
                "bulletin_unknown", f"no bulletin {bulletin.hex()[:16]} is kept here"
            )
        content_key = self._archive.unwrap(row[0], bulletin, row[1])
        expires = decode(Header, row[2], LIMITS.header_bytes, "header").expires
        boxes: list[KeyInfo] = []
        for agency in recipients:
            try:
                boxes.append(self._mailbox(agency, expires))
            except SaphanError as error:
                failed.append(error)
        if not boxes:
            return None
        return consign(bulletin, content_key, boxes, self._key.key_id, self._logs.seen())
