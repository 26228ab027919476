"""Agreements: the memorandum in machine form, and what it permits (design sections 1 and 6).

The directory log commits to an agreement with a salt and shows nothing of it; text, signatures and
salt are held by the parties and the broker, which admit by them. Signed are the text's bytes.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from saphan_schemas.codec import decode
from saphan_schemas.directory_records import Agreement, CorridorRule, LogPin, SignedAgreement
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import TLP_ORDER, Header
from saphan_schemas.text import check_text

from saphan_protocol.batch import verify_one
from saphan_protocol.identity import identity, pae
from saphan_protocol.keys import VerifyingKey
from saphan_protocol.standing import Standing

AGREEMENT_TYPE = "saphan/agreement/1"

RootLookup = Callable[[bytes], tuple[str, VerifyingKey] | None]
"""Key id of an active root to (agency, key); None when it is no active root."""
Threshold = Callable[[str], int]
"""How many roots must sign for an agency, by its own directory operations."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """A checked agreement; `index` is its directory leaf once it is logged.

    `name` is the identity of its text: what orders and renewals name.
    """

    text: Agreement
    name: bytes
    commitment: bytes
    package: SignedAgreement
    rules: dict[tuple[str, str], tuple[CorridorRule, ...]]
    index: int | None = None


def agreement_commitment(salt: bytes, text: bytes) -> bytes:
    """HMAC-SHA-256(salt, PAE("saphan/agreement/1", text)), the 32 bytes in the directory leaf."""
    return hmac.digest(salt, pae(AGREEMENT_TYPE, text), "sha256")


def parse_agreement(data: bytes) -> Agreement:
    """The text of an agreement, well-formed in itself; its parties' roots are judged apart.

    Raises:
        InvalidInput: codec codes, `agreement_malformed`.
    """
    text = decode(Agreement, data, LIMITS.agreement_bytes, "agreement")
    _check_shape(text)
    return text


def check_agreement(signed: SignedAgreement, root: RootLookup, threshold: Threshold) -> Agreed:
    """Every party's threshold of enrolled roots, the very ones it pins, has signed these bytes.

    The threshold is the agency's own: an agreement may ask for more signatures, never for fewer,
    or one holder of a root could conclude it alone.

    Raises:
        InvalidInput: codec codes, `agreement_malformed`, `signature_invalid`.
        Refused: `agreement_roots` (a pinned root is not an active root of its agency),
            `agreement_threshold`.
    """
    text = parse_agreement(signed.agreement)
    keys: dict[bytes, VerifyingKey] = {}
    for party in text.parties:
        for key_id in party.roots:
            found = root(key_id)
            if found is None or found[0] != party.agency:
                raise Refused(
                    "agreement_roots",
                    f"{key_id.hex()[:16]} is not an active root of {party.agency}",
                    field="agreement.parties",
                    hint=f"enrol {party.agency}, or propose the agreement with its present roots",
                )
            keys[key_id] = found[1]
    signers = set()
    for signature in signed.signatures:
        key = keys.get(signature.item.key)
        if key is None:
            raise Refused("agreement_roots", "a signature is by none of the pinned roots")
        if key.key_id in signers:  # or 512 copies of one would each be verified
            raise InvalidInput(
                "agreement_malformed", "a root has signed twice", field="agreement.signatures"
            )
        verify_one(signature, key, AGREEMENT_TYPE, signed.agreement)
        signers.add(key.key_id)
    for party in text.parties:
        have = len(signers.intersection(party.roots))
        need = max(party.threshold, threshold(party.agency))
        if have < need:
            raise Refused(
                "agreement_threshold",
                f"{have} of the {need} needed roots of {party.agency} have signed",
                field="agreement.signatures",
                hint=f"{party.agency} must sign it: saphan agreement sign FILE",
            )
    commitment = agreement_commitment(signed.salt, signed.agreement)
    name = identity(AGREEMENT_TYPE, signed.agreement)
    return Agreed(text, name, commitment, signed, _by_corridor(text))


def _check_shape(text: Agreement) -> None:
    check_text(text.title, "agreement.title")  # people read it on a terminal before they sign
    names = [party.agency for party in text.parties]
    if len(set(names)) != len(names):
        raise InvalidInput(
            "agreement_malformed",
            "a party stands twice",
            field="agreement.parties",
            hint="name every other party once; your own agency is one already",
        )
    for party in text.parties:
        if len(set(party.roots)) != len(party.roots) or party.threshold > len(party.roots):
            raise InvalidInput(
                "agreement_malformed",
                f"{party.agency}: {party.threshold} of {len(set(party.roots))} roots cannot sign",
                field="agreement.parties",
            )
    _check_rules(text, set(names))
    for field in ("handling", "default_handling", "languages"):
        values = getattr(text, field)
        if len(set(values)) != len(values):
            raise InvalidInput(
                "agreement_malformed",
                f"{field} has a value twice",
                field=f"agreement.{field}",
                hint="name each once",
            )
    if not set(text.default_handling) <= set(text.handling):
        raise InvalidInput(
            "agreement_malformed",
            "the default handling has codes that the agreement does not allow",
            field="agreement.default_handling",
            hint="add them to handling, or leave them out of default_handling",
        )
    if text.valid_from >= text.valid_until:
        raise InvalidInput(
            "agreement_malformed",
            "valid_until must be after valid_from",
            field="agreement.valid_until",
        )
    if text.directory.origin == text.evidence.origin:
        raise InvalidInput(
            "agreement_malformed", "the two logs have one origin", field="agreement.evidence"
        )


def _check_rules(text: Agreement, parties: Set[str]) -> None:
    """No rule may hide behind another: the widest counts, and people sign what they have read."""
    found: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
    for rule in text.rules:
        sender, recipient = rule.sender, rule.recipient
        if sender == recipient or not {sender, recipient} <= parties:
            raise InvalidInput(
                "agreement_malformed",
                f"a rule names {sender} to {recipient}, which are not two parties",
                field="agreement.rules",
                hint="every rule is from one party to another one",
            )
        allowed = (TLP_ORDER.index(rule.tlp_ceiling), rule.retain_days)
        for schema in rule.schemas:
            found.setdefault((sender, recipient, schema), []).append(allowed)
    for (sender, recipient, schema), rules in found.items():
        rules.sort()
        for (low, longer), (high, days) in pairwise(rules):
            if low == high or longer <= days:
                raise InvalidInput(
                    "agreement_malformed",
                    f"{sender} to {recipient}: one rule for {schema} allows all that another does",
                    field="agreement.rules",
                    hint="one rule for each type; only what is marked lower may be kept longer",
                )


def _by_corridor(text: Agreement) -> dict[tuple[str, str], tuple[CorridorRule, ...]]:
    rules: dict[tuple[str, str], tuple[CorridorRule, ...]] = {}
    for rule in text.rules:
        pair = (rule.sender, rule.recipient)
        rules[pair] = (*rules.get(pair, ()), rule)
    return rules


def check_pins(text: Agreement, directory: LogPin, evidence: LogPin) -> None:
    """A node refuses an agreement that pins other log keys than its pin file (`Pins.lasting`).

    Raises:
        Refused: `pins_differ`.
    """
    if (text.directory, text.evidence) != (directory, evidence):
        raise Refused(
            "pins_differ",
            f"agreement {text.reference} pins other log keys than this node's pin file",
            field="agreement.evidence",
            hint="compare the words of both pin files aloud with the broker's operator",
        )


NEAREST: Final = (
    "agreement_suspended",
    "agreement_ended",
    "agreement_retention",
    "agreement_marking",
    "agreement_schema",
    "agreement_dates",
)
"""Why an agreement does not permit a bulletin, from the one that is nearest to permitting it."""


def permits(
    agreed: Agreed, header: Header, recipient: str, now: int, standing: Standing
) -> str | None:
    """Why this agreement does not allow `header` to go to `recipient` at `now`; None if it does.

    Returns:
        One of `NEAREST`: the nearest among the rules of the corridor.
    """
    if not agreed.text.valid_from <= now < agreed.text.valid_until:
        return "agreement_dates"
    reason = covers(agreed, header, recipient)
    if reason is None and not standing.in_force:
        return standing.code
    return reason


def covers(agreed: Agreed, header: Header, recipient: str) -> str | None:
    """Why the terms do not allow it, whatever the dates and the standing; None if they do."""
    handling = set(agreed.text.handling)
    rules = agreed.rules.get((header.sender, recipient), ())
    reasons = {_refusal(rule, handling, header) for rule in rules}
    if None in reasons:
        return None
    return next((near for near in NEAREST if near in reasons), "agreement_schema")


def _refusal(rule: CorridorRule, handling: Set[str], header: Header) -> str | None:
    if header.schema not in rule.schemas:
        return "agreement_schema"
    above = TLP_ORDER.index(header.marking.tlp) > TLP_ORDER.index(rule.tlp_ceiling)
    if above or not handling >= set(header.marking.codes):
        return "agreement_marking"
    if header.retain_until > header.created // DAY_MS + rule.retain_days:
        return "agreement_retention"
    return None
