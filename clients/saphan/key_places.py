"""Where a key's file goes: its own place, or beside the key in use until it is taken into use."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from saphan_schemas.errors import OperatorError, Refused
from saphan_schemas.records import Role

from saphan.durable import sync_folder
from saphan.keys.keyfiles import SecretKey, read_key_id
from saphan.office import Office


def place_for(office: Office, key: SecretKey) -> Path:
    """Where a new key's file goes: its own place, or beside the key that is in use there.

    Raises:
        OperatorError: `key_not_enrolled`, `file_exists`: another new key is there, of an earlier
            attempt or not yet taken into use. Refused: `key_revoked`.
    """
    current = office.key_file(key.role, key.key_id, key.handle)
    if not current.exists():
        return current
    _check_enrolled(office, current)
    waiting = _next(current)
    if not waiting.exists():
        return waiting
    _check_enrolled(office, waiting)
    _check_not_revoked(office, waiting)
    raise OperatorError(
        "file_exists",
        f"{waiting} is enrolled and waits to be used",
        field="key-file",
        hint=f"take it into use first: saphan keys activate {_named(key.role, key.handle)}",
    )


def activate(office: Office, role: Role, handle: str | None = None) -> tuple[Path, Path]:
    """Take the waiting key of a role into use; the old file is kept under its key id.

    Returns:
        (file in use, old file).

    Raises:
        OperatorError: `file_missing` when no key waits; `key_not_enrolled` while its draft does.
        Refused: `key_revoked`.
    """
    current = office.key_file(role, b"", handle)
    waiting = _next(current)
    if role is Role.MAILBOX or not waiting.exists():
        raise OperatorError(
            "file_missing",
            f"no {role.value} key waits to be used",
            field="role",
            hint=f"make one and enrol it first: saphan keys add {_named(role, handle)}",
        )
    kept = current.with_name(f"{current.stem}.{read_key_id(current).hex()[:16]}.old.key")
    if office.replay().find(read_key_id(waiting)) is None:
        raise OperatorError(
            "key_not_enrolled",
            f"{waiting} is enrolled by no operation yet: its draft waits for the root's holders",
            field="role",
            hint="finish it first: saphan root finish DRAFT; then hand the operation to the node",
        )
    _check_not_revoked(office, waiting)
    # A crash between the two steps leaves the old key under its old name and its new one.
    with contextlib.suppress(FileExistsError):
        os.link(current, kept)
    waiting.replace(current)
    sync_folder(current.parent)
    return current, kept


def _check_enrolled(office: Office, path: Path) -> None:
    if office.replay().find(read_key_id(path)) is None:
        raise OperatorError(
            "key_not_enrolled",
            f"{path} holds a key that no operation of this agency enrols",
            field="key-file",
            hint="an earlier attempt was interrupted, or its draft was given up; nobody uses the "
            "file: delete it, try again",
        )


def _check_not_revoked(office: Office, waiting: Path) -> None:
    found = office.replay().find(read_key_id(waiting))
    if found is not None and found.revoked is not None:
        raise Refused(
            "key_revoked",
            f"{waiting} holds a key that was revoked before it was used",
            field="key-file",
            hint="delete the file, and make another key: saphan keys add",
        )


def _next(path: Path) -> Path:
    return path.with_name(f"{path.stem}.next.key")


def _named(role: Role, handle: str | None) -> str:
    return f"{role.value} --handle {handle}" if handle else role.value
