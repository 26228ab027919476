"""`saphan desk`: invite an officer's machine, make a desk there, look after what it keeps."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saphan_protocol.words import fingerprint_words, word_lines
from saphan_schemas.errors import SaphanError

from saphan.cli.comparing import add_comparing, compare_words
from saphan.cli.desk_line import at_desk, over_line, watch
from saphan.cli.desk_officer import written_file
from saphan.cli.desk_page import add_open
from saphan.cli.options import (
    Parser,
    Subparsers,
    add_command,
    add_group,
    add_passphrase,
    now_ms,
    office_of,
    passphrase_source,
)
from saphan.cli.render import inbox_line, note_stopped, stamp, type_text
from saphan.cli.speech import note, say, show
from saphan.cli.token_options import add_new_token, add_token, token_access
from saphan.desk.desk import Desk
from saphan.desk.drafts import Drafts, draft_row
from saphan.desk.folder import DeskFolder
from saphan.desk.form_drafts import FormDraft, FormDrafts, form_row
from saphan.desk.inbox import Inbox
from saphan.desk.invitation import INVITATION_BYTES, format_invitation, parse_invitation
from saphan.desk.inviting import invite
from saphan.desk.line import DeskLine
from saphan.desk.outbox import Outbox, queued_row
from saphan.desk.start import start_desk
from saphan.desk.syncing import Synced, sync
from saphan.durable import PUBLIC_MODE, create_file, read_bounded
from saphan.keys.keyfiles import is_sealed

Json = dict[str, Any]


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan desk invite|init|open|drafts|outbox|sync`."""
    group = add_group(commands, "desk")
    invited = add_command(group, "invite", "desk_invite", _invite)
    invited.add_argument("--out", type=Path, required=True, metavar="FILE", help=say("help.out"))
    invited.add_argument("--address", metavar="HOST:PORT", help=say("help.desk_address"))
    make = _at_desk(group, "init", "desk_init", _init)
    make.add_argument(
        "--invitation", type=Path, required=True, metavar="FILE", help=say("help.desk_invitation")
    )
    make.add_argument("--handle", metavar="HANDLE", help=say("help.officer_handle"))
    make.add_argument("--key", type=Path, metavar="FILE", help=say("help.desk_key"))
    add_comparing(make)
    add_open(group)
    _add_drafts(group)
    outbox = _at_desk(group, "outbox", "desk_outbox", _outbox)
    outbox.add_argument("--withdraw", type=int, metavar="N", help=say("help.desk_withdraw"))
    synced = _at_desk(group, "sync", "desk_sync", _sync)
    synced.add_argument("--watch", action="store_true", help=say("help.watch"))


def _add_drafts(group: Subparsers[Parser]) -> None:
    drafts = _at_desk(group, "drafts", "desk_drafts", _drafts)
    what = drafts.add_mutually_exclusive_group()
    what.add_argument("--add", type=Path, metavar="FILE", help=say("help.draft_add"))
    what.add_argument("--show", type=int, metavar="N", help=say("help.draft_show"))
    what.add_argument("--remove", type=int, metavar="N", help=say("help.draft_remove"))
    drafts.add_argument(
        "--attach", action="append", default=[], metavar="[ROLE=]FILE", help=say("help.attach")
    )
    drafts.add_argument(
        "--to", action="append", default=[], metavar="AGENCY", help=say("help.send_to")
    )


def _at_desk(group: Subparsers[Parser], name: str, key: str, run: Any) -> Parser:
    parser = add_command(group, name, key, run)
    parser.add_argument("desk", type=Path, metavar="DESK", help=say("help.desk"))
    add_passphrase(parser, what=say("noun.officer_key"))
    (add_new_token if name == "init" else add_token)(parser)
    return parser


# --- making a desk --------------------------------------------------------------------------------


def _invite(args: argparse.Namespace) -> int:
    invitation = invite(office_of(args), args.address, now_ms())
    create_file(args.out, format_invitation(invitation), PUBLIC_MODE)
    value = {
        "file": str(args.out),
        "agency": invitation.agency,
        "address": invitation.address,
        "tls": invitation.tls.hex(),
        "words": fingerprint_words(invitation.digest),
    }
    lines = [
        say("note.desk_invited", path=args.out, address=invitation.address),
        *(f"    {line}" for line in word_lines(invitation.digest)),
        say("note.read_words_aloud"),
    ]
    show(value, lines, as_json=args.json)
    return 0


