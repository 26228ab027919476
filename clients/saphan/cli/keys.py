"""`saphan keys`: list, add, activate, revoke, and hand an operation to the node."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from saphan_protocol.directory import KeyInfo
from saphan_protocol.words import fingerprint_words
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import Role

from saphan.ceremony.concluding import waiting_draft
from saphan.cli import mailbox_keys
from saphan.cli.comparing import add_comparing, compare_words
from saphan.cli.drafting import (
    add_drafting,
    check_drafting,
    instead_of_waiting,
    made_page,
    made_value,
    root_passphrase,
)
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
from saphan.cli.own_operations import add_own_operations
from saphan.cli.speech import confirm, say, show
from saphan.cli.submitting import submit_file
from saphan.cli.token_options import add_new_token, new_token
from saphan.durable import read_bounded
from saphan.key_places import activate
from saphan.keyring import (
    add_key,
    enrol_request,
    find_key,
    list_keys,
    revoke_key,
    rotate_key,
)
from saphan.keys.passphrase import Passphrase
from saphan.office import Office
from saphan.officer_request import REQUEST_BYTES, parse_request
from saphan.operations import PLAIN_ROLES, Made

ADDED = tuple(role.value for role in Role if role is not Role.ROOT)
ACTIVATED = tuple(role for role in ADDED if role != Role.MAILBOX)


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan keys list|add|rotate|activate|revoke|submit`."""
    group = add_group(commands, "keys")
    add_command(group, "list", "keys_list", _list)
    add = add_command(group, "add", "keys_add", _add)
    add.add_argument("role", choices=ADDED, help=say("help.role"))
    add.add_argument("--handle", metavar="HANDLE", help=say("help.officer_handle"))
    add.add_argument("--request", type=Path, metavar="FILE", help=say("help.officer_request"))
    add_comparing(add)
    add_drafting(add)
    add_passphrase(add, "new-", say("noun.new_key"))
    add_new_token(add)
    rotate = add_command(group, "rotate", "keys_rotate", _rotate)
    rotate.add_argument("role", choices=ADDED, help=say("help.role"))
    rotate.add_argument("--handle", metavar="HANDLE", help=say("help.officer_handle"))
    mailbox_keys.add_mailbox_options(rotate)
    add_drafting(rotate)
    add_passphrase(rotate, "new-", say("noun.new_key"))
    add_new_token(rotate)
    take = add_command(group, "activate", "keys_activate", _activate)
    take.add_argument("role", choices=ACTIVATED, help=say("help.role"))
    take.add_argument("--handle", metavar="HANDLE", help=say("help.officer_handle"))
    revoke = add_command(group, "revoke", "keys_revoke", _revoke)
    revoke.add_argument("keys", metavar="KEY", nargs="+", help=say("help.key_prefix"))
    revoke.add_argument("--yes", action="store_true", help=say("help.yes"))
    add_drafting(revoke)
    add_own_operations(group)
    submit = add_command(group, "submit", "keys_submit", submit_file)
    submit.add_argument("file", type=Path, metavar="FILE", help=say("help.submitted"))


def _list(args: argparse.Namespace) -> int:
    office = office_of(args)
    keys = [_row(key) for key in list_keys(office)]
    draft = waiting_draft(office)
    waits = None if draft is None else str(draft)
    value = {"agency": office.read_agency().agency, "keys": keys, "waiting": waits}
    lines = [_line(row) for row in keys]
    if waits is not None:
        lines.append(say("note.draft_of_keys_waits", path=waits))
    show(value, lines, as_json=args.json)
    return 0


def _row(key: KeyInfo) -> dict[str, object]:
    return {
        "key_id": key.key_id.hex(),
        "role": key.role.value,
        "handle": key.handle,
        "version": key.added + 1,
        "revoked_by": None if key.revoked is None else key.revoked + 1,
        "seal_until": key.seal_until,
        "open_until": key.open_until,
        "words": fingerprint_words(key.key_id),
    }


def _line(row: dict[str, object]) -> str:
    state = "noun.active" if row["revoked_by"] is None else "noun.revoked"
    who = row["handle"] or ""
    if row["seal_until"] is not None:
        day = datetime.fromtimestamp(int(str(row["seal_until"])) / 1000, UTC).date()
        who = say("noun.until", day=day.isoformat())
    return f"{str(row['key_id'])[:16]}  {row['role']:<8} {who:<16} {say(state)}"


