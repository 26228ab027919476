"""An agreement as JSON, and as the page that two people read to each other before they sign."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from saphan_protocol.agreement import AGREEMENT_TYPE
from saphan_protocol.agreement_order import parse_order
from saphan_protocol.identity import identity
from saphan_protocol.words import fingerprint_words, word_lines
from saphan_schemas.directory_records import Agreement

from saphan.agreements.document import day_text, pins_digest
from saphan.agreements.draft import Draft
from saphan.agreements.order_draft import OrderDraft
from saphan.cli.speech import say


def draft_value(draft: Draft) -> dict[str, Any]:
    """A draft as JSON, with how many of each party's roots have signed."""
    signed = {p.agency: draft.signers(p) for p in draft.agreement.parties}
    return describe(draft.agreement, draft.text, signed)


def describe(agreement: Agreement, text: bytes, signed: dict[str, int]) -> dict[str, Any]:
    """An agreement as JSON: everything that is signed, fingerprints as words too."""
    return {
        "reference": agreement.reference,
        "title": agreement.title,
        "instrument": agreement.instrument,
        "identity": identity(AGREEMENT_TYPE, text).hex(),
        "valid_from": day_text(agreement.valid_from),
        "valid_until": day_text(agreement.valid_until),
        "parties": [
            {
                "agency": party.agency,
                "threshold": party.threshold,
                "signed": signed[party.agency],
                "roots": [
                    {"key_id": name.hex(), "words": fingerprint_words(name)} for name in party.roots
                ],
            }
            for party in agreement.parties
        ],
        "rules": [
            {
                "from": rule.sender,
                "to": rule.recipient,
                "schemas": list(rule.schemas),
                "tlp_ceiling": rule.tlp_ceiling,
                "retain_days": rule.retain_days,
            }
            for rule in agreement.rules
        ],
        "handling": list(agreement.handling),
        "default_handling": list(agreement.default_handling),
        "onward": agreement.onward,
        "languages": list(agreement.languages),
        "in_flight": agreement.in_flight,
        "directory": agreement.directory.origin,
        "evidence": agreement.evidence.origin,
        "pins_words": fingerprint_words(pins_digest(agreement)),
        "witnesses": {
            "quorum": agreement.witnesses.quorum,
            "own_counts": agreement.witnesses.own_counts,
        },
        "replaces": None if agreement.replaces is None else agreement.replaces.hex(),
        "finished": False,
    }


def page(value: dict[str, Any]) -> Iterator[str]:
    """An agreement as a page that two people read to each other: everything that is signed."""
    yield f"{value['title']}  ({value['instrument']} {value['reference']})"
    yield f"{value['valid_from']} – {value['valid_until']}"
    yield from _of_words("page.identity", value["identity"])
    if value["replaces"] is not None:
        yield from _of_words("page.replaces", value["replaces"])
    for party in value["parties"]:
        yield ""
        count = say("note.signed_by", signed=party["signed"], needed=party["threshold"])
        yield f"{party['agency']}: {count}"
        for root in party["roots"]:
            yield f"  {root['key_id'][:16]}"
            yield from (f"    {line}" for line in word_lines(bytes.fromhex(root["key_id"])))
    yield ""
    for rule in value["rules"]:
        yield (
            f"{rule['from']} -> {rule['to']}: "
            + say("note.rule", tlp=rule["tlp_ceiling"], days=rule["retain_days"])
        )
        yield from (f"    {name}" for name in rule["schemas"])
    yield from (f"{code}: {say(f'handling.{code}')}" for code in value["handling"])
    yield say("page.default_handling", codes=", ".join(value["default_handling"]))
    yield say(f"onward.{value['onward']}")
    yield say(f"in_flight.{value['in_flight']}")
    yield say("note.languages", languages=", ".join(value["languages"]))
    witnesses = value["witnesses"]
    own = "note.witnesses_own" if witnesses["own_counts"] else "note.witnesses"
    yield say(own, quorum=witnesses["quorum"])
    yield ""
    yield say("note.pins_of", directory=value["directory"], evidence=value["evidence"])
    words = value["pins_words"].split()
    yield from ("    " + " ".join(words[at : at + 4]) for at in range(0, len(words), 4))
    yield say("note.compare_words")


def _of_words(key: str, identity_hex: str) -> Iterator[str]:
    yield say(key)
    yield from (f"    {line}" for line in word_lines(bytes.fromhex(identity_hex)))


# --- orders ---------------------------------------------------------------------------------------


def order_value(package: bytes) -> dict[str, Any]:
    """A signed order as JSON."""
    order = parse_order(package).order
    return {
        "agreement": order.agreement.hex(),
        "agency": order.agency,
        "action": order.action,
        "number": order.number,
        "time": order.time,
        "reason": order.reason,
    }


def order_page(draft: OrderDraft) -> Iterator[str]:
    """An order as whoever signs it reads it: what it does, to which agreement, what follows."""
    order, agreement = draft.order, draft.agreement
    yield say(f"order.{order.action}", agency=order.agency)
    yield f"{agreement.title}  ({agreement.instrument} {agreement.reference})"
    yield ", ".join(party.agency for party in agreement.parties)
    yield from _of_words("page.identity", order.agreement.hex())
    if order.reason is not None:
        yield say("note.order_reason", reason=order.reason)
    if order.action != "resume":
        yield say(f"in_flight.{agreement.in_flight}")
    yield from _of_words("note.order_words", draft.identity.hex())
