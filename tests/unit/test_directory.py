"""The directory log's replay: who may change whose keys, and what counts at which size."""

from __future__ import annotations

import msgspec
import pytest
from saphan_protocol.directory import Directory, agreement_leaf, operation_leaf, types_leaf
from saphan_protocol.keys import SigningKey
from saphan_protocol.mailbox import MailboxKey
from saphan_protocol.operation import parse_agreement_package
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import Agreement, Change, SignedOperation, TypeName, Types
from saphan_schemas.errors import InvalidInput, Refused, SaphanError
from saphan_schemas.records import Role
from support.agency import Agency, agreement
from support.ceremony import NOW, PINS, Ceremony, add, build_directory, replay, revoke
from support.refusals import code_of

TYPES = (TypeName("saphan/case_statistics/1", b"\x05" * 32),)


@pytest.fixture
def la() -> Ceremony:
    return Ceremony(Agency("la.ospp", NOW))


def fresh(role: Role, tag: int = 7) -> SigningKey:
    return SigningKey(role, bytes((tag,)) * 32 + bytes((tag + 1,)) * 32)


def enrolled(ceremony: Ceremony) -> Directory:
    return replay([operation_leaf(ceremony.enrol())])


def refused(directory: Directory, signed: bytes) -> str:
    size = directory.size
    code = code_of(lambda: directory.apply(operation_leaf(signed)))
    assert directory.size == size
    return code


def offices() -> tuple[Agency, Agency]:
    return Agency("la.ospp", NOW), Agency("kh.gpo", NOW)


def test_first_operation_enrols_every_key(la: Ceremony) -> None:
    directory, agency = enrolled(la), la.agency
    assert directory.agencies() == ["la.ospp"]
    assert directory.key(agency.node.key_id, Role.NODE).agency == "la.ospp"
    assert directory.key(agency.officer.key_id, Role.OFFICER).handle == "officer"
    assert directory.mailbox("la.ospp", NOW).key_id == agency.mailbox.key_id
    assert directory.has_node()


def test_a_key_in_another_role_is_refused(la: Ceremony) -> None:
    directory = enrolled(la)
    assert code_of(lambda: directory.key(la.agency.officer.key_id, Role.NODE)) == "key_role"


def test_a_second_root_cannot_claim_an_enrolled_name(la: Ceremony) -> None:
    directory = enrolled(la)
    thief = Agency("la.ospp", NOW)
    thief.root, thief.node, thief.officer = (
        fresh(role, 10 * n) for n, role in enumerate((Role.ROOT, Role.NODE, Role.OFFICER), 1)
    )
    assert refused(directory, Ceremony(thief).enrol()) == "agency_exists"


def test_operations_chain_and_replays_are_refused(la: Ceremony) -> None:
    directory, key = enrolled(la), fresh(Role.NODE)
    second = la.operate([add(Role.NODE, key.public)], new=[key])
    directory.apply(operation_leaf(second))
    assert refused(directory, second) == "operation_chain"


def test_an_operation_that_skips_a_version_is_refused(la: Ceremony) -> None:
    directory = enrolled(la)
    la.operate([revoke(Role.OFFICER, la.agency.officer.key_id)])
    third = la.operate([revoke(Role.NODE, la.agency.node.key_id)])
    assert refused(directory, third) == "operation_chain"


def test_who_was_cut_off_after_an_operation_was_kept_is_told_to_hand_it_in_first(
    la: Ceremony,
) -> None:
    """Made again it would only be one more that does not follow."""
    directory = enrolled(la)
    second = la.operate([revoke(Role.OFFICER, la.agency.officer.key_id)])
    third = la.operate([revoke(Role.NODE, la.agency.node.key_id)])
    with pytest.raises(Refused) as early:
        directory.check_operation(third)
    assert early.value.hint is not None
    assert "hand in operation 2 first" in early.value.hint
    for one in (second, third):
        directory.apply(operation_leaf(one))
    with pytest.raises(Refused) as late:
        directory.check_operation(second)
    assert late.value.hint is not None
    assert "make the operation again" in late.value.hint


