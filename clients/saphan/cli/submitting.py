"""Handing an operation, a finished agreement, an order or an own type to the agency's node."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from saphan_protocol.agreement import AGREEMENT_TYPE, parse_agreement
from saphan_protocol.agreement_order import parse_order
from saphan_protocol.identity import identity
from saphan_protocol.operation import check_operation, parse_agreement_package
from saphan_protocol.registrations import parse_schema_package
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS

from saphan.base64_text import text_of
from saphan.cli.options import local_node
from saphan.cli.speech import say, show
from saphan.cli.waiting import in_force, order_logged, ready_for
from saphan.durable import read_bounded

NO_SUCH_RECORD: Final = ("malformed", "not_canonical", "too_large")
"""Codes for bytes that are another record, or none."""


def submit_file(args: argparse.Namespace) -> int:
    """`saphan keys submit` and `saphan agreement submit`: the file says what it is.

    Raises:
        InvalidInput: `submission_malformed`; what the node answers, with its own code.
    """
    kind, answer = hand_over(args, args.file, wait=getattr(args, "wait", False))
    value = {"kind": kind, "file": str(args.file), "answer": answer}
    lines = [say("note.submitted", path=args.file)]
    if answer.get("logged") is False:
        lines.append(say("note.revocation_binds"))
    show(value, lines, as_json=args.json)
    return 0


def hand_over(args: argparse.Namespace, path: Path, *, wait: bool) -> tuple[str, dict[str, Any]]:
    """Give a file to the node of --dir; what it was, and the node's answer.

    Args:
        wait: for an agreement, until the parties are in the directory, and until it is in force;
            for an order, until the log shows it, unless the line is down.

    Raises:
        InvalidInput: `submission_malformed`; Unavailable: `node_unreachable`, `waited_in_vain`;
            what the node or the broker answers, with its own code.
    """
    data = read_bounded(path, 2 * LIMITS.frame_bytes, "submission")
    kind = kind_of(data)
    node = local_node(args)
    body = {kind: text_of(data)}
    if kind == "order":
        # It binds this node at once, and is offered to the broker until the log shows it.
        taken = node.post("/v1/bound", body)
        return kind, order_logged(node, taken) if wait else taken
    if not wait or kind != "agreement":
        return kind, node.post("/v1/directory", body)
    text = parse_agreement_package(data).agreement
    agreement = parse_agreement(text)
    ready_for(node, {party.agency for party in agreement.parties})
    answer = node.post("/v1/directory", body)
    in_force(node, agreement.reference, identity(AGREEMENT_TYPE, text))
    return kind, answer


def kind_of(data: bytes) -> str:
    """ "operation", "agreement", "order" or "schema", by the one parser that takes the bytes.

    Raises:
        InvalidInput: `submission_malformed`; for an operation what `check_operation` raises.
    """
    try:
        parse_order(data)  # before the agreement, whose package has the same three members
    except InvalidInput:
        pass
    else:
        return "order"
    try:
        parse_agreement_package(data)
    except InvalidInput:
        pass
    else:
        return "agreement"
    try:
        parse_schema_package(data)
    except InvalidInput as error:
        if error.code not in NO_SUCH_RECORD:
            raise
    else:
        return "schema"
    try:
        check_operation(data)
    except InvalidInput as error:
        if error.code not in NO_SUCH_RECORD:
            raise
        raise InvalidInput(
            "submission_malformed",
            "the file is neither an operation nor a finished agreement, nor a signed order or "
            "registration",
            field="submission",
            hint="a draft is finished first: saphan root finish FILE, saphan agreement finish FILE",
        ) from None
    return "operation"
