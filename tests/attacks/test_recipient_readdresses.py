"""kh.gpo was sent a bulletin by la.ospp's officer, and passes it on to th.amlo as if the officer
had written to Bangkok.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from saphan_protocol.admission import HEADER_TYPE
from saphan_protocol.content import open_content, seal_content
from saphan_protocol.directory import Directory
from saphan_protocol.identity import identity
from saphan_protocol.opening import open_bulletin
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Header, Sealed
from support.agency import Agency, Made
from support.audits import KH, LA
from support.brokers import World
from support.ceremony import NOW
from support.logbook import TYPES, Logbook

TH = "th.amlo"


def parties() -> tuple[Agency, Agency, Agency]:
    return Agency(LA, NOW), Agency(KH, NOW), Agency(TH, NOW)


def resealed(original: Made, header: Header, forwarder: Agency) -> Made:
    """What kh.gpo has opened, officer's signature and all, under a header of its own making."""
    plain = open_content(original.content_key, original.header_id, original.ciphertext)
    header_bytes = encode(header)
    header_id = identity(HEADER_TYPE, header_bytes)
    key = forwarder.random()
    return Made(header, header_bytes, header_id, seal_content(key, header_id, plain), key, b"")


def opened_by_a_stranger(made: Made, book: Logbook) -> str | None:
    """The code with which th.amlo's node refuses it; None if it believes it."""
    directory = Directory()
    for leaf in book.directory.kept:
        directory.apply(leaf, TYPES)
    try:
        open_bulletin(
            made.content_key, made.header, made.header_id, made.ciphertext, directory, None
        )
    except SaphanError as error:
        return error.code
    return None


@pytest.mark.parametrize("by", (LA, KH))
def test_the_officer_signed_for_another_header(by: str) -> None:
    """Whether he puts the real sender's name on it or his own: the officer signed one header."""
    la, kh, th = parties()
    book = Logbook((la, kh, th))
    original = la.bulletin([KH], NOW)
    assert opened_by_a_stranger(original, book) is None
    header = replace(original.header, sender=by, recipients=(TH,), nonce=kh.random(16))
    assert opened_by_a_stranger(resealed(original, header, kh), book) == "inner_mismatch"


def test_with_the_officers_words_and_his_own_header_inside() -> None:
    """He writes the header's identity into the inner record: then the signature is not over it."""
    la, kh, th = parties()
    book = Logbook((la, kh, th))
    original = la.bulletin([KH], NOW)
    header = replace(original.header, recipients=(TH,), nonce=kh.random(16))
    plain = open_content(original.content_key, original.header_id, original.ciphertext)
    sealed = decode(Sealed, plain, LIMITS.ciphertext_bytes, "sealed")
    moved = resealed(original, header, kh)
    inner = sealed.inner.replace(original.header_id, moved.header_id)
    assert inner != sealed.inner
    body = encode(replace(sealed, inner=inner))
    moved.ciphertext = seal_content(moved.content_key, moved.header_id, body)
    assert opened_by_a_stranger(moved, book) == "signature_invalid"


async def test_the_broker_takes_la_ospps_name_from_nobody_else(world: World) -> None:
    """And outside, it is la.ospp's node that consigns what la.ospp sends."""
    la, kh = world.agencies[LA], world.agencies[KH]
    line = await world.line(KH)
    made = la.bulletin([KH], world.clock())
    items, batch = kh.submissions([made], [kh])
    (result,) = await line.submit(items, batch)
    assert result.code == "sender_not_peer"
