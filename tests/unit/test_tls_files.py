"""The broker's TLS files: whatever is wrong with them is named before anybody connects."""

from __future__ import annotations

from pathlib import Path

import pytest
from saphan_broker.tls_files import (
    CERTIFICATE_NAME,
    KEY_NAME,
    Shown,
    behind_proxy,
    create_tls,
    read_certificate,
    renew_tls,
    shown,
)
from saphan_protocol import tls
from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import DAY_MS
from support.certificates import KEY, now

NOW = now()


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    create_tls(tmp_path, ["bridge.example", "192.0.2.7"], NOW)
    return tmp_path


def look(keys: Path, at: int = NOW) -> Shown:
    return shown(keys / CERTIFICATE_NAME, keys / KEY_NAME, at)


def refused(keys: Path, at: int = NOW) -> str:
    with pytest.raises(SaphanError) as caught:
        look(keys, at)
    assert caught.value.hint
    return caught.value.code


def test_what_is_made_is_shown(keys: Path) -> None:
    found = read_certificate(keys / CERTIFICATE_NAME)
    assert look(keys).fingerprint == found.fingerprint
    assert behind_proxy(keys / CERTIFICATE_NAME) == Shown(None, found.fingerprint)
    assert {path.stat().st_mode & 0o777 for path in keys.iterdir()} == {0o600}


def test_it_is_made_once(keys: Path) -> None:
    with pytest.raises(SaphanError, match="key_file_exists"):
        create_tls(keys, ["bridge.example"], NOW)


@pytest.mark.parametrize(
    ("days", "code"),
    ((-2, "certificate_early"), (tls.CERTIFICATE_DAYS + 1, "certificate_expired")),
)
def test_dates_are_judged_by_the_clock(keys: Path, days: int, code: str) -> None:
    assert refused(keys, NOW + days * DAY_MS) == code


def test_a_renewed_certificate_keeps_key_and_names(keys: Path) -> None:
    before = read_certificate(keys / CERTIFICATE_NAME)
    later = NOW + (tls.CERTIFICATE_DAYS + 1) * DAY_MS
    after = renew_tls(keys, ["new.example"], later)
    assert after.pin == before.pin
    assert after.names == ("bridge.example", "new.example", "192.0.2.7")
    assert look(keys, later).fingerprint == after.fingerprint


def test_a_new_key_is_another_pin(keys: Path) -> None:
    before = read_certificate(keys / CERTIFICATE_NAME)
    assert renew_tls(keys, [], NOW, new_key=True).pin != before.pin
    look(keys)


def test_what_a_power_cut_leaves_between_two_files_is_named_and_renewed(keys: Path) -> None:
    (keys / KEY_NAME).write_bytes(tls.key_pem(KEY))
    assert refused(keys) == "tls_key_differs"
    assert renew_tls(keys, [], NOW).pin == tls.key_pin(KEY)
    look(keys)


def test_each_damage_has_its_own_words_and_renewing_heals_it(keys: Path) -> None:
    (keys / CERTIFICATE_NAME).write_bytes(b"-----BEGIN CERTIFICATE-----\nMIIB")
    assert refused(keys) == "certificate_malformed"
    (keys / CERTIFICATE_NAME).unlink()
    assert refused(keys) == "certificate_missing"
    (keys / KEY_NAME).chmod(0o640)
    assert refused(keys) == "key_file_exposed"
    (keys / KEY_NAME).unlink()
    assert refused(keys) == "key_file_missing"
    renew_tls(keys, ["bridge.example"], NOW)
    look(keys)


def test_half_a_key_is_not_renewed_from(keys: Path) -> None:
    whole = (keys / KEY_NAME).read_bytes()
    (keys / KEY_NAME).write_bytes(whole[:100])
    assert refused(keys) == "tls_key_differs"
    with pytest.raises(SaphanError, match="tls_key_malformed") as caught:
        renew_tls(keys, [], NOW)
    assert whole[40:80].decode() not in str(caught.value)