def _add(args: argparse.Namespace) -> int:
    role, office = Role(args.role), office_of(args)
    if args.request is not None:
        return _add_request(args, role, office)
    return _make(args, add_key, "note.activate_next")


def _new_passphrase(args: argparse.Namespace, role: Role) -> Passphrase | None:
    if role in PLAIN_ROLES:
        return None
    what = say("noun.key_of_officer", handle=args.handle or role.value)
    return passphrase_source(args, "new_").read_new(what)


def _rotate(args: argparse.Namespace) -> int:
    """Mailbox keys by their weeks; any other at once: new key in, old one out, one operation."""
    if Role(args.role) is Role.MAILBOX:
        new_token(args, Role.MAILBOX)  # refused here, too
        return mailbox_keys.rotate(args)
    return _make(args, rotate_key, "note.activate_rotated")


def _make(args: argparse.Namespace, make: Callable[..., Made], then: str) -> int:
    """A key with its operation, by `add_key` or `rotate_key`; `then`: what comes next."""
    role, office = Role(args.role), office_of(args)
    _check_handle(role, args.handle)
    token = new_token(args, role)
    check_drafting(args, office)  # a wrong folder is said before a passphrase is asked for
    root, passphrase = root_passphrase(args, office), _new_passphrase(args, role)
    with instead_of_waiting(args, office):
        made = make(
            office,
            role,
            root,
            now=now_ms(),
            handle=args.handle,
            passphrase=passphrase,
            token=token,
        )
    return _shown(args, made, then)


def _shown(args: argparse.Namespace, made: Made, then: str = "note.activate_next") -> int:
    value = made_value(args, made)
    show(value, made_page(value, then), as_json=args.json)
    return 0


def _add_request(args: argparse.Namespace, role: Role, office: Office) -> int:
    """An officer's key that was made at a desk: its words are compared, then the root signs."""
    request = parse_request(read_bounded(args.request, REQUEST_BYTES, "request"))
    handle = request.change.handle
    if role is not Role.OFFICER or args.handle not in (None, handle):
        raise InvalidInput(
            "handle_malformed",
            f"the request is that of an officer, {handle}",
            field="handle",
            hint="saphan keys add officer --request FILE",
        )
    if args.token is not None:
        raise InvalidInput(
            "pkcs11_token_named",
            "whether a half of the key is on a token was decided at the desk that made it",
            field="token",
            hint="leave --token out here; at the desk, saphan desk init takes it",
        )
    check_drafting(args, office)
    what = say("noun.key_of_officer", handle=handle)
    compare_words(args, what, request.key_id, str(handle))
    root = root_passphrase(args, office)
    with instead_of_waiting(args, office):
        made = enrol_request(office, request, root)
    return _shown(args, made)


def _check_handle(role: Role, handle: str | None) -> None:
    if (role is Role.OFFICER) != (handle is not None):
        raise InvalidInput(
            "handle_malformed",
            "an officer's key has a handle, and no other key has one",
            field="handle",
            hint="saphan keys add officer --handle HANDLE",
        )


def _activate(args: argparse.Namespace) -> int:
    role, office = Role(args.role), office_of(args)
    _check_handle(role, args.handle)
    office.read_agency()
    current, kept = activate(office, role, args.handle)
    value = {"key_file": str(current), "old_key_file": str(kept)}
    show(value, [say("note.key_activated", path=current, old=kept)], as_json=args.json)
    return 0


def _revoke(args: argparse.Namespace) -> int:
    office = office_of(args)
    check_drafting(args, office)
    keys = [find_key(office, each) for each in args.keys]
    for key in keys:
        who = f"{key.role.value} {key.handle or ''}".strip()
        confirm(say("prompt.revoke", id=key.key_id.hex()[:16], who=who), yes=args.yes)
    first, *also = (key.key_id for key in keys)
    root = root_passphrase(args, office)
    with instead_of_waiting(args, office):
        made = revoke_key(office, first, root, now=now_ms(), also=also)
    return _shown(args, made)
