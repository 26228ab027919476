"""Retention over the local API: plan, arm, confirm, list, one bulletin, and what people decide."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Day

from saphan.node.api.app import SERVICE, view_of
from saphan.node.api.recalls import decided_by
from saphan.node.api.requests import json_response, page, parse_json, read_body
from saphan.node.api.views import View
from saphan.node.callers import Keeper, Officer
from saphan.node.retaining.reviews import Decision
from saphan.node.retention.keeping import (
    ACTIVE,
    DELETED,
    DELETING,
    DUE_REVIEW,
    EXTENDED,
    HELD,
)

STATES: Final = (ACTIVE, DUE_REVIEW, EXTENDED, HELD, DELETING, DELETED)
PLAN_DAYS: Final = 30
"""Looked ahead where nobody says how far."""


class PlanBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many days ahead; `officer`: who looks at it, where the keeper's token asks."""

    days: Annotated[int, Meta(ge=0, le=LIMITS.ratchet_days)] = PLAN_DAYS
    officer: str | None = None


class ArmBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`rules`: the first digits of the digest that the plan has shown; null: whatever it was."""

    rules: Annotated[str, Meta(pattern=r"\A[0-9a-f]{8,64}\Z")] | None = None
    officer: str | None = None


class DecisionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`until`: for `extend`, the day of the next review; `order`: an authority has ordered it."""

    decision: Literal["extend", "keep", "erase"]
    reason: str
    until: Day | None = None
    order: bool = False
    officer: str | None = None


def routes() -> list[web.RouteDef]:
    """Paths of retention."""
    return [
        web.post("/v1/retention/plan", _plan),
        web.post("/v1/retention/arm", _arm),
        web.post("/v1/retention/confirm", _confirm),
        web.get("/v1/retention", _listed, allow_head=False),
        web.get("/v1/bulletins/{id}/retention", _shown, allow_head=False),
        web.post("/v1/bulletins/{id}/retention", _decide),
    ]


async def _plan(request: web.Request) -> web.Response:
    service, view = request.app[SERVICE], view_of(request)
    body = parse_json(await read_body(request) or b"{}", PlanBody)
    by = await service.engine.in_reading(partial(decided_by, view, body.officer))
    return json_response(await service.retention.plan(body.days, by))


async def _arm(request: web.Request) -> web.Response:
    service, view = request.app[SERVICE], view_of(request)
    body = parse_json(await read_body(request) or b"{}", ArmBody)
    by = await service.engine.in_reading(partial(decided_by, view, body.officer))
    return json_response(await service.retention.arm(by, body.rules))


async def _confirm(request: web.Request) -> web.Response:
    return json_response(await request.app[SERVICE].retention.confirm())


async def _listed(request: web.Request) -> web.Response:
    service, (after, limit) = request.app[SERVICE], page(request)
    state = request.query.get("state")
    if state is not None and state not in STATES:
        raise InvalidInput(
            "malformed", f"{state[:40]!r} is no state", field="state", hint=", ".join(STATES)
        )
    found = await service.retention.listed(state, after, limit)
    return json_response({"bulletins": found})


async def _shown(request: web.Request) -> web.Response:
    service, view = request.app[SERVICE], view_of(request)
    resolve = partial(view.resolve, request.match_info["id"])
    bulletin = await service.engine.in_reading(resolve)
    found = await service.retention.shown(bulletin)
    if isinstance(view.caller, Keeper):  # who took it, and who has it, is no officer's to know
        look = partial(service.subjects.report.left, bulletin)
        found |= await service.engine.in_reading(look)
    return json_response(found)


async def _decide(request: web.Request) -> web.Response:
    service, view = request.app[SERVICE], view_of(request)
    body = parse_json(await read_body(request), DecisionBody)
    if (body.until is None) != (body.decision != "extend"):
        raise InvalidInput(
            "malformed", "`until` is given to extend, and for nothing else", field="until"
        )

    def look() -> tuple[bytes, str]:
        bulletin = view.resolve(request.match_info["id"])
        _check_decides(view)
        return bulletin, decided_by(view, body.officer)

    bulletin, who = await service.engine.in_reading(look)
    decision = Decision(body.decision, who, body.reason, body.until, body.order)
    return json_response(await service.retention.decide(bulletin, decision))


def _check_decides(view: View) -> None:
    """Refuse a decision of an officer who does not see to retention.

    Raises:
        Refused: `token_scope`.
    """
    named = view.service.settings.now.retention.officers
    if isinstance(view.caller, Officer) and view.caller.handle not in named:
        raise Refused(
            "token_scope",
            f"{view.caller.label} may not decide how long a bulletin is kept",
            field="Authorization",
            hint="ask the keeper: settings.json, retention.officers",
        )
