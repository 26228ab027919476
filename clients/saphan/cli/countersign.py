"""`saphan countersign`: what waits for a second officer, seen, signed or refused by one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput

from saphan.base64_text import text_of
from saphan.cli.officer import bulletin_id
from saphan.cli.officer_key import add_officer_key, officer_key
from saphan.cli.options import (
    Parser,
    Subparsers,
    add_command,
    add_group,
    local_node,
    now_ms,
    office_of,
)
from saphan.cli.render import bulletin_lines, stamp, type_text
from saphan.cli.speech import confirm, note, say, show
from saphan.durable import make_folder
from saphan.header_json import header_json
from saphan.local_api import LocalNode
from saphan.own_types.told import types_for
from saphan.second_signature import Exact, Signer, exact_of

Json = dict[str, Any]


class Eyes(Protocol):
    """Where an officer sees what waits: at the node, or at their desk."""

    def rows(self) -> list[Json]:
        """What waits."""

    def open(self, start: str) -> Exact:
        """Sign that it is read, and get what begins with this id."""

    def save(self, exact: Exact, number: int, folder: Path) -> Path:
        """An attachment as a file."""

    def sign(self, exact: Exact) -> str:
        """Sign second; the bulletin's id."""

    def refuse(self, start: str, reason: str | None) -> str:
        """Do not sign; the state that it has then."""


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan countersign list|show|sign|refuse`."""
    group = add_group(commands, "countersign")
    listed = add_command(group, "list", "countersign_list", _list)
    shown = add_command(group, "show", "countersign_show", _show)
    signed = add_command(group, "sign", "countersign_sign", _sign)
    refused = add_command(group, "refuse", "countersign_refuse", _refuse)
    for parser in (shown, signed, refused):
        parser.add_argument("id", metavar="ID", help=say("help.countersign_id"))
    shown.add_argument("--save", type=Path, metavar="FOLDER", help=say("help.countersign_save"))
    signed.add_argument("--yes", action="store_true", help=say("help.countersign_yes"))
    refused.add_argument("--reason", metavar="TEXT", help=say("help.countersign_reason"))
    for parser in (listed, shown, signed, refused):
        parser.add_argument("--handle", metavar="HANDLE", help=say("help.officer_handle"))
        parser.add_argument("--desk", type=Path, metavar="DESK", help=say("help.desk_instead"))
        add_officer_key(parser)


def _list(args: argparse.Namespace) -> int:
    with _eyes(args) as eyes:
        rows = eyes.rows()
    show({"drafts": rows}, _list_lines(rows), as_json=args.json)
    return 0


def _list_lines(rows: list[Json]) -> Iterator[str]:
    if not rows:
        yield say("note.countersign_none")
    for row in rows:
        to, tlp = ", ".join(row["recipients"]), row["marking"]["tlp"].upper()
        mine = "" if row.get("may_sign", True) else f"  {say('note.countersign_own')}"
        what = f"{row['author']}  {to}  {type_text(row['schema'])}  TLP:{tlp}{mine}"
        yield f"{row['id'][:16]}  {stamp(row['stored'])}  {what}"


def _show(args: argparse.Namespace) -> int:
    with _eyes(args) as eyes:
        exact = eyes.open(_start(args))
        page = page_of(exact)
        show(page, bulletin_lines(page), as_json=args.json)
        if args.save is not None:
            make_folder(args.save)
        for one in exact.attachments if args.save is not None else ():
            path = eyes.save(exact, one["number"], args.save)
            number, length = one["number"], one["length"]
            note(say("note.attachment_saved", number=number, length=length, path=path))
    return 0


def _sign(args: argparse.Namespace) -> int:
    with _eyes(args) as eyes:
        exact = eyes.open(_start(args))
        page = page_of(exact)
        if not args.json:
            show(page, bulletin_lines(page), as_json=False)
        confirm(say("note.countersign_question", author=exact.inner.author), yes=args.yes)
        bulletin = eyes.sign(exact)
    to = ", ".join(exact.header.recipients)
    show({"id": bulletin}, [say("note.sent", to=to, id=bulletin[:16])], as_json=args.json)
    return 0


def _refuse(args: argparse.Namespace) -> int:
    with _eyes(args) as eyes:
        state = eyes.refuse(_start(args), args.reason)
    show({"state": state}, [say(f"state.countersign_{state}")], as_json=args.json)
    return 0


def _start(args: argparse.Namespace) -> str:
    """The id that was given; its beginning at least."""
    return bulletin_id(args.id, "saphan countersign list")


def page_of(exact: Exact) -> Json:
    """What is displayed: made of the bytes that are signed."""
    return {
        "id": exact.draft.hex(),
        "header": header_json(exact.header_bytes),
        "author": exact.inner.author,
        "content": exact.content,
        "attachments": exact.attachments,
    }


def _eyes(args: argparse.Namespace) -> AbstractContextManager[Eyes]:
    if args.desk is not None:
        from saphan.cli.desk_countersign import eyes_at_desk

        return eyes_at_desk(args)
    return _eyes_at_node(args)


@contextmanager
def _eyes_at_node(args: argparse.Namespace) -> Iterator[Eyes]:
    yield AtNode(args, local_node(args))


class AtNode:
    """In the agency's folder, with the officer's key that lies there."""

    def __init__(self, args: argparse.Namespace, node: LocalNode) -> None:
        self._args = args
        self._node = node
        self._signer: Signer | None = None

    def rows(self) -> list[Json]:
        """All of it, or what concerns the officer of --handle."""
        asked = "" if self._args.handle is None else f"?officer={quote(self._args.handle, safe='')}"
        found: list[Json] = self._node.get(f"/v1/countersign{asked}")["drafts"]
        return found

    def open(self, start: str) -> Exact:
        """Sign that it is read, and get it."""
        draft = self._resolve(start)
        record, signature = self._officer().reading(draft)
        body = {"record": text_of(record), "signature": text_of(encode(signature))}
        answer = self._node.post(f"/v1/countersign/{draft.hex()}/read", body)
        return exact_of(answer, draft, partial(types_for, self._node.get))

    def save(self, exact: Exact, number: int, folder: Path) -> Path:
        """An attachment as a file."""
        where = f"/v1/countersign/{exact.draft.hex()}/attachments/{number}"
        asked = f"{where}?officer={self._officer().handle}"
        return self._node.save_from(asked, folder, exact.inner.attachments[number - 1])

    def sign(self, exact: Exact) -> str:
        """Sign second."""
        body = {"signature": text_of(encode(self._officer().second(exact)))}
        answer = self._node.post(f"/v1/countersign/{exact.draft.hex()}/sign", body)
        found: str = answer["id"]
        return found

    def refuse(self, start: str, reason: str | None) -> str:
        """Do not sign."""
        draft = self._resolve(start)
        record, signature = self._officer().refusal(draft, reason)
        body = {"record": text_of(record), "signature": text_of(encode(signature))}
        state: str = self._node.post(f"/v1/countersign/{draft.hex()}/refuse", body)["state"]
        return state

    def _resolve(self, start: str) -> bytes:
        return named(self.rows(), start)

    def _officer(self) -> Signer:
        """Asked for its passphrase once; every record has its own time."""
        known, now = self._signer, now_ms()
        if known is None:
            handle, key = officer_key(self._args)
            known = Signer(office_of(self._args).read_agency().agency, handle, key, now)
        self._signer = Signer(known.agency, known.handle, known.key, now)
        return self._signer


def named(rows: list[Json], start: str) -> bytes:
    """The one of a list whose id begins so.

    Raises:
        InvalidInput: `countersign_unknown`, `id_ambiguous`.
    """
    found = [row["id"] for row in rows if row["id"].startswith(start)]
    if len(found) > 1:
        raise InvalidInput(
            "id_ambiguous", f"more than one id begins with {start}", hint="give more digits"
        )
    if not found:
        raise InvalidInput(
            "countersign_unknown",
            "nothing waits for a second officer under this id",
            field="id",
            hint="list what waits: saphan countersign list",
        )
    return bytes.fromhex(found[0])
