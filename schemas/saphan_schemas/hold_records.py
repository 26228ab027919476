"""What an agency's order key says about destruction: hold these, hold them no more (retention.md).

The order stands in the directory log as a salted commitment. Its terms, why and what is held, are
committed to once more inside it and stay in the agency's node: neither broker nor other states see
them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from saphan_schemas.codec import Record
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import (
    AgencyId,
    BulletinId,
    Day,
    Digest,
    Millis,
    Salt,
    SchemaName,
    Signature,
)


class HoldOrder(Record, frozen=True):
    """Nothing of a scope is destroyed from here on, or may be again.

    `number` counts this agency's hold orders from 1: an old one cannot be said again. `hold` is the
    leaf commitment of an earlier order to hold: the one that is released or, by another order to
    hold, the one whose review day and reference this one replaces. `terms` commits to `HoldTerms`.
    """

    agency: AgencyId
    number: Annotated[int, Meta(ge=1, le=2**31)]
    action: Literal["hold", "release"]
    hold: Digest | None
    terms: Digest
    review: Day
    time: Millis


class SignedHoldOrder(Record, frozen=True):
    """A hold order as a file and on the wire: text, one order key's signature or roots', salt."""

    order: Annotated[bytes, Meta(max_length=LIMITS.statement_bytes)]
    signatures: Annotated[tuple[Signature, ...], Meta(min_length=1, max_length=LIMITS.roots)]
    salt: Salt


class HoldScope(Record, frozen=True):
    """Which bulletins are held: whatever one of these names, as far as this agency is party to it.

    `since` and `until` bound when bulletins of `schemas` (none named: of every schema) were
    created, ms; both None without schemas: nothing is held by type and period. `threads` are named
    by any of their bulletins, `cases` by the references that bulletins bear.
    """

    ids: Annotated[tuple[BulletinId, ...], Meta(max_length=LIMITS.hold_ids)]
    schemas: Annotated[tuple[SchemaName, ...], Meta(max_length=LIMITS.hold_parts)]
    since: Millis | None
    until: Millis | None
    threads: Annotated[tuple[BulletinId, ...], Meta(max_length=LIMITS.hold_parts)]
    cases: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...],
        Meta(max_length=LIMITS.hold_parts),
    ]


class HoldTerms(Record, frozen=True):
    """Why, and what: `reference` is the court's or the law's; `told` lets other parties be asked
    to hold theirs. A release repeats the scope of what it releases."""

    reference: Annotated[str, Meta(min_length=1, max_length=400)]
    scope: HoldScope
    told: bool
