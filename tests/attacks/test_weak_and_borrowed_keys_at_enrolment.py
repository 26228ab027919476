"""An agency, or somebody in it, enrols a key under which others can sign or read, or another's key.

Keys of small order and the identity point, whose signatures anybody can make; keys that are in use
in another role or at another agency.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
import pytest
from saphan_protocol.identity import pae
from saphan_protocol.keyid import key_id
from saphan_protocol.keys import SigningKey
from saphan_protocol.mailbox import MailboxKey
from saphan_protocol.operation import OPERATION_TYPE, sign_operation
from saphan_protocol.witness import WitnessKey
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import Change, Operation, SignedOperation, WitnessProof
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Role
from support import edwards
from support.agency import Agency, seed
from support.bridge import KH, LA
from support.brokers import World
from support.ceremony import Ceremony, add

MLDSA_PUBLIC, MLDSA_SIGNATURE = 1952, 3309
IDENTITY = edwards.IDENTITY[1].to_bytes(32, "little")
FORGED = IDENTITY + bytes(32)
"""R the identity, S zero: under the identity point it holds for every message."""
WEAK = sorted({text for point in edwards.torsion() for text in edwards.encodings(point)})


def weak_signing_key(chain: Ceremony, role: Role, point: bytes) -> bytes:
    """An operation that adds a signing key whose Ed25519 half is `point`; anybody can prove that
    he holds that half, and the other one is his own."""
    half = SigningKey(role, seed("a key that is made weak", 64))
    public = half.public[:MLDSA_PUBLIC] + point
    handle = "nobody" if role is Role.OFFICER else None
    signed = decode(
        SignedOperation, chain.operate([add(role, public, handle)], new=[half]), 65_535, "operation"
    )
    (proof,) = signed.keys
    item = msgspec.structs.replace(proof.item, key=key_id(role, public))
    forged = msgspec.structs.replace(
        proof, item=item, signature=proof.signature[:MLDSA_SIGNATURE] + FORGED
    )
    return encode(msgspec.structs.replace(signed, keys=(forged,)))


def weak_witness_key(chain: Ceremony, point: bytes) -> bytes:
    """The same with a witness key, whose Ed25519 half comes first."""
    own = WitnessKey(seed("a witness that is made weak", 64))
    public = point + own.public[32:]
    agency = chain.agency
    record = Operation(LA, 2, chain.last, 1, agency.now, (add(Role.WITNESS, public),))
    signed = decode(
        SignedOperation,
        sign_operation(record, [agency.root], [], [own], [agency.random()]),
        65_535,
        "operation",
    )
    proof = FORGED + own.sign_proof(pae(OPERATION_TYPE, signed.operation))[64:]
    proofs = (WitnessProof(key_id(Role.WITNESS, public), proof),)
    return encode(msgspec.structs.replace(signed, witnesses=proofs))


def mailbox(public: bytes, now: int) -> Change:
    return Change("add", Role.MAILBOX, public, None, now + DAY_MS, now + 2 * DAY_MS)


async def refusal(world: World, make: Callable[[Ceremony], bytes]) -> str | None:
    """What the broker says to la.ospp's next operation."""
    chain = Ceremony(world.agencies[LA])
    chain.enrol()
    line = await world.line(LA)
    result = await line.register(make(chain))
    await line.close()
    return result.code


async def test_a_signing_key_under_which_anybody_can_sign(world: World) -> None:
    """All fourteen encodings of the eight points, the identity among them."""
    for point in WEAK:
        code = await refusal(world, partial(weak_signing_key, role=Role.NODE, point=point))
        assert code == "key_weak", point.hex()
    for role in (Role.ORDER, Role.OFFICER, Role.ROOT):
        code = await refusal(world, partial(weak_signing_key, role=role, point=IDENTITY))
        assert code == "key_weak", role


async def test_a_witness_key_under_which_anybody_can_cosign(world: World) -> None:
    for point in WEAK:
        code = await refusal(world, partial(weak_witness_key, point=point))
        assert code == "key_weak", point.hex()


@pytest.mark.parametrize("u", (0, 1, edwards.P - 1, edwards.P, edwards.P + 1))
async def test_a_mailbox_that_anybody_can_open(world: World, u: int) -> None:
    """With an X25519 half of low order the secret that is agreed on is zero."""
    public = MailboxKey(seed("a mailbox that is made weak", 32)).public[:-32]
    low = public + u.to_bytes(32, "little")
    now = world.clock()
    assert await refusal(world, lambda chain: chain.operate([mailbox(low, now)])) == "key_weak"


async def test_another_agencys_mailbox_as_ones_own(world: World) -> None:
    """What is sealed to it could be handed on as if it had been sealed to kh.gpo."""
    public, now = world.agencies[KH].mailbox.public, world.clock()
    change = mailbox(public, now)
    assert await refusal(world, lambda chain: chain.operate([change])) == "key_duplicate"


async def test_half_of_another_agencys_mailbox(world: World) -> None:
    own, other = MailboxKey(seed("a borrower", 32)).public, world.agencies[KH].mailbox.public
    now = world.clock()
    for mixed in (own[:-32] + other[-32:], other[:-32] + own[-32:]):
        change = mailbox(mixed, now)
        assert await refusal(world, partial(Ceremony.operate, changes=[change])) == "key_duplicate"


@pytest.mark.parametrize("role", (Role.ORDER, Role.OFFICER, Role.ROOT))
async def test_one_key_in_two_roles(world: World, role: Role) -> None:
    """The node's key, which lies open on a server, becomes an officer's, an order key, a root."""
    agency = world.agencies[LA]
    borrowed = SigningKey(role, seed(f"{agency.name} node", 64))
    assert borrowed.public == agency.node.public
    handle = "nobody" if role is Role.OFFICER else None
    code = await refusal(
        world,
        lambda chain: chain.operate(
            [add(role, borrowed.public, handle)], new=[borrowed], roots=[agency.root, borrowed]
        ),
    )
    assert code == "key_duplicate"


async def test_a_key_whose_holder_signed_in_another_role(world: World) -> None:
    """Somebody else's node has signed something; its signature proves nothing for an officer."""
    other = SigningKey(Role.NODE, seed("somebody else", 64))
    as_officer = SigningKey(Role.OFFICER, seed("somebody else", 64))

    def make(chain: Ceremony) -> bytes:
        claimed = chain.operate([add(Role.OFFICER, other.public, "nobody")], new=[other])
        signed = decode(SignedOperation, claimed, 65_535, "operation")
        (proof,) = signed.keys
        item = msgspec.structs.replace(proof.item, key=as_officer.key_id)
        renamed = msgspec.structs.replace(proof, item=item)
        return encode(msgspec.structs.replace(signed, keys=(renamed,)))

    assert await refusal(world, make) == "signature_invalid"


async def test_a_key_that_its_holder_never_agreed_to(world: World) -> None:
    """A stranger's public key, enrolled as one's own officer: all he signs would be la.ospp's."""
    stranger = Agency("th.stranger", world.clock()).officer
    change = add(Role.OFFICER, stranger.public, "nobody")
    assert await refusal(world, lambda chain: chain.operate([change])) == "operation_possession"
