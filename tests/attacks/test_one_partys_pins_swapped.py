"""Somebody exchanges what one party pins: the other's root, or the keys of the broker's logs.

An agreement is worth what it pins. So the roots are compared aloud, in words, before it is signed;
and whoever has not done that still finds no broker and no node that would take the other root.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import msgspec
import pytest
from saphan.agency_file import AgencyFile
from saphan.agreements.draft import Draft, format_draft
from saphan.cli.partners import check_root_words
from saphan_protocol.agreement import AGREEMENT_TYPE, parse_agreement
from saphan_protocol.batch import sign_one
from saphan_protocol.keys import SigningKey
from saphan_protocol.pins import format_pins
from saphan_protocol.words import fingerprint_words
from saphan_schemas.directory_records import Agreement
from saphan_schemas.errors import Refused
from saphan_schemas.records import Role
from support.agency import seed
from support.bridge import KH, LA, Bridge, agreed, eventually
from support.command import saphan_here
from support.corrupt import takes_any_agreement
from support.memoranda import edited, package, proposed, signature
from support.pin_files import pins as other_pins
from support.roster import alarmed

HIS = SigningKey(Role.ROOT, seed("the man in the middle", 64))


def with_his_root(bridge: Bridge, *, beside_the_genuine: bool) -> Draft:
    """A draft in which kh.gpo is his root, or is his root or its own; blocking."""
    draft = proposed(bridge)
    (genuine,) = (party.roots for party in draft.agreement.parties if party.agency == KH)
    his = (HIS.key_id, *(genuine if beside_the_genuine else ()))
    parties = tuple(
        msgspec.structs.replace(party, roots=his) if party.agency == KH else party
        for party in draft.agreement.parties
    )
    text = edited(draft.agreement, parties=parties)
    publics = draft.roots | {HIS.key_id: HIS.public}
    named = {name for party in parties for name in party.roots}
    roots = {name: public for name, public in publics.items() if name in named}
    return Draft(text=text, agreement=parse_agreement(text), roots=roots)


@pytest.mark.parametrize("beside_the_genuine", (False, True))
@pytest.mark.parametrize("broker", ("honest", "corrupt"))
async def test_he_signs_for_the_other_side(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, broker: str, beside_the_genuine: bool
) -> None:
    """la.ospp compared nothing and signed with him. He is no root of kh.gpo in the directory: the
    broker refuses it, and where the broker is in it too, la.ospp's node uses no such agreement."""

    def signed() -> bytes:
        text = with_his_root(bridge, beside_the_genuine=beside_the_genuine).text
        return package(
            text,
            signature(bridge, LA, text),
            sign_one(HIS, AGREEMENT_TYPE, text, bytes(32)),
        )

    finished = await asyncio.to_thread(signed)
    async with bridge.broker_running() as running, bridge.node(LA) as la:
        await agreed(la)
        if broker == "corrupt":
            takes_any_agreement(running, monkeypatch)
        result = await la.line.register(None, finished)
        if broker == "honest":
            assert result.code == "agreement_roots"
            return
        assert result.code is None
        await eventually(partial(alarmed, la, "agreement_roots"))
        assert [one.text.reference for one in la.logs.directory.agreements(LA, KH)] != ["second"]


async def test_the_other_side_is_asked_to_sign_it(bridge: Bridge) -> None:
    """kh.gpo sees that it is not among the parties, before anybody types a passphrase."""
    draft = await asyncio.to_thread(lambda: with_his_root(bridge, beside_the_genuine=False))
    assert await refusal(bridge, KH, draft) == "agreement_not_party"


async def test_his_words_are_compared_aloud(bridge: Bridge) -> None:
    """What kh.gpo reads out are its own words, not those of the file that la.ospp was given."""
    genuine = bridge.offices[KH].read_agency()
    his = AgencyFile(agency=KH, threshold=1, roots=(HIS.public,))
    aloud = [fingerprint_words(name) for name in genuine.root_ids]
    check_root_words(aloud, [genuine])
    with pytest.raises(Refused) as refused:
        check_root_words(aloud, [his])
    assert refused.value.code == "words_differ"


@pytest.mark.parametrize("log", ("directory", "evidence"))
async def test_one_side_pins_another_log(bridge: Bridge, log: str) -> None:
    """la.ospp's pin file was exchanged: its draft names a log of his, under the same origin. kh.gpo
    does not sign it, and nothing that both would sign passes the broker."""
    own = bridge.pins
    his = other_pins(own.name)

    def swapped(text: Agreement) -> bytes:
        lasting = dict(zip(("directory", "evidence"), his.lasting, strict=True))
        return edited(text, **{log: lasting[log]})

    draft = await asyncio.to_thread(proposed, bridge)
    text = swapped(draft.agreement)
    assert text != draft.text
    other = Draft(text=text, agreement=parse_agreement(text), roots=draft.roots)
    assert await refusal(bridge, KH, other) == "pins_differ"
    finished = await asyncio.to_thread(
        lambda: package(text, *(signature(bridge, name, text) for name in (LA, KH)))
    )
    async with bridge.broker_running(), bridge.node(LA) as la:
        await agreed(la)
        assert (await la.line.register(None, finished)).code == "pins_differ"


async def test_a_nodes_pin_file_is_exchanged(bridge: Bridge) -> None:
    """Then the true broker's heads do not hold for it: it believes nothing, and says so."""
    pins = bridge.offices[LA].pins_file
    await asyncio.to_thread(pins.write_bytes, format_pins(other_pins(bridge.pins.name)))
    async with bridge.broker_running(), bridge.node(LA) as la:
        before = la.logs.directory.size
        await eventually(partial(alarmed, la, "head_signature"))
        assert la.logs.directory.size == before


async def refusal(bridge: Bridge, agency: str, draft: Draft) -> str:
    """What `saphan agreement sign` says to a draft."""
    file: Path = bridge.place / "draft.json"
    await asyncio.to_thread(file.write_bytes, format_draft(draft))
    words = ("agreement", "sign", file, "--dir", bridge.place / agency, "--yes")
    return (await asyncio.to_thread(partial(saphan_here, *words, status=3))).code
