"""The OpenAPI document of the local API, made from one table."""

from __future__ import annotations

from typing import Any, Final

from saphan_schemas.attachments import MEDIA_TYPES, ROLES
from saphan_schemas.limits import LIMITS

from saphan.node.api.access import ACCESS, OPEN_PATH, Access
from saphan.node.api.openapi_retention import PATHS as RETENTION_PATHS
from saphan.node.api.openapi_retention import SCHEMAS as RETENTION_SCHEMAS
from saphan.node.callers import Right
from saphan.node.disclosing import WORDS
from saphan.node.repeats import HEADER

Json = dict[str, Any]

_STRING: Final[Json] = {"type": "string"}
_BASE64: Final[Json] = {"type": "string", "contentEncoding": "base64"}
_MILLIS: Final[Json] = {"type": "integer", "description": "ms UTC since 1970"}
_ID: Final[Json] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}

_REPEAT: Final[Json] = {
    "name": HEADER,
    "in": "header",
    "description": "the same request under the same key has the first answer, for 7 days",
    "schema": {"type": "string", "minLength": 8, "maxLength": 128},
}

_BYTES: Final[Json] = {"application/octet-stream": {"schema": {}}}

_SCHEMAS: Final[Json] = {
    "Error": {
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": _STRING,
            "message": _STRING,
            "field": {"type": ["string", "null"]},
            "hint": {"type": ["string", "null"]},
            "explained": {
                "type": "object",
                "description": "What is wrong with a bulletin, by language: en, lo, km.",
                "additionalProperties": _STRING,
            },
        },
    },
    "Bulletin": {
        "type": "object",
        "required": ["to", "schema", "about", "body"],
        "additionalProperties": False,
        "properties": {
            "to": {"type": "array", "items": _STRING, "minItems": 1},
            "schema": {"type": "string", "examples": ["saphan/case_statistics/1"]},
            "about": {"type": "object"},
            "body": {"type": "object"},
            "marking": {
                "type": "object",
                "required": ["tlp"],
                "description": "Without codes those hold that the agreement has by default.",
                "properties": {
                    "tlp": {"enum": ["clear", "green", "amber", "amber+strict", "red"]},
                    "codes": {"type": "array", "items": {"enum": ["H0", "H1", "H2", "H3"]}},
                },
            },
            "urgency": {"enum": ["routine", "priority", "immediate"]},
            "exercise": {"type": "boolean"},
            "expires": _MILLIS,
            "answer_by": _MILLIS,
            "retain_until": {"type": "integer", "description": "days since 1970-01-01"},
            "attachments": {
                "type": "array",
                "maxItems": LIMITS.attachments,
                "items": {
                    "type": "object",
                    "required": ["digest", "name", "media_type"],
                    "additionalProperties": False,
                    "properties": {
                        "digest": _ID,
                        "name": _STRING,
                        "media_type": {"enum": sorted(MEDIA_TYPES)},
                        "role": {"enum": list(ROLES)},
                    },
                },
            },
        },
    },
    "Upload": {
        "type": "object",
        "required": ["held", "whole"],
        "properties": {"held": {"type": "integer"}, "whole": {"type": "boolean"}},
    },
    "Signed": {
        "type": "object",
        "required": ["header", "inner", "signature", "content"],
        "additionalProperties": False,
        "properties": dict.fromkeys(("header", "inner", "signature", "content"), _BASE64),
    },
    "Read": {
        "type": "object",
        "required": ["record", "signature"],
        "additionalProperties": False,
        "properties": dict.fromkeys(("record", "signature"), _BASE64),
    },
    "Second": {
        "type": "object",
        "required": ["signature"],
        "additionalProperties": False,
        "properties": {"signature": _BASE64},
    },
    "Directory": {
        "type": "object",
        "description": "exactly one of them",
        "additionalProperties": False,
        "properties": dict.fromkeys(("operation", "agreement", "order", "schema"), _BASE64),
    },
    "Bound": {
        "type": "object",
        "description": "exactly one of the two",
        "additionalProperties": False,
        "properties": dict.fromkeys(("operation", "order"), _BASE64),
    },
    "Reason": {
        "type": "object",
        "required": ["reason"],
        "additionalProperties": False,
        "properties": {"reason": _STRING},
    },
    "Disclose": {
        "type": "object",
        "required": ["to", "reason"],
        "additionalProperties": False,
        "properties": {
            "to": {"type": "string", "minLength": 1, "maxLength": WORDS["to"]},
            "reason": {"type": "string", "minLength": 1, "maxLength": WORDS["reason"]},
            "handle": {"type": ["string", "null"]},
        },
    },
    "Disclosed": {
        "type": "object",
        "description": "what BundleDisclosure has: schemas/spec/evidence.md",
        "required": ["id", "content_key", "disclosure", "signature", "salt"],
        "properties": {
            "id": _ID,
            **dict.fromkeys(("content_key", "disclosure", "signature", "salt"), _BASE64),
        },
    },
    "Accepted": {
        "type": "object",
        "description": "`id` is null, and `draft` named, while a second officer has to sign",
        "required": ["id"],
        "properties": {"id": {"type": ["string", "null"], "pattern": _ID["pattern"]}, "draft": _ID},
    },
    "List": {
        "type": "object",
        "required": ["bulletins", "next", "more"],
        "properties": {
            "bulletins": {"type": "array", "items": {"type": "object"}},
            "next": {"type": "integer", "description": "`after` of the next page"},
            "more": {"type": "boolean"},
        },
    },
    "Wanted": {
        "type": "object",
        "description": "a system's token has rights, an officer's the officer's handle",
        "required": ["name"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string", "pattern": "^[a-z][a-z0-9-]{0,30}$"},
            "rights": {"type": "array", "items": {"enum": sorted(Right)}},
            "schemas": {"type": "array", "items": _STRING},
            "officer": {"type": ["string", "null"]},
            "days": {"type": ["integer", "null"], "minimum": 1},
        },
    },
    "Token": {
        "type": "object",
        "required": ["name", "state", "made", "expires"],
        "properties": {
            "token": {"type": "string", "description": "once, when it is made"},
            "name": _STRING,
            "state": {"enum": ["active", "expired", "revoked"]},
            "made": _MILLIS,
            "expires": _MILLIS,
        },
    },
    "Tokens": {
        "type": "object",
        "required": ["tokens"],
        "properties": {
            "tokens": {"type": "array", "items": {"$ref": "#/components/schemas/Token"}}
        },
    },
    "Object": {"type": "object"},
    **RETENTION_SCHEMAS,
}

