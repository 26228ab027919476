"""Names of zones that people and files give."""

from __future__ import annotations

import time
from zoneinfo import ZoneInfo

import pytest
from saphan.zone import NAME_CHARACTERS, read_zone


def test_a_zone_of_the_table_is_read() -> None:
    assert read_zone("Asia/Vientiane") == ZoneInfo("Asia/Vientiane")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Asia",
        "Asia/Vien",
        "../../etc/passwd",
        "/etc/localtime",
        "Asia/\0",
        "Asia/\ud800",
        "a/" * 5_000,
        "Asia/Vientiane" * 1_000,
        "x" * (NAME_CHARACTERS + 1),
    ],
)
def test_what_no_table_has_is_no_zone_and_found_so_at_once(name: str) -> None:
    begun = time.process_time()
    assert read_zone(name) is None
    assert time.process_time() - begun < 1
