"""Every term of an agreement, altered: whoever shows an agreement has to show the difference."""

from __future__ import annotations

from typing import Any

import msgspec
from saphan_schemas.directory_records import Agreement, WitnessPolicy

from support.pin_files import pins


def others(agreement: Agreement) -> dict[str, Any]:
    """Another value for every field."""
    rule, party = agreement.rules[0], agreement.parties[0]
    changed = msgspec.structs.replace
    return {
        "reference": "other",
        "title": "Other",
        "instrument": "TREATY",
        "parties": (changed(party, threshold=party.threshold + 1), *agreement.parties[1:]),
        "rules": (changed(rule, retain_days=1), *agreement.rules[1:]),
        "handling": agreement.handling[1:],
        "default_handling": ("H3",),
        "onward": "same_country",
        "languages": ("th",),
        "in_flight": "stop",
        "valid_from": agreement.valid_from + 1,
        "valid_until": agreement.valid_until - 1,
        "directory": pins(key="other").lasting[0],
        "evidence": pins(key="other").lasting[1],
        "witnesses": WitnessPolicy(0, True),
        "replaces": bytes(32) if agreement.replaces is None else None,
    }