PATHS: Final[tuple[tuple[str, str, str, str | None, int, str], ...]] = (
    ("get", "/healthz", "Liveness, without a token", None, 200, "Object"),
    ("get", "/v1/openapi.json", "This document", None, 200, "Object"),
    ("get", "/v1/identity", "The node, its line, keys, agreements, alarms", None, 200, "Object"),
    ("post", "/v1/bulletins", "Send a machine-made bulletin", "Bulletin", 202, "Accepted"),
    ("post", "/v1/bulletins/signed", "Send an officer's bulletin", "Signed", 202, "Accepted"),
    ("get", "/v1/bulletins", "Sent bulletins; ?after=&limit=", None, 200, "List"),
    ("get", "/v1/bulletins/{id}", "Status, receipts, timeline", None, 200, "Object"),
    ("get", "/v1/bulletins/{id}/thread", "All that belong to it", None, 200, "Object"),
    ("get", "/v1/bulletins/{id}/content", "Content, read by a system", None, 200, "Object"),
    ("post", "/v1/bulletins/{id}/read", "Content, read by an officer", "Read", 200, "Object"),
    (
        "get",
        "/v1/bulletins/{id}/attachments/{number}",
        "An attachment's bytes, after its bulletin was read; ?offset=",
        None,
        200,
        "Object",
    ),
    (
        "post",
        "/v1/bulletins/{id}/disclosure",
        "Give away its content key, on record",
        "Disclose",
        200,
        "Disclosed",
    ),
    ("post", "/v1/bulletins/{id}/resend", "Say again what was logged", None, 200, "Object"),
    ("get", "/v1/bulletins/{id}/disclosures", "To whom its key was given", None, 200, "Object"),
    ("post", "/v1/bulletins/{id}/evidence", "Fetch what its proof lacks", None, 200, "Object"),
    ("get", "/v1/attachments/{digest}", "How much is uploaded", None, 200, "Upload"),
    (
        "put",
        "/v1/attachments/{digest}",
        "Upload bytes to attach; ?offset=&length=, length of the whole",
        "Bytes",
        200,
        "Upload",
    ),
    ("get", "/v1/inbox", "Accepted bulletins; ?after=&limit=", None, 200, "List"),
    ("get", "/v1/events", "Server-sent events", None, 200, "Object"),
    ("get", "/v1/directory", "An enrolled agency's roots; ?agency=", None, 200, "Object"),
    ("post", "/v1/directory", "Register an operation or agreement", "Directory", 200, "Object"),
    ("get", "/v1/schemas", "Types of bulletins: ours, and agencies' own", None, 200, "Object"),
    (
        "get",
        "/v1/schemas/{owner}/{type}/{version}",
        "A type: schema, rules, exact bytes",
        None,
        200,
        "Object",
    ),
    ("get", "/v1/agreements", "Agreements, their standing, what is in flight", None, 200, "Object"),
    ("get", "/v1/agreements/{identity}", "One agreement, with its text", None, 200, "Object"),
    ("get", "/v1/bound", "Revocations and orders imported by hand", None, 200, "Object"),
    ("post", "/v1/bound", "Import a revocation or an order by hand", "Bound", 200, "Object"),
    ("get", "/v1/operations", "The directory's operations of this agency", None, 200, "Object"),
    (
        "post",
        "/v1/operations/{version}/acknowledge",
        "An operation is this agency's own",
        None,
        200,
        "Object",
    ),
    ("get", "/v1/officers", "Officers: clearance, sections, languages", None, 200, "Object"),
    (
        "get",
        "/v1/showings",
        "What officers were shown and read; ?after=&limit=&officer=&id=",
        None,
        200,
        "Object",
    ),
    ("get", "/v1/countersign", "What waits for a second officer", None, 200, "Object"),
    ("post", "/v1/countersign/{id}/read", "What it says, to an officer", "Read", 200, "Object"),
    (
        "get",
        "/v1/countersign/{id}/attachments/{number}",
        "Bytes of what is attached, after it was read; ?offset=",
        None,
        200,
        "Object",
    ),
    ("post", "/v1/countersign/{id}/sign", "Sign it second", "Second", 202, "Accepted"),
    ("post", "/v1/countersign/{id}/refuse", "Do not sign it", "Read", 200, "Object"),
    ("get", "/v1/splits", "Two histories proven here; heads that peers saw", None, 200, "Object"),
    ("post", "/v1/splits/clear", "Speak with the broker again", "Reason", 200, "Object"),
    ("get", "/v1/heads/{size}", "A signed head, to be shown to others; ?log=", None, 200, "Object"),
    ("get", "/v1/log-token", "Token for the broker's log pages", None, 200, "Object"),
    ("get", "/v1/tokens", "Tokens, those that have ended among them", None, 200, "Tokens"),
    ("post", "/v1/tokens", "Make a token for a system or an officer", "Wanted", 201, "Token"),
    ("delete", "/v1/tokens/{name}", "Revoke a token", None, 200, "Token"),
    *RETENTION_PATHS,
)
"""(method, path, summary, request schema, status of success, answer schema)."""


