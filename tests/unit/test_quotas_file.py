"""The operator's file of quotas: what it may say, and what is left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from saphan_broker.quotas import Quotas, parse_quotas, read_quotas, shares
from saphan_protocol.quota import Quota, Use
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.limits import LIMITS, MINUTE_MS

BYTES = LIMITS.quota_bytes_least


def test_what_is_left_out_is_as_for_everybody_and_that_as_by_default() -> None:
    quotas = parse_quotas(
        b'{"default": {"bulletins_per_minute": 600},'
        b' "agencies": {"la.ospp": {"open_deliveries": 500}, "kh.gpo": {}}}'
    )
    everybody = Quota(bulletins_per_minute=600)
    assert quotas.of("vn.bca") == quotas.of("kh.gpo") == everybody
    assert quotas.of("la.ospp") == Quota(bulletins_per_minute=600, open_deliveries=500)


def test_an_empty_file_says_nothing_and_the_defaults_hold() -> None:
    assert parse_quotas(b"{}") == Quotas()
    assert Quotas().of("la.ospp") == Quota(
        LIMITS.quota_bulletins, LIMITS.quota_bytes, LIMITS.quota_deliveries
    )


def test_the_least_that_lets_one_largest_bulletin_pass_is_taken() -> None:
    text = '{"default": {"bulletins_per_minute": 1, "bytes_per_day": %d, "open_deliveries": %d}}'
    quotas = parse_quotas((text % (BYTES, LIMITS.recipients)).encode())
    assert quotas.default == Quota(1, BYTES, LIMITS.recipients)
    stanzas = LIMITS.recipients * 1168
    beside = LIMITS.header_bytes + LIMITS.consignment_bytes + LIMITS.ciphertext_bytes + stanzas
    assert beside + LIMITS.attachments_bytes * 9 // 8 < BYTES  # 36 MiB sealed, and a bit


@pytest.mark.parametrize(
    "text",
    (
        "",
        "[]",
        "{",
        "\xff",
        '{"defaults": {}}',
        '{"default": {"bulletins": 5}}',
        '{"default": {"bulletins_per_minute": 0}}',
        '{"default": {"bulletins_per_minute": 1.5}}',
        '{"default": {"bulletins_per_minute": "9"}}',
        '{"default": {"bulletins_per_minute": true}}',
        f'{{"default": {{"bytes_per_day": {BYTES - 1}}}}}',
        f'{{"default": {{"open_deliveries": {LIMITS.recipients - 1}}}}}',
        f'{{"default": {{"open_deliveries": {2**53 + 1}}}}}',
        '{"agencies": {"La Ospp": {}}}',
        '{"agencies": {"la.ospp": 5}}',
        '{"agencies": {"la.ospp": {}, "la.ospp": {"open_deliveries": 64}}}',
    ),
)
def test_a_slip_is_refused_whole(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_quotas(text.encode("latin-1"))
    assert caught.value.code == "quotas_malformed"
    assert caught.value.hint is not None
    assert parse_quotas(caught.value.hint.removeprefix("for example ").encode()).named


def test_a_file_that_is_not_there_or_too_long_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        read_quotas(tmp_path / "none.json")
    assert caught.value.code == "quotas_unreadable"
    assert "none.json" in caught.value.message
    long = tmp_path / "long.json"
    long.touch(0o600)
    long.write_bytes(b" " * LIMITS.quota_file_bytes + b"{}")
    with pytest.raises(InvalidInput) as refused:
        read_quotas(long)
    assert refused.value.code == "quotas_malformed"
    long.write_bytes(b" " * (LIMITS.quota_file_bytes - 2) + b"{}")
    assert read_quotas(long) == Quotas()


def test_a_file_that_others_can_change_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "quotas.json"
    file.write_text("{}")
    for mode in (0o660, 0o602, 0o666):
        file.chmod(mode)
        with pytest.raises(OperatorError) as caught:
            read_quotas(file)
        assert caught.value.code == "quotas_exposed"
    file.chmod(0o644)  # that everybody may read it is no harm
    assert read_quotas(file) == Quotas()


def test_shares_are_of_those_who_have_used_any() -> None:
    quotas = Quotas(Quota(10), {"la.ospp": Quota(2)})
    used = {"la.ospp": Use(5, MINUTE_MS), "kh.gpo": Use(5, MINUTE_MS)}
    found = shares(quotas, used, 5)
    assert {name: part.bulletins for name, part in found.items()} == {"la.ospp": 0.5, "kh.gpo": 0.1}
