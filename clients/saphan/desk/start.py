"""Making a desk, and taking a new invitation at one that exists."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from saphan_schemas.directory_records import Change, Operation
from saphan_schemas.errors import InvalidInput, OperatorError, Refused
from saphan_schemas.records import Role

from saphan.agency import check_handle
from saphan.desk.folder import DeskFolder, DeskId
from saphan.desk.invitation import DeskInvitation
from saphan.durable import create_file, make_folder, replace_file
from saphan.keys.keyfile_json import KEY_FILE_BYTES
from saphan.keys.keyfiles import (
    DEFAULT_COST,
    Argon2Cost,
    SecretKey,
    discarded_on_error,
    is_sealed,
    new_key,
    new_token_key,
    read_key,
    write_sealed,
)
from saphan.keys.passphrase import Passphrase
from saphan.keys.token_place import TokenAccess
from saphan.officer_request import make_request
from saphan.private import read_private


@dataclass(frozen=True, slots=True)
class Started:
    """A desk that is ready; `request` is None when its key came from the office."""

    me: DeskId
    key_id: bytes
    request: Path | None


def start_desk(
    folder: DeskFolder,
    invitation: DeskInvitation,
    passphrase: Passphrase,
    *,
    now: int,
    handle: str | None = None,
    brought: Path | None = None,
    cost: Argon2Cost = DEFAULT_COST,
    access: TokenAccess | None = None,
) -> Started:
    """Make a desk, or let an existing one take a new invitation; the officer's key is kept.

    Args:
        passphrase: of the officer's key, new or old.
        now: ms UTC.
        handle: the officer's, for a key that is made here.
        brought: a key file from the office, in place of a new key; kept sealed in any case.
        access: how a token is reached; a new key has one half on it if a token is named there.

    Raises:
        InvalidInput: `handle_malformed`. Refused: `desk_differs`. OperatorError: key file codes,
            `pkcs11_*`, `file_unwritable`.
    """
    if folder.desk_file.exists():
        me = folder.read()
        if me.agency != invitation.agency or handle not in (None, me.handle):
            raise Refused(
                "desk_differs",
                f"{folder.folder} is {me.handle}'s desk of {me.agency}",
                field="desk",
                hint="name another folder for another officer or agency",
            )
    access = access or TokenAccess()
    key = _key(folder, passphrase, handle, brought, cost, access)
    assert key.handle is not None
    request = None
    if brought is None:
        request = folder.request(key.handle)
        replace_file(request, _request(invitation, key, now))
    me = DeskId(
        agency=invitation.agency,
        handle=key.handle,
        address=invitation.address,
        tls=invitation.tls,
    )
    folder.write(me)  # last: a desk without it is not made yet, and is made with the key it has
    return Started(me, key.key_id, request)


def _key(
    folder: DeskFolder,
    passphrase: Passphrase,
    handle: str | None,
    brought: Path | None,
    cost: Argon2Cost,
    access: TokenAccess,
) -> SecretKey:
    """The key that is there; else the one brought along; else a new one."""
    if folder.key_file.exists():
        found = read_key(folder.key_file, Role.OFFICER, passphrase, access)
        return _guarded(_named(found, handle, folder.key_file), access, folder.key_file)
    make_folder(folder.folder)
    if brought is not None:
        key = _named(read_key(brought, Role.OFFICER, passphrase, access), handle, brought)
        _guarded(key, access, brought)
        if is_sealed(brought):
            create_file(folder.key_file, read_private(brought, KEY_FILE_BYTES, "key-file"))
        else:  # what a desk keeps is worth what its key file is
            passphrase.require_length()
            write_sealed(folder.key_file, key, passphrase, cost)
        return key
    if handle is None:
        raise InvalidInput(
            "handle_needed", "a new desk is some officer's", field="handle", hint="--handle HANDLE"
        )
    check_handle(handle)
    passphrase.require_length()
    on_token = access.token is not None
    key = new_token_key(handle, access) if on_token else new_key(Role.OFFICER, handle)
    with discarded_on_error(key):
        write_sealed(folder.key_file, key, passphrase, cost)
    return key


def _named(key: SecretKey, handle: str | None, path: Path) -> SecretKey:
    if key.handle is None or handle not in (None, key.handle):
        raise OperatorError(
            "desk_key_differs", f"{path} is {key.handle}'s key, not {handle}'s", field="handle"
        )
    return key


def _guarded(key: SecretKey, access: TokenAccess, path: Path) -> SecretKey:
    """Nobody is left to believe that a token guards a key of which it holds nothing."""
    if access.token is None or (key.token is not None and key.token.called(access.token)):
        return key
    raise OperatorError(
        "desk_key_differs",
        f"no half of {path} is on the token {access.token}, and a key that exists stays as it is",
        field="token",
        hint="leave --token out, or make a new key at a desk in another folder: docs/token.md",
    )


def _request(invitation: DeskInvitation, key: SecretKey, now: int) -> bytes:
    chain = invitation.chain
    operation = Operation(
        invitation.agency,
        chain.version + 1,
        bytes.fromhex(chain.last),
        chain.threshold,
        now,
        (Change("add", Role.OFFICER, key.public, key.handle, None, None),),
    )
    return make_request(operation, key.signing(), os.urandom(32))
