"""Finished agreements in an agency's folder: the salt of one is never lost to another."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from saphan.agency_file import AgencyFile
from saphan.agreements.draft import Draft, check_signable, propose, sign
from saphan.agreements.kept import keep
from saphan.agreements.terms import first_terms, parse_terms
from saphan.keys.keyfiles import new_key
from saphan.office import Office
from saphan_protocol.operation import parse_agreement_package
from saphan_schemas.errors import SaphanError
from saphan_schemas.records import Role
from support.pin_files import pins

NAMES = ("la.ospp", "kh.gpo")
ROOTS = {name: new_key(Role.ROOT) for name in NAMES}
SALT, OTHER_SALT = bytes(32), bytes([1]) * 32


def drafted(day: int = 16) -> Draft:
    """The reference is the same whatever the day."""
    terms = parse_terms(first_terms(NAMES, date(2025, 7, day)))
    parties = [AgencyFile(agency=n, threshold=1, roots=(ROOTS[n].public,)) for n in NAMES]
    return propose(terms, parties, pins())


def signed(day: int = 16) -> Draft:
    draft = drafted(day)
    for root in ROOTS.values():
        draft = sign(draft, root.signing(), pins(), bytes(32))
    return draft


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_what_is_kept_stays_however_often_it_is_signed(office: Office) -> None:
    path = keep(office, signed(), SALT)
    assert path.name == "kh.gpo-la.ospp-2025.saphan"
    assert path.stat().st_mode & 0o777 == 0o600
    assert keep(office, signed(), OTHER_SALT) == path
    assert parse_agreement_package(path.read_bytes()).salt == SALT


def test_another_agreement_of_the_same_reference_replaces_nothing(office: Office) -> None:
    first = keep(office, signed(), SALT)
    before = first.read_bytes()
    second = keep(office, signed(17), OTHER_SALT)
    assert first.read_bytes() == before
    assert second != first
    assert keep(office, signed(17), SALT) == second
    assert parse_agreement_package(second.read_bytes()).salt == OTHER_SALT


def test_a_file_that_cannot_be_read_is_not_replaced_either(office: Office) -> None:
    first = keep(office, signed(), SALT)
    first.write_bytes(first.read_bytes()[:100])
    assert keep(office, signed(), SALT) != first
    assert len(first.read_bytes()) == 100


def test_nothing_is_kept_that_somebody_has_not_signed(office: Office) -> None:
    half = sign(drafted(), ROOTS["la.ospp"].signing(), pins(), bytes(32))
    with pytest.raises(SaphanError, match="agreement_threshold"):
        keep(office, half, SALT)
    assert list(office.agreement_file("x").parent.iterdir()) == []


def test_a_third_agency_is_told_before_it_reads_on() -> None:
    with pytest.raises(SaphanError, match="agreement_not_party"):
        check_signable(drafted(), (new_key(Role.ROOT).key_id,), pins())
