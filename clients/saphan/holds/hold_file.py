"""A hold order as a file: from whoever writes it to who holds the order key, and to the node.

JSON: {"saphan": "hold/1", order, terms, salt, leaf, signatures}, bytes in base64. `order` is what
is signed; `terms` say why and what, and `salt` is theirs; `leaf` is the salt of the directory leaf.
The file is as confidential as the reference in it, and stays in the agency: 0600.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from typing import Final

import msgspec
from saphan_protocol.batch import sign_one
from saphan_protocol.hold_order import HOLD_TYPE, parse_hold, parse_terms, terms_commitment
from saphan_protocol.identity import identity
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.hold_records import HoldOrder, HoldTerms, SignedHoldOrder
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Signature
from saphan_schemas.strict_json import parse_json

from saphan.base64_text import bytes_of, text_of
from saphan.subjects.references import numbers_asked

FORMAT: Final = "hold/1"
FILE_BYTES: Final = 2 * LIMITS.hold_terms_bytes + 128 * 1024
"""Terms and up to 16 signatures of 3.5 KiB, in base64."""
SALT_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 8_192
REFERENCE: Final = 400
"""Characters of a reference, as `HoldTerms` takes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldFile:
    """An order, its terms and the signatures so far.

    Args:
        body: exact bytes of the order; terms: of its terms.
        salt: of the terms; leaf: of the directory leaf; 32 bytes each.
    """

    body: bytes
    order: HoldOrder
    terms: bytes
    said: HoldTerms
    salt: bytes
    leaf: bytes
    signatures: tuple[Signature, ...] = ()

    def __repr__(self) -> str:
        """Without the salts, and without why."""
        return f"<HoldFile {self.order.agency} {self.order.number}>"

    @property
    def identity(self) -> bytes:
        """What is compared as words, 32 bytes."""
        return identity(HOLD_TYPE, self.body)

    @property
    def name(self) -> bytes:
        """Commitment of its directory leaf: what the hold is called; 32 bytes."""
        return parse_hold(self.package).commitment

    @property
    def package(self) -> bytes:
        """The SignedHoldOrder.

        Raises:
            Refused: `hold_unsigned`.
        """
        if not self.signatures:
            raise Refused(
                "hold_unsigned",
                "nobody has signed this hold order yet",
                field="hold.signatures",
                hint="where the order key is: saphan hold sign FILE --key FILE",
            )
        return encode(SignedHoldOrder(self.body, self.signatures, self.leaf))

    def sign(self, key: SigningKey) -> HoldFile:
        """With one more signature; signing twice changes nothing."""
        if any(one.item.key == key.key_id for one in self.signatures):
            return self
        signed = sign_one(key, HOLD_TYPE, self.body, os.urandom(SALT_BYTES))
        return replace(self, signatures=(*self.signatures, signed))


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    order: str
    terms: str
    salt: str
    leaf: str
    signatures: tuple[str, ...]


def make_hold(order: HoldOrder, terms: HoldTerms) -> HoldFile:
    """A file that nobody has signed; the order's `terms` are filled in under a fresh salt.

    Raises:
        InvalidInput: as `parse_terms`; `hold_scope` for a case that no bulletin can name.
    """
    check_words(terms)
    said, salt = encode(terms), os.urandom(SALT_BYTES)
    parse_terms(said)
    order = msgspec.structs.replace(order, terms=terms_commitment(salt, said))
    order = decode(HoldOrder, encode(order), LIMITS.statement_bytes, "hold.order")
    return HoldFile(
        body=encode(order),
        order=order,
        terms=said,
        said=terms,
        salt=salt,
        leaf=os.urandom(SALT_BYTES),
    )


def check_words(terms: HoldTerms) -> None:
    """Refuse what a person has mistyped, before anybody signs what would hold nothing.

    Raises:
        InvalidInput: `hold_scope`, `malformed`.
    """
    for case in terms.scope.cases:
        if not numbers_asked(case):
            raise InvalidInput(
                "hold_scope",
                f"no bulletin can be found by the case {case[:40]!r}: it has no three letters or "
                "digits",
                field="case",
                hint="write the whole number of the case, as bulletins name it",
            )
    if not 1 <= len(terms.reference) <= REFERENCE:
        raise InvalidInput(
            "malformed",
            f"the reference has {len(terms.reference)} characters, 1 to {REFERENCE} are taken",
            field="reference",
            hint="write the court's or the law's reference, and nothing else",
        )


def format_hold(file: HoldFile) -> bytes:
    """The file's bytes."""
    value = {
        "saphan": FORMAT,
        "order": text_of(file.body),
        "terms": text_of(file.terms),
        "salt": text_of(file.salt),
        "leaf": text_of(file.leaf),
        "signatures": [text_of(encode(signature)) for signature in file.signatures],
    }
    return json.dumps(value, indent=2).encode() + b"\n"


def parse_hold_file(data: bytes) -> HoldFile:
    """Read a file; whose signatures stand on it is the node's to judge.

    Raises:
        InvalidInput: `too_large`, `hold_file_malformed`, `hold_scope`, codec codes.
    """
    if len(data) > FILE_BYTES:
        raise InvalidInput("too_large", f"the file has {len(data)} bytes", field="hold")
    try:
        file = parse_json(_File, data)
        body, terms, salt, leaf = (
            bytes_of(part) for part in (file.order, file.terms, file.salt, file.leaf)
        )
        signed = [bytes_of(item) for item in file.signatures]
    except ValueError as error:
        raise _malformed(f"it does not parse: {error}") from None
    if file.saphan != FORMAT or len(signed) > LIMITS.roots or len(leaf) != SALT_BYTES:
        raise _malformed(f"its format is not {FORMAT}")
    order = decode(HoldOrder, body, LIMITS.statement_bytes, "hold.order")
    if terms_commitment(salt, terms) != order.terms:
        raise _malformed("the order commits to other terms than the file shows")
    return HoldFile(
        body=body,
        order=order,
        terms=terms,
        said=parse_terms(terms),
        salt=salt,
        leaf=leaf,
        signatures=tuple(
            decode(Signature, one, _SIGNATURE_BYTES, "hold.signatures") for one in signed
        ),
    )


def _malformed(why: str) -> InvalidInput:
    return InvalidInput(
        "hold_file_malformed",
        f"this is no file of a hold order: {why}",
        field="hold",
        hint="take the file that `saphan hold order`, `renew` or `release` wrote",
    )
