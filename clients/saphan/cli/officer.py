"""`saphan inbox`, `read`, `send`, `status`, `resend`: an officer's work, through the own node."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from saphan_protocol.batch import sign_one
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput, Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import PAE_TYPES, OfficerRead

from saphan.attaching import measure_all, parse_role, with_files
from saphan.base64_text import text_of
from saphan.cli.officer_key import add_officer_key, officer_key
from saphan.cli.options import (
    Parser,
    Subparsers,
    add_command,
    local_node,
    now_ms,
    office_of,
)
from saphan.cli.popup import popup
from saphan.cli.render import (
    bulletin_lines,
    inbox_line,
    inbox_lines,
    note_replaced,
    note_stopped,
    receipt_lines,
    status_lines,
)
from saphan.cli.speech import note, say, show
from saphan.cli.waiting import outcomes, permitted, unread
from saphan.compose import INNER_TYPE, compose, parse_wish
from saphan.corridors import allowed
from saphan.durable import read_bounded
from saphan.local_api import LocalNode
from saphan.own_types.told import types_for
from saphan.threads.addressing import named_original, recipients_for

READ_TYPE = PAE_TYPES[OfficerRead]
WATCH_SECONDS = 1.0
PAGE = 100


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register the officer's commands."""
    inbox = add_command(commands, "inbox", "inbox", _inbox)
    inbox.add_argument("--watch", action="store_true", help=say("help.watch"))
    inbox.add_argument("--after", type=int, default=0, metavar="N", help=say("help.after"))
    read = add_command(commands, "read", "read", _read)
    read.add_argument("id", nargs="?", metavar="ID", help=say("help.bulletin_or_oldest"))
    read.add_argument("--wait", action="store_true", help=say("help.wait_unread"))
    send = add_command(commands, "send", "send", _send)
    send.add_argument("file", type=Path, nargs="?", metavar="FILE", help=say("help.send_file"))
    send.add_argument("--draft", type=int, metavar="N", help=say("help.send_draft"))
    send.add_argument(
        "--to", action="append", default=[], metavar="AGENCY", help=say("help.send_to")
    )
    send.add_argument(
        "--attach",
        action="append",
        default=[],
        metavar="[ROLE=]FILE",
        help=say("help.attach"),
    )
    send.add_argument("--wait", action="store_true", help=say("help.wait_send"))
    status = add_command(commands, "status", "status", _status)
    status.add_argument("id", metavar="ID", help=say("help.bulletin_id"))
    status.add_argument("--wait", action="store_true", help=say("help.wait_outcome"))
    resend = add_command(commands, "resend", "resend", _resend)
    resend.add_argument("id", metavar="ID", help=say("help.bulletin_id"))
    for parser in (read, send):
        parser.add_argument("--handle", metavar="HANDLE", help=say("help.officer_handle"))
    for parser in (inbox, read, send, status):
        parser.add_argument("--desk", type=Path, metavar="DESK", help=say("help.desk_instead"))
        add_officer_key(parser)


# --- inbox and status -----------------------------------------------------------------------------


def _inbox(args: argparse.Namespace) -> int:
    if args.desk is not None:
        from saphan.cli import desk_officer

        return desk_officer.inbox(args)
    node, after = local_node(args), max(0, args.after)
    rows = _pages(node, after)
    if not args.watch:
        stopped = node.get("/v1/identity").get("stopped")
        show({"bulletins": rows, "stopped": stopped}, inbox_lines(rows), as_json=args.json)
        note_stopped({"stopped": stopped})
        return 0
    while True:
        for row in rows:
            show(row, [inbox_line(row)], as_json=args.json)
            after = row["seq"]
        time.sleep(0 if rows else WATCH_SECONDS)
        rows = _watched(node, after)
        popup(rows)


def _watched(node: LocalNode, after: int) -> list[dict[str, Any]]:
    """What came since; a node that is started again meanwhile is waited for."""
    said = False
    while True:
        try:
            return _pages(node, after)
        except Unavailable as error:
            if not said:
                note(f"{error.message}; {say('note.waiting')}")
            said = True
        time.sleep(WATCH_SECONDS)


