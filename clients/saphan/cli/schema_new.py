"""`saphan schema new TYPE`: a bulletin asked field by field, on any terminal that has lines.

Questions and words go to standard error, so that the result alone is on standard output. After
every answer the draft is written: Ctrl-C, a power cut or `.` lose nothing, and the same command
goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from saphan_schemas.body_types import BodyType
from saphan_schemas.errors import InvalidInput, Unavailable
from saphan_schemas.explaining import explain_fault
from saphan_schemas.faults import Fault
from saphan_schemas.labels import owner_of, title
from saphan_schemas.limits import LIMITS
from saphan_schemas.strict_json import parse_json

from saphan.attaching import measure_all, parse_role
from saphan.cli.officer import bulletin_id
from saphan.cli.options import local_node, now_ms
from saphan.cli.speech import language, note, say, show
from saphan.cli.typed_lines import (
    InputEndedError,
    LineTooLongError,
    keyboard,
    typed_line,
    typed_prose,
)
from saphan.durable import create_file, read_bounded
from saphan.form.asking import pointers_of
from saphan.form.draft import draft_path, read_draft, write_draft
from saphan.form.filling import Filling, Refused
from saphan.form.question import ASKS, Question, Scalar
from saphan.form.sheet import usual
from saphan.form.words import (
    SHORT_LIST,
    code_lines,
    help_of,
    review_lines,
    right_of,
    shown_answer,
    title_of,
)
from saphan.item_file import require_new

HELP: Final = "?"
BACK: Final = "<"
STOP: Final = "."
PROMPT: Final = "> "
KEPT_FROM_OTHERS: Final = ("/to", "/marking", "/about")
NOT_KEPT: Final = (
    "/about/reference",
    "/about/title",
    "/about/summary",
    "/about/national_refs",
    "/about/relations",
    "/about/message_kind",
    "/about/valid_until",
    "/about/review_at",
    "/about/personal_data",
)
"""What is said of one bulletin only, and is not proposed for the next."""


class _Stopped(Exception):
    """The person stops; what is filled in is kept."""


def fill_in(args: argparse.Namespace, kind: BodyType) -> int:
    """Ask, review, write.

    Raises:
        Unavailable: `form_stopped`: the draft is kept.
        InvalidInput: `form_draft`, `malformed`; OperatorError: `file_exists`, `file_unwritable`.
    """
    name = kind.name
    out: Path = args.out or Path(f"{name.split('/')[1]}.json")
    require_new(out)
    form, draft = _form(args, kind, out), draft_path(out)
    note(f"{title(owner_of(name), language())} - {name}")
    note(say("form.how"))
    if form.answers:
        note(say("form.goes_on", path=draft, count=len(form.answers)))
    try:
        with keyboard():
            _ask_all(form, draft)
            while not _reviewed(form):
                _ask_all(form, draft)
    except KeyboardInterrupt:
        if draft.exists():
            note(f"\n{say('form.stopped', path=draft)}")
        raise
    except _Stopped:
        raise Unavailable(
            "form_stopped",
            say("form.stopped", path=draft),
            hint=say("hint.form_stopped"),
        ) from None
    create_file(out, (json.dumps(form.wish, ensure_ascii=False, indent=2) + "\n").encode())
    draft.unlink(missing_ok=True)
    show(
        {"file": str(out), "schema": name},
        [say("form.written", path=out), say("form.send_next", path=_sent_as(out, args.attach))],
        as_json=args.json,
    )
    return 0


def _sent_as(out: Path, attach: list[str]) -> str:
    return " ".join([str(out), *(f"--attach {word}" for word in attach)])


def _form(args: argparse.Namespace, kind: BodyType, out: Path) -> Filling:
    today = datetime.fromtimestamp(now_ms() / 1000, UTC).date()
    defaults = _defaults(language(), today, args.like) | _related(args)
    answers = read_draft(draft_path(out), kind.name)
    form = Filling(kind, language(), defaults, answers, _described(args))
    form.repair()
    return form


def _described(args: argparse.Namespace) -> list[dict[str, str]]:
    """The files that will be sent with it: what is said of one may point at it by its number."""
    files = measure_all([parse_role(word) for word in args.attach])
    for number, file in enumerate(files):
        note(say("form.attachment", number=number, name=file.attached.name))
    return [
        {"media_type": one.media_type, "name": one.name, "role": one.role}
        for one in (file.attached for file in files)
    ]


def _related(args: argparse.Namespace) -> dict[str, Scalar]:
    """Of a reply or a correction: the bulletin that it is about, and to whom it goes then."""
    kind = "in_reply_to" if args.replies else "corrects"
    given = args.replies or args.corrects
    if given is None:
        return {}
    found = local_node(args).get(f"/v1/bulletins/{bulletin_id(given)}")
    header = found["header"]
    to = [header["sender"]] if kind == "in_reply_to" else header["recipients"]
    more: dict[str, Scalar] = {} if kind == "in_reply_to" else {"/about/message_kind": "correction"}
    return more | {
        "/about/relations/0?": True,
        "/about/relations/0/kind": kind,
        "/about/relations/0/bulletin_id": found["id"],
        "/body/request_id": found["id"],
        **{f"/to/{number}": agency for number, agency in enumerate(to)},
    }


def _defaults(lang: str, today: date, like: Path | None) -> dict[str, Scalar]:
    """The usual answers, and those of an earlier bulletin that are the same for the next."""
    if like is None:
        return usual(lang, today)
    data = read_bounded(like, LIMITS.api_body_bytes, "bulletin")
    try:
        earlier: dict[str, Any] = parse_json(dict, data)
    except ValueError:
        raise InvalidInput(
            "malformed",
            f"{like} is no bulletin in JSON",
            field="like",
            hint="saphan schema example",
        ) from None
    return usual(lang, today) | {
        pointer: value
        for pointer, value in pointers_of(earlier)
        if pointer.startswith(KEPT_FROM_OTHERS) and not pointer.startswith(NOT_KEPT)
    }


# --- asking ---------------------------------------------------------------------------------------


def _ask_all(form: Filling, draft: Path) -> None:
    """Every open question, in turn; what is typed is kept after each."""
    while (question := form.question) is not None:
        _show_question(form, question)
        typed = _typed(question)
        if typed.strip() == STOP:
            raise _Stopped
        if typed.strip() == HELP:
            _show_help(form, question)
            continue
        if typed.strip() == BACK:
            if not form.back():
                note(say("form.at_start"))
        elif (refused := form.give(typed)) is not None:
            _show_refused(question, refused)
            continue
        else:
            _show_taken(form, question, typed)
        write_draft(draft, form.name, form.answers)


def _show_question(form: Filling, question: Question) -> None:
    default = form.default(question)
    mark = " *" if question.required else ""
    if question.kind in ("more", "part"):
        mark += f" {say('form.more' if question.kind == 'more' else 'form.part')}"
    proposed = "" if default is None else f" [{shown_answer(form, question, default)}]"
    note("")
    note(f"{title_of(form, question)}{mark}{proposed}")
    if question.choice is None:
        return
    if len(question.choice.codes) > SHORT_LIST:
        note(f"  {say('form.many_codes', count=len(question.choice.codes))}")
        return
    for line in code_lines(question.choice, question.choice.codes, form.lang):
        note(line)


def _show_help(form: Filling, question: Question) -> None:
    helps = help_of(form, question)
    if helps:
        note(f"  {helps}")
    if question.choice is None:
        note(f"  {right_of(form, question)}")
        return
    for line in code_lines(question.choice, question.choice.codes, form.lang):
        note(line)


def _show_taken(form: Filling, question: Question, typed: str) -> None:
    """What the form has made of an answer: the code of a word, the UTC of a local time."""
    taken = form.answers[question.pointer]
    if isinstance(taken, str) and taken != typed and not question.pointer.endswith(ASKS):
        note(f"  = {shown_answer(form, question, taken)}")


def _show_refused(question: Question, refused: Refused) -> None:
    note(f"  {refused.why}")
    if question.choice is not None:
        for line in code_lines(question.choice, refused.codes, language()):
            note(line)


def _typed(question: Question) -> str:
    """One answer; one that is too long is taken as a wish for help.

    Raises:
        _Stopped: the input ended.
    """
    try:
        return typed_prose(PROMPT) if question.shared == "prose" else typed_line(PROMPT)
    except LineTooLongError:
        note(say("form.line_too_long"))
        return HELP
    except InputEndedError:
        note("")
        raise _Stopped from None


# --- the look before it is written ----------------------------------------------------------------


def _reviewed(form: Filling) -> bool:
    """Show everything; True if it is right and is to be written, else something is asked again."""
    lines = review_lines(form)
    note("")
    note(say("form.review"))
    for number, (_, line) in enumerate(lines, 1):
        note(f"{number:>4}  {line}")
    fault = _wrong(form)
    note("")
    note(say("form.write_or_change" if fault is None else "form.correct_or_change"))
    try:
        typed = typed_line(PROMPT).strip()
    except LineTooLongError:
        typed = HELP
    except InputEndedError:
        note("")
        raise _Stopped from None
    if typed == STOP:
        raise _Stopped
    if typed == BACK:
        form.back()
        return False
    if typed.isascii() and typed.isdecimal() and 0 < int(typed[:6]) <= len(lines):
        form.forget(lines[int(typed) - 1][0].pointer)
        return False
    if typed:
        note(say("form.number_wanted"))
        return False
    if fault is not None:
        form.ask_again(fault)
        return False
    return True


def _wrong(form: Filling) -> Fault | None:
    """What the whole bulletin has wrong, after it was said; None if nothing is."""
    facts = form.facts()
    header = facts.pop("header")
    try:
        form.kind.check(facts, header)
    except InvalidInput as error:
        fault = error.fault or Fault(error.code, error.field or "")
        note("")
        note(f"  {explain_fault(fault, form.lang, form.sheet)}")
        if fault.rule == "attachment":
            note(f"  {say('form.attach_files')}")
        return fault
    return None
