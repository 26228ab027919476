"""A broker whose operator is corrupt: he holds the logs' keys, and his program does as he wants.

It is the real broker with one defence taken out, so what stops him then is not the broker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from saphan_broker.broker import Broker
from saphan_broker.sequencing import preparing, registering
from saphan_broker.sessions import login, requests
from saphan_broker.sessions.feed import FeedPump
from saphan_broker.state import State
from saphan_protocol.admission import HEADER_TYPE, Admitted, Facts, measure
from saphan_protocol.agreement import AGREEMENT_TYPE, Agreed, agreement_commitment, parse_agreement
from saphan_protocol.batch import Batches, item_root
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_protocol.identity import identity
from saphan_protocol.registrations import Registered, parse_registration
from saphan_schemas.codec import decode
from saphan_schemas.directory_records import SignedAgreement
from saphan_schemas.errors import Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import BatchSignature, Blob, Blobs, Consignment, Header, SignatureItem


def takes_any_root(broker: Broker) -> None:
    """Its directory takes whatever operation is next, whoever has signed it."""
    directory: Any = broker.state.directory
    honest = directory._judge

    def judge(checked: Any) -> Any:
        agencies = directory._agencies
        if checked.record.agency not in agencies:
            return honest(checked)
        agency = agencies[checked.record.agency]
        return checked, agency, directory._changed_keys(agency, checked)

    directory._judge = judge


def takes_any_schema(broker: Broker) -> None:
    """Its directory takes whatever schema somebody names, whoever has signed it."""
    directory: Any = broker.state.directory

    def check(data: bytes, at: int) -> Registered:
        record, signed = parse_registration(data)
        return Registered(record, signed.registration, signed, at)

    directory.own_schemas.check = check
    directory._register = lambda types, known: None


def keeps_any_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not look at what a schema is before it logs it."""
    monkeypatch.setattr(requests, "open_bundle", lambda name, data: {})


def admits_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every submission that parses is logged."""
    monkeypatch.setattr(preparing, "admit", _admit)


def forgets_what_nodes_know(monkeypatch: pytest.MonkeyPatch) -> None:
    """It lets in nodes that know more of its logs than it has, and shows them what it has."""

    async def nothing(*_: object) -> None:
        return None

    def fresh(agency: str, key: bytes, *_: object, **__: object) -> login.Peer:
        return honest(agency, key, None, directory=0, leaves=0, evidence=0)

    honest = login.Peer

    async def sign_on(state: State, _: object) -> None:
        for signer in state.signers.values():
            await asyncio.to_thread(signer.heard, ())

    monkeypatch.setattr(login, "_check_knowledge", nothing)
    monkeypatch.setattr(login, "_let_sign", sign_on)
    monkeypatch.setattr(login, "Peer", fresh)


def logs_any_seen_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """A consignment may name a head that this log never had."""

    async def here(*_: object) -> bool:
        return True

    monkeypatch.setattr(preparing, "_seen_here", here)


def _admit(
    header_bytes: bytes,
    consignment_bytes: bytes,
    item: SignatureItem,
    batches: Batches,
    ciphertext: bytes | Blob,
    facts: Facts,
    *,
    peer: str | None,
    stanzas: Sequence[bytes] | None,
    attachments: Blobs = (),
) -> Admitted:
    header = decode(Header, header_bytes, LIMITS.header_bytes, "header")
    consignment = decode(Consignment, consignment_bytes, LIMITS.consignment_bytes, "consignment")
    return Admitted(
        header,
        header_bytes,
        identity(HEADER_TYPE, header_bytes),
        consignment,
        consignment_bytes,
        identity(CONSIGNMENT_TYPE, consignment_bytes),
        consignment.bulletin,
        ciphertext if isinstance(ciphertext, Blob) else measure(ciphertext),
        attachments,
        item,
        _batch(item, batches, consignment_bytes),
    )


def _batch(item: SignatureItem, batches: Batches, body: bytes) -> BatchSignature:
    if isinstance(batches, BatchSignature):
        return batches
    assert batches is not None
    return batches[item.key, item.size, item_root(item, CONSIGNMENT_TYPE, body)]


def takes_any_agreement(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever parses as an agreement is logged, and handed to its parties."""
    directory = broker.state.directory

    def check(signed: SignedAgreement, _at: int) -> Agreed:
        commitment = agreement_commitment(signed.salt, signed.agreement)
        name = identity(AGREEMENT_TYPE, signed.agreement)
        return Agreed(parse_agreement(signed.agreement), name, commitment, signed, {})

    monkeypatch.setattr(directory.agreed, "check", check)
    monkeypatch.setattr(registering, "check_pins", lambda *_: None)


def hides_the_directory_from(agency: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """This agency's nodes are sent no directory leaves any more."""
    honest = FeedPump._send_directory

    async def send(pump: FeedPump) -> None:
        if pump._agency != agency:
            await honest(pump)

    monkeypatch.setattr(FeedPump, "_send_directory", send)


def anchors_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The evidence log names no newer directory than it did."""
    monkeypatch.setattr(preparing, "_anchor_due", lambda *_: None)


def hands_over_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handover is logged, and the stanza given, whatever has been withdrawn."""

    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(preparing, "find_stopped", nothing)


def registers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No operation and no order reaches the directory log, whoever brings it."""

    async def refuse(*_: object) -> None:
        raise Refused("operation_chain", "come again tomorrow")

    for name in ("_operation", "_order"):
        monkeypatch.setattr(registering.Registrar, name, refuse)
