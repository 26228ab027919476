"""The status of a broker from all its processes on one data directory, added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from saphan_broker.cli.operator_line import ask_each


def whole_status(data: Path) -> dict[str, Any]:
    """What the running broker says of itself; numbers of sessions are of all its processes.

    Raises:
        OperatorError: as `operator_line.ask_each`.
    """
    return added_up(ask_each(data, "GET", "/status"))


def added_up(answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One status from those of the processes, at least one.

    The process that sequences speaks for the logs; it is ready when all that answer are.
    """
    chief = next((one for one in answers if one["role"] == "holder"), answers[0])
    return {
        **chief,
        "ready": all(one["ready"] for one in answers),
        "reasons": _unlike(reason for one in answers for reason in one["reasons"]),
        "alarms": _unlike(alarm for one in answers for alarm in one["alarms"]),
        "sessions": sum(one["sessions"] for one in answers),
        "waiting": sum(one["waiting"] for one in answers),
        "processes": [
            {**one["process"], "role": one["role"], "sessions": one["sessions"]} for one in answers
        ],
    }


def _unlike(found: Any) -> list[dict[str, str]]:
    return list({one["code"]: one for one in found}.values())
