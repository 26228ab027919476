"""`saphan-broker doctor`: what is well with a broker, what is not, and the next step of each."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.findings import exit_status, findings_lines, findings_value
from saphan_schemas.terminal import print_json, print_line

from saphan_broker.cli.options import Parser, Subparsers, add_command, add_keys
from saphan_broker.cli.store_options import add_store, store_choice
from saphan_broker.cli.whole_status import whole_status
from saphan_broker.clock import system_clock
from saphan_broker.doctor import Patient, examine
from saphan_broker.opening import StoreChoice

if TYPE_CHECKING:
    from saphan_broker.server_look import ServerSeen


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker doctor`."""
    parser = add_command(commands, "doctor", "doctor", _doctor)
    add_keys(parser)
    add_store(parser)


def _doctor(args: argparse.Namespace) -> int:
    try:
        status = whole_status(args.data)
    except OperatorError as error:
        if error.code != "broker_not_running":
            raise
        status = None
    server = _server(store_choice(args))
    found = examine(Patient(args.data, args.keys, system_clock(), status, server))
    if args.json:
        print_json(sys.stdout, findings_value(found))
    else:
        for line in findings_lines(found):
            print_line(sys.stdout, line)
    return exit_status(found)


def _server(choice: StoreChoice) -> ServerSeen | SaphanError | None:
    if choice.redis is None:
        return None
    from saphan_broker.server_look import look_at_server  # loads the client of the server

    try:
        return asyncio.run(look_at_server(choice.redis))
    except SaphanError as error:
        return error
