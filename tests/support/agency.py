"""Invented agencies for tests: keys, directory operations, an agreement, bulletins, statements.

Everything is derived from names, so a run repeats; only the packages' public functions are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256, shake_256
from typing import Any, Literal

from saphan_protocol.admission import BULLETIN_TYPE, HEADER_TYPE
from saphan_protocol.agreement import AGREEMENT_TYPE
from saphan_protocol.agreement_order import sign_order
from saphan_protocol.batch import sign_batch, sign_one
from saphan_protocol.content import attachment_cipher_key, padded_length, seal_content
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_protocol.identity import CONTENT_TYPE, identity
from saphan_protocol.identity import sha256 as digest_of
from saphan_protocol.keys import SigningKey
from saphan_protocol.mailbox import MailboxKey
from saphan_protocol.opening import INNER_TYPE
from saphan_protocol.operation import sign_operation
from saphan_protocol.stanza import seal_stanza
from saphan_protocol.suite import Cobblestone256Encryptor
from saphan_protocol.witness import WitnessKey
from saphan_schemas.bodies import digest as schema_digest
from saphan_schemas.codec import encode, encode_content
from saphan_schemas.directory_records import (
    Agreement,
    AgreementOrder,
    Change,
    CorridorRule,
    LogPin,
    Operation,
    Party,
    SignedAgreement,
    WitnessPolicy,
)
from saphan_schemas.frames import StatementItem, Submission
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import (
    SUITE,
    BatchSignature,
    Blob,
    Blobs,
    Bulletin,
    Consignment,
    Event,
    Header,
    HeadRef,
    Inner,
    Marking,
    Role,
    Sealed,
    SealedDetail,
    StanzaRef,
    statement_of,
    statement_type,
)
from saphan_schemas.samples import sample

NOTICE = "saphan/training_notice/1"


class Bytes:
    """A repeatable stream of "random" bytes, different for each label."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._count = 0

    def __call__(self, length: int = 32) -> bytes:
        self._count += 1
        return shake_256(f"{self._label} {self._count}".encode()).digest(length)


def seed(label: str, length: int) -> bytes:
    """Seed bytes of one key."""
    return shake_256(label.encode()).digest(length)


@dataclass
class Made:
    """A sealed bulletin as its sender's node keeps it."""

    header: Header
    header_bytes: bytes
    header_id: bytes
    ciphertext: bytes
    content_key: bytes
    bulletin_id: bytes
    attachments: tuple[bytes, ...] = ()
    """Each one sealed."""

    @property
    def blobs(self) -> Blobs:
        """Length and digest of each sealed attachment."""
        return tuple(Blob(len(sealed), digest_of(sealed)) for sealed in self.attachments)

    @property
    def ciphertext_digest(self) -> bytes:
        return sha256(self.ciphertext).digest()


