"""Types of bulletins at the local API: those of the package, and what agencies have registered."""

from __future__ import annotations

from functools import partial
from typing import Any

from aiohttp import web
from saphan_schemas.body_types import BUILT_IN

from saphan.base64_text import text_of
from saphan.node.api.app import SERVICE
from saphan.node.api.requests import json_response, logged
from saphan.node.service import NodeService

Json = dict[str, Any]


def routes() -> list[web.RouteDef]:
    """Paths of types."""
    return [
        web.get("/v1/schemas", _schemas, allow_head=False),
        web.get("/v1/schemas/{owner}/{type}/{version}", _schema, allow_head=False),
    ]


async def register_schema(service: NodeService, package: bytes) -> Json:
    """Bring an agency's own schema to the log; it is kept here once it is registered.

    One that is registered already, this agency's or another's, is only kept: so a schema comes by
    hand that the broker does not give.

    Raises:
        InvalidInput, Refused: why it is refused, here or by the broker; Unavailable: the line.
    """
    given = await service.engine.in_reading(partial(service.own.check_package, package))
    await service.engine.in_reading(partial(service.own.handed_in, given))
    answer = logged(await service.line.register(schema=package))
    await service.engine.in_reading(partial(service.own.keep, given.bundle))
    await service.schemas.came()
    return answer


async def _schemas(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    return json_response({"schemas": await service.engine.in_reading(partial(_all, service))})


async def _schema(request: web.Request) -> web.Response:
    service, part = request.app[SERVICE], request.match_info
    name = f"{part['owner']}/{part['type']}/{part['version']}"
    return json_response(await service.engine.in_reading(partial(describe_type, service, name)))


def _all(service: NodeService) -> list[Json]:
    held = service.own.types
    ours = [_row(one.name, one.digest, None, here=True) for one in BUILT_IN]
    own = [
        _row(
            one.record.name,
            one.record.digest,
            one.record.agency,
            here=one.record.name in held,
        )
        | {"registered_at": one.record.time, "leaf": one.index}
        for one in service.own.registered()
    ]
    return ours + own


def _row(name: str, digest: bytes, agency: str | None, *, here: bool) -> Json:
    return {"name": name, "digest": digest.hex(), "agency": agency, "here": here}


def describe_type(service: NodeService, name: str) -> Json:
    """A type's schema and rules, and the exact bytes that its digest covers; blocking.

    Raises:
        InvalidInput: `schema_unknown`; Unavailable: `schema_coming`; OperatorError: the store.
    """
    data = service.own.bundle(name)
    kind = service.own.types.get(name)
    return {"name": name, "digest": kind.digest.hex(), **kind.bundle, "exact": text_of(data)}
