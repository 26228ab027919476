"""An agency's keys after its start: add, take into use, revoke, list.

The order matters: a key without an operation is a file to delete; an operation without its key
would enrol what nobody holds. So the key file comes first, durably, then the operation.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from saphan_protocol.batch import sign_one
from saphan_protocol.directory import KeyInfo
from saphan_protocol.operation import OPERATION_TYPE
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput, OperatorError, Refused
from saphan_schemas.records import Change, Role, SignedOperation

from saphan.agency import check_handle
from saphan.durable import make_folder, sync_folder
from saphan.keyfiles import DEFAULT_COST, Argon2Cost, SecretKey, new_key, read_key_id
from saphan.office import Office
from saphan.officer_request import OfficerRequest
from saphan.operations import (
    Made,
    addition,
    next_operation,
    open_root,
    store_operation,
    write_key,
)
from saphan.passphrase import Passphrase


def add_key(
    office: Office,
    role: Role,
    root: Passphrase,
    *,
    now: int,
    handle: str | None = None,
    passphrase: Passphrase | None = None,
    cost: Argon2Cost = DEFAULT_COST,
) -> Made:
    """Make one more key and the operation that enrols it.

    Where a key of the role is in use already, the new one waits beside it as `<name>.next.key`
    until `activate`; mailbox keys are used side by side.

    Args:
        role: any but root.
        root: passphrase of the root key.
        handle: the officer's, for role officer only.
        passphrase: of the new key, for orders and officers.

    Raises:
        InvalidInput: `handle_malformed`. OperatorError: key file and passphrase codes.
    """
    if role is Role.ROOT or (role is Role.OFFICER) != (handle is not None):
        raise RuntimeError("a root is not added here; an officer, and nobody else, has a handle")
    if handle is not None:
        check_handle(handle)
    signer = open_root(office, root)
    key = new_key(role, handle)
    version, signed = next_operation(office, signer, (addition(key, now),), (key,), now)
    path = _place(office, key)
    make_folder(path.parent)
    write_key(path, key, passphrase, cost)
    # A crash here leaves a key that no operation enrols: `_place` finds it the next time.
    return Made(version, store_operation(office, version, signed), path, key.key_id)


def enrol_request(office: Office, request: OfficerRequest, root: Passphrase) -> Made:
    """Make the operation that enrols an officer whose key was made at a desk.

    The operation is the desk's, signed by the new key; the root adds its own signature.

    Raises:
        Refused: `request_foreign`, `request_stale`, `key_duplicate`, `operation_threshold`.
        InvalidInput: `signature_invalid`, `operation_possession`.
    """
    agency, operation = office.read_agency().agency, request.operation
    if operation.agency != agency:
        raise Refused(
            "request_foreign",
            f"the request is for {operation.agency}, this is {agency}",
            field="request",
        )
    directory = office.replay()
    version, last, threshold = directory.version(agency)
    found = (operation.version, operation.previous, operation.threshold)
    if found != (version + 1, last, threshold):
        raise Refused(
            "request_stale",
            f"the request follows operation {operation.version - 1}, this agency is at {version}",
            field="request",
            hint="invite the desk again: saphan desk invite --out FILE; there, saphan desk init "
            "DESK --invitation FILE makes a new request for the same key",
        )
    signature = sign_one(open_root(office, root), OPERATION_TYPE, request.body, os.urandom(32))
    signed = encode(SignedOperation(request.body, (signature,), (request.signature,), ()))
    directory.check_operation(signed)
    operation_file = store_operation(office, operation.version, signed)
    return Made(operation.version, operation_file, key_id=request.key_id)


def revoke_key(office: Office, key_id: bytes, root: Passphrase, *, now: int) -> Made:
    """Make the operation that revokes an active key; its file is left for the person to destroy.

    Raises:
        Refused: `key_unknown`, `key_revoked`, `operation_threshold` (the last root).
    """
    info = office.replay().find(key_id)
    if info is None or info.revoked is not None:
        code = "key_unknown" if info is None else "key_revoked"
        raise Refused(
            code,
            f"no active key of this agency has the id {key_id.hex()[:16]}",
            field="key",
            hint="see the active ones: saphan keys list",
        )
    change = Change("revoke", info.role, key_id, None, None, None)
    version, signed = next_operation(office, open_root(office, root), (change,), (), now)
    return Made(version, store_operation(office, version, signed))


def activate(office: Office, role: Role, handle: str | None = None) -> tuple[Path, Path]:
    """Take the waiting key of a role into use; the old file is kept under its key id.

    Returns:
        (file in use, old file).

    Raises:
        OperatorError: `file_missing` when no key waits.
    """
    current = office.key_file(role, b"", handle)
    waiting = _next(current)
    if role is Role.MAILBOX or not waiting.exists():
        raise OperatorError(
            "file_missing",
            f"no {role.value} key waits to be used",
            field="role",
            hint=f"make one and enrol it first: saphan keys add {role.value}"
            + (f" --handle {handle}" if handle else ""),
        )
    kept = current.with_name(f"{current.stem}.{read_key_id(current).hex()[:16]}.old.key")
    # A crash between the two steps leaves the old key under its old name and its new one.
    with contextlib.suppress(FileExistsError):
        os.link(current, kept)
    waiting.replace(current)
    sync_folder(current.parent)
    return current, kept


def list_keys(office: Office) -> list[KeyInfo]:
    """Every key of the agency by its own operations, active and revoked, oldest first."""
    return office.replay().all_keys(office.read_agency().agency)


def find_key(office: Office, prefix: str) -> KeyInfo:
    """The one key whose id starts with these hexadecimal digits (8 or more).

    Raises:
        InvalidInput: `key_prefix`. Refused: `key_unknown`.
    """
    wanted = prefix.lower()
    if len(wanted) < 8 or any(digit not in "0123456789abcdef" for digit in wanted):
        raise InvalidInput(
            "key_prefix", "a key is named by at least 8 hexadecimal digits of its id", field="key"
        )
    found = [key for key in list_keys(office) if key.key_id.hex().startswith(wanted)]
    if len(found) != 1:
        raise Refused(
            "key_unknown",
            f"{len(found)} keys of this agency have an id that starts with {prefix[:64]}",
            field="key",
            hint="see all of them: saphan keys list",
        )
    return found[0]


def _place(office: Office, key: SecretKey) -> Path:
    """Where a new key's file goes: its own place, or beside the key that is in use there."""
    path = office.key_file(key.role, key.key_id, key.handle)
    if not path.exists():
        return path
    if office.replay().find(read_key_id(path)) is None:
        raise OperatorError(
            "key_not_enrolled",
            f"{path} holds a key that no operation of this agency enrols",
            field="key-file",
            hint="an earlier attempt was interrupted; nobody uses the file: delete it, try again",
        )
    return _next(path)


def _next(path: Path) -> Path:
    return path.with_name(f"{path.stem}.next.key")
