"""Which engine has a data directory's store since it was moved: what stays behind runs no more.

    DATA/store.moved    `redis PLACE` or `sqlite`; there since the first `copy` or `restore`

Old and new store are the same up to the move, so nothing but this file tells them apart at first.
Once more was signed, the signer's last-head files refuse the old one too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from saphan_schemas.errors import OperatorError

from saphan_broker.export_file import put_file
from saphan_broker.opening import StoreChoice

MARKER_NAME: Final = "store.moved"
_MOST: Final = 4096
"""Characters of it that are looked at."""


def mark_moved(data: Path, choice: StoreChoice) -> None:
    """Say that the store of this directory is where `choice` names it; durable, idempotent.

    Raises:
        OperatorError: `disk_full`, `file_unwritable`.
    """
    where = "sqlite" if choice.redis is None else f"redis {choice.redis.place}"
    put_file(data / MARKER_NAME, f"{where}\n".encode(), 0o600)


def check_not_moved(data: Path, choice: StoreChoice) -> None:
    """Refuse the store that a move has left behind, whichever side that is.

    Raises:
        OperatorError: `store_moved`.
    """
    path = data / MARKER_NAME
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            engine, _, place = file.read(_MOST).strip().partition(" ")
    except FileNotFoundError:
        return
    if choice.shared == (engine == "redis"):
        return
    given_up = f"; only if that store is lost for good, remove {path}"
    if choice.shared:
        raise OperatorError(
            "store_moved",
            f"the store was moved from the server into {data}: what the server has is older",
            field="redis",
            hint=f"leave the options of the server out{given_up}",
        )
    raise OperatorError(
        "store_moved",
        f"the store was moved to the server at {place}: what lies in {data} is older",
        field="redis",
        hint=f"add the --redis options with which it was copied{given_up}",
    )
