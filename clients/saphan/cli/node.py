"""`saphan node`: run the agency's node until it is told to stop, and see how it stands."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from saphan_schemas.terminal import plain

from saphan.cli.backup import add_backup_commands
from saphan.cli.doctor import add_doctor_command
from saphan.cli.node_page import node_lines
from saphan.cli.options import Parser, Subparsers, add_command, add_group, local_node, office_of
from saphan.cli.speech import say, show
from saphan.cli.splits import add_node_commands
from saphan.durable import create_file
from saphan.interpreter import serve_for_long
from saphan.node.policy.settings import SETTINGS_NAME, parse_endpoint, read_settings

if TYPE_CHECKING:
    from saphan.node.service import NodeService


class _OneLine(logging.Formatter):
    """What a stranger wrote makes no line of its own, and steers no terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return plain(super().formatMessage(record))


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan node run|status|token|trust-again|backup|restore|doctor`."""
    group = add_group(commands, "node")
    run = add_command(group, "run", "node_run", _run)
    run.add_argument("--broker", metavar="URL", help=say("help.broker"))
    run.add_argument("--listen", metavar="HOST:PORT", help=say("help.listen"))
    run.add_argument("--desks", metavar="HOST:PORT", help=say("help.desks"))
    add_command(group, "status", "node_status", _status)
    token = add_command(group, "token", "node_token", _token)
    token.add_argument("--out", type=Path, required=True, metavar="FILE", help=say("help.out"))
    add_node_commands(group)
    add_backup_commands(group)
    add_doctor_command(group)


def _status(args: argparse.Namespace) -> int:
    found = local_node(args).get("/v1/identity")
    show(found, node_lines(found), as_json=args.json)
    return 0


def _token(args: argparse.Namespace) -> int:
    """It opens the log's pages and nothing else; still it is a secret, so it is never printed."""
    token = str(local_node(args).get("/v1/log-token")["token"])
    create_file(args.out, token.encode() + b"\n")
    show({"file": str(args.out)}, [say("note.token_written", path=args.out)], as_json=args.json)
    return 0


def _run(args: argparse.Namespace) -> int:
    # A whole node: the other commands here only ask one, and should not wait for it.
    from saphan.evidence.for_desks import bundle_for_desk
    from saphan.node.config import NodeConfig
    from saphan.node.serving import run_until_told

    broker, pin = _broker(args)
    listen = None if args.listen is None else parse_endpoint(args.listen, "listen")
    config = NodeConfig(
        folder=args.dir,
        broker=broker,
        pin=pin,
        listen=listen,
        desks=_desks(args),
        bundles=bundle_for_desk,
    )
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[lines])
    serve_for_long()

    def started(service: NodeService) -> None:
        socket = str(config.socket)
        value = {"agency": service.agency, "socket": socket, "broker": config.broker}
        if "desks" in service.listening:
            value["desks"] = "{}:{}".format(*service.listening["desks"])
        line = say("note.node_running", agency=service.agency, socket=socket)
        show(value, [line], as_json=args.json)
        sys.stdout.flush()

    asyncio.run(run_until_told(config, started))
    return 0


def _broker(args: argparse.Namespace) -> tuple[str, bytes | None]:
    """Address and TLS key of the invitation; --broker names another way to the same broker."""
    office = office_of(args)
    office.read_agency()
    if args.broker is not None and not office.invitation_file.exists():
        return args.broker, None
    invitation = office.read_invitation()
    return args.broker or invitation.url, invitation.tls


def _desks(args: argparse.Namespace) -> tuple[str, int] | None:
    """Where desks are served: as said here, else as the node's settings say."""
    if args.desks is not None:
        return parse_endpoint(args.desks, "desks")
    return read_settings(office_of(args).node / SETTINGS_NAME).desks_at