@dataclass
class Agency:
    """One agency's keys. `now` is the time (ms) at which its keys were made."""

    name: str
    now: int
    root: SigningKey = field(init=False)
    node: SigningKey = field(init=False)
    officer: SigningKey = field(init=False)
    mailbox: MailboxKey = field(init=False)
    witness: WitnessKey = field(init=False)
    random: Bytes = field(init=False)

    def __post_init__(self) -> None:
        self.root = SigningKey(Role.ROOT, seed(f"{self.name} root", 64))
        self.node = SigningKey(Role.NODE, seed(f"{self.name} node", 64))
        self.officer = SigningKey(Role.OFFICER, seed(f"{self.name} officer", 64))
        self.mailbox = MailboxKey(seed(f"{self.name} mailbox", 32))
        self.witness = WitnessKey(seed(f"{self.name} witness", 64))
        self.random = Bytes(self.name)

    # --- directory --------------------------------------------------------------------------------

    def enrolment(self) -> bytes:
        """SignedOperation, version 1: root, node, officer, mailbox and witness keys."""
        until = self.now + 800 * DAY_MS
        changes = (
            Change("add", Role.ROOT, self.root.public, None, None, None),
            Change("add", Role.NODE, self.node.public, None, None, None),
            Change("add", Role.OFFICER, self.officer.public, "officer", None, None),
            Change("add", Role.MAILBOX, self.mailbox.public, None, until, until),
            Change("add", Role.WITNESS, self.witness.public, None, None, None),
        )
        operation = Operation(self.name, 1, None, 1, self.now, changes)
        new = [self.root, self.node, self.officer]
        salts = [self.random() for _ in range(4)]
        return sign_operation(operation, [self.root], new, [self.witness], salts)

    def operation(
        self,
        version: int,
        previous: bytes,
        changes: Sequence[Change],
        new: Sequence[SigningKey] = (),
    ) -> bytes:
        """A later SignedOperation; `previous` is the identity of the one before."""
        record = Operation(self.name, version, previous, 1, self.now, tuple(changes))
        salts = [self.random() for _ in range(1 + len(new))]
        return sign_operation(record, [self.root], list(new), [], salts)

    # --- bulletins --------------------------------------------------------------------------------

    def header(self, recipients: Sequence[str], now: int, **changes: Any) -> Header:
        """A valid header of a training notice, with fields replaced as told."""
        made = Header(
            suite=SUITE,
            nonce=self.random(16),
            sender=self.name,
            recipients=tuple(sorted(recipients)),
            schema=NOTICE,
            schema_digest=schema_digest(NOTICE),
            marking=Marking("amber", ("H0",)),
            urgency="routine",
            exercise=True,
            created=now,
            expires=now + 14 * DAY_MS,
            answer_by=None,
            retain_until=now // DAY_MS + 365,
        )
        return type(made)(**{**{f: getattr(made, f) for f in made.__struct_fields__}, **changes})

    def bulletin(
        self,
        recipients: Sequence[str],
        now: int,
        content: dict[str, Any] | None = None,
        attachments: Sequence[bytes] = (),
        **changes: Any,
    ) -> Made:
        """Compose, sign (by the officer) and seal one bulletin with its attachments."""
        header = self.header(recipients, now, **changes)
        header_bytes = encode(header)
        header_id = identity(HEADER_TYPE, header_bytes)
        told = sample("training_notice") if content is None else content
        if attachments:
            told = told | {"attachments": [_described(place) for place in range(len(attachments))]}
        body = encode_content(told)
        plain = tuple(Blob(len(data), digest_of(data)) for data in attachments)
        inner = encode(
            Inner("officer", self.officer.key_id, header_id, identity(CONTENT_TYPE, body), plain)
        )
        signature = sign_one(self.officer, INNER_TYPE, inner, self.random())
        key = self.random()
        ciphertext = seal_content(key, header_id, encode(Sealed(inner, (signature,), body)))
        sealed = tuple(
            seal_attachment(key, header_id, place, data) for place, data in enumerate(attachments)
        )
        blobs = tuple(Blob(len(data), digest_of(data)) for data in sealed)
        record = Bulletin(header_id, Blob(len(ciphertext), digest_of(ciphertext)), blobs)
        bulletin_id = identity(BULLETIN_TYPE, encode(record))
        return Made(header, header_bytes, header_id, ciphertext, key, bulletin_id, sealed)

    def submissions(
        self, made: Sequence[Made], to: Sequence[Agency], seen: HeadRef | None = None
    ) -> tuple[tuple[Submission, ...], BatchSignature]:
        """Consign bulletins to `to`, signed as one batch."""
        consigned: list[tuple[bytes, tuple[bytes, ...]]] = []
        for one in made:
            stanzas = {
                other.name: seal_stanza(
                    one.content_key,
                    one.bulletin_id,
                    other.name,
                    other.mailbox.key_id,
                    other.mailbox.public,
                )
                for other in sorted(to, key=lambda a: a.name)
            }
            keys = {other.name: other.mailbox.key_id for other in to}
            refs = tuple(StanzaRef(n, keys[n], digest_of(s)) for n, s in stanzas.items())
            body = encode(Consignment(one.bulletin_id, self.node.key_id, seen, refs))
            consigned.append((body, tuple(stanzas.values())))
        signing = [(CONSIGNMENT_TYPE, body, self.random()) for body, _ in consigned]
        batch, items = sign_batch(self.node, signing)
        return (
            tuple(
                Submission(
                    one.header_bytes,
                    body,
                    item,
                    tuple(self.random() for _ in stanzas),
                    stanzas,
                    one.ciphertext,
                    one.blobs,
                )
                for one, (body, stanzas), item in zip(made, consigned, items, strict=True)
            ),
            batch,
        )

    # --- statements -------------------------------------------------------------------------------

    def statements(
        self,
        event: Event,
        about: Sequence[tuple[bytes, bytes]],
        corridor: tuple[str, str],
        now: int,
        code: str | None = None,
        detail: SealedDetail | bytes | None = None,
        target: int | None = None,
    ) -> tuple[tuple[StatementItem, ...], BatchSignature]:
        """Signed statements about (bulletin id, ciphertext digest) pairs, one batch."""
        if event is Event.READ and code is None and detail is None:
            detail = seed(f"{self.name} commitment to a reading", 32)
        bodies = [
            encode(statement_of(event, b, c, self.name, now, code, detail, target))
            for b, c in about
        ]
        signing = [(statement_type(event), body, self.random()) for body in bodies]
        batch, items = sign_batch(self.node, signing)
        return (
            tuple(
                StatementItem(event, corridor[0], corridor[1], body, item, self.random())
                for body, item in zip(bodies, items, strict=True)
            ),
            batch,
        )


