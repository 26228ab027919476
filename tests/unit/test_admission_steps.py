"""Every step of schemas/spec/admission.md that no store is needed for: one defect, one code."""

from __future__ import annotations

import pytest
from saphan_protocol.admission import RefusedAfterSignature
from saphan_protocol.release import check_release
from saphan_schemas.errors import SaphanError
from support.admission_place import Place, Row
from support.admission_statements import RELEASES, STATEMENTS
from support.admission_submissions import SUBMISSIONS
from support.ceremony import NOW


def name(row: Row) -> str:
    return f"{row.step}-{row.code}"


def test_what_the_rows_spoil_is_good() -> None:
    place = Place()
    assert place.judge(*place.consigned())
    assert place.hear(*place.said())
    header, node, mailbox = place.la.header(["kh.gpo"], NOW), place.la.node, place.kh.mailbox
    check_release(header, "kh.gpo", node.key_id, mailbox.key_id, place.facts)


@pytest.mark.parametrize("row", SUBMISSIONS, ids=name)
def test_a_step_of_a_submission_finds_its_defect_and_from_step_8_on_makes_a_record(
    row: Row,
) -> None:
    with pytest.raises(SaphanError) as caught:
        row.provoke()
    assert caught.value.code == row.code
    proven = int(row.step.partition(".")[0]) >= 8
    assert isinstance(caught.value, RefusedAfterSignature) is proven


@pytest.mark.parametrize("row", (*STATEMENTS, *RELEASES), ids=name)
def test_a_step_of_a_statement_or_a_release_finds_its_defect(row: Row) -> None:
    with pytest.raises(SaphanError) as caught:
        row.provoke()
    assert caught.value.code == row.code
