"""Files between a desk and its office: invitations, requests, and errors that travel."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from saphan.desk.invitation import Chain, DeskInvitation, format_invitation, parse_invitation
from saphan.desk_errors import closing, refusal, told
from saphan.officer_request import make_request, parse_request
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import decode, encode
from saphan_schemas.desk_frames import DeskClosing, DeskRefusal
from saphan_schemas.directory_records import Change, Operation
from saphan_schemas.errors import FAMILIES, InvalidInput, SaphanError, Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role

INVITATION = DeskInvitation(
    agency="kh.gpo",
    address="node.kh-gpo.example:8472",
    tls=bytes(range(32)),
    chain=Chain(version=3, last="ab" * 32, threshold=1),
)
KEY = SigningKey(Role.OFFICER, bytes(range(64)))
ADD = Change("add", Role.OFFICER, KEY.public, "dao", None, None)


def operation(*changes: Change) -> Operation:
    return Operation("kh.gpo", 4, bytes(32), 1, 1_752_624_000_000, changes or (ADD,))


def test_an_invitation_is_read_as_it_was_written() -> None:
    assert parse_invitation(format_invitation(INVITATION)) == INVITATION


def test_the_words_of_an_invitation_cover_who_and_where_and_by_which_key() -> None:
    found = json.loads(format_invitation(INVITATION))
    for name, other in (("agency", "la.ospp"), ("address", "a:1"), ("tls", "00" * 32)):
        changed = parse_invitation(json.dumps(found | {name: other}).encode())
        assert changed.digest != INVITATION.digest
    grown = found | {"chain": {"version": 4, "last": "00" * 32, "threshold": 2}}
    assert parse_invitation(json.dumps(grown).encode()).digest == INVITATION.digest


@pytest.mark.parametrize(
    "change",
    [
        {"saphan": "desk_invitation/2"},
        {"agency": "KH"},
        {"tls": "00"},
        {"tls": "zz" * 32},
        {"chain": {"version": 0, "last": "ab" * 32, "threshold": 1}},
        {"chain": {"version": 1, "last": "ab" * 32}},
        {"more": 1},
    ],
    ids=str,
)
def test_a_damaged_invitation_is_refused(change: dict[str, Any]) -> None:
    found = json.loads(format_invitation(INVITATION))
    with pytest.raises(InvalidInput, match="desk_invitation_malformed"):
        parse_invitation(json.dumps(found | change).encode())


@pytest.mark.parametrize(
    "address",
    ["node.example", "node.example:", ":1", "a:99999", "a:-1", "u@h:1", "h/x:1", "[::1%x]:1"],
)
def test_an_invitation_to_nowhere_is_refused(address: str) -> None:
    found = json.loads(format_invitation(INVITATION)) | {"address": address}
    with pytest.raises(InvalidInput, match="address_malformed"):
        parse_invitation(json.dumps(found).encode())


def test_a_request_is_read_as_it_was_written() -> None:
    found = parse_request(make_request(operation(), KEY, bytes(32)))
    assert found.operation == operation()
    assert found.key_id == KEY.key_id
    assert found.change.handle == "dao"


@pytest.mark.parametrize(
    "changes",
    [
        (ADD, ADD),
        (Change("add", Role.NODE, KEY.public, None, None, None),),
        (Change("revoke", Role.OFFICER, bytes(32), None, None, None),),
        (ADD, Change("add", Role.ROOT, KEY.public, None, None, None)),
        (Change("add", Role.OFFICER, KEY.public, None, None, None),),
    ],
    ids=["twice", "a node", "a revocation", "a root besides", "nobody"],
)
def test_a_request_for_more_than_one_officer_is_refused(changes: tuple[Change, ...]) -> None:
    """Whoever signs it has compared the words of one officer's key, and nothing else."""
    with pytest.raises(InvalidInput, match="request_malformed"):
        parse_request(make_request(operation(*changes), KEY, bytes(32)))


@pytest.mark.parametrize("cut", [0, 1, 20, 500])
def test_half_a_request_is_refused(cut: int) -> None:
    data = make_request(operation(), KEY, bytes(32))
    with pytest.raises(InvalidInput, match="request_malformed"):
        parse_request(data[:cut])
    found = json.loads(data)
    for name in ("operation", "signature"):
        short = base64.b64encode(base64.b64decode(found[name])[:-1]).decode()
        with pytest.raises(InvalidInput, match="request_malformed"):
            parse_request(json.dumps(found | {name: short}).encode())


@pytest.mark.parametrize("family", FAMILIES)
def test_an_error_travels_with_its_family_code_and_words(family: type[SaphanError]) -> None:
    error = family("some_code", "a sentence", field="here", hint="do this")
    for frame in (closing(error), refusal(7, error)):
        kind = type(frame)
        again = told(decode(kind, encode(frame), 16_384, "frame"))
        assert type(again) is family
        assert (again.code, again.message) == ("some_code", "a sentence")
        assert (again.field, again.hint) == ("here", "do this")


def test_an_error_too_long_to_travel_is_cut() -> None:
    error = Unavailable("code", "x" * 10_000, field="y" * 10_000, retry_after_ms=77)
    frame = decode(DeskRefusal, encode(refusal(1, error)), 16_384, "frame")
    assert len(frame.message) == LIMITS.desk_text_chars
    again = told(decode(DeskClosing, encode(closing(error)), 16_384, "frame"))
    assert isinstance(again, Unavailable)
    assert again.retry_after_ms == 77
