"""16 random bytes name one bulletin of an agency, for ever."""

from __future__ import annotations

from collections.abc import Sequence

from saphan_schemas.errors import InvalidInput

from saphan.node.rows.db import Database


def known_nonces(db: Database, agency: str, nonces: Sequence[bytes]) -> set[bytes]:
    """Those of an agency's `nonces` that a bulletin here has already."""
    marks = ",".join("?" * len(nonces))
    rows = db.rows(
        f"SELECT nonce FROM bulletins WHERE sender = ? AND nonce IN ({marks})",  # noqa: S608
        (agency, *nonces),
    )
    return {nonce for (nonce,) in rows}


def check_new(nonce: bytes, known: set[bytes]) -> None:
    """Refuse what is known; `known` grows by the ones of a batch.

    Raises:
        InvalidInput: `replay`.
    """
    if nonce in known:
        raise InvalidInput(
            "replay",
            "a bulletin with these 16 random bytes was submitted before",
            field="header.nonce",
            hint="compose the bulletin anew; never reuse a header",
        )
    known.add(nonce)
