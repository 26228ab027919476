"""The invitation as the operator hands it out: made by `init`, and again whenever it changes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from saphan_protocol.invitation import (
    INVITATION_BYTES,
    Invitation,
    format_invitation,
    is_invitation,
    split_address,
)
from saphan_schemas.errors import OperatorError

from saphan_broker import private_files
from saphan_broker.keys import PINS_MODE, load_log_keys, pins_of
from saphan_broker.store.base import LOGS
from saphan_broker.tls_files import CERTIFICATE_NAME, read_certificate

INVITATION_NAME: Final = "invitation.json"


def invite(keys: Path, address: str, *, authority: bool) -> Invitation:
    """The invitation of a broker that `init` made.

    Args:
        keys: its keys directory.
        address: HOST:PORT by which nodes reach it.
        authority: nodes check an ordinary authority's certificate instead of the broker's own key.

    Raises:
        InvalidInput: `address_malformed`, `certificate_malformed`.
        OperatorError: `key_file_*`, `certificate_missing`.
    """
    split_address(address)
    pins = pins_of({log: load_log_keys(keys, log) for log in LOGS})
    pin = None if authority else read_certificate(keys / CERTIFICATE_NAME).pin
    return Invitation(address=address, pins=pins, tls=pin)


def check_place(path: Path) -> None:
    """Refuse to replace anything but an invitation: a slip of the hand may name a key.

    Raises:
        OperatorError: `file_exists`.
    """
    try:
        with path.open("rb") as file:
            is_one = is_invitation(file.read(INVITATION_BYTES))
    except FileNotFoundError:
        return
    except OSError:
        is_one = False
    if not is_one:
        raise OperatorError(
            "file_exists",
            f"{path} exists and is no invitation, so it is not replaced",
            field="invitation",
            hint="name another file",
        )


def write_invitation(path: Path, invitation: Invitation) -> None:
    """Write the public file, replacing an invitation that is there; raises as `check_place`."""
    check_place(path)
    private_files.replace(path, format_invitation(invitation))
    path.chmod(PINS_MODE)
