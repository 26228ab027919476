"""`saphan-broker doctor`: what is well with a broker, what is not, and the next step of each."""

from __future__ import annotations

import argparse
import sys

from saphan_schemas.errors import OperatorError
from saphan_schemas.findings import exit_status, findings_lines, findings_value
from saphan_schemas.terminal import print_json, print_line

from saphan_broker.cli.options import Parser, Subparsers, add_command, add_keys
from saphan_broker.cli.whole_status import whole_status
from saphan_broker.clock import system_clock
from saphan_broker.doctor import Patient, examine


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker doctor`."""
    add_keys(add_command(commands, "doctor", "doctor", _doctor))


def _doctor(args: argparse.Namespace) -> int:
    try:
        status = whole_status(args.data)
    except OperatorError as error:
        if error.code != "broker_not_running":
            raise
        status = None
    found = examine(Patient(args.data, args.keys, system_clock(), status))
    if args.json:
        print_json(sys.stdout, findings_value(found))
    else:
        for line in findings_lines(found):
            print_line(sys.stdout, line)
    return exit_status(found)
