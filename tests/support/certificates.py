"""Certificates for tests: of our own at any time, and an ordinary authority's."""

from __future__ import annotations

import ipaddress
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from saphan_broker.tls_files import Shown, shown
from saphan_protocol import tls
from saphan_schemas.limits import DAY_MS

KEY = ec.derive_private_key(11, ec.SECP256R1())
OTHER_KEY = ec.derive_private_key(13, ec.SECP256R1())


_DER = serialization.Encoding.DER


def now() -> int:
    """The real time, ms UTC."""
    return time.time_ns() // 1_000_000


def own(folder: Path, *, key: tls.TlsKey = KEY, days: tuple[int, int] = (-1, 1)) -> Shown:
    """A self-signed certificate that holds between two days from now, ready to listen with."""
    der = tls.make_certificate(
        key,
        ["127.0.0.1"],
        not_before=now() + days[0] * DAY_MS,
        not_after=now() + days[1] * DAY_MS,
        serial=5,
    )
    return listening(folder, tls.certificate_pem(der), key, days)


def listening(
    folder: Path, chain: bytes, key: tls.TlsKey, days: tuple[int, int] = (-1, 1)
) -> Shown:
    """The same from any chain in PEM; the dates are those of the certificate."""
    certificate, private = folder / "test.crt", folder / "test.key"
    certificate.write_bytes(chain)
    private.touch(mode=0o600)
    private.write_bytes(tls.key_pem(key))
    return shown(certificate, private, now() + sum(days) * DAY_MS // 2)


@dataclass(frozen=True, slots=True)
class Authority:
    """An ordinary authority of its own making; nobody's machine knows it."""

    key: tls.TlsKey
    certificate: x509.Certificate

    def write(self, path: Path) -> Path:
        """Its certificate as the file that SSL_CERT_FILE names."""
        path.write_bytes(tls.certificate_pem(self.certificate.public_bytes(_DER)))
        return path

    def chain(self, name: str, key: tls.TlsKey, days: tuple[int, int] = (-1, 1)) -> bytes:
        """A server's certificate and this authority's, PEM."""
        made = _certificate(_name("server"), self.certificate.subject, key, self.key, days, name)
        both = (made, self.certificate)
        return b"".join(tls.certificate_pem(one.public_bytes(_DER)) for one in both)


def authority() -> Authority:
    """A fresh one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name("Test authority")
    return Authority(key, _certificate(subject, subject, key, key, (-9, 9), None))


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: tls.TlsKey,
    signer: tls.TlsKey,
    days: tuple[int, int],
    name: str | None,
) -> x509.Certificate:
    today, ca = datetime.now(UTC), name is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today + timedelta(days=days[0]))
        .not_valid_after(today + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
    )
    if ca:
        usage = dict.fromkeys(_USAGES, False) | {"key_cert_sign": True, "crl_sign": True}
        builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
    if name is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([_san(name)]), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _san(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
