"""Who asks the local API: the agency's keeper, one of its systems, or one officer.

The keeper holds node/api.token and may do everything that the API can; systems and officers hold
tokens of their own (`tokens`), and each may do what `access` says of its kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from aiohttp import web

from saphan.api_rights import Right as Right
from saphan.node.files.uploads import KEEPER


@dataclass(frozen=True, slots=True)
class Keeper:
    """Whoever runs the node: reads its files anyway."""

    @property
    def label(self) -> str:
        """As records of this node name the caller."""
        return "keeper"


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A program of the agency.

    Args:
        name: of its token; schemas: the body types that it may send and see; None: all.
    """

    name: str
    rights: frozenset[Right]
    schemas: frozenset[str] | None = None

    @property
    def label(self) -> str:
        """As records of this node name the caller."""
        return f"system:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer:
    """An officer of this agency, whose key was active when this request came.

    Args:
        handle: theirs; key: id of the key that was active when their token was made.
    """

    handle: str
    key: bytes

    @property
    def label(self) -> str:
        """As records of this node name the caller."""
        return f"officer:{self.handle}"


Caller: TypeAlias = Keeper | System | Officer
_CALLER: Final[web.RequestKey[Caller]] = web.RequestKey("caller", object)  # type: ignore[arg-type]


def owner_of(caller: Caller) -> str:
    """Whose uploads a caller brings and takes; those of the keeper are of all local commands."""
    return KEEPER if isinstance(caller, Keeper) else caller.label


def set_caller(request: web.Request, caller: Caller) -> None:
    """Note who asks; done once, by the guard, before any handler runs."""
    request[_CALLER] = caller


def caller_of(request: web.Request) -> Caller:
    """Who asks; a KeyError here means a path that the guard does not stand before."""
    return request[_CALLER]
