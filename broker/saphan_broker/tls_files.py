"""The broker's own TLS key and certificate, and what it shows when it listens.

KEYS/tls.key    ECDSA P-256, PEM, mode 0600
KEYS/tls.crt    self-signed, PEM

Invitations pin the key, so a renewed certificate of the same key changes nothing for agencies.
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from saphan_protocol import tls
from saphan_schemas.errors import OperatorError, SaphanError

from saphan_broker import private_files

KEY_NAME: Final = "tls.key"
CERTIFICATE_NAME: Final = "tls.crt"
_RENEW: Final = "make a new one with the same key: saphan-broker tls renew"


@dataclass(frozen=True, slots=True)
class Shown:
    """What the broker shows to who connects.

    Args:
        context: None where a proxy in front of the broker speaks TLS.
        fingerprint: SHA-256 of the certificate that nodes see; None: there is no TLS at all.
    """

    context: ssl.SSLContext | None
    fingerprint: bytes | None


PLAIN: Final = Shown(None, None)


def create_tls(keys: Path, names: Sequence[str], now: int) -> tls.CertificateFacts:
    """Make key and certificate, which must not exist.

    Args:
        names: DNS names and addresses; `now`: ms UTC.

    Raises:
        InvalidInput: `tls_name`. OperatorError: `key_file_exists`, `key_file_exposed`.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    der = tls.self_signed(key, names, now=now, serial=secrets.randbits(127) + 1)
    private_files.write_new(keys / KEY_NAME, tls.key_pem(key))
    private_files.write_new(keys / CERTIFICATE_NAME, tls.certificate_pem(der))
    return tls.read_certificate(der)


def renew_tls(
    keys: Path, names: Sequence[str], now: int, *, new_key: bool = False
) -> tls.CertificateFacts:
    """A fresh certificate; the running broker shows it after its next start.

    A crash between the two files leaves a key and the certificate of another, which the next start
    refuses (`tls_key_differs`); renewing again heals it.

    Args:
        names: those of the certificate so far are kept, and these added.
        new_key: the key too; every agency then needs a new invitation.

    Raises:
        InvalidInput: `tls_name`. OperatorError: `key_file_*`.
    """
    private_files.check_private(keys)
    fresh = new_key or not (keys / KEY_NAME).exists()
    key = ec.generate_private_key(ec.SECP256R1()) if fresh else _read_key(keys)
    kept = read_certificate(keys / CERTIFICATE_NAME).names if _readable(keys) else ()
    named = list(dict.fromkeys((*kept, *names)))
    der = tls.self_signed(key, named, now=now, serial=secrets.randbits(127) + 1)
    if fresh:
        private_files.replace(keys / KEY_NAME, tls.key_pem(key))
    private_files.replace(keys / CERTIFICATE_NAME, tls.certificate_pem(der))
    return tls.read_certificate(der)


def read_certificate(path: Path) -> tls.CertificateFacts:
    """The first certificate of a PEM file.

    Raises:
        OperatorError: `certificate_missing`; InvalidInput: `certificate_malformed`.
    """
    try:
        with path.open("rb") as file:
            data = file.read(tls.CERTIFICATE_BYTES)
    except OSError as error:
        raise OperatorError(
            "certificate_missing",
            f"{path} cannot be read: {error.strerror}",
            field="tls-cert",
            hint="`saphan-broker tls renew --keys DIR` makes the broker's own, or name the "
            "authority's with --tls-cert and --tls-key",
        ) from None
    return tls.read_certificate(tls.first_certificate(data))


def shown(certificate: Path, key: Path, now: int) -> Shown:
    """What a listener needs to show this certificate.

    Raises:
        OperatorError: `certificate_missing`, `certificate_expired`, `certificate_early`,
            `tls_key_differs`, `key_file_*`. InvalidInput: `certificate_malformed`.
    """
    private_files.check_private(key)
    facts = read_certificate(certificate)
    check_dates(facts, certificate, now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (ssl.SSLError, ValueError):
        raise OperatorError(
            "tls_key_differs",
            f"{key} is not the key of {certificate}, or is sealed with a passphrase",
            field="tls-key",
            hint="name the two files that belong together; for the broker's own: saphan-broker "
            "tls renew",
        ) from None
    return Shown(context, facts.fingerprint)


def behind_proxy(certificate: Path) -> Shown:
    """A proxy on this machine speaks TLS and shows `certificate`; sessions are bound to that one.

    Raises:
        OperatorError: `certificate_missing`; InvalidInput: `certificate_malformed`.
    """
    return Shown(None, read_certificate(certificate).fingerprint)


def check_dates(facts: tls.CertificateFacts, path: Path, now: int) -> None:
    """Refuse to show what every node would refuse.

    Raises:
        OperatorError: `certificate_expired`, `certificate_early`.
    """
    match facts.validity(now):
        case "expired":
            raise OperatorError(
                "certificate_expired", f"{path} has expired", field="tls-cert", hint=_RENEW
            )
        case "early":
            raise OperatorError(
                "certificate_early",
                f"{path} is not valid yet",
                field="tls-cert",
                hint="check this machine's clock; then " + _RENEW,
            )
        case "valid":
            return


def _readable(keys: Path) -> bool:
    try:
        read_certificate(keys / CERTIFICATE_NAME)
    except SaphanError:
        return False  # it is made anew in any case
    return True


def _read_key(keys: Path) -> tls.TlsKey:
    return tls.parse_key_pem(private_files.read(keys / KEY_NAME))
