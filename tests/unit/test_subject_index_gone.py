"""What the index of references knew of an erased bulletin is in no page of the store any more."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from saphan.node.rows.db import Database
from saphan.node.subjects.index import SubjectIndex
from saphan.subjects.references import NAME, Reference

MANY, EACH = 1_500, 8
INSERT = (
    "INSERT INTO bulletins (id, sender, nonce, header, header_id, digest, wrapped, wrap_day,"
    " stored) VALUES (?1, 'la.ospp', ?1, x'', x'', x'', x'01', 100, 0)"
)


def of(seq: int) -> list[Reference]:
    return [Reference(NAME, f"{seq} {place}") for place in range(EACH)]


def left(folder: Path, tokens: list[bytes]) -> int:
    """How many of them stand anywhere in the node's files."""
    data = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    return sum(token in data for token in tokens)


def test_rows_that_went_leave_no_copy_in_a_page(tmp_path: Path) -> None:
    (tmp_path / "subject.key").write_bytes(bytes(range(32)))
    (tmp_path / "subject.key").chmod(0o600)
    with closing(Database(tmp_path)) as db:
        index = SubjectIndex(db, tmp_path)
        for start in range(1, MANY + 1, 10):
            with db.transaction() as tx:
                for seq in range(start, start + 10):
                    tx.execute(INSERT, (seq.to_bytes(32, "big"),))
                    tx.execute("INSERT INTO bodies (seq, ciphertext) VALUES (?, x'01')", (seq,))
                    index.keep(tx, seq, of(seq))
        assert not index.settle(), "nothing has gone"
        with db.transaction() as tx:
            tx.execute("DELETE FROM bodies WHERE seq % 2 = 0")
        db.truncate()
        gone = [index.token(one) for seq in range(2, MANY + 1, 2) for one in of(seq)]
        assert left(tmp_path, gone) > 0, "pages that were split keep copies"

        assert index.settle()
        assert left(tmp_path, gone) == 0
        kept = of(1) + of(MANY - 1)
        assert [one.seq for one in index.find(kept)] == [1, MANY - 1]
        assert not index.settle()
