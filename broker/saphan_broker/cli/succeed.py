"""`saphan-broker succeed`: a log that was lost, or lacks what was signed, gets a successor."""

from __future__ import annotations

import argparse
import asyncio
import sys

from saphan_protocol.suite import require_post_quantum
from saphan_schemas.errors import OperatorError
from saphan_schemas.messages import text
from saphan_schemas.terminal import print_json, print_line

from saphan_broker.cli.confirming import decided
from saphan_broker.cli.listen_options import add_listening, showing_of
from saphan_broker.cli.options import Parser, Subparsers, add_command, add_keys
from saphan_broker.cli.ready import url
from saphan_broker.cli.reporting import ReportTable, as_value, source_words
from saphan_broker.cli.store_options import add_store, store_choice
from saphan_broker.clock import system_clock
from saphan_broker.data_lock import locked
from saphan_broker.init_marker import check_initialised
from saphan_broker.moved_marker import check_not_moved
from saphan_broker.moving.house import House
from saphan_broker.serving_keys import serves_only
from saphan_broker.succession.making import Made
from saphan_broker.succession.plan import Plan
from saphan_broker.succession.succeeding import Told, View, Wanted, succeed
from saphan_broker.tls_files import Shown


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker succeed`."""
    parser = add_command(commands, "succeed", "succeed", _succeed)
    add_keys(parser)
    add_listening(parser)
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="AGENCY",
        help=text("help.broker_without"),
    )
    parser.add_argument("--address", metavar="HOST:PORT", help=text("help.broker_address"))
    parser.add_argument("--yes", action="store_true", help=text("help.broker_succeed_yes"))
    add_store(parser)


def _succeed(args: argparse.Namespace) -> int:
    require_post_quantum()
    check_initialised(args.keys)
    if serves_only(args.keys):
        raise OperatorError(
            "serves_only",
            f"{args.keys} can sign nothing: it is for serving what a server carries",
            field="keys",
            hint="give this command on the signer's host, with its keys directory",
        )
    choice = store_choice(args)
    check_not_moved(args.data, choice)
    showing = showing_of(args)
    wanted = Wanted(
        listen=args.listen,
        showing=showing,
        without=frozenset(args.without),
        address=args.address,
    )
    # The directory may be what was lost: it is made, and nobody else works in it meanwhile.
    with locked(args.data, make=True):
        house = House(args.data, choice)
        made = asyncio.run(succeed(house, args.keys, wanted, _told(args, showing), system_clock))
    _say(args, made)
    return 0


def _told(args: argparse.Namespace, showing: Shown) -> Told:
    table = ReportTable(sys.stderr)

    def listening(bound: tuple[str, int]) -> None:
        where = url(bound, tls=showing.context is not None)
        if args.json:
            print_json(sys.stdout, {"event": "gathering", "url": where})
        else:
            print_line(sys.stderr, text("note.broker_gathering", url=where))

    def changed(view: View) -> None:
        if args.json:
            print_json(sys.stdout, {"event": "reports", **as_value(view)})
        else:
            table.show(view)

    async def agreed(view: View) -> bool:
        if args.yes:
            return True
        question = text(
            "prompt.broker_succeed",
            size=view.decided.lost.head.size,
            source=source_words(view.decided.lost.source),
        )
        again = text("prompt.type_yes_or_no")
        # On a thread: nodes that report meanwhile are still heard. A slip of the finger must not
        # drop what they have told.
        return await asyncio.to_thread(decided, f"{question} {again}", again)

    def resumed(plan: Plan) -> None:
        if args.json:
            print_json(sys.stdout, {"event": "resumed", "evidence": plan.evidence})
        else:
            print_line(sys.stderr, text("note.broker_succeed_resumed", origin=plan.evidence))

    return Told(listening=listening, changed=changed, agreed=agreed, resumed=resumed)


def _say(args: argparse.Namespace, made: Made) -> None:
    plan = made.plan
    if args.json:
        value = {
            "event": "made",
            "lost": {
                "origin": plan.lost.origin,
                "size": plan.lost.size,
                "root": plan.lost.root.hex(),
            },
            "evidence": plan.evidence,
            "directory": plan.directory,
            "leaves": plan.known.size,
            "ended": None if made.place is None else str(made.place),
            "heads": [
                {"origin": head.origin, "size": head.size, "root": head.root.hex()}
                for head in made.heads
            ],
        }
        print_json(sys.stdout, value)
        return
    shown = text(
        "note.broker_succeeded", origin=plan.evidence, old=plan.lost.origin, size=plan.lost.size
    )
    print_line(sys.stdout, shown)
    key = "directory_still" if plan.directory == plan.directory_before else "directory_grown"
    line = text(f"note.broker_{key}", origin=plan.directory, leaves=plan.known.size)
    print_line(sys.stdout, line)
    if made.place is not None:
        print_line(sys.stdout, text("note.broker_set_aside", path=made.place))
    print_line(sys.stdout, text("note.broker_succeed_next", data=args.data, keys=args.keys))
