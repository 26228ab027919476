"""Finished agreements in the agency's folder: each stays, for its salt is in few places."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from saphan_protocol.agreement import AGREEMENT_TYPE
from saphan_protocol.identity import identity
from saphan_protocol.operation import parse_agreement_package
from saphan_schemas.errors import SaphanError

from saphan.agreements.draft import DRAFT_BYTES, Draft, finish
from saphan.durable import create_file, make_folder, read_bounded
from saphan.office import Office


def keep(office: Office, draft: Draft, salt: bytes) -> Path:
    """Finish a draft into a file that only its owner may read; where this text is kept already, it
    stays as it is, and what else has the same reference stays too.

    Args:
        salt: 32 fresh random bytes.

    Raises:
        Refused: `agreement_threshold`. OperatorError: `file_exists`, `file_unwritable`.
    """
    reference = draft.agreement.reference
    name = identity(AGREEMENT_TYPE, draft.text).hex()[:16]
    first, second = (office.agreement_file(n) for n in (reference, f"{reference}.{name}"))
    for path in (first, second):
        if path.exists() and _holds(path, draft.text):
            return path
    path = second if first.exists() else first
    make_folder(path.parent)
    create_file(path, finish(draft, salt))
    return path


def _holds(path: Path, text: bytes) -> bool:
    with suppress(SaphanError):  # a file that cannot be read is somebody's all the same
        data = read_bounded(path, DRAFT_BYTES, "agreement")
        return parse_agreement_package(data).agreement == text
    return False
