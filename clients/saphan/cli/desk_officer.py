"""`saphan inbox|read|send|status --desk DESK`: the officer's commands on the officer's machine."""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from saphan_schemas.errors import InvalidInput, Refused, SaphanError, Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Blob

from saphan.attaching import LocalFile, measure_all, parse_role
from saphan.cli.desk_line import at_desk, note_offline, over_line, watch
from saphan.cli.render import (
    bulletin_lines,
    inbox_line,
    inbox_lines,
    note_replaced,
    note_stopped,
    stamp,
    status_lines,
)
from saphan.cli.speech import note, say, show
from saphan.cli.waiting import decided
from saphan.compose import parse_wish
from saphan.desk.confirming import Confirming
from saphan.desk.desk import Desk
from saphan.desk.drafts import Drafts, Written
from saphan.desk.files import Files, download_name
from saphan.desk.inbox import Inbox
from saphan.desk.line import DeskLine
from saphan.desk.outbox import Outbox, Queued, queued_row
from saphan.durable import read_bounded
from saphan.saving import Saving
from saphan.threads.addressing import named_original, recipients_for

Json = dict[str, Any]
HEX = re.compile("[0-9a-f]{64}")


def inbox(args: argparse.Namespace) -> int:
    """The list: as it is now, or as this desk heard it last."""
    after = max(0, args.after)
    with at_desk(args) as desk:
        box = Inbox(desk)
        if args.watch:
            _show_rows(args, box.rows(after))
            watch(desk, lambda synced: _watched(args, box, synced.new))

        shown = False

        def list_it() -> None:
            nonlocal shown
            rows, shown = box.rows(after), True
            value = {"bulletins": rows, "online": error is None, "heard": box.heard()}
            value["stopped"] = box.corridors().get("stopped")
            show(value | {"waiting": box.waiting()}, inbox_lines(rows), as_json=args.json)
            _note_waiting(box)

        async def pull(line: DeskLine) -> None:
            await Confirming(desk).bring(line)
            await box.pull(line)
            await asyncio.to_thread(list_it)  # before files that wait go over a slow line
            for refused in await Outbox(desk).send(line):
                note(f"{refused.message} ({refused.code})")

        error: SaphanError | None = None
        error = over_line(desk, pull)
        if not shown:
            assert error is not None
            note_offline(desk, error)
            list_it()
        elif error is not None:
            note(error.message)  # while something was sent: it waits on
    return 0


def _watched(args: argparse.Namespace, box: Inbox, rows: list[Json]) -> None:
    _show_rows(args, rows)
    _note_waiting(box)


def _note_waiting(box: Inbox) -> None:
    """A colleague's bulletin does not leave before this officer has looked at it."""
    if box.waiting():
        note(say("note.countersign_waits", count=box.waiting()))
    note_stopped(box.corridors())


def _show_rows(args: argparse.Namespace, rows: list[Json]) -> None:
    for row in rows:
        show(row, [inbox_line(row)], as_json=args.json)


def status(args: argparse.Namespace, bulletin: str) -> int:
    """A bulletin's life: as it is now, or as this desk heard it last."""
    with at_desk(args) as desk:
        box = Inbox(desk)
        found: list[Json] = []

        async def look(line: DeskLine) -> None:
            life = await box.status(line, bulletin)
            while args.wait and not decided(life):
                await line.news()
                life = await box.status(line, bulletin)
            found.append(life)

        error = over_line(desk, look)
        if error is not None:
            kept = box.status_kept(bulletin)
            if kept is None:
                raise error
            note_offline(desk, error)
            found.append(kept)
        show(found[0], status_lines(found[0]), as_json=args.json)
    return 0


def read(args: argparse.Namespace, bulletin: str) -> int:
    """A bulletin: from this desk if it was opened here, else from the node, which notes it."""
    with at_desk(args) as desk:
        box = Inbox(desk)
        content = box.opened(bulletin)
        if content is not None:
            note(say("note.opened_here", when=stamp(content["kept"])))
            note_replaced(box.standing(content["id"]))
            show(content, bulletin_lines(content), as_json=args.json)
            return 0
        content = _fetch(desk, bulletin)
        note_replaced(box.standing(content["id"]))
        show(content, bulletin_lines(content), as_json=args.json)
        box.keep(content)  # a full disk is said after the officer has seen it
    return 0


def _fetch(desk: Desk, bulletin: str) -> Json:
    found: list[Json] = []

    async def ask(line: DeskLine) -> None:
        box = Inbox(desk)
        life = await box.status(line, bulletin)
        if life["direction"] == "received":
            note(say("note.read_is_recorded", agency=life["header"]["sender"]))
        found.append(await box.read(line, bytes.fromhex(life["id"])))

    error = over_line(desk, ask)
    if error is not None:
        raise _not_here(error)
    return found[0]


