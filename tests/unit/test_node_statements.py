"""Of what a node has stated, the log answers each disclosure for itself."""

from __future__ import annotations

from pathlib import Path

from saphan.node.rows.db import Database
from saphan.node.rows.statements import Said, keep_statements, mark_logged, sign_statements
from saphan_protocol.keys import SigningKey
from saphan_schemas.records import Event, Role

KEY = SigningKey(Role.NODE, bytes(range(64)))
KH = "kh.gpo"
BULLETIN, DIGEST = b"\x01" * 32, b"\x02" * 32


def said(event: Event, time: int, detail: bytes | None = None) -> Said:
    code = "disclosed" if event is Event.EXPORTED else None
    return Said(
        event=event,
        bulletin=BULLETIN,
        ciphertext=DIGEST,
        sender=KH if event is Event.EXPORTED else "la.ospp",
        recipient=KH,
        time=time,
        code=code,
        detail=detail,
    )


def test_a_logged_disclosure_leaves_the_others_waiting(tmp_path: Path) -> None:
    batch, signed = sign_statements(
        KEY, KH, [said(Event.EXPORTED, at, bytes([at] * 32)) for at in (1, 2)]
    )
    db = Database(tmp_path)
    with db.transaction() as tx:
        keep_statements(tx, batch, signed)
        mark_logged(tx, [(BULLETIN, "exported", KH, signed[1].body)])
    assert db.rows("SELECT state FROM statements ORDER BY id") == [("waiting",), ("logged",)]
    db.close()


def test_of_a_handover_the_first_answer_counts_for_all(tmp_path: Path) -> None:
    """Signed anew after a loss, it has another time; the log has one."""
    batch, signed = sign_statements(KEY, KH, [said(Event.HANDOVER, at) for at in (1, 2)])
    db = Database(tmp_path)
    with db.transaction() as tx:
        keep_statements(tx, batch, signed)
        mark_logged(tx, [(BULLETIN, "handover", KH, signed[1].body)])
    assert db.rows("SELECT state FROM statements") == [("logged",), ("logged",)]
    db.close()
