"""Whoever has stolen the mailbox key of one week reads what was sealed to it, and to no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from saphan import agency as ceremony
from saphan.keys.keyfiles import read_mailbox
from saphan_protocol.identity import pae_array
from saphan_protocol.mailbox import MailboxKey
from saphan_protocol.stanza import STANZA_TYPE, open_stanza, seal_stanza
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import Role
from support.bridge import CHEAP, KH, SECRET
from support.ceremony import NOW

BULLETIN, CONTENT_KEY = b"\x0b" * 32, b"\x0c" * 32


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> list[MailboxKey]:
    """The mailbox keys with which an agency begins, in the order of their weeks."""
    place: Path = tmp_path_factory.mktemp("kh") / KH
    office = ceremony.init(place, KH, SECRET, {"sokha": SECRET}, now=NOW, cost=CHEAP)
    infos = office.replay().keys(KH, Role.MAILBOX)
    ordered = sorted(infos, key=lambda info: info.seal_until or 0)
    files = [office.key_file(Role.MAILBOX, info.key_id) for info in ordered]
    return [read_mailbox(file) for file in files]


def test_it_opens_neither_the_week_before_nor_the_week_after(weeks: list[MailboxKey]) -> None:
    assert len(weeks) > 2
    for week, key in enumerate(weeks):
        stanza = seal_stanza(CONTENT_KEY, BULLETIN, KH, key.key_id, key.public)
        assert open_stanza(stanza, key, BULLETIN, KH) == CONTENT_KEY
        for other, stolen in enumerate(weeks):
            if other != week:
                with pytest.raises(InvalidInput, match="stanza_unopenable"):
                    open_stanza(stanza, stolen, BULLETIN, KH)


def test_he_says_that_it_was_the_other_weeks(weeks: list[MailboxKey]) -> None:
    """He has the bytes, and tries his key under every week's name: the key itself is another."""
    first, second = weeks[:2]
    stanza = seal_stanza(CONTENT_KEY, BULLETIN, KH, first.key_id, first.public)
    for name in (first.key_id, second.key_id):
        info = pae_array(STANZA_TYPE, [BULLETIN, KH, name])
        with pytest.raises(InvalidInput, match="stanza_unopenable"):
            second.open(stanza, info)


def test_no_weeks_key_follows_from_another(weeks: list[MailboxKey]) -> None:
    """Neither half of any public key stands in another one: they were drawn apart."""
    halves = [(key.public[:1184], key.public[1184:]) for key in weeks]
    assert len({mlkem for mlkem, _ in halves}) == len(weeks)
    assert len({x25519 for _, x25519 in halves}) == len(weeks)
