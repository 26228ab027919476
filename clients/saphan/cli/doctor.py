"""`saphan node doctor`: what is well with a node, what is not, and the next step of each."""

from __future__ import annotations

import argparse

from saphan_schemas.findings import exit_status, findings_lines, findings_value

from saphan.cli.options import Parser, Subparsers, add_command, now_ms, office_of
from saphan.cli.speech import language, show


def add_doctor_command(group: Subparsers[Parser]) -> None:
    """Register `saphan node doctor`."""
    add_command(group, "doctor", "node_doctor", _doctor)


def _doctor(args: argparse.Namespace) -> int:
    from saphan.doctor import examine

    found, lang = examine(office_of(args), now_ms()), language()
    show(findings_value(found, lang), findings_lines(found, lang), as_json=args.json)
    return exit_status(found)
