"""TLS certificates of our own: made as asked, read as they are, pinned by key."""

from __future__ import annotations

import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from saphan_protocol import tls
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import DAY_MS

NOW = 1_790_000_000_000
KEY = ec.derive_private_key(7, ec.SECP256R1())


def made(*names: str, serial: int = 1) -> bytes:
    return tls.make_certificate(KEY, names, not_before=NOW, not_after=NOW + 1_000, serial=serial)


def test_names_stand_as_what_they_are() -> None:
    found = x509.load_der_x509_certificate(made("bridge.example", "192.0.2.7", "::1"))
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["bridge.example"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7", "::1"]


def test_facts_are_of_the_certificate_and_the_pin_of_its_key() -> None:
    first, second = made("a.example"), made("a.example", serial=2)
    public = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    facts = tls.read_certificate(first)
    assert facts.fingerprint == hashlib.sha256(first).digest() == tls.fingerprint(first)
    assert facts.pin == hashlib.sha256(public).digest() == tls.key_pin(KEY)
    assert facts.fingerprint != tls.read_certificate(second).fingerprint
    assert facts.pin == tls.read_certificate(second).pin
    assert tls.read_certificate(made("a.example", "192.0.2.7")).names == ("a.example", "192.0.2.7")


@pytest.mark.parametrize(
    ("now", "said"),
    (
        (NOW - 1, "early"),
        (NOW, "valid"),
        (NOW + 1_000, "valid"),
        (NOW + 1_001, "expired"),
    ),
)
def test_it_holds_from_its_first_to_its_last_instant(now: int, said: str) -> None:
    assert tls.read_certificate(made("a.example")).validity(now) == said


def test_the_programs_own_dates() -> None:
    facts = tls.read_certificate(tls.self_signed(KEY, ["a.example"], now=NOW, serial=1))
    assert facts.not_before == NOW - DAY_MS
    assert facts.not_after == NOW + tls.CERTIFICATE_DAYS * DAY_MS


def test_a_long_name_needs_no_common_name() -> None:
    name = ".".join(["a" * 30] * 4)
    assert not list(x509.load_der_x509_certificate(made(name)).subject)


@pytest.mark.parametrize("name", ("ນະຄອນ.example", "", "a\x00b"))
def test_a_name_that_cannot_stand_there_is_named(name: str) -> None:
    with pytest.raises(InvalidInput, match="tls_name"):
        made("good.example", name)


def test_files_there_and_back() -> None:
    der = made("a.example")
    pem = tls.certificate_pem(der)
    assert tls.first_certificate(pem + tls.certificate_pem(made("b.example"))) == der
    assert tls.key_pin(tls.parse_key_pem(tls.key_pem(KEY))) == tls.key_pin(KEY)


@pytest.mark.parametrize("cut", (0, 1, 100, -40))
def test_half_a_certificate_file_is_none(cut: int) -> None:
    with pytest.raises(InvalidInput, match="certificate_malformed"):
        tls.first_certificate(tls.certificate_pem(made("a.example"))[:cut])


@pytest.mark.parametrize("der", (b"", b"\x30\x03", made("a.example")[:-1], b"\xff" * 700))
def test_what_is_no_certificate_is_called_so(der: bytes) -> None:
    with pytest.raises(InvalidInput, match="certificate_malformed"):
        tls.read_certificate(der)


def test_a_key_of_another_kind_and_half_a_key_are_refused_without_being_quoted() -> None:
    other = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    for pem in (other, tls.key_pem(KEY)[:-30], b"", b"\x00" * 50):
        with pytest.raises(InvalidInput, match="tls_key_malformed") as caught:
            tls.parse_key_pem(pem)
        assert pem.decode("latin1")[30:60] not in str(caught.value) or not pem
