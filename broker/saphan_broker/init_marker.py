"""The marker that lies in a keys directory while `init` makes it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from saphan_schemas.errors import OperatorError

MARKER_NAME: Final = "init.unfinished"


def check_finished(keys: Path) -> None:
    """Refuse to run what `init` did not finish.

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
