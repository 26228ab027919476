"""A report about many bulletins: what is certain first, nothing left out, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from saphan.folding.skeleton import skeleton
from saphan.folding.spelling import fold
from saphan.keys.keyfiles import new_key
from saphan.node.exports.copies import DeskCopies
from saphan.node.exports.exporting import Exporting
from saphan.node.rows.db import Database
from saphan.node.subjects.index import SubjectIndex
from saphan.node.subjects.report import SubjectReport
from saphan.subjects.references import ACCOUNT, NAME, NAME_LIKE, Reference
from saphan_schemas.codec import encode
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Header, Marking, Role

KH, LA = "kh.gpo", "la.ospp"
MANY = 2 * LIMITS.report_bulletins + 7
ASKED = "Somsack Phommachanh"
ALIKE = Reference(NAME_LIKE, skeleton(fold(ASKED)))
INSERT = (
    "INSERT INTO bulletins (id, sender, nonce, header, header_id, digest, wrapped, wrap_day,"
    " stored) VALUES (?1, 'la.ospp', ?1, ?2, x'', x'', x'01', 100, 0)"
)


def header() -> bytes:
    marking = Marking("amber", ("H0",))
    return encode(Header(1, bytes(16), LA, (KH,), "saphan/subject_notice/1", bytes(32), marking,
                         "routine", True, 1, 2, None, 100))  # fmt: skip


@pytest.fixture
def report(tmp_path: Path) -> Iterator[SubjectReport]:
    """Of a node where many bulletins name somebody whose name sounds alike, and the newest one the
    person that is asked about."""
    with closing(Database(tmp_path)) as db:
        index = SubjectIndex(db, tmp_path)
        exports = Exporting(KH, new_key(Role.NODE, None).signing(), db, lambda: 0)
        held = set[bytes]
        with db.transaction() as tx:
            for seq in range(1, MANY + 1):
                tx.execute(INSERT, (seq.to_bytes(32, "big"), header()))
                tx.execute("INSERT INTO bodies (seq, ciphertext) VALUES (?, x'01')", (seq,))
                index.keep(tx, seq, [ALIKE])
            sure = [Reference(NAME, "phommachanhsomsack"), Reference(ACCOUNT, "somsackphommachanh")]
            index.keep(tx, MANY, sure)
        copies = DeskCopies(KH, db, None, exports, lambda _: held(), lambda: None, lambda: 0)  # type: ignore[arg-type]
        yield SubjectReport(KH, db, index, exports, copies, lambda _: held())


def test_what_is_certain_is_told_first_and_the_rest_page_by_page(report: SubjectReport) -> None:
    first = report.about(ASKED)
    assert [one["found_by"] for one in first["bulletins"][:2]] == [NAME, NAME_LIKE]
    assert first["bulletins"][0]["id"] == MANY.to_bytes(32, "big").hex()
    assert (first["more"], first["next"]) == (True, LIMITS.report_bulletins)
    told = first["bulletins"]
    found = first
    while found["next"] is not None:
        found = report.about(ASKED, found["next"])
        told += found["bulletins"]
    assert len(told) == len({one["id"] for one in told}) == MANY
    assert not found["more"]
    assert report.about(ASKED, MANY)["bulletins"] == []


def test_the_surest_kind_counts(report: SubjectReport) -> None:
    with report.db.transaction() as tx:
        tx.execute("DELETE FROM subjects WHERE kind = 0")  # the name itself: the account is left
    (first, *_) = report.about(ASKED)["bulletins"]
    assert (first["found_by"], first["certain"]) == (ACCOUNT, True)


def test_an_id_is_known_however_it_was_copied(report: SubjectReport) -> None:
    found = report.about(f" {MANY:064X} ")
    assert [one["found_by"] for one in found["bulletins"]] == ["id"]