def test_validity_goes_by_log_order(la: Ceremony) -> None:
    directory, key_id = enrolled(la), la.agency.node.key_id
    directory.apply(operation_leaf(la.operate([revoke(Role.NODE, key_id)])))
    assert directory.key(key_id, Role.NODE, at=1).revoked == 1
    assert code_of(lambda: directory.key(key_id, Role.NODE)) == "key_revoked"
    assert code_of(lambda: directory.key(key_id, Role.NODE, at=0)) == "key_unknown"


def test_a_revoked_key_cannot_be_enrolled_again(la: Ceremony) -> None:
    directory, node = enrolled(la), la.agency.node
    directory.apply(operation_leaf(la.operate([revoke(Role.NODE, node.key_id)])))
    again = la.operate([add(Role.NODE, node.public)], new=[node])
    assert refused(directory, again) == "key_duplicate"


def test_half_of_a_known_key_cannot_be_enrolled_in_a_new_one(la: Ceremony) -> None:
    directory = enrolled(la)
    donor = SigningKey(Role.NODE, b"\x08" * 32 + b"\x09" * 32)
    mixed = SigningKey(Role.ORDER, b"\x0a" * 32 + b"\x09" * 32)
    directory.apply(operation_leaf(la.operate([add(Role.NODE, donor.public)], new=[donor])))
    signed = la.operate([add(Role.ORDER, mixed.public)], new=[mixed])
    assert refused(directory, signed) == "key_duplicate"


def test_one_key_cannot_take_two_roles_in_one_operation(la: Ceremony) -> None:
    node, officer = fresh(Role.NODE), fresh(Role.OFFICER)
    assert node.public == officer.public
    changes = [add(Role.NODE, node.public), add(Role.OFFICER, officer.public, "bob")]
    assert refused(enrolled(la), la.operate(changes, new=[node, officer])) == "key_duplicate"


def test_half_of_a_known_mailbox_key_cannot_be_enrolled_in_a_new_one(la: Ceremony) -> None:
    known, own = la.agency.mailbox.public, MailboxKey(b"\x05" * 32).public
    for mixed in (known[:-32] + own[-32:], own[:-32] + known[-32:]):
        directory = enrolled(Ceremony(la.agency))
        ceremony = Ceremony(Agency("kh.gpo", NOW))
        directory.apply(operation_leaf(ceremony.enrol()))
        change = Change("add", Role.MAILBOX, mixed, None, NOW, NOW)
        assert refused(directory, ceremony.operate([change])) == "key_duplicate"


def test_a_stranger_cannot_sign_for_the_root(la: Ceremony) -> None:
    directory = enrolled(la)
    changes = [revoke(Role.NODE, la.agency.node.key_id)]
    signed = la.operate(changes, roots=[fresh(Role.ROOT)])
    assert refused(directory, signed) == "operation_threshold"


@pytest.mark.parametrize("who", ("old", "new"))
def test_a_root_change_by_one_side_alone_is_refused(la: Ceremony, who: str) -> None:
    directory, key = enrolled(la), fresh(Role.ROOT)
    changes = [add(Role.ROOT, key.public), revoke(Role.ROOT, la.agency.root.key_id)]
    signed = la.operate(changes, new=[key], roots=[la.agency.root if who == "old" else key])
    assert refused(directory, signed) == "operation_threshold"


def test_a_root_change_by_old_and_new_root_holds(la: Ceremony) -> None:
    directory, key = enrolled(la), fresh(Role.ROOT)
    changes = [add(Role.ROOT, key.public), revoke(Role.ROOT, la.agency.root.key_id)]
    signed = la.operate(changes, new=[key], roots=[la.agency.root, key])
    directory.apply(operation_leaf(signed))
    assert [k.key_id for k in directory.keys("la.ospp", Role.ROOT)] == [key.key_id]


