"""The node's TLS key and certificate for its desks: made once, pinned by the desks' invitations.

The certificate is made anew, of the same key, before it ends: a desk pins the key and notices
nothing. node/tls.key is moved with the agency's folder; without it every desk is invited again.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from saphan_protocol.tls import (
    CERTIFICATE_BYTES,
    CertificateFacts,
    TlsKey,
    certificate_pem,
    first_certificate,
    key_pem,
    parse_key_pem,
    read_certificate,
    self_signed,
)
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import DAY_MS

from saphan.durable import PUBLIC_MODE, create_file, read_bounded, replace_file
from saphan.private import read_private

KEY_NAME: Final = "tls.key"
CERTIFICATE_NAME: Final = "tls.crt"
KEY_BYTES: Final = 8 * 1024
RENEW_DAYS: Final = 60
"""A certificate that ends sooner is made anew when the node starts."""


@dataclass(frozen=True, slots=True)
class DeskTls:
    """What a listener for desks shows; `facts` are those of the certificate."""

    context: ssl.SSLContext
    facts: CertificateFacts


def desk_certificate(folder: Path, host: str, now: int) -> CertificateFacts:
    """The node's certificate; key and certificate are made where they are missing.

    Args:
        folder: the node's; host: a name for the certificate, at which nobody looks; now: ms UTC.

    Raises:
        OperatorError: `file_unwritable`, `file_unreadable`, `key_file_exposed`.
        InvalidInput: `tls_key_malformed`, `certificate_malformed`, `tls_name`.
    """
    path = folder / CERTIFICATE_NAME
    key = _key(folder / KEY_NAME)
    if path.exists():
        der = first_certificate(read_bounded(path, CERTIFICATE_BYTES, CERTIFICATE_NAME))
        facts = read_certificate(der)
        # One from the future was made under a clock that was wrong; it would be refused till then.
        if facts.validity(now + RENEW_DAYS * DAY_MS) == facts.validity(now) == "valid":
            return facts
    # A crash before this leaves a key without a certificate, which the next call makes.
    serial = int.from_bytes(os.urandom(16), "big") | 1
    der = self_signed(key, [host], now=now, serial=serial)
    replace_file(path, certificate_pem(der), PUBLIC_MODE)
    return read_certificate(der)


def desk_tls(folder: Path, host: str, now: int) -> DeskTls:
    """The same, ready to listen with; raises the same, and `tls_unusable`."""
    facts = desk_certificate(folder, host, now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(folder / CERTIFICATE_NAME, folder / KEY_NAME)
    except (ssl.SSLError, OSError) as error:
        raise OperatorError(
            "tls_unusable",
            f"key and certificate in {folder} do not go together: {error.strerror or error}",
            field=CERTIFICATE_NAME,
            hint=f"remove {CERTIFICATE_NAME}: it is made anew from the key at the next start",
        ) from None
    return DeskTls(context, facts)


def _key(path: Path) -> TlsKey:
    if not path.exists():
        create_file(path, key_pem(ec.generate_private_key(ec.SECP256R1())))
    return parse_key_pem(read_private(path, KEY_BYTES, KEY_NAME))
