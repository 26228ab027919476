"""What is signed is what was shown: no field of an agreement may differ and the page stay."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import msgspec
import pytest
from saphan.agency_file import AgencyFile
from saphan.agreements.draft import Draft, propose
from saphan.agreements.terms import first_terms, parse_terms
from saphan.cli.agreement_page import draft_value, page
from saphan.keys.keyfiles import new_key
from saphan_schemas.directory_records import Agreement, WitnessPolicy
from saphan_schemas.records import Role
from support.agreement_terms import others
from support.pin_files import pins


@pytest.fixture(scope="module")
def draft() -> Draft:
    parties = [
        AgencyFile(agency=name, threshold=1, roots=(new_key(Role.ROOT).public,))
        for name in ("la.ospp", "kh.gpo")
    ]
    terms = parse_terms(first_terms([party.agency for party in parties], date(2025, 7, 16)))
    return propose(terms, parties, pins())


def shown(draft: Draft, **changes: Any) -> list[str]:
    agreement = msgspec.structs.replace(draft.agreement, **changes)
    return list(page(draft_value(replace(draft, agreement=agreement))))


@pytest.mark.parametrize("field", Agreement.__struct_fields__)
def test_every_field_of_an_agreement_is_on_the_page(draft: Draft, field: str) -> None:
    other = others(draft.agreement)[field]
    assert shown(draft, **{field: other}) != shown(draft)


def test_both_parts_of_the_witness_policy_are_on_the_page(draft: Draft) -> None:
    pages = [
        shown(draft, witnesses=WitnessPolicy(quorum, own))
        for quorum in (1, 2)
        for own in (False, True)
    ]
    assert all(pages.count(one) == 1 for one in pages)


def test_whole_days_are_shown_as_days(draft: Draft) -> None:
    assert "2025-07-16 – 2030-07-15" in shown(draft)
