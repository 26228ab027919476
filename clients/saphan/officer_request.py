"""An officer's request to be enrolled: a key made elsewhere, proven in the operation that adds it.

The private half stays at the desk. The request holds the whole operation, signed by the new key;
the agency's root adds its own signature, if the operation still follows its last one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import msgspec
from saphan_protocol.batch import sign_one
from saphan_protocol.keys import SigningKey, key_id
from saphan_protocol.operation import OPERATION_TYPE
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import Change, Operation
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role, Signature
from saphan_schemas.strict_json import parse_json

from saphan.base64_text import bytes_of, text_of

FORMAT: Final = "officer_request/1"
REQUEST_BYTES: Final = 32 * 1024
SIGNATURE_BYTES: Final = 8 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficerRequest:
    """A request, parsed; `operation` is `body` decoded, with one change that adds one officer."""

    body: bytes
    operation: Operation
    signature: Signature

    @property
    def change(self) -> Change:
        """The one addition."""
        return self.operation.changes[0]

    @property
    def key_id(self) -> bytes:
        """Id of the new key."""
        return key_id(Role.OFFICER, self.change.key)


def make_request(operation: Operation, key: SigningKey, salt: bytes) -> bytes:
    """The request's file; `key` is the new officer's, `salt` 32 fresh random bytes."""
    body = encode(operation)
    signature = encode(sign_one(key, OPERATION_TYPE, body, salt))
    value = {"saphan": FORMAT, "operation": text_of(body), "signature": text_of(signature)}
    return json.dumps(value, indent=2).encode() + b"\n"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    operation: str
    signature: str


def parse_request(data: bytes) -> OfficerRequest:
    """Read a request; its signature is judged with the whole operation, by the directory.

    Raises:
        InvalidInput: `request_malformed`.
    """
    try:
        file = parse_json(_File, data)
        body = bytes_of(file.operation)
        operation = decode(Operation, body, LIMITS.operation_bytes, "operation")
        signed = bytes_of(file.signature)
        signature = decode(Signature, signed, SIGNATURE_BYTES, "signature")
    except (ValueError, InvalidInput) as error:
        raise _malformed(f"it does not parse: {error}") from None
    if file.saphan != FORMAT:
        raise _malformed(f"its format is not {FORMAT}")
    changes = operation.changes
    if [(one.action, one.role) for one in changes] != [("add", Role.OFFICER)]:
        raise _malformed("it asks for more, or for something else, than one officer's key")
    if changes[0].handle is None:
        raise _malformed("it names no officer")
    return OfficerRequest(body=body, operation=operation, signature=signature)


def _malformed(why: str) -> InvalidInput:
    return InvalidInput(
        "request_malformed",
        f"this is no request of an officer: {why}",
        field="request",
        hint="it is the .request file that this wrote: saphan desk init DESK --invitation FILE",
    )
