"""Signing and witness keys: roles, halves, weak points, and what a repr may show."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from saphan_protocol.keys import (
    SIGNING_ROLES,
    SigningKey,
    VerifyingKey,
    check_public_key,
    key_id,
)
from saphan_protocol.mailbox import MailboxKey
from saphan_protocol.witness import WitnessKey, load_witness, verify_proof
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.records import Role
from support import edwards

SEED = bytes(range(64))
MESSAGE = b"DSSEv1 1 a 1 b"


def _key(role: Role = Role.NODE, seed: bytes = SEED) -> SigningKey:
    return SigningKey(role, seed)


VERIFYING = _key().verifying()
SIGNATURE = _key().sign(MESSAGE)


@pytest.mark.parametrize("role", sorted(SIGNING_ROLES))
def test_a_signature_holds_under_its_own_key_and_role(role: Role) -> None:
    key = _key(role)
    signature = key.sign(MESSAGE)
    assert (len(key.public), len(signature)) == (1984, 3373)
    assert key.key_id == hashlib.sha256(role.encode() + b"\x00" + key.public).digest()
    key.verifying().verify(MESSAGE, signature)


def test_the_ed25519_half_may_be_held_elsewhere() -> None:
    held = Ed25519PrivateKey.from_private_bytes(SEED[32:])
    public = held.public_key().public_bytes_raw()
    key = SigningKey.with_signer(Role.OFFICER, SEED[:32], held, public)
    assert (key.public, key.key_id) == (_key(Role.OFFICER).public, _key(Role.OFFICER).key_id)
    _key(Role.OFFICER).verifying().verify(MESSAGE, key.sign(MESSAGE))


def test_a_seed_of_both_halves_is_none_for_one() -> None:
    held = Ed25519PrivateKey.from_private_bytes(SEED[32:])
    with pytest.raises(OperatorError) as refused:
        SigningKey.with_signer(Role.OFFICER, SEED, held, bytes(32))
    assert refused.value.code == "key_malformed"


def test_a_signature_of_one_role_is_none_of_another() -> None:
    signature = _key(Role.NODE).sign(MESSAGE)
    for role in SIGNING_ROLES - {Role.NODE}:
        with pytest.raises(InvalidInput) as refused:
            VerifyingKey(role, _key().public).verify(MESSAGE, signature)
        assert refused.value.code == "signature_invalid"


def test_both_halves_must_hold() -> None:
    one, other = _key(), _key(seed=SEED[::-1])
    good, strange = one.sign(MESSAGE), other.sign(MESSAGE)
    for mixed in (good[:3309] + strange[3309:], strange[:3309] + good[3309:]):
        with pytest.raises(InvalidInput) as refused:
            one.verifying().verify(MESSAGE, mixed)
        assert refused.value.code == "signature_invalid"


def test_two_signatures_of_one_message_mix_so_they_name_nothing() -> None:
    # The draft promises EUF-CMA only. If this ever fails, the comment in composite.py is outdated.
    key = _key()
    first, second = key.sign(MESSAGE), key.sign(MESSAGE)
    assert first != second
    key.verifying().verify(MESSAGE, first[:3309] + second[3309:])


@given(position=st.integers(0, 3372), bit=st.integers(0, 7))
def test_no_bit_of_a_signature_may_change(position: int, bit: int) -> None:
    changed = bytearray(SIGNATURE)
    changed[position] ^= 1 << bit
    with pytest.raises(InvalidInput):
        VERIFYING.verify(MESSAGE, bytes(changed))


@pytest.mark.parametrize("length", (0, 64, 3309, 3372, 3374))
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        VERIFYING.verify(MESSAGE, SIGNATURE.ljust(length, b"\x00")[:length])
    assert refused.value.code == "signature_invalid"


@pytest.mark.parametrize("role", (Role.MAILBOX, Role.WITNESS))
def test_mailbox_and_witness_keys_sign_no_records(role: Role) -> None:
    with pytest.raises(InvalidInput) as refused:
        SigningKey(role, SEED)
    assert refused.value.code == "key_malformed"


def test_secrets_stay_out_of_representations_and_errors() -> None:
    for key in (_key(), WitnessKey(SEED), MailboxKey(SEED[:32])):
        assert key.key_id.hex() in repr(key)
        for secret in (SEED[:32], SEED[32:]):
            assert secret.hex() not in repr(key)
            assert repr(secret) not in repr(key)
        assert not hasattr(key, "__dict__")
    with pytest.raises(OperatorError) as refused:
        SigningKey(Role.NODE, SEED[:63])
    assert refused.value.code == "key_malformed"
    assert SEED[:8].hex() not in str(refused.value)


@pytest.mark.parametrize(("make", "length"), ((WitnessKey, 63), (MailboxKey, 31), (MailboxKey, 64)))
def test_a_seed_of_another_length_is_the_operators(
    make: type[WitnessKey | MailboxKey], length: int
) -> None:
    with pytest.raises(OperatorError) as refused:
        make(bytes(length))
    assert refused.value.code == "key_malformed"
    assert refused.value.hint


def test_well_made_keys_pass_enrolment() -> None:
    for role in SIGNING_ROLES:
        check_public_key(role, _key(role).public)
    check_public_key(Role.MAILBOX, MailboxKey(SEED[:32]).public)
    check_public_key(Role.WITNESS, WitnessKey(SEED).public)


def _code(role: Role, public: bytes) -> str:
    with pytest.raises(InvalidInput) as refused:
        check_public_key(role, public)
    return refused.value.code


def test_the_weak_list_is_the_whole_torsion_in_every_encoding() -> None:
    points = edwards.torsion()
    assert len(set(points)) == 8
    strings = {text for point in points for text in edwards.encodings(point)}
    # 8 canonical; 2 for x = 0 with its sign set; 4 for y = 0 and y = 1 beyond p, in both signs.
    assert len(strings) == 14
    signing, witness = _key().public, WitnessKey(SEED).public
    for text in strings:
        assert _code(Role.NODE, signing[:1952] + text) == "key_weak"
        assert _code(Role.WITNESS, text + witness[32:]) == "key_weak"


def test_the_weak_point_that_the_library_takes_really_forges() -> None:
    # Why enrolment checks at all: under the identity point this signature fits every message.
    identity = b"\x01".ljust(32, b"\x00")
    forged = identity + bytes(32)
    public, _ = load_witness(identity + WitnessKey(SEED).public[32:])
    try:
        public.verify(forged, b"any message")
    except InvalidSignature:
        pytest.fail("the library refuses small-order keys now: say so in spec/suite.md")


@pytest.mark.parametrize("excess", (2, 3, 5, 18))
def test_an_ed25519_half_beyond_p_is_refused(excess: int) -> None:
    point = (edwards.P + excess).to_bytes(32, "little")
    assert _code(Role.NODE, _key().public[:1952] + point) == "key_malformed"


def test_an_ed25519_half_off_the_curve_is_refused() -> None:
    y = next(y for y in range(2, 99) if edwards.decompress(y, odd=False) is None)
    point = y.to_bytes(32, "little")
    assert _code(Role.OFFICER, _key().public[:1952] + point) == "key_malformed"


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("length", (0, 32, 1215, 1217, 1343, 1345, 1983, 1985))
def test_a_key_of_another_length_is_refused(role: Role, length: int) -> None:
    assert _code(role, bytes(length)) == "key_malformed"


def test_an_all_zero_mldsa_half_is_refused() -> None:
    public = _key().public
    assert _code(Role.ROOT, public[:32] + bytes(1920) + public[1952:]) == "key_weak"


LOW_ORDER_U = [
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    edwards.P - 1,
    edwards.P,
    edwards.P + 1,
]


@pytest.mark.parametrize("u", LOW_ORDER_U)
@pytest.mark.parametrize("top", (0, 1))
def test_a_low_order_x25519_half_is_refused(u: int, top: int) -> None:
    half = (u | top << 255).to_bytes(32, "little")
    assert _code(Role.MAILBOX, MailboxKey(SEED[:32]).public[:1184] + half) == "key_weak"


@pytest.mark.parametrize("u", (edwards.P + 9, 9 | 1 << 255))
def test_an_x25519_half_that_is_not_canonical_is_refused(u: int) -> None:
    half = u.to_bytes(32, "little")
    assert _code(Role.MAILBOX, MailboxKey(SEED[:32]).public[:1184] + half) == "key_malformed"


def test_an_mlkem_half_with_a_coefficient_beyond_q_is_refused() -> None:
    public = MailboxKey(SEED[:32]).public
    assert _code(Role.MAILBOX, b"\xff\xff\xff" + public[3:]) == "key_malformed"


def test_a_public_key_of_another_length_does_not_load() -> None:
    for call in (
        lambda: VerifyingKey(Role.NODE, bytes(1983)),
        lambda: load_witness(bytes(1343)),
        lambda: verify_proof(bytes(1345), MESSAGE, bytes(2484)),
    ):
        with pytest.raises(InvalidInput) as refused:
            call()
        assert refused.value.code == "key_malformed"


def test_a_verifying_key_shows_role_and_id() -> None:
    assert repr(VERIFYING) == f"<VerifyingKey node {_key().key_id.hex()}>"
    assert VERIFYING.public == _key().public


def test_a_witness_proves_possession_with_both_halves() -> None:
    key, other = WitnessKey(SEED), WitnessKey(SEED[::-1])
    proof, strange = key.sign_proof(MESSAGE), other.sign_proof(MESSAGE)
    assert (len(key.public), len(proof)) == (1344, 2484)
    verify_proof(key.public, MESSAGE, proof)
    for bad in (proof[:64] + strange[64:], strange[:64] + proof[64:], proof[:-1], b""):
        with pytest.raises(InvalidInput) as refused:
            verify_proof(key.public, MESSAGE, bad)
        assert refused.value.code == "signature_invalid"


def test_a_cosignature_is_no_proof_of_possession() -> None:
    key = WitnessKey(SEED)
    # A cosigner signs with the empty ML-DSA context, and never a PAE.
    blob = key.ed25519.sign(MESSAGE) + key.mldsa44.sign(MESSAGE)
    with pytest.raises(InvalidInput):
        verify_proof(key.public, MESSAGE, blob)
    with pytest.raises(RuntimeError, match="PAE"):
        key.sign_proof(b"cosignature/v1\ntime 1\n")


@given(role=st.sampled_from(list(Role)), public=st.binary(max_size=40))
def test_key_ids_name_role_and_key(role: Role, public: bytes) -> None:
    assert key_id(role, public) == hashlib.sha256(role.encode() + b"\0" + public).digest()
