"""A token of the local API as it is asked for, kept in the store, and shown to the keeper."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Any, Final

from saphan_schemas.bodies import NAMES
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import DAY_MS, LIMITS

from saphan.node.callers import Officer, Right, System
from saphan.node.rows.db import Row

COLUMNS: Final = "digest, name, rights, schemas, handle, key, made, expires, used, revoked"
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,30}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A token that the keeper asks for: of a system, or of an officer.

    Args:
        schemas: body types that a system may send and see; empty: all.
        officer: handle; None: it is a system's.
        days: until it expires; None: `LIMITS.token_ms`.
    """

    name: str
    rights: frozenset[Right] = frozenset()
    schemas: frozenset[str] = frozenset()
    officer: str | None = None
    days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as it is kept; times in ms UTC."""

    digest: bytes
    name: str
    caller: System | Officer
    made: int
    expires: int
    used: int | None
    revoked: int | None
    noted: int = 0
    """When `used` was last written down."""

    def ended(self, now: int) -> bool:
        """Whether it opens nothing any more."""
        return self.revoked is not None or self.expires <= now

    def unnoted(self) -> bool:
        """Whether it was used after its last use was written down."""
        return self.used is not None and self.used > self.noted

    def described(self, now: int) -> dict[str, Any]:
        """For the keeper; nothing in it opens anything."""
        system = self.caller if isinstance(self.caller, System) else None
        officer = self.caller if isinstance(self.caller, Officer) else None
        state = "revoked" if self.revoked is not None else "expired"
        return {
            "name": self.name,
            "id": self.digest[:8].hex(),
            "state": state if self.ended(now) else "active",
            "rights": sorted(system.rights) if system else [],
            "schemas": sorted(system.schemas or ()) if system else [],
            "officer": officer.handle if officer else None,
            "made": self.made,
            "expires": self.expires,
            "used": self.used,
            "revoked": self.revoked,
        }


def check_living(token: Token, now: int) -> None:
    """Raises Refused `token_revoked`, `token_expired`."""
    if token.revoked is not None:
        raise Refused(
            "token_revoked",
            f"the token {token.name} was revoked",
            field="Authorization",
            hint="ask the node's keeper why; a new one is made with: saphan token add",
        )
    if token.expires <= now:
        raise Refused(
            "token_expired",
            f"the token {token.name} has expired",
            field="Authorization",
            hint="the node's keeper makes a new one: saphan token add",
        )


def check_wanted(wanted: Wanted, own: Container[str]) -> None:
    """Raises InvalidInput `token_malformed`, `schema_unknown`; `own`: agencies' own types."""
    days = LIMITS.token_most_ms // DAY_MS
    if not _NAME.fullmatch(wanted.name):
        raise _malformed("a token's name is 1 to 31 of a-z, 0-9 and -, a letter first", "name")
    if wanted.days is not None and not 1 <= wanted.days <= days:
        raise _malformed(f"a token holds 1 to {days} days", "days")
    if (wanted.officer is None) == (not wanted.rights):
        raise _malformed("a token has rights of a system, or an officer", "rights")
    if wanted.officer is not None and wanted.schemas:
        raise _malformed("an officer is shown what the rules say, not types of a token", "schemas")
    for schema in wanted.schemas:
        if schema not in NAMES and schema not in own:
            raise InvalidInput(
                "schema_unknown",
                f"there is no body type {schema[:80]!r}",
                field="schemas",
                hint="types have names such as saphan/drug_seizure/1",
            )


def row_of(token: Token) -> tuple[object, ...]:
    """A token as the store keeps it, in the order of `COLUMNS`."""
    caller, rights, schemas = token.caller, "", None
    handle = key = None
    if isinstance(caller, Officer):
        handle, key = caller.handle, caller.key
    else:
        rights = " ".join(sorted(caller.rights))
        schemas = None if caller.schemas is None else " ".join(sorted(caller.schemas))
    return (
        token.digest, token.name, rights, schemas, handle, key,
        token.made, token.expires, token.used, token.revoked,
    )  # fmt: skip


def token_of(row: Row) -> Token:
    """A row of `COLUMNS`."""
    digest, name, rights, schemas, handle, key, made, expires, used, revoked = row
    caller: System | Officer
    if handle is not None:
        caller = Officer(handle=handle, key=key)
    else:
        caller = System(
            name=name,
            rights=frozenset(map(Right, rights.split())),
            schemas=None if schemas is None else frozenset(schemas.split()),
        )
    return Token(
        digest=digest, name=name, caller=caller, made=made, expires=expires, used=used,
        revoked=revoked, noted=used or 0,
    )  # fmt: skip


def _malformed(why: str, field: str) -> InvalidInput:
    return InvalidInput(
        "token_malformed",
        why,
        field=field,
        hint="saphan token add NAME --right send --out FILE, or with --officer HANDLE",
    )
