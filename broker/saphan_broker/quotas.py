"""The operator's quotas: a JSON file that says which agency may have how much logged."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from saphan_protocol.quota import Quota, Share, Use, share
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import AgencyId
from saphan_schemas.strict_json import parse_json

MOST: Final = 2**53
"""The largest whole number that every JSON reader takes as it is written."""


class _Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file says of an agency, or of all others; what is left out is the default."""

    bulletins_per_minute: Annotated[int, Meta(ge=1, le=MOST)] | None = None
    bytes_per_day: Annotated[int, Meta(ge=LIMITS.quota_bytes_least, le=MOST)] | None = None
    open_deliveries: Annotated[int, Meta(ge=LIMITS.recipients, le=MOST)] | None = None

    def over(self, other: Quota) -> Quota:
        """This, and what is left out as in another quota."""
        return Quota(
            self.bulletins_per_minute or other.bulletins_per_minute,
            self.bytes_per_day or other.bytes_per_day,
            self.open_deliveries or other.open_deliveries,
        )


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    default: _Given = _Given()
    agencies: dict[AgencyId, _Given] = {}


DEFAULT: Final = Quota()


@dataclass(frozen=True, slots=True)
class Quotas:
    """The quota of every agency.

    Args:
        default: of an agency that is not named.
    """

    default: Quota = DEFAULT
    named: Mapping[str, Quota] = field(default_factory=dict)

    def of(self, agency: str) -> Quota:
        """What an agency may have logged."""
        return self.named.get(agency, self.default)


def shares(quotas: Quotas, used: Mapping[str, Use], now: int) -> dict[str, Share]:
    """How much of its quota each agency has used at `now` (ms), of those that have used any."""
    return {agency: share(quotas.of(agency), use, now) for agency, use in used.items()}


def read_quotas(path: Path) -> Quotas:
    """The quotas in a file; blocking.

    Raises:
        OperatorError: `quotas_unreadable`, `quotas_exposed`; InvalidInput: `quotas_malformed`.
    """
    try:
        with path.open("rb") as file:
            _check_mode(file.fileno(), path)
            data = file.read(LIMITS.quota_file_bytes + 1)
    except OSError as error:
        raise OperatorError(
            "quotas_unreadable",
            f"{path} cannot be read: {error.strerror or error}",
            field="quotas",
            hint="name a JSON file that the broker's user may read",
        ) from None
    if len(data) > LIMITS.quota_file_bytes:
        raise _malformed(f"it is longer than {LIMITS.quota_file_bytes} bytes")
    return parse_quotas(data)


def parse_quotas(data: bytes) -> Quotas:
    """The quotas in the bytes of a file.

    Raises:
        InvalidInput: `quotas_malformed`.
    """
    try:
        file = parse_json(_File, data)
    except ValueError as error:
        raise _malformed(str(error)) from None
    default = file.default.over(DEFAULT)
    return Quotas(default, {name: given.over(default) for name, given in file.agencies.items()})


def _check_mode(handle: int, path: Path) -> None:
    """Who can write this file lets a flood in, or silences an agency."""
    mode = os.fstat(handle).st_mode & 0o777
    if mode & 0o022:
        raise OperatorError(
            "quotas_exposed",
            f"{path} has mode {mode:o}: others than its owner can change it",
            field="quotas",
            hint=f"chmod go-w {path}, and look at what it says",
        )


def _malformed(why: str) -> InvalidInput:
    return InvalidInput(
        "quotas_malformed",
        f"the file of quotas is not as it must be: {why}",
        field="quotas",
        hint='for example {"default": {"bulletins_per_minute": 600}, '
        '"agencies": {"la.ospp": {"open_deliveries": 5000}}}',
    )
