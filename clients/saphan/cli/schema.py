"""`saphan schema`: what bulletins can say, whether a file says it rightly, and writing one."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from saphan_schemas.body_types import BUILT_IN, BodyType, BodyTypes
from saphan_schemas.errors import InvalidInput, OperatorError, Unavailable
from saphan_schemas.labels import owner_of, title
from saphan_schemas.limits import LIMITS
from saphan_schemas.width import fit

from saphan.cli.options import Parser, Subparsers, add_command, add_group, local_node, now_ms
from saphan.cli.schema_roots import add_registering
from saphan.cli.speech import language, note, say, show
from saphan.durable import create_file, read_bounded
from saphan.own_types.told import is_own, types_for

if TYPE_CHECKING:
    from saphan.compose import Wish

NOBODY: Final = "zz.nobody"
"""Recipient and sender of a file that is only checked and names none."""
NAME_CELLS: Final = 30
FAULTS_SHOWN: Final = 20


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan schema ...`."""
    group = add_group(commands, "schema")
    add_command(group, "list", "schema_list", _list)
    shown = add_command(group, "show", "schema_show", _show)
    shown.add_argument("type", metavar="TYPE", help=say("help.schema_type"))
    shown.add_argument("field", nargs="?", metavar="FIELD", help=say("help.schema_field"))
    shown.add_argument("--codes", action="store_true", help=say("help.schema_codes"))
    check = add_command(group, "check", "schema_check", _check)
    check.add_argument("file", type=Path, metavar="FILE", help=say("help.send_file"))
    check.add_argument(
        "--attach", action="append", default=[], metavar="[ROLE=]FILE", help=say("help.attach")
    )
    example = add_command(group, "example", "schema_example", _example)
    example.add_argument("type", metavar="TYPE", help=say("help.schema_sample"))
    example.add_argument("--out", type=Path, metavar="FILE", help=say("help.schema_out"))
    new = add_command(group, "new", "schema_new", _new)
    new.add_argument("type", metavar="TYPE", help=say("help.schema_type"))
    new.add_argument("--out", type=Path, metavar="FILE", help=say("help.schema_out"))
    either = new.add_mutually_exclusive_group()
    either.add_argument("--replies", metavar="ID", help=say("help.schema_replies"))
    either.add_argument("--corrects", metavar="ID", help=say("help.schema_corrects"))
    new.add_argument(
        "--attach", action="append", default=[], metavar="[ROLE=]FILE", help=say("help.attach")
    )
    new.add_argument("--like", type=Path, metavar="FILE", help=say("help.schema_like"))
    add_registering(group)


def kind_of(args: argparse.Namespace, word: str) -> BodyType:
    """A type by its whole name or its middle, such as "drug_seizure"; an agency's own one by its
    whole name, from the node of --dir.

    Raises:
        InvalidInput: `schema_unknown`; for an own type what the node answers.
    """
    for one in BUILT_IN:
        if word in (one.name, one.name.split("/")[1]):
            return one
    if is_own(word):
        return types_for(local_node(args).get, word).get(word)
    raise InvalidInput(
        "schema_unknown",
        "there is no type of this name",
        field="type",
        hint="saphan schema list; an agency's own type by its whole name, with --dir",
    )


def _list(args: argparse.Namespace) -> int:
    rows = [
        {
            "name": one.name,
            "title": title(owner_of(one.name), language()),
            "digest": one.digest.hex(),
        }
        for one in BUILT_IN
    ]
    rows += _own_rows(args)
    lines = [f"{fit(row['name'], NAME_CELLS)}  {row['title']}" for row in rows]
    show({"types": rows}, lines, as_json=args.json)
    return 0


def _own_rows(args: argparse.Namespace) -> list[dict[str, str]]:
    """Own types that the directory has, where a node of this folder can be asked."""
    try:
        listed = local_node(args).get("/v1/schemas")["schemas"]
    except (OperatorError, Unavailable):
        return []  # no agency's folder, or its node does not run: ours are known without
    return [
        {"name": row["name"], "title": title(owner_of(row["name"])), "digest": row["digest"]}
        for row in listed
        if row["name"] not in BUILT_IN
    ]


def _show(args: argparse.Namespace) -> int:
    from saphan.cli.schema_page import type_page, type_value

    kind = kind_of(args, args.type)
    if args.json:
        show(type_value(kind, language()), (), as_json=True)
    else:
        show({}, type_page(kind, args.field, language(), all_codes=args.codes), as_json=False)
    return 0


def _check(args: argparse.Namespace) -> int:
    wish = _read_wish(args)
    kind = kind_of(args, wish.schema)
    for sentence in _faults(wish, kind)[1:FAULTS_SHOWN]:
        note(f"- {sentence}")
    _compose(wish, kind)
    value = {
        "valid": True,
        "schema": kind.name,
        "digest": kind.digest.hex(),
        "file": str(args.file),
    }
    line = say("note.schema_right", path=args.file, type=title(owner_of(kind.name), language()))
    show(value, [line], as_json=args.json)
    return 0


def _read_wish(args: argparse.Namespace) -> Wish:
    """The file as `saphan send` would read it, but nobody need be named to whom it goes."""
    from saphan.attaching import measure_all, parse_role, with_files
    from saphan.compose import parse_wish

    data = read_bounded(args.file, LIMITS.api_body_bytes, "bulletin")
    try:
        wish = parse_wish(data)
    except InvalidInput as error:
        if error.code != "recipients_missing":
            raise
        wish = parse_wish(data, (NOBODY,))
    files = measure_all([parse_role(word) for word in args.attach])
    return with_files(wish, files) if files else wish


def _faults(wish: Wish, kind: BodyType) -> list[str]:
    """Everything in which the schema finds fault, in the person's language."""
    from saphan_schemas.explaining import explain_fault

    from saphan.form.checking import faults_of
    from saphan.form.sheet import content_of

    described = [
        {"media_type": one.media_type, "name": one.name, "role": one.role}
        for one in wish.attachments
    ]
    content = {"about": wish.about, "attachments": described, "body": wish.body}
    root = content_of(kind)
    return [explain_fault(fault, language(), root) for fault in faults_of(kind, content)]


def _compose(wish: Wish, kind: BodyType) -> None:
    """All the checks of the sender, with lengths of uploads that only the node knows."""
    from dataclasses import replace

    from saphan_schemas.records import Blob

    from saphan.compose import compose

    measured = tuple(
        one if one.blob.length else replace(one, blob=Blob(1, one.blob.digest))
        for one in wish.attachments
    )
    wish = replace(wish, attachments=measured)
    types = BodyTypes({kind.name: kind})
    compose(wish, sender=NOBODY, now=now_ms(), nonce=bytes(16), types=types)


def _example(args: argparse.Namespace) -> int:
    from saphan_schemas.samples import files, wish

    value: dict[str, Any] = wish(args.type)
    if args.out is None:
        lines = json.dumps(value, ensure_ascii=False, indent=2).splitlines()
        show(value, lines, as_json=args.json)
        return 0
    # Its files lie beside it, and the commands that take it take them too.
    value.pop("attachments", None)
    create_file(args.out, (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode())
    words = [str(args.out)]
    for role, name, data in files(args.type):
        create_file(args.out.with_name(name), data)
        words.append(f"--attach {role}={args.out.with_name(name)}")
    said = say("note.schema_example", path=args.out, words=" ".join(words))
    show({"file": str(args.out)}, [said], as_json=args.json)
    return 0


def _new(args: argparse.Namespace) -> int:
    from saphan.cli.schema_new import fill_in

    return fill_in(args, kind_of(args, args.type))