def send(args: argparse.Namespace) -> int:
    """Sign and queue; then send, if the line is there. What is queued is never lost by a cut."""
    with at_desk(args) as desk:
        box, outbox = Inbox(desk), Outbox(desk)
        written = _written(args, desk)
        try:
            queued = outbox.queue(written, box.corridors(), args.draft)
        except SaphanError:
            outbox.drop_unused(written)  # it was not kept, nor are its files
            raise
        refused: list[SaphanError] = []

        async def bring(line: DeskLine) -> None:
            refused.extend(await outbox.send(line, [queued.number]))
            await outbox.send(line)

        try:
            error = over_line(desk, bring)
        except SaphanError as failed:
            # Not the line's fault, such as a wrong clock: whoever sends it again sends it twice.
            if outbox.waits(queued.number):
                note(say("note.queued", number=queued.number, why=failed.message))
            raise
        if refused and not isinstance(refused[0], Unavailable):
            note(say("note.refused_is_draft"))
            raise refused[0]
        (kept,) = outbox.some([queued.number])
        value, lines = _queued_page(kept, error or (refused[0] if refused else None))
        show(value, lines, as_json=args.json)
    return 0


def _queued_page(kept: Queued, why: SaphanError | None) -> tuple[Json, list[str]]:
    """What became of a bulletin that was sent: it left, waits for the line, or for a colleague."""
    row = queued_row(kept)
    value = {"id": row["id"], "number": kept.number, "state": row["state"]}
    if row["id"] is not None:
        return value, [say("note.sent", to=", ".join(row["to"]), id=row["id"][:16])]
    if row["state"] == "countersign":
        return value, [say("note.countersign_kept", id=kept.draft.hex()[:16])]
    assert why is not None
    return value, [say("note.queued", number=kept.number, why=why.message)]


def _written(args: argparse.Namespace, desk: Desk) -> Written:
    if (args.file is None) == (args.draft is None):
        raise InvalidInput(
            "file_or_draft",
            "name one bulletin to send: a file, or a draft of this desk",
            field="file",
            hint="saphan send FILE --desk DESK, or saphan send --draft N --desk DESK",
        )
    if args.draft is None:
        return written_file(args, desk, args.file)
    found = Drafts(desk).get(args.draft).written
    attached = found.attachments + Files(desk).attach(_measured(args))
    return Written(found.data, tuple(args.to) or found.to, attached)


def written_file(args: argparse.Namespace, desk: Desk, path: Path) -> Written:
    """A bulletin's file with what was given beside it; its attachments are kept at the desk."""
    data = read_bounded(path, LIMITS.api_body_bytes, "bulletin")
    to = parse_wish(data, tuple(args.to), partial(_follow, desk)).to
    Written(data, to).wish()  # what is wrong in it is said before files are copied
    return Written(data, to, Files(desk).attach(_measured(args)))


def _follow(desk: Desk, about: Mapping[str, Any]) -> tuple[str, ...]:
    """T10, by what this desk has heard: all that had what it corrects, or who has asked."""
    kind, bulletin = named_original(about) or ("", "")
    header = Inbox(desk).header_kept(bulletin) if HEX.fullmatch(bulletin) else None
    if header is None:
        return ()
    return recipients_for(kind, desk.me.agency, header["sender"], header["recipients"])


def _measured(args: argparse.Namespace) -> tuple[LocalFile, ...]:
    return measure_all([parse_role(text) for text in args.attach])


def attachment(args: argparse.Namespace, bulletin: str) -> int:
    """An attachment as a file; fetched from the node, unless this desk has it."""
    with at_desk(args) as desk:
        content = Inbox(desk).opened(bulletin)
        if content is None:
            raise Refused(
                "attachment_unread",
                "attachments are given to those who have read their bulletin",
                field="id",
                hint=f"read it at this desk first: saphan read {bulletin[:16]} --desk DESK",
            )
        path = _save(desk, content, args.number, args.out)
        length = path.stat().st_size
        value = {"file": str(path), "number": args.number, "length": length}
        line = say("note.attachment_saved", number=args.number, length=length, path=path)
        show(value, [line], as_json=args.json)
    return 0


def _save(desk: Desk, content: Json, number: int, out: Path) -> Path:
    listed = content["attachments"]
    if not 1 <= number <= len(listed):
        raise InvalidInput(
            "attachment_unknown",
            f"the bulletin has {len(listed)} attachments",
            field="number",
            hint="their numbers stand in the bulletin, from 1",
        )
    one, bulletin = listed[number - 1], bytes.fromhex(content["id"])
    blob = Blob(one["length"], bytes.fromhex(one["sha256"]))
    files, name = Files(desk), download_name(bulletin, number)
    with Saving(out, one["name"], blob) as saving:
        if not files.has(name, blob):

            async def fetch(line: DeskLine) -> None:
                await files.fetch(line, bulletin, number, blob)

            error = over_line(desk, fetch)
            if error is not None:
                raise error
        # Before the first byte: what a crash leaves of the file is recorded, too.
        Confirming(desk).saved(bulletin, number)
        for data in files.pieces(name, blob):
            saving.write(data)
        return saving.finish()


def _not_here(error: Unavailable) -> Unavailable:
    return Unavailable(
        error.code,
        f"{error.message}; this bulletin was not opened at this desk before",
        field=error.field,
        hint="read it when the line is back; what was opened here can be read again at any time",
        retry_after_ms=error.retry_after_ms,
    )
