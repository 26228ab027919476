"""Agencies' own schemas in the directory: whose name, which roots, once and for good."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from saphan_protocol.directory import Directory, operation_leaf, schema_leaf, types_leaf
from saphan_protocol.keys import SigningKey
from saphan_protocol.registrations import check_bundle, parse_registration, sign_registration
from saphan_schemas.bodies import digest_of
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import (
    SchemaRegistration,
    SignedRegistration,
    TypeName,
    Types,
)
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role
from support.agency import Agency, seed
from support.ceremony import NOW, Ceremony, add, replay, revoke
from support.own_types import OWN, registration
from support.refusals import code_of


@pytest.fixture
def la() -> Ceremony:
    return Ceremony(Agency("la.ospp", NOW))


@pytest.fixture
def directory(la: Ceremony) -> Directory:
    return replay([operation_leaf(la.enrol()), operation_leaf(Agency("kh.gpo", NOW).enrolment())])


def refused(directory: Directory, signed: bytes) -> str:
    """Why the leaf is refused; nothing of it is taken."""
    size, known = directory.size, len(list(directory.own_schemas))
    code = code_of(lambda: directory.apply(schema_leaf(signed)))
    assert (directory.size, len(list(directory.own_schemas))) == (size, known)
    return code


def root(tag: int) -> SigningKey:
    return SigningKey(Role.ROOT, seed(f"another root {tag}", 64))


def with_roots(
    la: Ceremony, directory: Directory, extra: Sequence[SigningKey], threshold: int
) -> None:
    """More roots for the agency, and how many of them must sign."""
    changes = [add(Role.ROOT, key.public) for key in extra]
    signed = la.operate(changes, list(extra), [la.agency.root, *extra], threshold)
    directory.apply(operation_leaf(signed))


def test_a_registered_schema_counts_from_its_place_in_the_log(
    la: Ceremony, directory: Directory
) -> None:
    before = directory.size
    directory.apply(schema_leaf(registration(la.agency)))
    assert directory.schema_digest(OWN) == digest_of(b"bundle")
    assert code_of(lambda: directory.schema_digest(OWN, before)) == "schema_unregistered"
    found = directory.own_schemas.find(OWN)
    assert found is not None
    assert (found.index, found.record.agency) == (before, "la.ospp")


def test_nobody_registers_in_the_namespace_of_another(la: Ceremony, directory: Directory) -> None:
    for name in ("kh.gpo/field_report/1", "saphan/field_report/1", "la.osp/field_report/1"):
        assert refused(directory, registration(la.agency, name)) == "schema_namespace"
    forged = registration(la.agency, "kh.gpo/field_report/1", whose="kh.gpo")
    assert refused(directory, forged) == "schema_roots"


def test_an_agency_that_is_not_enrolled_registers_nothing(directory: Directory) -> None:
    stranger = Agency("th.ocb", NOW)
    assert refused(directory, registration(stranger, "th.ocb/note/1")) == "schema_roots"


@pytest.mark.parametrize("other", [b"bundle", b"another"])
def test_a_name_is_registered_once(la: Ceremony, directory: Directory, other: bytes) -> None:
    directory.apply(schema_leaf(registration(la.agency)))
    assert refused(directory, registration(la.agency, data=other)) == "schema_registered"


@pytest.mark.parametrize("name", ["la.ospp/note/0", "la.ospp/note/01", "la.ospp/note/2"])
def test_versions_follow_each_other_from_one(la: Ceremony, directory: Directory, name: str) -> None:
    assert refused(directory, registration(la.agency, name)) == "schema_version"


def test_the_next_version_follows(la: Ceremony, directory: Directory) -> None:
    for number in range(1, 11):
        directory.apply(schema_leaf(registration(la.agency, f"la.ospp/note/{number}")))
    assert [own.record.name for own in directory.own_schemas][-1] == "la.ospp/note/10"


def test_a_thresholds_minority_registers_nothing(la: Ceremony, directory: Directory) -> None:
    second = root(2)
    with_roots(la, directory, [second], 2)
    assert refused(directory, registration(la.agency)) == "schema_threshold"
    twice = registration(la.agency, roots=[second, second])
    assert refused(directory, twice) == "registration_malformed"
    directory.apply(schema_leaf(registration(la.agency, roots=[la.agency.root, second])))


def test_a_revoked_root_registers_nothing_and_takes_nothing_back(
    la: Ceremony, directory: Directory
) -> None:
    directory.apply(schema_leaf(registration(la.agency)))
    fresh, old = root(3), la.agency.root
    changes = [add(Role.ROOT, fresh.public), revoke(Role.ROOT, old.key_id)]
    directory.apply(operation_leaf(la.operate(changes, [fresh], [old, fresh])))
    assert refused(directory, registration(la.agency, "la.ospp/note/1")) == "schema_roots"
    directory.apply(schema_leaf(registration(la.agency, "la.ospp/note/1", roots=[fresh])))
    assert directory.schema_digest(OWN) == digest_of(b"bundle")


@pytest.mark.parametrize("role", [Role.ORDER, Role.NODE, Role.OFFICER])
def test_no_other_key_of_the_agency_registers(
    la: Ceremony, directory: Directory, role: Role
) -> None:
    key = SigningKey(role, seed("another key", 64))
    handle = "bob" if role is Role.OFFICER else None
    directory.apply(operation_leaf(la.operate([add(role, key.public, handle)], [key])))
    assert refused(directory, registration(la.agency, roots=[key])) == "schema_roots"


def test_a_signature_over_something_else_is_refused(la: Ceremony, directory: Directory) -> None:
    one = decode(SignedRegistration, registration(la.agency), LIMITS.leaf_bytes, "one")
    other = decode(
        SignedRegistration, registration(la.agency, data=b"another"), LIMITS.leaf_bytes, "other"
    )
    mixed = encode(SignedRegistration(one.registration, other.roots))
    assert refused(directory, mixed) == "signature_invalid"


def test_a_signature_of_a_stranger_beside_enough_good_ones_is_refused(
    la: Ceremony, directory: Directory
) -> None:
    signed = registration(la.agency, roots=[la.agency.root, root(4)])
    assert refused(directory, signed) == "schema_roots"


@pytest.mark.parametrize("cut", [0, 1, -1])
def test_what_is_not_canonical_is_refused(la: Ceremony, directory: Directory, cut: int) -> None:
    signed = registration(la.agency)
    torn = signed[cut:] if cut > 0 else signed[:cut] if cut < 0 else signed + b"\x00"
    assert refused(directory, torn) == "malformed"


def test_an_agency_has_so_many_schemas_and_no_more(
    la: Ceremony, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saphan_protocol.registrations.LIMITS", _Few())
    directory.apply(schema_leaf(registration(la.agency, "la.ospp/one/1")))
    directory.apply(schema_leaf(registration(la.agency, "la.ospp/two/1")))
    assert refused(directory, registration(la.agency, "la.ospp/three/1")) == "schemas_full"
    kh = Agency("kh.gpo", NOW)
    directory.apply(schema_leaf(registration(kh, "kh.gpo/one/1")))


class _Few:
    """The limits, with room for two schemas of an agency."""

    schemas_per_agency = 2

    def __getattr__(self, name: str) -> object:
        return getattr(LIMITS, name)


def test_the_unsigned_leaf_speaks_in_no_agencys_namespace(directory: Directory) -> None:
    leaf = types_leaf(Types((TypeName(OWN, b"\x05" * 32),)))
    assert code_of(lambda: directory.apply(leaf)) == "schema_namespace"


def test_sixteen_roots_fit_a_leaf(la: Ceremony) -> None:
    keys = [la.agency.root, *(root(tag) for tag in range(15))]
    signed = registration(la.agency, roots=keys)
    assert len(schema_leaf(signed)) <= LIMITS.leaf_bytes
    assert len(parse_registration(signed)[1].roots) == LIMITS.roots


def test_the_longest_agency_has_a_namespace() -> None:
    agency = Agency("la." + "a" * 31, NOW)
    name = f"{agency.name}/note/1"
    assert parse_registration(registration(agency, name))[0].name == name


def test_only_the_registered_bytes_are_the_bundle(la: Ceremony) -> None:
    record = parse_registration(registration(la.agency))[0]
    check_bundle(record, b"bundle")
    assert code_of(lambda: check_bundle(record, b"bundlf")) == "schema_bundle_differs"
    assert code_of(lambda: check_bundle(record, bytes(LIMITS.schema_bytes + 1))) == "too_large"


def test_a_registration_is_made_by_its_record(la: Ceremony) -> None:
    record = SchemaRegistration("la.ospp", OWN, digest_of(b"bundle"), NOW)
    signed = sign_registration(record, [la.agency.root], [bytes(32)])
    assert parse_registration(signed)[0] == record
