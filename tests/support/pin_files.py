"""Pin files of invented brokers, with keys that load."""

from __future__ import annotations

from saphan_protocol.notes import format_vkey
from saphan_protocol.pins import Pins
from saphan_schemas.directory_records import LogPin

from support.log_keys import log_pair


def pins(name: str = "bridge.example", key: str = "") -> Pins:
    """Pins of a broker; another `key` gives other log keys under the same origins."""
    logs = {}
    for log in ("directory", "evidence"):
        origin = f"{name}/{log}/1"
        pair = [verifier.named(origin) for verifier in log_pair(f"{key}{origin}")]
        logs[log] = LogPin(origin, (format_vkey(pair[0]), format_vkey(pair[1])))
    return Pins(name=name, directory=logs["directory"], evidence=logs["evidence"])
