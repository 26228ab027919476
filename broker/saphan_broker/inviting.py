"""The invitation as the operator hands it out: made by `init`, and again whenever it changes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from saphan_protocol.invitation import Invitation, format_invitation, split_address

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


def write_invitation(path: Path, invitation: Invitation) -> None:
    """Write the public file, replacing one that is there."""
    private_files.replace(path, format_invitation(invitation))
    path.chmod(PINS_MODE)
