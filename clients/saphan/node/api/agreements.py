"""Agreements at the local API: how they stand, what is on its way under them, their exact text."""

from __future__ import annotations

from functools import partial
from typing import Any

from aiohttp import web
from saphan_schemas.errors import InvalidInput

from saphan.base64_text import text_of
from saphan.node.api.app import SERVICE
from saphan.node.api.requests import json_response
from saphan.node.service import NodeService
from saphan.node.trust.agreed import describe_agreement

Json = dict[str, Any]


def routes() -> list[web.RouteDef]:
    """Paths of agreements."""
    return [
        web.get("/v1/agreements", _agreements, allow_head=False),
        web.get("/v1/agreements/{identity}", _agreement, allow_head=False),
    ]


async def _agreements(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    return json_response({"agreements": await service.engine.in_reading(partial(_all, service))})


async def _agreement(request: web.Request) -> web.Response:
    service, name = request.app[SERVICE], request.match_info["identity"]
    return json_response(await service.engine.in_reading(partial(_one, service, name)))


def _all(service: NodeService) -> list[Json]:
    under: dict[str, list[Json]] = {}
    for row in service.agreements.in_flight.listed():
        under.setdefault(row["agreement"], []).append(row)
    directory = service.logs.directory
    with service.logs.lock:
        found = [
            describe_agreement(directory, agreed, service.agency)
            for agreed in directory.agreements_of(service.agency)
        ]
    return [one | {"in_flight_now": under.get(one["identity"], [])} for one in found]


def _one(service: NodeService, name: str) -> Json:
    directory = service.logs.directory
    with service.logs.lock:
        for agreed in directory.agreements_of(service.agency):
            if agreed.name.hex() == name:
                text = text_of(agreed.package.agreement)
                return describe_agreement(directory, agreed, service.agency) | {"text": text}
    raise InvalidInput(
        "agreement_unknown",
        f"this node knows no agreement of {service.agency} with this identity",
        field="identity",
        hint="see them all: saphan agreement list",
    )
