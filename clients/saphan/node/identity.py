"""What a node says of itself: who it is, how its line stands, what was agreed, what is wrong."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins
from saphan_protocol.words import fingerprint_words
from saphan_schemas.records import Role

from saphan.node.rows.places import log_number
from saphan.node.succession.kept import listed
from saphan.node.trust.agreed import describe_all, describe_corridor

if TYPE_CHECKING:
    from saphan.node.service import NodeService


def health(service: NodeService) -> dict[str, Any]:
    """Liveness without a token: nothing about bulletins, agencies or keys."""
    return {"status": "ok", "line": service.line.state.state}


def describe_corridors(service: NodeService) -> dict[str, Any]:
    """What this agency may send to whom, for officers' desks: short, for lines that are slow."""
    agency = service.agency
    with service.logs.lock:
        directory = service.logs.directory
        agreements = [
            describe_corridor(directory, agreed, agency)
            for agreed in directory.agreements_of(agency)
        ]
    return {"agency": agency, "agreements": agreements} | _stopped(service) | _keeps(service)


def _keeps(service: NodeService) -> dict[str, Any]:
    """For how long the agency keeps which types: whoever composes asks for it."""
    keeps = service.settings.now.retention.keeps
    return {"keep_months": to_builtins(keeps)} if keeps else {}


def _stopped(service: NodeService) -> dict[str, Any]:
    """Why the node does not speak with its broker any more: its officers are to know it too."""
    line = service.line.state
    if line.state != "stopped":
        return {}
    return {"stopped": {"code": line.code, "message": line.message, "since": line.since}}


def describe(service: NodeService) -> dict[str, Any]:
    """The node in full, for its own people and programs."""
    logs = service.logs
    with logs.lock:
        directory = logs.directory
        keys = [
            {
                "role": key.role.value,
                "handle": key.handle,
                "key": key.key_id.hex(),
                "words": fingerprint_words(key.key_id),
            }
            for role in Role
            for key in directory.keys(service.agency, role)
        ]
        agreements = list(describe_all(directory, service.agency))
        agencies = directory.agencies()
    return {
        "agency": service.agency,
        "node_key": service.key.key_id.hex(),
        "broker": logs.pins.name,
        "line": asdict(service.line.state),
        **_stopped(service),
        **_keeps(service),
        "budget": {
            "cost": service.engine.budget.cost,
            "per_day": service.settings.now.budget_bytes_per_day,
        },
        "alarms": [asdict(alarm) for alarm in service.alarms.standing()],
        "bound": [row for row in service.watching.bound.listed() if not row["logged"]],
        "directory_size": logs.directory.size,
        "log": log_number(logs.pins.evidence),
        "successions": listed(service.db),
        "evidence_size": logs.evidence_heads.newest.size if logs.evidence_heads.newest else 0,
        "agencies": agencies,
        "keys": keys,
        "agreements": agreements,
    }
