"""Directory operations: how an agency's roots add and revoke keys (bytes.md, Directory operations).

The numbered steps are those of schemas/spec/directory.md, "Checking an operation".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import (
    Change,
    Operation,
    SignedAgreement,
    SignedOperation,
    WitnessProof,
)
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role, Signature

from saphan_protocol.batch import sign_one, verify_one
from saphan_protocol.identity import pae
from saphan_protocol.keycheck import check_public_key
from saphan_protocol.keyid import key_id
from saphan_protocol.keys import SIGNING_ROLES, SigningKey, VerifyingKey
from saphan_protocol.witness import WitnessKey, verify_proof

OPERATION_TYPE = "saphan/operation/1"


@dataclass(frozen=True, slots=True)
class Checked:
    """A parsed operation whose own shape and possession proofs hold; roots are judged apart."""

    record: Operation
    body: bytes
    signed: SignedOperation
    added: tuple[tuple[bytes, Change], ...]
    """(key id, change) of each added key."""


def sign_operation(
    operation: Operation,
    roots: Sequence[SigningKey],
    new: Sequence[SigningKey],
    witnesses: Sequence[WitnessKey],
    salts: Iterable[bytes],
) -> bytes:
    """Bytes of a SignedOperation.

    Args:
        roots: at least the threshold of root keys, old and (after a root change) new.
        new: every added signing key, to prove possession.
        witnesses: every added witness key.
        salts: fresh 32-byte salts, one for each of `roots` and `new`.
    """
    body, salt = encode(operation), iter(salts)
    message = pae(OPERATION_TYPE, body)
    return encode(
        SignedOperation(
            body,
            tuple(sign_one(key, OPERATION_TYPE, body, next(salt)) for key in roots),
            tuple(sign_one(key, OPERATION_TYPE, body, next(salt)) for key in new),
            tuple(WitnessProof(key.key_id, key.sign_proof(message)) for key in witnesses),
        )
    )


def check_operation(data: bytes) -> Checked:
    """Steps 1 to 4: parse, and judge everything that needs no directory.

    Raises:
        InvalidInput: codec codes, `change_malformed`, `key_duplicate`, `key_malformed`,
            `key_weak`, `operation_possession`, `signature_invalid`.
    """
    signed = decode(SignedOperation, data, LIMITS.operation_bytes - 1, "operation")
    record = decode(Operation, signed.operation, LIMITS.operation_bytes, "operation.operation")
    added: dict[bytes, Change] = {}
    for number, change in enumerate(record.changes):
        where = f"operation.changes[{number}]"
        check_shape(change, where)
        if change.action == "add":
            check_public_key(change.role, change.key)
            name = key_id(change.role, change.key)
            if name in added:
                raise InvalidInput("key_duplicate", "a key is added twice", field=where)
            added[name] = change
    _check_possession(signed, added)
    return Checked(record, signed.operation, signed, tuple(added.items()))


def check_shape(change: Change, where: str) -> None:
    """Step 3: which fields a change of this role has, and that its times are in order.

    Raises:
        InvalidInput: `change_malformed`; where: names the change in it.
    """
    if change.action == "revoke":
        fine = len(change.key) == 32 and change.handle is None
        fine = fine and change.seal_until is None and change.open_until is None
        if not fine:
            raise InvalidInput(
                "change_malformed", "a revocation holds a 32-byte key id and no more", field=where
            )
        return
    if (change.role is Role.OFFICER) != (change.handle is not None):
        raise InvalidInput(
            "change_malformed", "officers' keys have a handle, and only theirs", field=where
        )
    times = (change.seal_until, change.open_until)
    if change.role is Role.MAILBOX:
        if times[0] is None or times[1] is None or times[0] > times[1]:
            raise InvalidInput(
                "change_malformed", "a mailbox key needs seal_until <= open_until", field=where
            )
    elif times != (None, None):
        raise InvalidInput("change_malformed", "only mailbox keys have end times", field=where)


def _check_possession(signed: SignedOperation, added: dict[bytes, Change]) -> None:
    """Step 4: each new signing or witness key has signed the operation, and nobody else has."""
    proven: set[bytes] = set()
    for signature in signed.keys:
        change = added.get(signature.item.key)
        if change is None or change.role not in SIGNING_ROLES:
            raise InvalidInput(
                "operation_possession", "a possession signature names no added key", field="keys"
            )
        verify_one(
            signature, VerifyingKey(change.role, change.key), OPERATION_TYPE, signed.operation
        )
        proven.add(signature.item.key)
    for proof in signed.witnesses:
        change = added.get(proof.key)
        if change is None or change.role is not Role.WITNESS:
            raise InvalidInput(
                "operation_possession", "a witness proof names no added key", field="witnesses"
            )
        verify_proof(change.key, pae(OPERATION_TYPE, signed.operation), proof.signature)
        proven.add(proof.key)
    missing = [name for name, change in added.items() if change.role is not Role.MAILBOX]
    if any(name not in proven for name in missing) or len(proven) != len(missing):
        raise InvalidInput(
            "operation_possession",
            "a new key has not signed the operation that adds it",
            field="keys",
            hint="make the operation again with the new key's file at hand",
        )


def count_signers(
    signatures: Iterable[Signature], keys: dict[bytes, VerifyingKey], body: bytes, kind: str
) -> int:
    """How many distinct keys of `keys` have signed; a signature by one of them that fails refuses.

    Raises:
        InvalidInput: `signature_invalid`.
    """
    seen: set[bytes] = set()
    for signature in signatures:
        key = keys.get(signature.item.key)
        if key is not None and key.key_id not in seen:
            verify_one(signature, key, kind, body)
            seen.add(key.key_id)
    return len(seen)


def require_threshold(have: int, need: int, whose: str) -> None:
    """Raises Refused `operation_threshold` unless `have` of `need` roots have signed."""
    if have < need:
        raise Refused(
            "operation_threshold",
            f"{have} of the {need} needed {whose} root signatures are valid",
            field="roots",
            hint="collect the missing root signatures and hand the file in again",
        )


def parse_agreement_package(data: bytes) -> SignedAgreement:
    """A finished agreement as handed over, strictly parsed."""
    return decode(SignedAgreement, data, 2 * LIMITS.frame_bytes, "agreement")
