"""The ceremony: an agency makes its keys and its first operation, and trusts a broker's logs."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import msgspec
from saphan_protocol.directory import Directory
from saphan_protocol.invitation import Invitation, format_invitation
from saphan_protocol.pins import Pins, format_pins
from saphan_schemas.errors import InvalidInput, OperatorError, Refused
from saphan_schemas.records import AgencyId, Handle, Operation, Role

from saphan.agency_file import AgencyFile, format_agency
from saphan.durable import PUBLIC_MODE, create_file, make_folder, replace_file, sync_folder
from saphan.keyfiles import DEFAULT_COST, Argon2Cost, new_key
from saphan.office import FOLDERS, Office
from saphan.operations import addition, sign_changes, write_key
from saphan.passphrase import Passphrase

FIRST_OFFICERS: Final = 6
"""Officers in the first operation, which has to fit one log leaf; more are added afterwards."""


def init(
    folder: Path,
    agency: str,
    root: Passphrase,
    officers: Mapping[str, Passphrase],
    *,
    now: int,
    cost: Argon2Cost = DEFAULT_COST,
    invitation: Invitation | None = None,
) -> Office:
    """Make an agency: root (1 of 1), node, mailbox, witness and officers' keys, and `enrol.saphan`.

    Args:
        folder: created, or empty; it appears whole or not at all.
        agency: id such as "la.ospp".
        root: passphrase of the root key.
        officers: handle to passphrase, one to six.
        now: ms UTC.
        cost: of Argon2id; cheaper ones are for tests only.
        invitation: of the broker that it trusts, its words compared already.

    Raises:
        InvalidInput: `agency_malformed`, `handle_malformed`, `officers_count`.
        OperatorError: `agency_folder_exists`, `file_unwritable`.
    """
    folder = folder.absolute()
    check_new(folder, agency, officers)
    staged = folder.with_name(f".{folder.name}.new")
    if staged.exists():
        shutil.rmtree(staged)  # of a ceremony that was cut off: keys that nobody ever enrolled
    try:
        _make(Office(staged), agency, root, officers, now, cost)
        if invitation is not None:
            _store(Office(staged), invitation)
        try:
            staged.rename(folder)  # an empty folder is replaced, a filled one refuses
        except OSError:
            raise _folder_exists(folder) from None
    except BaseException:
        with contextlib.suppress(OSError):
            shutil.rmtree(staged)
        raise
    sync_folder(folder.parent)
    return Office(folder)


def store_pins(office: Office, pins: Pins) -> None:
    """Trust a broker's logs, after a person has compared the words aloud.

    Raises:
        Refused: `pins_differ` (others are stored).
    """
    _check_pins(office, pins)
    replace_file(office.pins_file, format_pins(pins))


def store_invitation(office: Office, invitation: Invitation) -> None:
    """The same with the broker's address and TLS key; a new address or key replaces the old.

    Raises:
        Refused: `pins_differ`.
    """
    _check_pins(office, invitation.pins)
    _store(office, invitation)


def _check_pins(office: Office, pins: Pins) -> None:
    if office.pins_file.exists() and office.read_pins() != pins:
        raise Refused(
            "pins_differ",
            "this agency trusts another broker's logs already",
            field="pins",
            hint=f"if the change is agreed with all parties, move {office.pins_file} away first",
        )


def _store(office: Office, invitation: Invitation) -> None:
    """A crash between the two leaves a node that trusts the logs and does not know the address."""
    replace_file(office.pins_file, format_pins(invitation.pins))
    replace_file(office.invitation_file, format_invitation(invitation))


def _make(
    office: Office,
    agency: str,
    root: Passphrase,
    officers: Mapping[str, Passphrase],
    now: int,
    cost: Argon2Cost,
) -> None:
    make_folder(office.folder)
    for name in FOLDERS:
        make_folder(office.folder / name)
    keys = [new_key(role) for role in (Role.ROOT, Role.NODE, Role.MAILBOX, Role.WITNESS)]
    keys += [new_key(Role.OFFICER, handle) for handle in sorted(officers)]
    for key in keys:
        passphrase = root if key.role is Role.ROOT else officers.get(key.handle or "")
        write_key(office.key_file(key.role, key.key_id, key.handle), key, passphrase, cost)
    changes = tuple(addition(key, now) for key in keys)
    signed = sign_changes(Operation(agency, 1, None, 1, now, changes), keys[0].signing(), keys)
    Directory().check_operation(signed)
    create_file(office.operation(1), signed, PUBLIC_MODE)
    create_file(office.enrolment, signed, PUBLIC_MODE)
    public = AgencyFile(agency=agency, threshold=1, roots=(keys[0].public,))
    create_file(office.agency_file, format_agency(public), PUBLIC_MODE)


def check_new(folder: Path, agency: str, officers: Collection[str]) -> None:
    """What can be known before anybody thinks up a passphrase; `officers` are handles.

    Raises:
        InvalidInput: `agency_malformed`, `handle_malformed`, `officers_count`.
        OperatorError: `agency_folder_exists`.
    """
    if folder.is_dir() and (any(folder.iterdir()) or folder.samefile(".")):
        # The folder appears whole, by a rename: a shell that stands in it would see the old one.
        raise _folder_exists(folder)
    _check(agency, AgencyId, "agency_malformed", "agency")
    for handle in officers:
        check_handle(handle)
    if not 1 <= len(officers) <= FIRST_OFFICERS:
        raise InvalidInput(
            "officers_count",
            f"{len(officers)} officers were named, the first operation takes 1 to {FIRST_OFFICERS}",
            field="officer",
            hint="begin with a few and add the others: saphan keys add officer --handle HANDLE",
        )


def check_handle(handle: str) -> None:
    """Refuse what cannot be an officer's handle.

    Raises:
        InvalidInput: `handle_malformed`.
    """
    _check(handle, Handle, "handle_malformed", "handle")


def _check(value: str, kind: object, code: str, field: str) -> None:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        shape = "cc.name, such as la.ospp" if field == "agency" else "a word, such as bounmy"
        raise InvalidInput(
            code,
            f"{value[:64]!r} is no {field}: lower-case letters, digits and hyphens, {shape}",
            field=field,
        ) from None


def _folder_exists(folder: Path) -> OperatorError:
    return OperatorError(
        "agency_folder_exists",
        f"{folder} holds something already, or you stand in it; an agency is made in a new folder",
        field="dir",
        hint="name another folder with --dir; keys that exist are never overwritten",
    )
