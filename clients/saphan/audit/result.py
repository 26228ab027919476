"""An audit's result as JSON: on standard output in short, whole in a file for other programs.

{"saphan": "audit-result/1", "program": "...", "pins": "<SHA-256>",
 "packs": {"<name>": "<SHA-256>"}, "ok": true, "finding": null, "coverage": {...},
     "statistics": {...}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from saphan_protocol.audit.report import Report
from saphan_protocol.audit.telling import report_json, statistics_json
from saphan_protocol.pins import Pins

from saphan.durable import create_file

RESULT_FORMAT: Final = "audit-result/1"


def write_result(
    path: Path, report: Report, pins: Pins, program: str, packs: Mapping[str, bytes]
) -> None:
    """Write the result file, readable by its owner only; one that exists is not overwritten.

    Args:
        program: name and version of the program that judged.
        packs: SHA-256 of each pack, by the names of the report.

    Raises:
        OperatorError: `file_exists`, `file_unwritable`.
    """
    value = {
        "saphan": RESULT_FORMAT,
        "program": program,
        "pins": pins.digest.hex(),
        "packs": {name: digest.hex() for name, digest in sorted(packs.items())},
        **report_json(report),
        "statistics": statistics_json(report.statistics),
    }
    create_file(path, json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n")
