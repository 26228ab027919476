"""The node's local API as its clients see it: where it is found, and what its refusals mean."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from saphan_schemas.attachments import check_name
from saphan_schemas.decoders import json_decoder
from saphan_schemas.errors import InvalidInput, OperatorError, Refused, SaphanError, Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Blob

from saphan.private import read_private

SOCKET_NAME: Final = "api.sock"
TOKEN_NAME: Final = "api.token"  # noqa: S105 (a file name)
TOKEN_BYTES: Final = 1024
ANSWER_BYTES: Final = 8 * 1024 * 1024

_FAMILIES: Final[dict[int, type[SaphanError]]] = {
    400: InvalidInput,
    401: Refused,
    403: Refused,
    404: InvalidInput,
    405: InvalidInput,
    413: InvalidInput,
    503: Unavailable,
}
UPLOADS: Final = 5
"""Times that attachments are brought for one bulletin: each bulletin takes its own away, and two
programs may bring the same file."""
UPLOAD_WAIT_S: Final = 0.2
UPLOAD_TAKEN: Final = frozenset({"attachment_missing", "attachment_busy"})
"""Codes of that."""


def read_token(path: Path) -> str:
    """A token from its file; what stands in a wrong file is in no error.

    Raises:
        OperatorError: `key_file_exposed`, `file_missing`, `file_unreadable`.
        InvalidInput: `too_large`.
    """
    token = read_private(path, TOKEN_BYTES, "api-token").strip().decode("ascii", "replace")
    if not usable(token):
        raise OperatorError("file_unreadable", f"{path} holds no token", field="api-token")
    return token


def usable(token: str) -> bool:
    """Whether a token can stand in a request."""
    return token.isascii() and token.isprintable() and " " not in token and token != ""


def attachment_of(headers: Mapping[str, str]) -> tuple[str, Blob]:
    """Name, length and SHA-256 of an attachment whose bytes follow these headers.

    Raises:
        OperatorError: `node_answer`.
    """
    try:
        media_type, name = headers["Saphan-Media-Type"], unquote(headers["Saphan-Name"])
        check_name(name, media_type)
        blob = Blob(int(headers["Content-Length"]), bytes.fromhex(headers["Saphan-SHA256"]))
    except (KeyError, ValueError, InvalidInput):
        raise OperatorError(
            "node_answer",
            "the node answered with something that is no attachment",
            field="node",
            hint="node and command should be of one version",
        ) from None
    return name, blob


def object_of(data: bytes) -> dict[str, Any]:
    """The JSON object of an answer.

    Raises:
        OperatorError: `node_answer`.
    """
    try:
        found: dict[str, Any] = json_decoder(dict[str, Any]).decode(data[:ANSWER_BYTES])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise OperatorError(
            "node_answer",
            "the node answered with something that is no JSON object",
            field="node",
            hint="see the node's log; node and command should be of one version",
        ) from None
    return found


def refusal(status: int, value: Mapping[str, Any]) -> SaphanError:
    """The error that an answer of this status carries, with the node's code and words."""
    return _FAMILIES.get(status, OperatorError)(
        str(value.get("code", "node_answer")),
        str(value.get("message", f"the node answered status {status}")),
        field=_word(value.get("field")),
        hint=_word(value.get("hint")),
    )


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None


def unreachable(where: str, why: str) -> Unavailable:
    """The node does not answer."""
    return Unavailable(
        "node_unreachable",
        f"the node at {where} does not answer: {why}",
        field="node",
        hint="start it: saphan node run --dir DIR",
        retry_after_ms=LIMITS.backoff_min_ms,
    )
