"""An operation's draft as a JSON file, to be carried by hand.

{"saphan": "operation-draft/1", operation, history, keys, witnesses, signatures} in base64, and
`holders`: a root's key id to its holder's name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import WitnessProof
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Handle, Signature
from saphan_schemas.strict_json import parse_json

from saphan.base64_text import bytes_of, text_of
from saphan.ceremony.judging import malformed, open_draft
from saphan.ceremony.operation_draft import OperationDraft

FORMAT: Final = "operation-draft/1"
DRAFT_BYTES: Final = 32 * 1024 * 1024
"""A history of 350 operations as large as a log entry may be; an office's decade takes a third."""
_PART_BYTES: Final = 8 * 1024
_Parts = Annotated[tuple[str, ...], msgspec.Meta(max_length=2 * LIMITS.roots + 24)]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    operation: str
    history: tuple[str, ...]
    keys: _Parts
    witnesses: _Parts
    signatures: _Parts
    holders: Annotated[dict[str, Handle], msgspec.Meta(max_length=2 * LIMITS.roots)]


def format_draft(draft: OperationDraft) -> bytes:
    """The draft as a file, indented, with a final line feed."""
    value = {
        "saphan": FORMAT,
        "operation": text_of(draft.body),
        "history": [text_of(signed) for signed in draft.history],
        "keys": [text_of(encode(signature)) for signature in draft.keys],
        "witnesses": [text_of(encode(proof)) for proof in draft.witnesses],
        "signatures": [text_of(encode(signature)) for signature in draft.signatures],
        "holders": {name.hex(): holder for name, holder in draft.holders.items()},
    }
    return json.dumps(value, indent=2).encode() + b"\n"


def parse_draft(data: bytes) -> OperationDraft:
    """Read a draft and judge every part of it; one that does not hold refuses the whole.

    Raises:
        InvalidInput: `too_large`, `operation_draft_malformed`; and as `open_draft`.
        Refused: as `open_draft`.
    """
    if len(data) > DRAFT_BYTES:
        raise InvalidInput("too_large", f"the draft has {len(data)} bytes", field="draft")
    try:
        file = parse_json(_File, data)
        body, history = _bytes((file.operation,))[0], _bytes(file.history)
        keys, signatures = _bytes(file.keys), _bytes(file.signatures)
        witnesses = _bytes(file.witnesses)
        holders = {bytes.fromhex(name): holder for name, holder in file.holders.items()}
    except ValueError as error:
        raise malformed(f"it does not parse: {error}") from None
    if file.saphan != FORMAT:
        raise malformed(f"its format is not {FORMAT}")
    return open_draft(
        body,
        history,
        keys=[decode(Signature, part, _PART_BYTES, "draft.keys") for part in keys],
        witnesses=[
            decode(WitnessProof, part, _PART_BYTES, "draft.witnesses") for part in witnesses
        ],
        signatures=[
            decode(Signature, part, _PART_BYTES, "draft.signatures") for part in signatures
        ],
        holders=holders,
    )


def _bytes(parts: Sequence[str]) -> list[bytes]:
    return [bytes_of(part) for part in parts]
