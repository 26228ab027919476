"""Opening: who may stand under an inner, and that two signatures are two pairs of eyes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from saphan_protocol.batch import sign_one
from saphan_protocol.directory import Directory, operation_leaf
from saphan_protocol.identity import CONTENT_TYPE, identity
from saphan_protocol.keys import SigningKey
from saphan_protocol.opening import INNER_TYPE, check_authors
from saphan_schemas.codec import encode
from saphan_schemas.records import Inner, Role
from support.agency import Agency
from support.ceremony import NOW, Ceremony, add, replay
from support.refusals import code_of

LA = Agency("la.ospp", NOW)
KH = Agency("kh.gpo", NOW)
SECOND_KEY = SigningKey(Role.OFFICER, b"\x05" * 64)
COLLEAGUE = SigningKey(Role.OFFICER, b"\x06" * 64)
HEADER_ID = b"\x01" * 32


def _directory() -> Directory:
    """`officer` stands between two keys; `colleague` is somebody else."""
    ceremony = Ceremony(LA)
    first = ceremony.enrol()
    changes = [
        add(Role.OFFICER, SECOND_KEY.public, "officer"),
        add(Role.OFFICER, COLLEAGUE.public, "colleague"),
    ]
    later = ceremony.operate(changes, new=[SECOND_KEY, COLLEAGUE])
    return replay([operation_leaf(leaf) for leaf in (first, later, Ceremony(KH).enrol())])


DIRECTORY = _directory()


def judge(signers: Sequence[SigningKey], author: str | None = "officer") -> int:
    inner = Inner(author, signers[0].key_id, HEADER_ID, identity(CONTENT_TYPE, b"x"), ())
    body = encode(inner)
    signatures = tuple(sign_one(key, INNER_TYPE, body, LA.random()) for key in signers)
    return len(check_authors(inner, body, signatures, "la.ospp", DIRECTORY, None))


def test_one_officer_two_officers_and_a_node_with_an_officer_may_sign() -> None:
    assert judge([LA.officer]) == 1
    assert judge([LA.officer, COLLEAGUE]) == 2
    assert judge([LA.node], author=None) == 1
    assert judge([LA.node, LA.officer], author=None) == 2


@pytest.mark.parametrize("again", (LA.officer, SECOND_KEY))
def test_one_officer_is_not_two_whatever_the_key(again: SigningKey) -> None:
    assert code_of(lambda: judge([LA.officer, again])) == "author_unknown"


@pytest.mark.parametrize(
    ("signers", "author"),
    (
        ([COLLEAGUE], "officer"),
        ([LA.officer], None),
        ([LA.node], "officer"),
        ([LA.officer, LA.node], "officer"),
        ([KH.officer], "officer"),
        ([LA.officer, KH.officer], "officer"),
    ),
)
def test_nobody_else_is_an_author(signers: list[SigningKey], author: str | None) -> None:
    assert code_of(lambda: judge(signers, author)) == "author_unknown"
