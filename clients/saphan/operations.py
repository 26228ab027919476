"""An agency's operations: signed by its root, chained, judged here as the broker will judge."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saphan_protocol.keys import SIGNING_ROLES, SigningKey
from saphan_protocol.operation import sign_operation
from saphan_protocol.witness import WitnessKey
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Change, Operation, Role

from saphan.ceremony.draft import OperationDraft, finish, sign
from saphan.ceremony.draft_file import format_draft
from saphan.durable import PUBLIC_MODE, create_file, make_folder
from saphan.keyfiles import Argon2Cost, SecretKey, read_key, write_plain, write_sealed
from saphan.office import Office
from saphan.passphrase import Passphrase

SEAL_DAYS: Final = 400
"""How long others may seal to a mailbox key; a bulletin waits at most as long for delivery."""
OPEN_DAYS: Final = 800
"""How long its private half is kept: the last bulletin sealed to it may still wait 400 days."""
PLAIN_ROLES: Final = frozenset({Role.NODE, Role.MAILBOX, Role.WITNESS})
"""Roles whose keys open without a person: a power cut must not stop the office."""


@dataclass(frozen=True, slots=True)
class Made:
    """A signed operation, ready to be submitted, or its draft; and the key file it enrols."""

    version: int
    operation: Path
    key_file: Path | None = None
    key_id: bytes | None = None
    waits: bool = False
    """`operation` is a draft: root holders sign it, then `saphan root finish` ends it."""


def open_root(office: Office, passphrase: Passphrase) -> SigningKey:
    """The agency's root key, open; raises what `read_key` raises."""
    return read_key(office.root_key, Role.ROOT, passphrase).signing()


def complete(office: Office, draft: OperationDraft, passphrase: Passphrase | None) -> Made:
    """Finish a draft with the root in the agency's folder, or leave it for the root's holders.

    Args:
        passphrase: of `root/root.key`; None where this machine holds no root.

    Returns:
        The stored operation; or, while signatures are missing, the stored draft (`waits`).

    Raises:
        OperatorError: `draft_waiting` (an operation waits already), `file_exists`, key codes.
        Refused: `root_foreign`, and what `finish` raises.
    """
    version = draft.operation.version
    if passphrase is not None:
        draft = sign(draft, open_root(office, passphrase))
    if draft.complete:
        return Made(version, store_operation(office, version, finish(draft)))
    return Made(version, store_draft(office, draft), waits=True)


def store_draft(office: Office, draft: OperationDraft) -> Path:
    """Put a draft where it waits for its holders; an agency has one at a time.

    Raises:
        OperatorError: `draft_waiting`, `file_unwritable`.
    """
    path = office.draft(draft.operation.version)
    check_none_waits(office, draft.operation.version)
    make_folder(path.parent)
    create_file(path, format_draft(draft), PUBLIC_MODE)
    return path


def check_none_waits(office: Office, version: int) -> None:
    """Refuse to begin an operation beside one that waits: only one of them could ever follow.

    Raises:
        OperatorError: `draft_waiting`.
    """
    path = office.draft(version)
    if path.exists():
        raise OperatorError(
            "draft_waiting",
            f"operation {version} is drafted already and waits for its root holders: {path}",
            field="draft",
            hint=f"finish it: saphan root finish {path}; or give it up: delete it, and the key "
            "files that it was to enrol",
        )


def next_operation(
    office: Office,
    root: SigningKey,
    changes: tuple[Change, ...],
    new: Sequence[SecretKey],
    now: int,
) -> tuple[int, bytes]:
    """(version, SignedOperation) of the agency's next operation, judged as the broker will.

    Nothing is written: a caller with a new key stores the key first, then the operation.

    Raises:
        Refused: `operation_threshold`, `key_unknown`, `key_duplicate`.
    """
    directory, agency = office.replay(), office.read_agency().agency
    version, last, threshold = directory.version(agency)
    operation = Operation(agency, version + 1, last, threshold, now, changes)
    signed = sign_changes(operation, root, new)
    directory.check_operation(signed)
    return version + 1, signed


def store_operation(office: Office, version: int, signed: bytes) -> Path:
    """Put an operation into its numbered file, durably.

    Raises:
        OperatorError: `file_exists` (another ceremony was faster), `file_unwritable`.
    """
    path = office.operation(version)
    create_file(path, signed, PUBLIC_MODE)
    return path


def sign_changes(operation: Operation, root: SigningKey, new: Sequence[SecretKey]) -> bytes:
    """A SignedOperation by one root, with every new key's proof of possession."""
    signing = [key.signing() for key in new if key.role in SIGNING_ROLES]
    witnesses = [WitnessKey(key.seed) for key in new if key.role is Role.WITNESS]
    salts = [os.urandom(32) for _ in range(1 + len(signing))]
    return sign_operation(operation, [root], signing, witnesses, salts)


def addition(key: SecretKey, now: int) -> Change:
    """The change that adds a key; a mailbox key gets its end times from `now` (ms)."""
    if key.role is not Role.MAILBOX:
        return Change("add", key.role, key.public, key.handle, None, None)
    ends = (now + SEAL_DAYS * DAY_MS, now + OPEN_DAYS * DAY_MS)
    return Change("add", key.role, key.public, None, *ends)


def write_key(path: Path, key: SecretKey, passphrase: Passphrase | None, cost: Argon2Cost) -> None:
    """Create the key's file, sealed unless the node must open it by itself."""
    if key.role in PLAIN_ROLES:
        write_plain(path, key)
    elif passphrase is None:
        raise RuntimeError(f"a {key.role.value} key is never written without a passphrase")
    else:
        write_sealed(path, key, passphrase, cost)
