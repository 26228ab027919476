"""The terms of an agreement as people write them: a small JSON file, turned into an Agreement.

{"saphan": "terms/1", "reference": "la-kh-2025", "title": "...", "instrument": "MOU",
 "rules": [{"from": "la.ospp", "to": "kh.gpo", "schemas": ["saphan/case_statistics/1"],
            "tlp_ceiling": "amber", "retain_days": 3650,
            "retain_days_by_type": {"saphan/drug_seizure/1": 1825}}],
 "valid_from": "2026-01-01", "valid_until": "2031-01-01"}
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal

import msgspec
from saphan_protocol.agreement import parse_agreement
from saphan_protocol.pins import Pins
from saphan_schemas.bodies import NAMES
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import Agreement, CorridorRule, WitnessPolicy
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import HandlingCode, Tlp
from saphan_schemas.strict_json import parse_json

from saphan.agency_file import AgencyFile

TERMS_FORMAT: Final = "terms/1"
TERMS_BYTES: Final = 256 * 1024
"""1,024 rules of a few names each."""
DEFAULT_YEARS: Final = 5
DEFAULT_RETAIN_DAYS: Final = 3_650
ORIGINATOR_CONTROL: Final[tuple[HandlingCode, ...]] = ("H1", "H2")
"""Not in court and not onward without the provider's word (domain reference, section 4)."""


class RuleTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one party may send to another."""

    sender: str = msgspec.field(name="from")
    recipient: str = msgspec.field(name="to")
    schemas: tuple[str, ...] = NAMES
    tlp_ceiling: Tlp = "amber"
    retain_days: int = DEFAULT_RETAIN_DAYS
    retain_days_by_type: dict[str, int] = {}

    def corridor_rules(self) -> Iterator[CorridorRule]:
        """One rule of the agreement for each retention: a type has the days that name it.

        Raises:
            InvalidInput: `terms_malformed`: days for a type that is not among the schemas.
        """
        strange = self.retain_days_by_type.keys() - set(self.schemas)
        if strange:
            raise InvalidInput(
                "terms_malformed",
                f"{self.sender} to {self.recipient}: retain_days_by_type names "
                f"{', '.join(sorted(strange))}, which schemas does not",
                field="terms.rules",
                hint="add the type to schemas, or take it out of retain_days_by_type",
            )
        by_days: dict[int, list[str]] = {}
        for name in self.schemas:
            days = self.retain_days_by_type.get(name, self.retain_days)
            by_days.setdefault(days, []).append(name)
        for days, names in by_days.items():
            yield CorridorRule(self.sender, self.recipient, tuple(names), self.tlp_ceiling, days)


class WitnessTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many witnesses make a proof *witnessed* (design section 5)."""

    quorum: int = 1
    own_counts: bool = False


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything about an agreement that its parties and pins do not say."""

    saphan: Literal["terms/1"]
    reference: str
    title: str
    instrument: str
    rules: tuple[RuleTerms, ...]
    valid_from: date
    valid_until: date
    handling: tuple[HandlingCode, ...] = ("H0", "H1", "H2", "H3")
    default_handling: tuple[HandlingCode, ...] | None = None
    onward: Literal["none", "named", "same_country", "ask"] = "ask"
    languages: tuple[str, ...] = ("en",)
    in_flight: Literal["deliver", "stop"] = "deliver"
    witnesses: WitnessTerms = WitnessTerms()

    def default_codes(self) -> tuple[HandlingCode, ...]:
        """Codes of a bulletin whose author names none: originator control, if it is allowed."""
        if self.default_handling is not None:
            return self.default_handling
        kept = tuple(code for code in ORIGINATOR_CONTROL if code in self.handling)
        return kept or self.handling


def parse_terms(data: bytes) -> Terms:
    """Read a terms file.

    Raises:
        InvalidInput: `too_large`, `terms_malformed`.
    """
    if len(data) > TERMS_BYTES:
        raise InvalidInput("too_large", f"the terms have {len(data)} bytes", field="terms")
    try:
        return parse_json(Terms, data)
    except ValueError as error:
        raise InvalidInput(
            "terms_malformed",
            f"the terms do not parse: {error}",
            field="terms",
            hint="start from what this writes: saphan agreement terms --with AGENCY --out FILE",
        ) from None


def first_terms(agencies: Sequence[str], today: date) -> bytes:
    """A terms file to start from: everyone sends every type, however marked, for five years."""
    names = sorted(agencies)
    fixed = {"schemas": NAMES, "tlp_ceiling": "red", "retain_days": DEFAULT_RETAIN_DAYS}
    rules = [{"from": a, "to": b, **fixed} for a, b in itertools.permutations(names, 2)]
    value = {
        "saphan": TERMS_FORMAT,
        "reference": "-".join((*names, str(today.year)))[-63:].lstrip("-."),
        "title": "Exchange of information between " + ", ".join(names),
        "instrument": "MOU",
        "rules": rules,
        "handling": ["H0", "H1", "H2", "H3"],
        "default_handling": ORIGINATOR_CONTROL,
        "onward": "ask",
        "languages": ["en", "lo", "km"],
        "in_flight": "deliver",
        "valid_from": today.isoformat(),
        "valid_until": (today + timedelta(days=365 * DEFAULT_YEARS)).isoformat(),
        "witnesses": {"quorum": 1, "own_counts": False},
    }
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


def terms_of(agreement: Agreement) -> Terms:
    """The terms of an agreement that exists, to renew it; whole days only, as people write them."""
    return Terms(
        saphan=TERMS_FORMAT,
        reference=agreement.reference,
        title=agreement.title,
        instrument=agreement.instrument,
        rules=tuple(
            RuleTerms(r.sender, r.recipient, r.schemas, r.tlp_ceiling, r.retain_days)
            for r in agreement.rules
        ),
        valid_from=_day(agreement.valid_from),
        valid_until=_day(agreement.valid_until),
        handling=agreement.handling,
        default_handling=agreement.default_handling,
        onward=agreement.onward,
        languages=agreement.languages,
        in_flight=agreement.in_flight,
        witnesses=WitnessTerms(agreement.witnesses.quorum, agreement.witnesses.own_counts),
    )


def format_terms(terms: Terms) -> bytes:
    """Terms as a file to edit."""
    value = msgspec.to_builtins(terms)
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


def make_agreement(
    terms: Terms, parties: Sequence[AgencyFile], pins: Pins, replaces: bytes | None = None
) -> bytes:
    """Exact bytes of the agreement that these parties would sign.

    Args:
        replaces: identity of the agreement that this one renews.

    Raises:
        InvalidInput: `malformed`, `agreement_malformed`, `too_large`.
    """
    directory, evidence = pins.lasting
    record = Agreement(
        reference=terms.reference,
        title=terms.title,
        instrument=terms.instrument,
        parties=tuple(p.party() for p in sorted(parties, key=lambda p: p.agency)),
        rules=tuple(rule for terms_rule in terms.rules for rule in terms_rule.corridor_rules()),
        handling=terms.handling,
        default_handling=terms.default_codes(),
        onward=terms.onward,
        languages=terms.languages,
        in_flight=terms.in_flight,
        valid_from=_millis(terms.valid_from),
        valid_until=_millis(terms.valid_until),
        directory=directory,
        evidence=evidence,
        witnesses=WitnessPolicy(terms.witnesses.quorum, terms.witnesses.own_counts),
        replaces=replaces,
    )
    try:
        text = encode(record)
    except (OverflowError, UnicodeEncodeError) as error:
        raise InvalidInput("terms_malformed", f"the terms: {error}", field="terms") from None
    try:
        parse_agreement(text)  # the one place that says what an agreement is
    except InvalidInput as error:
        if error.code != "malformed":
            raise
        raise InvalidInput(
            "terms_malformed",
            f"the terms cannot become an agreement: {_named(error.message)}",
            field="terms",
            hint="correct the value that is named; docs/agreements.md says what stands in a term",
        ) from None
    return text


def _named(message: str) -> str:
    """Members of the record by their names, which people have written: `$[4][0][4]` is a rule."""
    fields = Agreement.__struct_fields__
    named = re.sub(r"\$\[([0-9]+)\]", lambda at: fields[int(at[1])], message)
    rule = CorridorRule.__struct_fields__
    return re.sub(r"(rules\[[0-9]+\])\[([0-9]+)\]", lambda at: f"{at[1]}.{rule[int(at[2])]}", named)


def _day(millis: int) -> date:
    return datetime.fromtimestamp(millis // 1_000, UTC).date()


def _millis(day: date) -> int:
    """The day's first instant, UTC, in ms."""
    return int(datetime.combine(day, time(), UTC).timestamp()) * 1_000
