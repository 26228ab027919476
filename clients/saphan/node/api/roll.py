"""The roll of an agency's officers, as its keeper sees it: enrolled, cleared, in which sections."""

from __future__ import annotations

from typing import Any

from saphan_schemas.records import Role

from saphan.node.service import NodeService


def roll(service: NodeService) -> list[dict[str, Any]]:
    """Every handle that was ever enrolled, sorted; `active` whether one of its keys is."""
    with service.logs.lock:
        keys = [
            key
            for key in service.logs.directory.all_keys(service.agency)
            if key.role is Role.OFFICER and key.handle is not None
        ]
    active = {one.handle for one in service.clearance.enrolled()}
    rules = service.rules
    found = []
    for handle in sorted({key.handle for key in keys if key.handle is not None}):
        officer = rules.officer(handle)
        found.append(
            {
                "handle": handle,
                "active": handle in active,
                "keys": [key.key_id.hex() for key in keys if key.handle == handle],
                "clearance": None if officer is None else officer.clearance,
                "sections": None if officer is None else officer.sections,
                "languages": [] if officer is None else list(officer.languages),
            }
        )
    return found
