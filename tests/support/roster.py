"""An agency's next operations as its office makes them, for tests that choose every part."""

from __future__ import annotations

import os
from collections.abc import Sequence

from saphan.keys.keyfiles import read_key
from saphan.node.service import NodeService
from saphan_protocol.keys import SigningKey
from saphan_protocol.operation import sign_operation
from saphan_schemas.directory_records import Change, Operation
from saphan_schemas.records import Role

from support.bridge import SECRET, Bridge


def operate(
    bridge: Bridge,
    agency: str,
    changes: Sequence[Change],
    new: Sequence[SigningKey] = (),
    roots: Sequence[SigningKey] | None = None,
) -> bytes:
    """The agency's next SignedOperation, kept in its office; blocking.

    Args:
        roots: who signs; the agency's own root unless told.
    """
    office = bridge.offices[agency]
    version, last, threshold = office.replay().version(agency)
    record = Operation(agency, version + 1, last, threshold, bridge.clock(), tuple(changes))
    signers = [own_root(bridge, agency)] if roots is None else list(roots)
    salts = [os.urandom(32) for _ in range(len(signers) + len(new))]
    signed = sign_operation(record, signers, list(new), [], salts)
    if roots is None:
        office.operation(version + 1).write_bytes(signed)
    return signed


def own_root(bridge: Bridge, agency: str) -> SigningKey:
    """The agency's root; blocking."""
    return read_key(bridge.offices[agency].root_key, Role.ROOT, SECRET).signing()


def codes(node: NodeService) -> set[str]:
    """Of the alarms that stand."""
    return {alarm.code for alarm in node.alarms.standing()}


def alarmed(node: NodeService, code: str) -> bool:
    """Whether the node has such an alarm."""
    return code in codes(node)