def _pages(node: LocalNode, after: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while True:
        page = node.get(f"/v1/inbox?after={after}&limit={PAGE}")
        rows += page["bulletins"]
        if not page["more"]:
            return rows
        after = page["next"]


def _status(args: argparse.Namespace) -> int:
    bulletin = bulletin_id(args.id)
    if args.desk is not None:
        from saphan.cli import desk_officer

        return desk_officer.status(args, bulletin)
    node = local_node(args)
    found = outcomes(node, bulletin) if args.wait else node.get(f"/v1/bulletins/{bulletin}")
    show(found, status_lines(found), as_json=args.json)
    return 0


def _resend(args: argparse.Namespace) -> int:
    """Ends with 3 if the log does not have everything where this node saw it."""
    found = local_node(args).post(f"/v1/bulletins/{bulletin_id(args.id)}/resend", {})
    show(found, receipt_lines(found), as_json=args.json)
    return 0 if all(one["same"] for one in found["receipts"]) else 3


# --- reading and sending --------------------------------------------------------------------------


def _read(args: argparse.Namespace) -> int:
    if args.desk is not None:
        from saphan.cli import desk_officer

        return desk_officer.read(args, bulletin_id(args.id or ""))
    office = office_of(args)
    node, agency = local_node(args), office.read_agency().agency
    wanted = args.id or unread(lambda: _pages(node, 0), wait=args.wait)
    found = node.get(f"/v1/bulletins/{bulletin_id(wanted)}")
    handle, key = officer_key(args)
    if found["direction"] == "received":
        note(say("note.read_is_recorded", agency=found["header"]["sender"]))
    record = encode(OfficerRead(bytes.fromhex(found["id"]), agency, handle, key.key_id, now_ms()))
    signature = encode(sign_one(key, READ_TYPE, record, os.urandom(32)))
    content = node.post(
        f"/v1/bulletins/{found['id']}/read",
        {"record": text_of(record), "signature": text_of(signature)},
    )
    note_replaced(found)
    show(content, bulletin_lines(content), as_json=args.json)
    return 0


def _send(args: argparse.Namespace) -> int:
    if args.desk is not None:
        from saphan.cli import desk_officer

        return desk_officer.send(args)
    if args.file is None:
        raise InvalidInput("file_missing", "name the file of the bulletin to send", field="file")
    node = local_node(args)
    files = measure_all([parse_role(text) for text in args.attach])
    data = read_bounded(args.file, LIMITS.api_body_bytes, "bulletin")
    wish = with_files(parse_wish(data, tuple(args.to), partial(_follow, node)), files)
    if args.wait:
        permitted(node, wish.to)
    identity, now = node.get("/v1/identity"), now_ms()
    draft = compose(
        wish,
        sender=identity["agency"],
        now=now,
        nonce=os.urandom(16),
        allowed=allowed(identity, identity["agency"], wish.to, wish.schema, now),
        types=types_for(node.get, wish.schema),
    )
    handle, key = officer_key(args)
    inner = draft.inner(handle, key.key_id)
    signature = encode(sign_one(key, INNER_TYPE, inner, os.urandom(32)))
    answer = node.send_signed(
        files,
        {
            "header": text_of(draft.header_bytes),
            "inner": text_of(inner),
            "signature": text_of(signature),
            "content": text_of(draft.content),
        },
    )
    note_stopped(identity)  # before anybody waits for an answer
    if answer["id"] is None:  # it leaves when a colleague has signed too
        show(answer, [say("note.countersign_kept", id=answer["draft"][:16])], as_json=args.json)
        return 0
    lines = [say("note.sent", to=", ".join(wish.to), id=answer["id"][:16])]
    if args.wait:
        lines += status_lines(outcomes(node, answer["id"]))
    show(answer, lines, as_json=args.json)
    return 0


def _follow(node: LocalNode, about: Mapping[str, Any]) -> tuple[str, ...]:
    """T10: all that had what this corrects, or who has asked what it answers."""
    named = named_original(about)
    if named is None:
        return ()
    kind, bulletin = named
    header = node.get(f"/v1/bulletins/{bulletin_id(bulletin)}")["header"]
    agency = node.get("/v1/identity")["agency"]
    return recipients_for(kind, agency, header["sender"], header["recipients"])


def bulletin_id(text: str, listed: str = "saphan inbox") -> str:
    """A bulletin id, or at least its first 8 digits; `listed`: the command that shows it."""
    if not 8 <= len(text) <= 64 or any(char not in "0123456789abcdef" for char in text):
        raise InvalidInput(
            "id_malformed",
            "a bulletin id is 64 hexadecimal digits; its first 8 or more will do",
            field="id",
            hint=f"copy it from: {listed}",
        )
    return text
