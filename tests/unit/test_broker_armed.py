"""KEYS/retention.json: what was armed and acted on, by processes that share a host."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from saphan_broker.retention.armed import NAME, Armed
from saphan_broker.retention.rule import RULE
from saphan_schemas.errors import OperatorError, Refused
from saphan_schemas.limits import DAY_MS, HOUR_MS

NOW = 1_790_000_000_000


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    return folder


def test_a_new_broker_is_armed_and_begins_with_its_own_time(keys: Path) -> None:
    Armed.begin(keys, NOW)
    found = Armed.open(keys)
    assert (found.armed, found.acted) == (True, NOW)
    assert stat.S_IMODE((keys / NAME).stat().st_mode) == 0o600
    with pytest.raises(OperatorError, match="key_file_exists"):
        Armed.begin(keys, NOW)


def test_a_folder_without_the_file_is_unarmed_until_it_was_shown(keys: Path) -> None:
    armed = Armed.open(keys)
    assert (armed.armed, armed.shown, armed.acted) == (False, False, 0)
    with pytest.raises(Refused, match="rule_not_seen"):
        armed.arm(NOW)
    armed.show()
    armed.arm(NOW)
    found = Armed.open(keys)
    assert (found.armed, found.acted) == (True, NOW)


def test_another_process_of_the_host_has_shown_it_and_this_one_arms(keys: Path) -> None:
    one, other = Armed.open(keys), Armed.open(keys)
    one.show()
    other.arm(NOW)
    one.act(NOW + DAY_MS)
    assert one.armed
    assert Armed.open(keys).acted == NOW + DAY_MS


def test_time_is_written_once_an_hour_and_never_back(keys: Path) -> None:
    armed = Armed.begin(keys, NOW)
    written = (keys / NAME).stat().st_mtime_ns
    armed.act(NOW + HOUR_MS - 1)
    assert (keys / NAME).stat().st_mtime_ns == written
    armed.act(NOW + HOUR_MS)
    armed.act(NOW - DAY_MS)
    armed.confirm(NOW)
    assert Armed.open(keys).acted == NOW + HOUR_MS


def test_a_host_that_hears_of_an_armed_rule_has_it_armed(keys: Path) -> None:
    armed = Armed.open(keys)
    armed.act(NOW, armed=False)
    assert not armed.armed
    armed.act(NOW, armed=True)
    assert Armed.open(keys).armed


def test_a_file_that_is_damaged_or_others_can_reach_is_refused(keys: Path) -> None:
    Armed.begin(keys, NOW)
    path = keys / NAME
    whole = path.read_bytes()
    for damaged in (whole[:-3], whole.replace(b"retention/1", b"retention/2"), b"[]"):
        path.write_bytes(damaged)
        with pytest.raises(OperatorError, match="key_file_malformed"):
            Armed.open(keys)
    path.write_bytes(whole)
    path.chmod(0o644)
    with pytest.raises(OperatorError, match="key_file_exposed"):
        Armed.open(keys)


def test_the_rule_is_named_by_all_of_its_numbers() -> None:
    numbers = (RULE.delivery_grace_days, RULE.record_days, RULE.leap_ms)
    others = [tuple(n + (at == place) for place, n in enumerate(numbers)) for at in range(3)]
    digests = {RULE.digest, *(type(RULE)(*other).digest for other in others)}
    assert len(digests) == 4
