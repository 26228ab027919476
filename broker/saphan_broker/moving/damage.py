"""The one error for a source that contradicts itself: whoever copies finds it leaf by leaf."""

from __future__ import annotations

from saphan_schemas.errors import OperatorError


def damaged(why: str) -> OperatorError:
    """The source's rows and its logs do not fit together."""
    return OperatorError(
        "store_damaged",
        f"the store that is read contradicts itself: {why}",
        field="data",
        hint="keep it as it is, and copy from a backup that is not older than the signer",
    )