def _init(args: argparse.Namespace) -> int:
    folder = DeskFolder(args.desk)
    invitation = parse_invitation(read_bounded(args.invitation, INVITATION_BYTES, "invitation"))
    what = say("noun.desk_invitation", agency=invitation.agency)
    compare_words(args, what, invitation.digest, say("noun.node_keeper"))
    source = passphrase_source(args)
    new = not folder.key_file.exists() and (args.key is None or not is_sealed(args.key))
    passphrase = (source.read_new if new else source.read)(say("noun.officer_key"))
    if new and args.token is not None:
        note(say("note.key_on_token", token=args.token))
    made = start_desk(
        folder,
        invitation,
        passphrase,
        now=now_ms(),
        handle=args.handle,
        brought=args.key,
        access=token_access(args),
    )
    value = {
        "desk": str(args.desk),
        "agency": made.me.agency,
        "handle": made.me.handle,
        "key_id": made.key_id.hex(),
        "words": fingerprint_words(made.key_id),
        "request": None if made.request is None else str(made.request),
    }
    show(value, _made_page(value, made.key_id), as_json=args.json)
    return 0


def _made_page(value: Json, key_id: bytes) -> Iterator[str]:
    yield say("note.desk_made", handle=value["handle"], agency=value["agency"], desk=value["desk"])
    if value["request"] is not None:
        yield from (f"    {line}" for line in word_lines(key_id))
        yield say("note.carry_request", path=value["request"])


# --- what it keeps --------------------------------------------------------------------------------


def _drafts(args: argparse.Namespace) -> int:
    with at_desk(args) as desk:
        drafts = Drafts(desk)
        if args.add is not None:
            written = written_file(args, desk, args.add)
            try:
                with desk.store.transaction():
                    made = drafts.add(written)
            except SaphanError:
                Outbox(desk).drop_unused(written)
                raise
            show(draft_row(made), [say("note.draft_kept", number=made.number)], as_json=args.json)
        elif args.show is not None:
            draft = drafts.get(args.show)
            text = draft.written.data.decode()
            show(draft_row(draft) | {"text": text}, text.splitlines(), as_json=args.json)
        elif args.remove is not None:
            Outbox(desk).remove_draft(args.remove)
            line = say("note.draft_removed", number=args.remove)
            show({"number": args.remove}, [line], as_json=args.json)
        else:
            rows = [draft_row(draft) for draft in drafts.all()]
            rows += [form_row(form) for form in FormDrafts(desk).all()]
            show({"drafts": rows}, (_draft_line(row) for row in rows), as_json=args.json)
    return 0


def _draft_line(row: Json) -> str:
    code = f"  {row['message']} ({row['code']})" if row["code"] else ""
    to = ", ".join(row["to"])
    return f"{row['number']:>5}  {stamp(row['kept'])}  {to}  {type_text(row['schema'])}{code}"


def _outbox(args: argparse.Namespace) -> int:
    with at_desk(args) as desk:
        outbox = Outbox(desk)
        if args.withdraw is not None:
            draft = outbox.withdraw(args.withdraw)
            row = form_row(draft) if isinstance(draft, FormDraft) else draft_row(draft)
            show(row, [say("note.draft_kept", number=draft.number)], as_json=args.json)
            return 0
        rows = [queued_row(one) for one in outbox.all()]
        show({"outbox": rows}, (_queued_line(row) for row in rows), as_json=args.json)
    return 0


def _queued_line(row: Json) -> str:
    state = say(f"state.desk_{row['state']}")
    code = f" ({row['code']})" if row["code"] else ""
    number = row["id"][:16] if row["id"] else f"{row['number']:>16}"
    to = ", ".join(row["to"])
    return f"{number}  {stamp(row['kept'])}  {to}  {type_text(row['schema'])}  {state}{code}"


# --- the line -------------------------------------------------------------------------------------


def _sync(args: argparse.Namespace) -> int:
    with at_desk(args) as desk:
        if args.watch:
            watch(desk, lambda synced: _show_synced(args, desk, synced))
        done: list[Synced] = []

        async def work(line: DeskLine) -> None:
            done.append(await sync(desk, line))

        error = over_line(desk, work)
        if error is not None:
            raise error
        _show_synced(args, desk, done[0])
    return 0


def _show_synced(args: argparse.Namespace, desk: Desk, synced: Synced) -> None:
    value = {
        "sent": [queued_row(one) for one in synced.sent],
        "refused": [{"code": error.code, "message": error.message} for error in synced.refused],
        "new": synced.new,
        "waiting": len(Outbox(desk).waiting()),
        "erased": synced.erased,
    }
    corridors = Inbox(desk).corridors()
    show(value | {"stopped": corridors.get("stopped")}, _synced_page(value), as_json=args.json)
    note_stopped(corridors)


def _synced_page(value: Json) -> Iterator[str]:
    counts = {name: len(value[name]) for name in ("sent", "refused", "new")}
    yield say("note.synced", waiting=value["waiting"], **counts)
    if value["erased"]:
        yield say("note.desk_erased", count=value["erased"])
    for one in value["refused"]:
        yield f"  {one['message']} ({one['code']})"
    yield from (inbox_line(row) for row in value["new"])
