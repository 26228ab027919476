"""la.ospp wants two readers of one bulletin to have read two texts, or to have said, afterwards,
something else than it did.
"""

from __future__ import annotations

import pytest
from saphan_protocol.admission import BULLETIN_TYPE
from saphan_protocol.content import open_content
from saphan_protocol.identity import identity, sha256
from saphan_protocol.stanza import open_stanza, seal_stanza
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import Blob, Bulletin
from saphan_schemas.samples import sample
from support.agency import Agency, Made, seal_attachment
from support.audits import KH, LA
from support.bridge import Bridge, agreed, eventually, states
from support.ceremony import NOW
from support.hostile import Hostile
from support.session import Line


def two_texts(agency: Agency) -> tuple[Made, Made]:
    """The same header, two contents, each sealed under its own key."""
    first = agency.bulletin([KH], NOW)
    other = sample("training_notice")
    other["about"]["title"]["en"] = "Another text altogether"
    second = agency.bulletin([KH], NOW, other, nonce=first.header.nonce)
    assert first.header_bytes == second.header_bytes
    return first, second


def test_a_second_key_opens_nothing_of_the_first_text() -> None:
    """The cipher commits to its key: there is one key under which these bytes open."""
    agency = Agency(LA, NOW)
    first, second = two_texts(agency)
    keys = [second.content_key, bytes(32), *(agency.random() for _ in range(50))]
    for key in keys:
        with pytest.raises(InvalidInput) as refused:
            open_content(key, first.header_id, first.ciphertext)
        assert refused.value.code == "ciphertext_invalid"
    assert open_content(first.content_key, first.header_id, first.ciphertext)


def test_two_texts_joined_open_under_neither_key() -> None:
    """Halves of one and of the other, in any order: what opens is exactly what was sealed."""
    first, second = two_texts(Agency(LA, NOW))
    one, two = first.ciphertext, second.ciphertext
    assert len(one) == len(two)
    joins = [one[:cut] + two[cut:] for cut in range(1, len(one), 97)]
    for joined in joins:
        for key in (first.content_key, second.content_key):
            with pytest.raises(InvalidInput, match="does not open"):
                open_content(key, first.header_id, joined)


def test_another_text_has_another_name() -> None:
    """The id that both sides sign covers the ciphertext: he cannot put one for the other."""
    first, second = two_texts(Agency(LA, NOW))
    assert first.header_id == second.header_id
    assert first.bulletin_id != second.bulletin_id


def test_other_attachments_have_another_name_too() -> None:
    agency = Agency(LA, NOW)
    made = agency.bulletin([KH], NOW, attachments=[b"what was sent"])
    other = seal_attachment(made.content_key, made.header_id, 0, b"what he says he sent")
    ciphertext = Blob(len(made.ciphertext), sha256(made.ciphertext))
    claimed = Bulletin(made.header_id, ciphertext, (Blob(len(other), sha256(other)),))
    assert identity(BULLETIN_TYPE, encode(claimed)) != made.bulletin_id


def test_a_stanza_of_another_bulletin_gives_no_key() -> None:
    """Nor can he pass off the second text's key as the first one's, under the first one's name."""
    first, second = two_texts(Agency(LA, NOW))
    reader = Agency(KH, NOW)
    box = reader.mailbox
    stanza = seal_stanza(second.content_key, second.bulletin_id, KH, box.key_id, box.public)
    with pytest.raises(InvalidInput, match="stanza"):
        open_stanza(stanza, box, first.bulletin_id, KH)


async def test_the_recipient_says_so_and_is_believed(bridge: Bridge) -> None:
    """A stanza with the wrong key in it: kh.gpo states `unopened`, which anybody can check, for the
    broker's log holds the digest of the stanza and of the ciphertext."""
    async with bridge.broker_running(), bridge.node(KH) as kh:
        await agreed(kh)
        thief = Hostile(bridge, LA, KH)
        made = thief.bulletin()
        made.content_key = bytes([7]) * 32
        line = Line(thief.agency, bridge.pins, bridge.clock, True)
        await line.connect(bridge.url)
        items, batch = thief.submissions([made])
        assert (await line.submit(items, batch))[0].code is None
        await eventually(lambda: states(kh, made.bulletin_id) == ["unopened"])
        row = kh.db.row("SELECT code FROM deliveries WHERE bulletin = ?", (made.bulletin_id,))
        assert row == ("ciphertext_invalid",)
        await line.close()
