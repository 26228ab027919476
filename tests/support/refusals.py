"""What an action is refused with: an action that is not refused fails the test."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from saphan_schemas.errors import SaphanError


def refusal(action: Callable[[], object]) -> SaphanError:
    """The refusal that the action must end with."""
    with pytest.raises(SaphanError) as refused:
        action()
    return refused.value


def code_of(action: Callable[[], object]) -> str:
    """Its code."""
    return refusal(action).code
