"""Roots that holders keep elsewhere: their public halves, and how many of them sign together."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from saphan_schemas.directory_records import Change
from saphan_schemas.errors import InvalidInput, Refused, SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role

from saphan.ceremony.holder import ROOT_HALF_BYTES, RootHalf, format_root_half, parse_root_half
from saphan.durable import PUBLIC_MODE, create_file, read_bounded
from saphan.keys.keyfiles import read_key_id
from saphan.office import Office


@dataclass(frozen=True, slots=True)
class Roots:
    """Holders' public halves, one to sixteen, and the threshold.

    Raises:
        InvalidInput: `key_duplicate`, `holder_duplicate`. Refused: `operation_threshold`.
    """

    halves: tuple[RootHalf, ...]
    threshold: int

    def __post_init__(self) -> None:
        check_distinct(self.halves)
        if not 1 <= self.threshold <= len(self.halves) <= LIMITS.roots:
            raise Refused(
                "operation_threshold",
                f"{self.threshold} of {len(self.halves)} roots cannot be a threshold",
                field="threshold",
                hint="two of three is recommended: --root a.json --root b.json --root c.json "
                "--threshold 2",
            )

    @property
    def publics(self) -> tuple[bytes, ...]:
        """Public root keys in their order."""
        return tuple(half.public for half in self.halves)

    @property
    def holders(self) -> dict[bytes, str]:
        """Root's key id to its holder's name."""
        return {half.key_id: half.holder for half in self.halves}


def check_distinct(halves: tuple[RootHalf, ...]) -> None:
    """Refuse one root, or one holder's name, that is given twice.

    Raises:
        InvalidInput: `key_duplicate`, `holder_duplicate`.
    """
    if len({half.public for half in halves}) < len(halves):
        raise InvalidInput(
            "key_duplicate",
            "two of the files hold the same root",
            field="root",
            hint="each holder makes a root of their own: saphan root new --name HOLDER --out DIR",
        )
    if len({half.holder for half in halves}) < len(halves):
        raise InvalidInput(
            "holder_duplicate",
            "two of the roots have the same holder's name",
            field="root",
            hint="make one of them again under another name: nothing is enrolled yet",
        )


def root_additions(halves: tuple[RootHalf, ...]) -> tuple[Change, ...]:
    """The changes that add these roots."""
    return tuple(Change("add", Role.ROOT, half.public, None, None, None) for half in halves)


def keep_halves(office: Office, halves: tuple[RootHalf, ...]) -> None:
    """Put public halves into the agency's folder, where their holders' names are found again.

    Raises:
        OperatorError: `file_unwritable`; `file_exists` for a name that another root has there.
    """
    for half in halves:
        path = office.root_half(half.holder)
        if path.exists() and _read(office, half.holder).public == half.public:
            continue
        create_file(path, format_root_half(half), PUBLIC_MODE)


def known_holders(office: Office) -> dict[bytes, str]:
    """Key id to holder's name of every root whose file stands in the agency's folder.

    A file that cannot be read gives no name: a label must not stand in the way of a revocation.
    """
    found: dict[bytes, str] = {}
    with contextlib.suppress(SaphanError):
        found[read_key_id(office.root_key)] = "root"
    for path in sorted(office.root_key.parent.glob("*.json")):
        with contextlib.suppress(SaphanError):
            half = _read(office, path.stem)
            found[half.key_id] = half.holder
    return found


def _read(office: Office, holder: str) -> RootHalf:
    return parse_root_half(read_bounded(office.root_half(holder), ROOT_HALF_BYTES, "root"))
