"""The terms from which two agencies start carry whatever this program itself proposes to write."""

from __future__ import annotations

from datetime import date

import pytest
from saphan.agreements.terms import first_terms, parse_terms
from saphan.form.sheet import usual
from saphan_schemas.records import TLP_ORDER
from saphan_schemas.samples import SAMPLES, wish

TODAY = date(2025, 7, 16)
TERMS = parse_terms(first_terms(["la.ospp", "kh.gpo"], TODAY))


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_may_be_sent(name: str) -> None:
    """A controlled delivery is red by its own rules: under a lower ceiling none could be sent."""
    marking = wish(name)["marking"]
    for rule in TERMS.rules:
        assert wish(name)["schema"] in rule.schemas
        assert TLP_ORDER.index(marking["tlp"]) <= TLP_ORDER.index(rule.tlp_ceiling)
    assert set(marking["codes"]) <= set(TERMS.handling)


def test_what_the_form_proposes_may_be_sent() -> None:
    proposed = usual("lo", TODAY)["/marking/tlp"]
    assert isinstance(proposed, str)
    for rule in TERMS.rules:
        assert TLP_ORDER.index(proposed) <= TLP_ORDER.index(rule.tlp_ceiling)
