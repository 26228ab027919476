"""Recalls over the local API: ordering one, its table, and answering others'.

The author takes back what they wrote; who sees to recalls for the whole agency stands in the
settings. A system with the right `recall` takes back what machines sent of its own types.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from aiohttp import web
from saphan_schemas.errors import Refused

from saphan.node.api.app import SERVICE, view_of
from saphan.node.api.requests import json_response, page, parse_json, read_body
from saphan.node.api.views import View
from saphan.node.callers import Keeper, Officer, System
from saphan.node.retention.keeping import erased_among
from saphan.node.service import NodeService


class RecallBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a bulletin is taken back: error, consent_withdrawn, wrong_person, court_order.

    `officer`: who decided it, where the keeper's token gives the order.
    """

    reason: str
    officer: str | None = None


class AnswerBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`decline`: why it is kept; null: it is erased, and the recall obeyed."""

    decline: str | None
    officer: str | None = None


def routes() -> list[web.RouteDef]:
    """Paths of recalls."""
    return [
        web.post("/v1/bulletins/{id}/recall", _order),
        web.get("/v1/bulletins/{id}/recall", _show, allow_head=False),
        web.post("/v1/bulletins/{id}/recall/answer", _answer),
        web.get("/v1/recalls", _received, allow_head=False),
    ]


async def _order(request: web.Request) -> web.Response:
    service, view = request.app[SERVICE], view_of(request)
    body = parse_json(await read_body(request), RecallBody)

    def look() -> bytes:
        bulletin = view.resolve(request.match_info["id"])
        check_orders(view, bulletin)
        return bulletin

    bulletin = await service.engine.in_reading(look)
    caller = decided_by(view, body.officer)
    return json_response(await service.recalls.order(bulletin, body.reason, caller))


async def _show(request: web.Request) -> web.Response:
    service, view = request.app[SERVICE], view_of(request)

    def look() -> dict[str, Any]:
        return service.recalls.show(view.resolve(request.match_info["id"]))

    return json_response(await service.engine.in_reading(look))


async def _answer(request: web.Request) -> web.Response:
    service, view = request.app[SERVICE], view_of(request)
    body = parse_json(await read_body(request), AnswerBody)

    def look() -> bytes:
        bulletin = view.resolve(request.match_info["id"])
        check_answers(view)
        return bulletin

    bulletin = await service.engine.in_reading(look)
    caller = decided_by(view, body.officer)
    return json_response(await service.recalls.answer(bulletin, body.decline, caller))


async def _received(request: web.Request) -> web.Response:
    service, (after, limit) = request.app[SERVICE], page(request)
    look = partial(service.recalls.received, after, limit)
    return json_response(await service.engine.in_reading(look))


def decided_by(view: View, officer: str | None) -> str:
    """As records of this node name who decided: the caller, and whom the keeper names.

    Raises:
        Refused: `officer_unknown`; `token_scope` if a caller other than the keeper names anybody.
    """
    if officer is None:
        return view.caller.label
    if not isinstance(view.caller, Keeper):
        raise _scope(view, "name another officer as the one who decided")
    if officer not in {one.handle for one in view.service.clearance.enrolled()}:
        raise Refused(
            "officer_unknown",
            f"{view.service.agency} has no enrolled officer {officer[:64]}",
            field="officer",
            hint="see who is enrolled: saphan officer list",
        )
    return f"{view.caller.label}:{officer}"


def check_orders(view: View, bulletin: bytes) -> None:
    """Refuse a recall by who neither wrote the bulletin nor sees to recalls.

    Raises:
        Refused: `token_scope`, `recall_not_author`.
    """
    match view.caller:
        case Keeper():
            return
        case Officer(handle=handle):
            check_officer(view.service, handle, bulletin)
        case System():
            known = view.service.bulletins.known(bulletin)
            if known is not None and known.author is not None:
                raise _scope(view, "recall what an officer wrote")
            if erased_among(view.service.db, [bulletin]):  # who wrote it is not known any more
                raise _scope(view, "recall what was erased here")


def check_officer(service: NodeService, handle: str, bulletin: bytes) -> None:
    """The same of an officer.

    Raises:
        Refused: `recall_not_author`.
    """
    known = service.bulletins.known(bulletin)
    if handle in service.settings.now.recall.officers:
        return
    if known is None or known.author != handle:
        raise Refused(
            "recall_not_author",
            "a bulletin is recalled by its author, or by officers that the settings name",
            field="id",
            hint="ask its author, or the keeper: settings.json, recall.officers",
        )


def check_answers(view: View) -> None:
    """Refuse an answer of an officer who does not see to recalls.

    Raises:
        Refused: `token_scope`.
    """
    named = view.service.settings.now.recall.officers
    if isinstance(view.caller, Officer) and view.caller.handle not in named:
        raise _scope(view, "answer a recall")


def _scope(view: View, what: str) -> Refused:
    return Refused(
        "token_scope",
        f"{view.caller.label} may not {what}",
        field="Authorization",
        hint="the node's keeper says who sees to recalls: settings.json, recall.officers",
    )
