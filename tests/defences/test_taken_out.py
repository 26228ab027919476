"""Each defence of THREAT_MODEL.md is taken out, one at a time: the test that proves it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from defences.removal import Removal
from defences.table import REMOVALS

TEST_FAILED = 1
"""What pytest ends with then; it has other numbers for a test that it cannot find or load."""


def named(removal: Removal) -> str:
    return removal.test.partition("::")[2] or Path(removal.test).stem


@pytest.mark.long
@pytest.mark.parametrize("removal", REMOVALS, ids=named)
def test_without_it_the_test_fails(removal: Removal, tmp_path: Path) -> None:
    ended = removal.run(tmp_path)
    assert ended.returncode == TEST_FAILED, ended.stdout + ended.stderr
    assert removal.notices in ended.stdout, ended.stdout + ended.stderr