def order_by(
    agency: Agency,
    agreement: bytes,
    action: Literal["suspend", "resume", "terminate"],
    number: int = 1,
    keys: Sequence[SigningKey] | None = None,
) -> bytes:
    """A SignedOrder on the agreement of this identity, by the agency's root unless told."""
    signers = [agency.root] if keys is None else list(keys)
    record = AgreementOrder(agreement, agency.name, action, number, agency.now, None)
    return sign_order(record, signers, [agency.random() for _ in signers], agency.random())


def seal_attachment(content_key: bytes, header_id: bytes, place: int, data: bytes) -> bytes:
    """Cobblestone of `data` and zeros to a Padmé length, as attachment `place` (from 0)."""
    key = attachment_cipher_key(content_key, header_id, place)
    encryptor = Cobblestone256Encryptor(key, header_id)
    padded = data.ljust(padded_length(len(data)), b"\x00")
    return encryptor.update(padded) + encryptor.finalize()


def _described(place: int) -> dict[str, str]:
    return {"name": f"report-{place}.pdf", "media_type": "application/pdf", "role": "other"}


def agreement(
    parties: Sequence[Agency], directory: LogPin, evidence: LogPin, now: int, **changes: Any
) -> bytes:
    """A finished agreement among `parties`, everyone to everyone, signed by all roots."""
    names = [party.name for party in parties]
    rules = tuple(
        CorridorRule(
            a, b, (NOTICE, "saphan/case_statistics/1", "saphan/drug_seizure/1"), "amber", 4000
        )
        for a in names
        for b in names
        if a != b
    )
    text = Agreement(
        reference="exercise-1",
        title="Exercise agreement",
        instrument="EXERCISE",
        parties=tuple(Party(p.name, (p.root.key_id,), 1) for p in parties),
        rules=rules,
        handling=("H0", "H1", "H2"),
        default_handling=("H1", "H2"),
        onward="none",
        languages=("en",),
        in_flight="deliver",
        valid_from=now - DAY_MS,
        valid_until=now + 3000 * DAY_MS,
        directory=directory,
        evidence=evidence,
        witnesses=WitnessPolicy(1, False),
        replaces=None,
    )
    if changes:
        text = Agreement(**{**{f: getattr(text, f) for f in text.__struct_fields__}, **changes})
    body = encode(text)
    signatures = tuple(sign_one(p.root, AGREEMENT_TYPE, body, p.random()) for p in parties)
    return encode(SignedAgreement(body, signatures, parties[0].random()))
