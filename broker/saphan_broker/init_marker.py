"""Markers in a keys directory: `init` is making it, or `succeed` a lost log's successor."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from saphan_schemas.errors import OperatorError

MARKER_NAME: Final = "init.unfinished"
SUCCESSION_NAME: Final = "succession"


def check_initialised(keys: Path) -> None:
    """Refuse what `init` did not finish.

    Raises:
        OperatorError: `init_unfinished`.
    """
    if (keys / MARKER_NAME).exists():
        raise OperatorError(
            "init_unfinished",
            f"`saphan-broker init` was interrupted while it made {keys}",
            field="keys",
            hint="nothing of it was in use: remove both directories whole, then run init again",
        )


def check_finished(keys: Path) -> None:
    """Refuse to run what `init` or `succeed` did not finish.

    Raises:
        OperatorError: `init_unfinished`, `succession_unfinished`.
    """
    check_initialised(keys)
    if (keys / SUCCESSION_NAME).exists():
        raise OperatorError(
            "succession_unfinished",
            f"`saphan-broker succeed` was interrupted while it made a log's successor in {keys}",
            field="keys",
            hint="give the same command again: saphan-broker succeed",
        )
