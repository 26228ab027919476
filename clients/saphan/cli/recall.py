"""`saphan recall`: take a bulletin back, see who has obeyed, answer what others recall.

Exit statuses of `recall` and `recall show`: 0; 6 when somebody was silent, or keeps it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from saphan_protocol.delivery import DECLINED_CODES, RECALLED_CODES

from saphan.cli.officer import bulletin_id
from saphan.cli.officer_key import add_officer_key
from saphan.cli.options import Parser, Subparsers, add_command, local_node
from saphan.cli.recall_lines import listed_line, table_lines
from saphan.cli.speech import confirm, say, show

if TYPE_CHECKING:
    from saphan.desk.line import DeskLine

Json = dict[str, Any]
VERBS: Final = ("show", "answer")
LIST: Final = "list"
PAGE: Final = 500
EXIT_UNSETTLED: Final = 6
UNSETTLED: Final = frozenset({"silent", "declined", "refused"})


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register the command."""
    recall = add_command(commands, "recall", "recall", _recall)
    recall.add_argument("words", nargs="+", metavar="ID", help=say("help.recall_words"))
    recall.add_argument("--reason", choices=sorted(RECALLED_CODES), help=say("help.recall_reason"))
    either = recall.add_mutually_exclusive_group()
    either.add_argument("--obey", action="store_true", help=say("help.recall_obey"))
    either.add_argument(
        "--decline", choices=sorted(DECLINED_CODES), help=say("help.recall_decline")
    )
    recall.add_argument("--officer", metavar="HANDLE", help=say("help.recall_officer"))
    recall.add_argument("--desk", type=Path, metavar="DESK", help=say("help.desk_instead"))
    add_officer_key(recall)
    recall.add_argument("--yes", action="store_true", help=say("help.recall_yes"))


def _recall(args: argparse.Namespace) -> int:
    verb, *rest = args.words
    if args.desk is not None and verb in ("answer", LIST):
        args.asked.error(say("note.recall_desk"))
    if verb == LIST and not rest:
        return _list(args)
    if verb in VERBS and len(rest) == 1:
        return _show(args, rest[0]) if verb == "show" else _answer(args, rest[0])
    if rest or verb in (*VERBS, LIST):
        args.asked.error(say("note.recall_usage"))
    return _order(args, verb)


def _order(args: argparse.Namespace, given: str) -> int:
    if args.reason is None:
        args.asked.error(say("note.recall_reason", codes=", ".join(sorted(RECALLED_CODES))))
    _refuse_answers(args)
    if args.desk is not None:
        confirm(say("prompt.recall_desk", id=given[:16]), yes=args.yes)
        return _shown(args, _at_desk(args, bulletin_id(given), args.reason))
    node, bulletin = local_node(args), bulletin_id(given, "saphan status")
    found = node.get(f"/v1/bulletins/{bulletin}")
    to = ", ".join(found["header"]["recipients"])
    confirm(say("prompt.recall", id=found["id"][:16], to=to), yes=args.yes)
    body = {"reason": args.reason, "officer": args.officer}
    return _shown(args, node.post(f"/v1/bulletins/{found['id']}/recall", body))


def _show(args: argparse.Namespace, given: str) -> int:
    _refuse_answers(args)
    if args.desk is not None:
        return _shown(args, _at_desk(args, bulletin_id(given), None))
    found = local_node(args).get(f"/v1/bulletins/{bulletin_id(given)}/recall")
    return _shown(args, found)


def _at_desk(args: argparse.Namespace, bulletin: str, reason: str | None) -> Json:
    """The same through the officer's desk; nothing of it is kept there.

    Raises:
        Unavailable: the line.
    """
    from saphan.cli.desk_line import at_desk, over_line
    from saphan.desk.inbox import Inbox

    found: list[Json] = []
    with at_desk(args) as desk:
        box = Inbox(desk)

        async def ask(line: DeskLine) -> None:
            found.append(await box.recall(line, bulletin, reason))

        error = over_line(desk, ask)
    if error is not None:
        raise error
    return found[0]


def _answer(args: argparse.Namespace, given: str) -> int:
    if not args.obey and args.decline is None:
        args.asked.error(say("note.recall_answer", codes=", ".join(sorted(DECLINED_CODES))))
    node, bulletin = local_node(args), bulletin_id(given, "saphan recall list")
    if args.obey:
        confirm(say("prompt.recall_obey", id=bulletin[:16]), yes=args.yes)
    body = {"decline": args.decline, "officer": args.officer}
    found = node.post(f"/v1/bulletins/{bulletin}/recall/answer", body)
    show(found, table_lines(found), as_json=args.json)
    return 0


def _list(args: argparse.Namespace) -> int:
    rows = list(_rows(args))
    lines = [listed_line(row) for row in rows] or [say("note.recall_none")]
    show({"recalls": rows}, lines, as_json=args.json)
    return 0


def _rows(args: argparse.Namespace) -> Iterator[Json]:
    node, after = local_node(args), 0
    while True:
        page = node.get(f"/v1/recalls?after={after}&limit={PAGE}")
        yield from page["recalls"]
        if not page["more"]:
            return
        after = page["next"]


def _shown(args: argparse.Namespace, found: Json) -> int:
    show(found, table_lines(found), as_json=args.json)
    unsettled = any(one["state"] in UNSETTLED for one in found["recipients"])
    return EXIT_UNSETTLED if found["here"] is None and unsettled else 0


def _refuse_answers(args: argparse.Namespace) -> None:
    """An answer is no order: whoever mixes them up is told before anything is erased."""
    if args.obey or args.decline is not None:
        args.asked.error(say("note.recall_usage"))
