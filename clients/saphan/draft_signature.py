"""A signature on a draft that goes from hand to hand, checked by everybody who reads it."""

from __future__ import annotations

from saphan_protocol.batch import verify_one
from saphan_protocol.keys import VerifyingKey
from saphan_schemas.errors import InvalidInput, SaphanError
from saphan_schemas.records import Signature


def check_signature(
    signature: Signature, key: VerifyingKey, kind: str, body: bytes, what: str
) -> None:
    """Refuse a signature that does not hold.

    Args:
        kind: PAE type of what is signed; body: its exact bytes.
        what: it is, such as "order", for the message.

    Raises:
        InvalidInput: `signature_invalid`.
    """
    try:
        verify_one(signature, key, kind, body)
    except SaphanError as error:
        raise InvalidInput(
            "signature_invalid",
            f"the signature of {key.role.value} key {key.key_id.hex()[:16]} does not hold for this "
            f"{what}",
            field="draft.signatures",
            hint="the draft was changed after it was signed; do not sign it, ask for the original",
        ) from error
