"""What a node tells, its desks take."""

from __future__ import annotations

import msgspec
import pytest
from saphan.desk.answers import Warned
from saphan.node.telling.warnings import STEPS, Deadline


@pytest.mark.parametrize(("deadline", "share"), STEPS)
def test_every_warning_that_a_node_gives_is_one_to_its_desks(
    deadline: Deadline, share: int
) -> None:
    told = {"recipient": "kh.gpo", "deadline": deadline, "share": share, "told": 1}
    assert msgspec.convert(told, Warned).share == share
