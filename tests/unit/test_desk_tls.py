"""The node's certificate for desks: made anew before a desk would refuse it, of the same key."""

from __future__ import annotations

from pathlib import Path

import pytest
from saphan.node.desks.tls import RENEW_DAYS, desk_certificate, desk_tls
from saphan_protocol.tls import CERTIFICATE_DAYS
from saphan_schemas.limits import DAY_MS
from support.certificates import now

NOW = now()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def test_it_is_made_once(folder: Path) -> None:
    made = desk_certificate(folder, "node.example", NOW)
    assert desk_tls(folder, "node.example", NOW + DAY_MS).facts == made
    assert (folder / "tls.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "days", (CERTIFICATE_DAYS - RENEW_DAYS + 1, CERTIFICATE_DAYS + 9, -2, -900)
)
def test_one_that_ends_soon_or_begins_later_is_made_anew(folder: Path, days: int) -> None:
    """A machine that starts with the clock of another year is set right afterwards."""
    made = desk_certificate(folder, "node.example", NOW)
    later = NOW + days * DAY_MS
    anew = desk_certificate(folder, "node.example", later)
    assert anew.pin == made.pin
    assert anew.fingerprint != made.fingerprint
    assert anew.validity(later) == "valid"
