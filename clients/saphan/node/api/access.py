"""What each kind of caller may do at the local API: one table for the guard, the document, a test.

A path that is not in it is the keeper's alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from saphan_schemas.errors import Refused

from saphan.node.callers import Caller, Keeper, Officer, Right, System

OPEN_PATH: Final = "/healthz"
"""The only path that asks for no token."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use a path besides the keeper.

    Args:
        rights: a system needs one of these; officers: whether officers' tokens are taken.
    """

    rights: frozenset[Right]
    officers: bool


def _access(*rights: Right, officers: bool = False) -> Access:
    return Access(frozenset(rights), officers)


KEEPER_ONLY: Final = _access()

ACCESS: Final[dict[tuple[str, str], Access]] = {
    ("GET", "/v1/openapi.json"): _access(*Right, officers=True),
    ("GET", "/v1/schemas"): _access(*Right, officers=True),
    ("GET", "/v1/schemas/{owner}/{type}/{version}"): _access(*Right, officers=True),
    ("GET", "/v1/identity"): _access(*Right, officers=True),
    ("POST", "/v1/bulletins"): _access(Right.SEND),
    ("POST", "/v1/bulletins/signed"): _access(officers=True),
    ("GET", "/v1/bulletins"): _access(Right.STATUS, officers=True),
    ("GET", "/v1/bulletins/{id}"): _access(Right.STATUS, officers=True),
    ("GET", "/v1/bulletins/{id}/thread"): _access(Right.STATUS, officers=True),
    ("GET", "/v1/bulletins/{id}/content"): _access(Right.READ),
    ("POST", "/v1/bulletins/{id}/read"): _access(officers=True),
    ("GET", "/v1/bulletins/{id}/attachments/{number}"): _access(Right.READ, officers=True),
    ("GET", "/v1/attachments/{digest}"): _access(Right.SEND, officers=True),
    ("PUT", "/v1/attachments/{digest}"): _access(Right.SEND, officers=True),
    ("GET", "/v1/inbox"): _access(Right.READ, officers=True),
    ("GET", "/v1/events"): _access(Right.EVENTS, officers=True),
    ("GET", "/v1/directory"): _access(Right.IDENTITY),
    ("GET", "/v1/log-token"): _access(Right.LOG),
    ("GET", "/v1/countersign"): _access(officers=True),
    ("POST", "/v1/countersign/{id}/read"): _access(officers=True),
    ("GET", "/v1/countersign/{id}/attachments/{number}"): _access(officers=True),
    ("POST", "/v1/countersign/{id}/sign"): _access(officers=True),
    ("POST", "/v1/countersign/{id}/refuse"): _access(officers=True),
    ("POST", "/v1/bulletins/{id}/recall"): _access(Right.RECALL, officers=True),
    ("GET", "/v1/bulletins/{id}/recall"): _access(Right.STATUS, officers=True),
    ("POST", "/v1/bulletins/{id}/recall/answer"): _access(officers=True),
    ("GET", "/v1/recalls"): KEEPER_ONLY,
    ("GET", "/v1/bulletins/{id}/retention"): _access(Right.STATUS, officers=True),
    ("POST", "/v1/bulletins/{id}/retention"): _access(officers=True),
    ("GET", "/v1/retention"): KEEPER_ONLY,
    ("POST", "/v1/retention/plan"): KEEPER_ONLY,
    ("POST", "/v1/retention/arm"): KEEPER_ONLY,
    ("POST", "/v1/retention/confirm"): KEEPER_ONLY,
    ("POST", "/v1/retention/report"): KEEPER_ONLY,
    ("POST", "/v1/bulletins/{id}/exports"): KEEPER_ONLY,
    ("GET", "/v1/bulletins/{id}/exports"): KEEPER_ONLY,
    ("POST", "/v1/bulletins/{id}/disclosure"): KEEPER_ONLY,
    ("GET", "/v1/bulletins/{id}/disclosures"): KEEPER_ONLY,
    ("POST", "/v1/bulletins/{id}/evidence"): KEEPER_ONLY,
    ("POST", "/v1/bulletins/{id}/resend"): KEEPER_ONLY,
    ("GET", "/v1/officers"): KEEPER_ONLY,
    ("GET", "/v1/showings"): KEEPER_ONLY,
    ("POST", "/v1/directory"): KEEPER_ONLY,
    ("GET", "/v1/agreements"): KEEPER_ONLY,
    ("GET", "/v1/agreements/{identity}"): KEEPER_ONLY,
    ("GET", "/v1/holds"): KEEPER_ONLY,
    ("POST", "/v1/holds"): KEEPER_ONLY,
    ("GET", "/v1/holds/{name}"): KEEPER_ONLY,
    ("POST", "/v1/bulletins/{id}/hold/ask"): KEEPER_ONLY,
    ("POST", "/v1/bulletins/{id}/hold/answer"): KEEPER_ONLY,
    ("GET", "/v1/bound"): KEEPER_ONLY,
    ("POST", "/v1/bound"): KEEPER_ONLY,
    ("GET", "/v1/operations"): KEEPER_ONLY,
    ("POST", "/v1/operations/{version}/acknowledge"): KEEPER_ONLY,
    ("GET", "/v1/splits"): KEEPER_ONLY,
    ("POST", "/v1/splits/clear"): KEEPER_ONLY,
    ("GET", "/v1/heads/{size}"): KEEPER_ONLY,
    ("GET", "/v1/tokens"): KEEPER_ONLY,
    ("POST", "/v1/tokens"): KEEPER_ONLY,
    ("DELETE", "/v1/tokens/{name}"): KEEPER_ONLY,
}


def check_access(caller: Caller, method: str, path: str) -> None:
    """Refuse what is not this caller's to ask.

    Args:
        path: as routes spell it, such as "/v1/bulletins/{id}".

    Raises:
        Refused: `token_scope`.
    """
    needed = ACCESS.get(("GET" if method == "HEAD" else method, path), KEEPER_ONLY)
    match caller:
        case Keeper():
            return
        case System(rights=rights) if rights & needed.rights:
            return
        case Officer() if needed.officers:
            return
    raise Refused(
        "token_scope",
        f"{caller.label} may not ask for {method} {path}",
        field="Authorization",
        hint=_hint(caller, needed),
    )


def _hint(caller: Caller, needed: Access) -> str:
    if isinstance(caller, System) and needed.rights:
        rights = " ".join(f"--right {right}" for right in sorted(needed.rights))
        return f"the node's keeper can make a token for it: saphan token add NAME {rights}"
    if needed.officers:
        return "an officer does this, with a token of their own: saphan token add --officer HANDLE"
    return "the node's keeper does this"
