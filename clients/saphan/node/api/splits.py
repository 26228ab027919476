"""Two histories over the local API: what was proven here, what peers saw, what this node saw."""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec
from aiohttp import web
from saphan_protocol.split_file import format_split
from saphan_schemas.errors import InvalidInput, Refused

from saphan.node.api.app import SERVICE
from saphan.node.api.requests import json_response, parse_json, read_body
from saphan.node.heads_shown import show_heads

LOGS: Final = ("evidence", "directory")


class ReasonBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the node may speak with its broker again."""

    reason: str


def routes() -> list[web.RouteDef]:
    """Paths about two histories."""
    return [
        web.get("/v1/splits", _listed, allow_head=False),
        web.post("/v1/splits/clear", _clear),
        web.get("/v1/heads/{size}", _heads, allow_head=False),
    ]


async def _listed(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    splits = await service.engine.in_reading(service.splits.listed)
    seen = await service.engine.in_reading(service.seen.listed)
    return json_response({"splits": splits, "seen": seen})


async def _clear(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    body = parse_json(await read_body(request), ReasonBody)
    stopped = service.line.state.state == "stopped"
    cleared = await service.engine.in_frames(partial(service.splits.clear, body.reason))
    if not (cleared.splits or cleared.seen or stopped):
        raise Refused(
            "nothing_to_clear", "this node speaks with its broker, and no peer saw anything else"
        )
    service.line.trust_again()
    return json_response({"splits": cleared.splits, "seen": cleared.seen})


async def _heads(request: web.Request) -> web.Response:
    service, text = request.app[SERVICE], request.match_info["size"]
    if not (text.isascii() and text.isdecimal() and len(text) < 17):
        raise InvalidInput("malformed", "a size is a whole number", field="size")
    log = request.query.get("log", LOGS[0])
    if log not in LOGS:
        raise InvalidInput("malformed", "a log is evidence or directory", field="log")
    now = service.config.clock()
    made = await show_heads(service.engine, service.line, log, int(text), now)
    return json_response({"file": format_split(made).decode()})