def test_one_root_signing_twice_is_one_signature(la: Ceremony) -> None:
    directory, second, root = enrolled(la), fresh(Role.ROOT), la.agency.root
    changes = [add(Role.ROOT, second.public)]
    both = la.operate(changes, new=[second], roots=[root, second], threshold=2)
    directory.apply(operation_leaf(both))
    take = [revoke(Role.NODE, la.agency.node.key_id)]
    twice = la.operate(take, roots=[root, root], threshold=2)
    assert refused(directory, twice) == "operation_threshold"


def test_the_last_root_cannot_be_revoked(la: Ceremony) -> None:
    directory, root = enrolled(la), la.agency.root
    assert refused(directory, la.operate([revoke(Role.ROOT, root.key_id)])) == "operation_threshold"


def test_a_new_key_that_did_not_sign_is_refused(la: Ceremony) -> None:
    directory, key = enrolled(la), fresh(Role.NODE)
    assert refused(directory, la.operate([add(Role.NODE, key.public)])) == "operation_possession"


def test_a_possession_signature_of_somebody_else_is_refused(la: Ceremony) -> None:
    signed = decode(SignedOperation, la.enrol(), 65_535, "operation")
    other = decode(SignedOperation, Agency("kh.gpo", NOW).enrolment(), 65_535, "operation")
    mixed = msgspec.structs.replace(signed, keys=(*signed.keys, other.keys[0]))
    assert refused(Directory(), encode(mixed)) == "operation_possession"


@pytest.mark.parametrize(
    ("change", "code"),
    (
        (Change("add", Role.OFFICER, b"\x01" * 1984, None, None, None), "change_malformed"),
        (Change("add", Role.NODE, b"\x01" * 1984, "somchai", None, None), "change_malformed"),
        (Change("add", Role.NODE, b"\x01" * 1984, None, 1, 2), "change_malformed"),
        (Change("add", Role.MAILBOX, b"\x01" * 1216, None, None, None), "change_malformed"),
        (Change("add", Role.MAILBOX, b"\x01" * 1216, None, 3, 2), "change_malformed"),
        (Change("revoke", Role.NODE, b"\x01" * 33, None, None, None), "change_malformed"),
        (Change("revoke", Role.NODE, b"\x01" * 32, None, None, None), "key_unknown"),
        (Change("add", Role.NODE, b"\x00" * 1984, None, None, None), "key_weak"),
    ),
)
def test_malformed_changes_are_refused(la: Ceremony, change: Change, code: str) -> None:
    assert refused(enrolled(la), la.operate([change])) == code


