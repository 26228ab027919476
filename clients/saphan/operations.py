"""An agency's operations: signed by its root here, or left as drafts for the root's holders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saphan_protocol.keys import SigningKey
from saphan_schemas.directory_records import Change
from saphan_schemas.records import Role

from saphan.ceremony.concluding import check_none_waits, conclude, store_draft
from saphan.ceremony.draft import OperationDraft, sign
from saphan.keys.keyfiles import (
    Argon2Cost,
    SecretKey,
    read_key,
    read_key_id,
    write_plain,
    write_sealed,
)
from saphan.keys.mailbox_schedule import schedule
from saphan.keys.passphrase import Passphrase
from saphan.office import Office

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


def holds_root(office: Office) -> bool:
    """Whether the root key in the agency's folder is one that signs today: not one that left.

    Raises:
        OperatorError: what `read_key_id` raises.
    """
    if not office.root_key.exists():
        return False
    roots = office.replay().keys(office.read_agency().agency, Role.ROOT)
    return read_key_id(office.root_key) in {root.key_id for root in roots}


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
    if passphrase is not None:
        draft = sign_here(office, draft, passphrase)
    return settle(office, draft)


def sign_here(office: Office, draft: OperationDraft, passphrase: Passphrase) -> OperationDraft:
    """Add the signature of the root in the agency's folder; nothing is written.

    Raises:
        OperatorError: what `read_key` raises. Refused: `root_foreign`.
    """
    return sign(draft, open_root(office, passphrase))


def settle(office: Office, draft: OperationDraft) -> Made:
    """Keep the finished operation, or the draft while signatures are missing; see `complete`."""
    check_none_waits(office)
    version = draft.operation.version
    if draft.complete:
        return Made(version, conclude(office, draft))
    return Made(version, store_draft(office, draft), waits=True)


def addition(key: SecretKey, now: int) -> Change:
    """The change that adds a key; one more mailbox key is for the week from `now` (ms) on."""
    if key.role is not Role.MAILBOX:
        return Change("add", key.role, key.public, key.handle, None, None)
    (term,) = schedule(now, 1)
    return Change("add", key.role, key.public, None, term.seal_until, term.open_until)


def write_key(path: Path, key: SecretKey, passphrase: Passphrase | None, cost: Argon2Cost) -> None:
    """Create the key's file, sealed unless the node must open it by itself."""
    if key.role in PLAIN_ROLES:
        write_plain(path, key)
    elif passphrase is None:
        raise RuntimeError(f"a {key.role.value} key is never written without a passphrase")
    else:
        write_sealed(path, key, passphrase, cost)
