"""What some of one agency's roots sign, on its way from holder to holder: an order, a type."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Self

from saphan_protocol.batch import sign_one
from saphan_protocol.identity import identity
from saphan_protocol.keys import SigningKey, VerifyingKey, check_public_key, key_id
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role, Signature

from saphan.draft_signature import check_signature

SIGNATURE_BYTES: Final = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class RootDraft(ABC):
    """A record that roots of one agency sign, with the signatures that hold so far.

    Args:
        body: the record's exact bytes, which are signed.
        roots: key id to public key of the agency's roots; `threshold` of them sign.
    """

    kind: ClassVar[str]
    """PAE type of what is signed."""
    article: ClassVar[str]
    noun: ClassVar[str]
    """What it is, such as "an" "order"."""
    code: ClassVar[str]
    """Of a draft that is none."""
    source: ClassVar[str]
    """The commands that write such a draft."""

    body: bytes
    roots: dict[bytes, bytes]
    threshold: int
    signatures: tuple[Signature, ...] = ()

    @property
    @abstractmethod
    def agency(self) -> str:
        """Whose roots sign."""

    @property
    def complete(self) -> bool:
        """Whether enough roots have signed."""
        return len(self.signatures) >= self.threshold

    @property
    def identity(self) -> bytes:
        """What the holders compare as words, 32 bytes."""
        return identity(self.kind, self.body)

    @property
    def signed(self) -> frozenset[bytes]:
        """Key ids of the roots that have signed."""
        return frozenset(signature.item.key for signature in self.signatures)

    def check_signer(self, root: bytes) -> None:
        """Refuse a root that cannot sign this.

        Raises:
            Refused: `root_foreign`.
        """
        if root not in self.roots:
            raise Refused(
                "root_foreign",
                f"{root.hex()[:16]} is no root of {self.agency}",
                field="key",
                hint="name the key file of one of the agency's root holders with --key",
            )

    def sign(self, root: SigningKey) -> Self:
        """The draft with a root's signature added; signing twice changes nothing.

        Raises:
            Refused: `root_foreign`.
        """
        self.check_signer(root.key_id)
        if root.key_id in self.signed:
            return self
        return self.with_signature(sign_one(root, self.kind, self.body, os.urandom(32)))

    def with_signature(self, signature: Signature) -> Self:
        """The draft with a signature that holds.

        Raises:
            InvalidInput: `signature_invalid`, and `code` for one of nobody, or a second one.
        """
        name = signature.item.key
        public = self.roots.get(name)
        if public is None or name in self.signed:
            raise self.malformed("a signature is by none of its roots, or stands twice")
        key = VerifyingKey(Role.ROOT, public)
        check_signature(signature, key, self.kind, self.body, self.noun)
        return replace(self, signatures=(*self.signatures, signature))

    def with_all(self, encoded: list[bytes]) -> Self:
        """The draft with the encoded signatures of its file; one that does not hold refuses all."""
        draft = self
        for item in encoded:
            draft = draft.with_signature(
                decode(Signature, item, SIGNATURE_BYTES, "draft.signatures")
            )
        return draft

    def merged(self, *others: Self) -> Self:
        """One draft with the signatures of several copies that went different ways.

        Raises:
            Refused: `draft_differs`: the copies are not of one record.
        """
        draft = self
        for other in others:
            if (other.body, other.roots) != (draft.body, draft.roots):
                raise Refused(
                    "draft_differs",
                    f"the drafts are not of one {self.noun}",
                    field="draft",
                    hint=f"merge copies of one draft only: the words of the {self.noun} are the "
                    "same",
                )
            for signature in other.signatures:
                if signature.item.key not in draft.signed:
                    draft = draft.with_signature(signature)
        return draft

    @classmethod
    def read_roots(cls, publics: list[bytes]) -> dict[bytes, bytes]:
        """The roots of a file, by key id.

        Raises:
            InvalidInput: key codes, and `code` where one stands twice or there is none.
        """
        for public in publics:
            check_public_key(Role.ROOT, public)
        roots = {key_id(Role.ROOT, public): public for public in publics}
        if not 1 <= len(roots) == len(publics) <= LIMITS.roots:
            raise cls.malformed("a root stands twice, or there is none")
        return roots

    @classmethod
    def malformed(cls, why: str) -> InvalidInput:
        """The error `code`."""
        return InvalidInput(
            cls.code,
            f"this is not the draft of {cls.article} {cls.noun}: {why}",
            field="draft",
            hint=f"ask for the file that {cls.source} wrote",
        )