def test_every_byte_of_an_operation_matters(la: Ceremony) -> None:
    signed = la.enrol()
    for position in range(0, len(signed), max(1, len(signed) // 300)):
        mutated = bytearray(signed)
        mutated[position] ^= 1
        with pytest.raises(SaphanError):
            Directory().apply(operation_leaf(bytes(mutated)))


def test_another_digest_of_a_known_schema_is_refused() -> None:
    leaf, name = types_leaf(Types(TYPES)), TYPES[0].name
    assert code_of(lambda: Directory().apply(leaf, {name: b"\x00" * 32})) == "schema_digest"
    directory = replay([leaf])
    other = types_leaf(Types((TypeName(name, b"\x01" * 32),)))
    assert code_of(lambda: directory.apply(other)) == "schema_digest"
    assert directory.schema_digest(name) == TYPES[0].digest
    assert code_of(lambda: directory.schema_digest(name, at=0)) == "schema_unregistered"


def test_a_schema_is_not_registered_twice_in_one_leaf() -> None:
    twice = Types((TYPES[0], TypeName(TYPES[0].name, b"\x01" * 32)))
    assert code_of(lambda: Directory().apply(types_leaf(twice))) == "leaf_malformed"


@pytest.mark.parametrize(
    "leaf", (b"", b"\x21", b"\x22" + b"\x00" * 31, b"\x20", b"\x01" + b"\x00" * 36)
)
def test_leaves_that_do_not_parse_are_refused(leaf: bytes) -> None:
    with pytest.raises(InvalidInput):
        Directory().apply(leaf)


def test_an_agreement_works_from_its_place_in_the_log() -> None:
    directory, leaves, _ = build_directory(offices())
    last = len(leaves) - 1
    assert [agreed.index for agreed in directory.agreements("la.ospp", "kh.gpo")] == [last]
    assert not list(directory.agreements("la.ospp", "kh.gpo", at=last))


def test_an_agreement_survives_a_later_root_change() -> None:
    la, kh = offices()
    _, leaves, package = build_directory([la, kh])
    ceremony, key = Ceremony(la), fresh(Role.ROOT)
    leaves[1] = operation_leaf(ceremony.enrol())
    changes = [add(Role.ROOT, key.public), revoke(Role.ROOT, la.root.key_id)]
    leaves.append(operation_leaf(ceremony.operate(changes, new=[key], roots=[la.root, key])))
    assert list(replay(leaves, package).agreements("la.ospp", "kh.gpo"))


def test_an_unlogged_agreement_is_refused() -> None:
    parties = offices()
    directory, _, _ = build_directory(parties)
    other = agreement(parties, *PINS, NOW, reference="exercise-2")
    assert code_of(lambda: directory.add_package(other)) == "agreement_unlogged"


def test_an_agreement_edited_after_the_signatures_is_refused() -> None:
    directory, _, package = build_directory(offices())
    signed = parse_agreement_package(package)
    text = decode(Agreement, signed.agreement, 65_536, "agreement")
    edited = encode(msgspec.structs.replace(text, onward="ask"))
    forged = encode(msgspec.structs.replace(signed, agreement=edited))
    assert code_of(lambda: directory.check_package(forged)) == "signature_invalid"


def test_an_agreement_that_one_party_did_not_sign_is_refused() -> None:
    directory, _, package = build_directory(offices())
    signed = parse_agreement_package(package)
    half = encode(msgspec.structs.replace(signed, signatures=signed.signatures[:1]))
    assert code_of(lambda: directory.check_package(half)) == "agreement_threshold"


def test_a_root_does_not_sign_an_agreement_twice() -> None:
    directory, _, package = build_directory(offices())
    signed = parse_agreement_package(package)
    twice = encode(msgspec.structs.replace(signed, signatures=signed.signatures * 2))
    assert code_of(lambda: directory.check_package(twice)) == "agreement_malformed"


def test_an_agreement_with_a_root_that_is_not_enrolled_is_refused(la: Ceremony) -> None:
    directory = enrolled(la)
    package = agreement(offices(), *PINS, NOW)
    assert code_of(lambda: directory.check_package(package)) == "agreement_roots"


def test_one_root_of_three_cannot_conclude_an_agreement_that_needs_two() -> None:
    la, kh = offices()
    ceremony, roots = Ceremony(la), [fresh(Role.ROOT, tag) for tag in (7, 9)]
    directory = replay([operation_leaf(ceremony.enrol()), operation_leaf(kh.enrolment())])
    package = agreement([la, kh], *PINS, NOW)  # pins one root of each, with a threshold of 1
    signed = parse_agreement_package(package)
    directory.apply(agreement_leaf(signed.salt, signed.agreement))
    changes = [add(Role.ROOT, key.public) for key in roots]
    grown = ceremony.operate(changes, new=roots, roots=[la.root, *roots], threshold=2)
    directory.apply(operation_leaf(grown))
    assert code_of(lambda: directory.check_package(package)) == "agreement_threshold"
    assert directory.add_package(package).index == 2  # at its place one root was enough


def test_the_same_agreement_is_logged_once() -> None:
    directory, _, package = build_directory(offices())
    signed = parse_agreement_package(package)
    leaf = agreement_leaf(signed.salt, signed.agreement)
    assert code_of(lambda: directory.apply(leaf)) == "agreement_known"


def test_a_refused_operation_leaves_the_agency_as_it_was(la: Ceremony) -> None:
    directory = enrolled(la)
    with pytest.raises(Refused):
        directory.apply(operation_leaf(Agency("la.ospp", NOW + 1).enrolment()))
    assert directory.version("la.ospp")[0] == 1
