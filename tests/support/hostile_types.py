"""Bundles as an attacker writes them, who has none of our tools."""

from __future__ import annotations

from support.sources import Json, raw_bundle


def closed(properties: Json) -> Json:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def hostile(body: Json, defs: Json, rules: list[Json] | None = None) -> Json:
    """A bundle as an attacker writes it who has none of our tools."""
    bundle = raw_bundle()
    schema = bundle["schema"]
    known = {name: node for name, node in schema["$defs"].items() if name not in ("way", "period")}
    schema["properties"]["body"] = body
    schema["$defs"] = known | defs
    return bundle | {"rules": rules or []}
