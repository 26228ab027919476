"""What a bundle is about, and its entries once they are judged."""

from __future__ import annotations

from dataclasses import dataclass

from saphan_schemas.bundles import BundleHead
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Consignment, Event, Header, Statement

from saphan_protocol.admission import HEADER_TYPE
from saphan_protocol.bundle.anchored import Bracket
from saphan_protocol.bundle.facts import Proof
from saphan_protocol.bundle.logged import Logged
from saphan_protocol.bundle.report import BundleStep
from saphan_protocol.bundle.trail import Trail
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_protocol.identity import identity


@dataclass(frozen=True, slots=True)
class About:
    """What the bundle is about, as its first consignment says; every other one must agree."""

    bulletin: bytes
    header: Header
    header_bytes: bytes
    header_id: bytes
    first: Logged


@dataclass(frozen=True, slots=True)
class Judged:
    """An entry that passed V12 or V13, with what it says.

    Args:
        consignment: of `submitted` and `consigned`; statement: of all others.
    """

    logged: Logged
    bracket: Bracket
    proof: Proof
    consignment: Consignment | None = None
    event: Event | None = None
    statement: Statement | None = None

    @property
    def key(self) -> bytes | None:
        """Id of the key that signed it, where a signature is shown."""
        item = self.logged.shown.item
        return item.key if item is not None and self.proof is Proof.SIGNED else None


def about(head: BundleHead, entries: list[Logged], trail: Trail) -> About:
    """The bulletin's header, from the first consignment shown; its maker is a party to it.

    Raises:
        InvalidInput: `consignment_missing`. Refused: `maker_foreign`.
    """
    trail.at(BundleStep.CONSIGNMENT)
    for one in entries:
        header = one.shown.header
        if one.entry.type != CONSIGNMENT_TYPE or header is None:
            continue
        record = decode(Header, header, LIMITS.header_bytes, "header")
        if head.maker not in (record.sender, *record.recipients):
            raise Refused(
                "maker_foreign",
                f"{head.maker} is no party to the bulletin: none of its nodes could show this",
                field="bundle.maker",
            )
        return About(head.bulletin, record, header, identity(HEADER_TYPE, header), one)
    raise InvalidInput(
        "consignment_missing",
        "no consignment of the bulletin is shown: nothing says what it was, and for whom",
        field="bundle.entries",
    )
