"""Somebody on the way, or a sender's node of his, asks for less than the one suite.

Another suite's number, half a signature, a stanza or a mailbox without the post-quantum half: each
is refused by its number or its length, before any key is used.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from saphan_protocol.admission import admit
from saphan_protocol.composite import composite_verify
from saphan_protocol.identity import pae_array
from saphan_protocol.mailbox import MailboxKey, load_public
from saphan_protocol.stanza import STANZA_BYTES, STANZA_TYPE, open_stanza
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import SUITE, Header
from support.admission_place import Place
from support.agency import seed
from support.ceremony import NOW
from support.rooms import PACKAGES, ROOT, modules

BULLETIN, CONTENT_KEY = b"\x0b" * 32, b"\x0c" * 32
KEY = MailboxKey(seed("a mailbox", 32))
INFO = pae_array(STANZA_TYPE, [BULLETIN, "kh.gpo", KEY.key_id])


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(SaphanError) as caught:
        call()
    return caught.value.code


@pytest.fixture
def no_key_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any signature check, seal or opening from here on fails the test."""

    def used(*_args: Any, **_kinds: Any) -> None:
        pytest.fail("a key was used")

    for name in (
        "saphan_protocol.keys.composite_verify",
        "saphan_protocol.mailbox._hpke",
    ):
        monkeypatch.setattr(name, used)


def test_every_other_suites_number(request: pytest.FixtureRequest) -> None:
    place = Place()
    made = place.la.bulletin(["kh.gpo"], NOW)
    (given,), batch = place.la.submissions([made], [place.kh])
    request.getfixturevalue("no_key_is_used")  # making all that took keys
    header = decode(Header, given.header, LIMITS.header_bytes, "header")
    for suite in (one for one in range(65_536) if one != SUITE):
        other = encode(msgspec.structs.replace(header, suite=suite))
        code = code_of(
            lambda: admit(
                other,  # noqa: B023
                given.consignment,
                given.item,
                batch,
                given.ciphertext,
                place.facts,
                peer="la.ospp",
                stanzas=given.stanzas,
                attachments=given.attachments,
            )
        )
        assert code == "suite_unknown"


class Unused:
    """A half of a key that nobody may ask."""

    def verify(self, *_args: object) -> None:
        pytest.fail("a key was used")


@pytest.mark.parametrize("left", [(0, 3309), (3309, 3373), (0, 0), (3308, 3373)])
def test_a_signature_without_one_half(left: tuple[int, int]) -> None:
    half: Any = Unused()
    signature = bytes(3373)[slice(*left)]
    refusal = code_of(lambda: composite_verify(half, half, b"node", b"a record", signature))
    assert refusal == "signature_invalid"


def classical_stanza() -> bytes:
    """The content key, sealed well to the X25519 half alone."""
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    half = X25519PrivateKey.from_private_bytes(seed("a classical half", 32)).public_key()
    return suite.encrypt(CONTENT_KEY, half, INFO)


@pytest.mark.usefixtures("no_key_is_used")
def test_a_stanza_of_the_classical_half_alone_is_refused_unopened() -> None:
    stanza = classical_stanza()
    assert len(stanza) == 32 + 32 + 16
    assert code_of(lambda: open_stanza(stanza, KEY, BULLETIN, "kh.gpo")) == "stanza_unopenable"


def test_one_that_is_as_long_as_a_good_one_does_not_open() -> None:
    stanza = classical_stanza()
    for padded in (stanza.ljust(STANZA_BYTES, b"\0"), stanza.rjust(STANZA_BYTES, b"\0")):
        assert code_of(lambda: open_stanza(padded, KEY, BULLETIN, "kh.gpo")) == "stanza_unopenable"  # noqa: B023


def test_the_broker_takes_no_stanza_of_another_length() -> None:
    place = Place()
    made = place.la.bulletin(["kh.gpo"], NOW)
    (given,), batch = place.la.submissions([made], [place.kh])
    refusal = code_of(
        lambda: admit(
            given.header,
            given.consignment,
            given.item,
            batch,
            given.ciphertext,
            place.facts,
            peer="la.ospp",
            stanzas=(classical_stanza(),),
            attachments=given.attachments,
        )
    )
    assert refusal.startswith("stanza")


def test_a_mailbox_of_one_half_alone_is_no_key() -> None:
    for public in (KEY.public[1184:], KEY.public[:1184], bytes(1184), b""):
        assert code_of(lambda: load_public(public)) == "key_malformed"  # noqa: B023


# --- what is sealed today and opened in thirty years ----------------------------------------------

CLASSICAL = frozenset({"dh", "ec", "rsa", "x448", "x25519"})
ALLOWED = {
    # the X25519 half of the hybrid, beside its ML-KEM half
    "protocol/saphan_protocol/mailbox.py": {"x25519"},
    # asks the library whether it has the suite
    "protocol/saphan_protocol/suite.py": {"x25519"},
    # certificates of lines; everything on them is sealed and signed by itself
    "protocol/saphan_protocol/tls.py": {"ec"},
    "broker/saphan_broker/tls_files.py": {"ec"},
    "clients/saphan/node/desks/tls.py": {"ec"},
}
"""Where an algorithm stands that a quantum computer breaks."""


def used(tree: ast.Module) -> set[str]:
    """Classical key agreements that a module imports."""
    found: set[str] = set()
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{one.name}" for one in node.names)]
        elif isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        for name in names:
            parts = name.split(".")
            if "asymmetric" in parts:
                found |= CLASSICAL & set(parts)
    return found


def test_no_code_seals_to_a_classical_key_alone() -> None:
    """Kept today, opened when the machine is there: every key that seals content is a hybrid."""
    places: dict[str, set[str]] = {}
    kems: set[tuple[str, str]] = set()
    for package in PACKAGES:
        for path in modules(package).values():
            tree, name = ast.parse(path.read_text(encoding="utf-8")), str(path.relative_to(ROOT))
            if classical := used(tree):
                places[name] = classical
            for node in ast.walk(tree):
                asked = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
                if asked and node.value.id == "KEM":  # type: ignore[attr-defined]
                    kems.add((name, node.attr))  # type: ignore[attr-defined]
    assert places == ALLOWED
    assert {kem for _, kem in kems} == {"MLKEM768_X25519"}


@pytest.mark.parametrize(
    "source",
    (
        "from cryptography.hazmat.primitives.asymmetric import rsa",
        "from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey",
        "import cryptography.hazmat.primitives.asymmetric.ec",
    ),
)
def test_the_search_sees_what_it_looks_for(source: str) -> None:
    assert used(ast.parse(source))