_WHOLE: Final = {"type": "integer"}
_IN_PATHS: Final = (
    ("id", _ID),
    ("digest", _ID),
    ("number", _WHOLE),
    ("version", _WHOLE),
    ("size", _WHOLE),
)


def document() -> Json:
    """OpenAPI 3.1."""
    paths: Json = {}
    for method, path, summary, body, status, answer in PATHS:
        found = _operation(path, summary, body, status, answer)
        if path != OPEN_PATH:
            found["x-saphan-callers"] = callers(ACCESS[method.upper(), path])
        paths.setdefault(path, {})[method] = found
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Saphan node, local API",
            "version": "1",
            "license": {"name": "Apache-2.0"},
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def callers(access: Access) -> Json:
    """Whose tokens a path takes besides the keeper's."""
    return {"rights": sorted(access.rights), "officers": access.officers}


def _operation(path: str, summary: str, body: str | None, status: int, answer: str) -> Json:
    found: Json = {
        "summary": summary,
        "responses": {
            str(status): {"description": "done", "content": _json(answer)},
            "default": {"description": "why not", "content": _json("Error")},
        },
    }
    if path == "/v1/events":
        found["responses"]["200"]["content"] = {"text/event-stream": {"schema": _STRING}}
    if path == "/healthz":
        found["security"] = []
    named = [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in _IN_PATHS
        if f"{{{name}}}" in path
    ]
    if named:
        found["parameters"] = named
    if "?offset" in summary:
        names = ("offset", "length") if body else ("offset",)
        found["parameters"] = named + [
            {"name": name, "in": "query", "schema": {"type": "integer", "minimum": 0}}
            for name in names
        ]
    if path.endswith("{number}"):
        found["responses"]["200"]["content"] = _BYTES
    if (path, body) == ("/v1/bulletins", "Bulletin"):
        found["parameters"] = [_REPEAT]
    if "?agency" in summary:
        found["parameters"] = [{"name": "agency", "in": "query", "schema": _STRING}]
    if "?after" in summary:
        found["parameters"] = [
            {"name": name, "in": "query", "schema": {"type": "integer", "minimum": lowest}}
            for name, lowest in (("after", 0), ("limit", 1))
        ]
    if body is not None:
        content = _BYTES if body == "Bytes" else _json(body)
        found["requestBody"] = {"required": True, "content": content}
    return found


def _json(name: str) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
