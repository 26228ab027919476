"""TLS certificates: one made by the program itself, what is pinned of it, and whether it holds now.

A broker, and a node for its desks, shows a certificate that it has signed itself. Nobody vouches
for it: who connects has the SHA-256 of its public key from an invitation (schemas/spec/joining.md).
Pinned is the key and not the certificate, so that a renewed certificate of the same key cuts
nobody off. A session is bound to the exact certificate that both ends see.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import DAY_MS

CERTIFICATE_DAYS: Final = 730
"""How long a certificate holds: renewed within two years by `tls renew`, which costs nobody else
anything; doctors warn a month before."""
CERTIFICATE_BYTES: Final = 256 * 1024
"""A file with an authority's chain; the program's own certificate has less than 1 KiB."""
_COMMON_NAME: Final = 64
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

TlsKey = ec.EllipticCurvePrivateKey
"""ECDSA P-256: what every TLS library takes. What must last is sealed and signed by the suite."""
Validity = Literal["valid", "early", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """What the programs need to know of a certificate.

    Args:
        fingerprint: SHA-256 of the whole certificate (DER); a session is bound to it.
        pin: SHA-256 of its public key (SubjectPublicKeyInfo, DER); an invitation names it.
        not_before: ms UTC.
        not_after: ms UTC, the last instant at which it holds.
        names: its DNS names and IP addresses.
    """

    fingerprint: bytes
    pin: bytes
    not_before: int
    not_after: int
    names: tuple[str, ...]

    def validity(self, now: int) -> Validity:
        """Whether it holds at `now`, ms UTC."""
        if now < self.not_before:
            return "early"
        return "valid" if now <= self.not_after else "expired"


def make_certificate(
    key: TlsKey, names: Sequence[str], *, not_before: int, not_after: int, serial: int
) -> bytes:
    """A self-signed certificate for a server, as DER.

    Args:
        key: ECDSA P-256.
        names: DNS names and IP addresses, at least one; clients with a pin do not look at them.
        not_before: ms UTC; a day earlier than now forgives clocks that are behind.
        not_after: ms UTC; see `CERTIFICATE_DAYS`.
        serial: 1 to 20 bytes' worth, random.

    Raises:
        InvalidInput: `tls_name`.
    """
    alternatives = x509.SubjectAlternativeName([_name(name) for name in names])
    common = [names[0]] if len(names[0]) <= _COMMON_NAME else []
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in common])
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(_time(not_before))
        .not_valid_after(_time(not_after))
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.DER)


def self_signed(key: TlsKey, names: Sequence[str], *, now: int, serial: int) -> bytes:
    """The same with the programs' own dates: from a day before `now` (ms UTC) for two years."""
    return make_certificate(
        key,
        names,
        not_before=now - DAY_MS,
        not_after=now + CERTIFICATE_DAYS * DAY_MS,
        serial=serial,
    )


def read_certificate(der: bytes) -> CertificateFacts:
    """What a certificate says, without judging who signed it.

    Raises:
        InvalidInput: `certificate_malformed`.
    """
    try:
        found = x509.load_der_x509_certificate(der)
        public = found.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return CertificateFacts(
            fingerprint=fingerprint(der),
            pin=hashlib.sha256(public).digest(),
            not_before=_millis(found.not_valid_before_utc),
            not_after=_millis(found.not_valid_after_utc),
            names=_names(found),
        )
    except Exception as error:  # the parser's errors are of many kinds, none of them ours
        raise malformed(type(error).__name__) from None


def fingerprint(der: bytes) -> bytes:
    """SHA-256 of a certificate, 32 bytes: what a session is bound to."""
    return hashlib.sha256(der).digest()


def key_pin(key: TlsKey) -> bytes:
    """SHA-256 of the key's SubjectPublicKeyInfo, 32 bytes: what an invitation names."""
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(public).digest()


def certificate_pem(der: bytes) -> bytes:
    """A certificate as the text that TLS libraries read."""
    return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)


def first_certificate(pem: bytes) -> bytes:
    """DER of the first certificate in a PEM file: the server's own, before those of its issuers.

    Raises:
        InvalidInput: `certificate_malformed`.
    """
    try:
        return x509.load_pem_x509_certificates(pem)[0].public_bytes(serialization.Encoding.DER)
    except (ValueError, IndexError, x509.InvalidVersion):
        raise malformed("it holds no certificate in PEM form") from None


def key_pem(key: TlsKey) -> bytes:
    """The private key, unencrypted PKCS#8 in PEM: for a file of mode 0600, nothing else."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def parse_key_pem(pem: bytes) -> TlsKey:
    """The private key from its file.

    Raises:
        InvalidInput: `tls_key_malformed`; nothing of the file is quoted.
    """
    try:
        key = serialization.load_pem_private_key(pem, None)
    except Exception:  # what it is does not matter, and its message might quote the file
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidInput(
            "tls_key_malformed",
            "the file holds no ECDSA P-256 key in PEM form",
            field="tls.key",
            hint="use the file that the program made; it is moved with its folder, whole",
        )
    return key


def malformed(why: str) -> InvalidInput:
    """The error for a certificate that is none."""
    return InvalidInput(
        "certificate_malformed",
        f"this is not a certificate: {why}",
        field="certificate",
        hint="name the file with the server's certificate, in PEM form, its issuers' after it",
    )


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if not _HOST.fullmatch(name):
        raise InvalidInput(
            "tls_name",
            f"{name[:80]!r} cannot stand in a certificate",
            field="names",
            hint="give a host name in ASCII, or an IP address",
        )
    return x509.DNSName(name)


def _names(found: x509.Certificate) -> tuple[str, ...]:
    try:
        listed = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = (str(address) for address in listed.get_values_for_type(x509.IPAddress))
    return (*listed.get_values_for_type(x509.DNSName), *addresses)


def _time(millis: int) -> datetime:
    return _EPOCH + timedelta(seconds=millis // 1_000)


def _millis(when: datetime) -> int:
    return int((when - _EPOCH).total_seconds()) * 1_000
