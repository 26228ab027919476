"""`saphan hold order|renew|release|sign|submit`: hold orders, signed by the order key.

An order to hold binds this agency's node at once, and is offered to the broker until the log shows
it. Where the order key lies elsewhere, the file is carried there: `--out`, `sign`, `submit`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from saphan_schemas.errors import InvalidInput, OperatorError, Refused, Unavailable
from saphan_schemas.hold_records import HoldOrder, HoldScope, HoldTerms
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Role

from saphan.base64_text import text_of
from saphan.cli.agreement_signing import confirm_page
from saphan.cli.hold_lines import hold_lines, order_page
from saphan.cli.officer import bulletin_id
from saphan.cli.options import local_node, now_ms, office_of, passphrase_source
from saphan.cli.speech import say, show
from saphan.cli.waiting import hold_logged
from saphan.durable import create_file, destroy_file, make_folder, read_bounded, replace_file
from saphan.holds.hold_file import (
    FILE_BYTES,
    HoldFile,
    format_hold,
    make_hold,
    parse_hold_file,
)
from saphan.holds.scope_json import scope_json, scope_of
from saphan.keys.keyfile_json import parse_key_file
from saphan.keys.keyfiles import read_key
from saphan.own_types.told import types_for

Json = dict[str, Any]
Action = Literal["hold", "release"]


def order(args: argparse.Namespace) -> int:
    """A new hold."""
    since = None if args.since is None else _day(args.since, "from") * DAY_MS
    until = None if args.until is None else (_day(args.until, "to") + 1) * DAY_MS - 1
    scope = HoldScope(
        _ids(args, args.id),
        tuple(sorted({_schema(args, one) for one in args.type})),
        since,
        until,
        _ids(args, args.thread),
        tuple(sorted(set(args.case))),
    )
    terms = HoldTerms(args.reference, scope, told=not args.untold)
    found = _holds(args)
    made = _made(args, found, "hold", None, _day(args.review, "review"), terms)
    return _sign_or_write(args, made)


def renew(args: argparse.Namespace) -> int:
    """Move the review of a hold."""
    return _on_hold(args, "hold", _day(args.review, "review"))


def release(args: argparse.Namespace) -> int:
    """End a hold."""
    return _on_hold(args, "release", now_ms() // DAY_MS)


def _on_hold(args: argparse.Namespace, action: Action, review: int) -> int:
    found = local_node(args).get(f"/v1/holds/{args.hold}?limit=1")
    name = bytes.fromhex(found["name"])
    if found["scope"] is None and action != "release":
        raise OperatorError(
            "hold_terms_missing",
            "the terms of this hold are not here, and an order on it repeats its scope",
            field="hold",
            hint="hand in the file that was signed first: saphan hold submit FILE; if it is lost: "
            "saphan hold release NAME",
        )
    # Whose terms are lost, or were never ours, names itself; else it would hold all for ever.
    lost = HoldScope((name,), (), None, None, (), ())
    scope = lost if found["scope"] is None else scope_of(found["scope"])
    terms = HoldTerms(args.reference, scope, told=bool(found["told"]))
    made = _made(args, _holds(args), action, name, review, terms)
    return _sign_or_write(args, made)


def _made(
    args: argparse.Namespace,
    found: Json,
    action: Action,
    hold: bytes | None,
    review: int,
    terms: HoldTerms,
) -> HoldFile:
    agency = office_of(args).read_agency().agency
    number = int(found["next_number"])
    return make_hold(HoldOrder(agency, number, action, hold, bytes(32), review, now_ms()), terms)


def _sign_or_write(args: argparse.Namespace, made: HoldFile) -> int:
    path = args.key or office_of(args).key_file(Role.ORDER, b"")
    if args.out is not None and args.key is None:
        create_file(args.out, format_hold(made))
        value = _value(made) | {"file": str(args.out), "signed": False}
        show(value, [say("note.hold_draft", path=args.out)], as_json=args.json)
        return 0
    if not path.exists():
        raise OperatorError(
            "order_key_missing",
            f"{office_of(args).folder} holds no order key",
            field="key",
            hint="write a file and carry it to the key: --out FILE; then saphan hold sign FILE",
        )
    return _hand_over(args, _signed(args, made, path))


def _signed(args: argparse.Namespace, made: HoldFile, path: Path) -> HoldFile:
    role = parse_key_file(path).role
    wanted = Role.ROOT if role is Role.ROOT else Role.ORDER
    confirm_page(order_page(made, scope_json(made.said)), yes=args.yes)
    key = read_key(path, wanted, passphrase_source(args).read(say("noun.order_key")))
    return made.sign(key.signing())


def sign(args: argparse.Namespace) -> int:
    """Where the order key is; a network is not needed, nor the agency's folder with --key."""
    made = parse_hold_file(read_bounded(args.file, FILE_BYTES, "hold"))
    path = args.key or office_of(args).key_file(Role.ORDER, b"")
    signed = _signed(args, made, path)
    replace_file(args.file, format_hold(signed))
    value = _value(signed) | {"file": str(args.file), "signed": True}
    show(value, [say("note.hold_signed", path=args.file)], as_json=args.json)
    return 0


def submit(args: argparse.Namespace) -> int:
    """Hand a signed file to the node; also one whose order the log shows already."""
    return _hand_over(args, parse_hold_file(read_bounded(args.file, FILE_BYTES, "hold")))


def _hand_over(args: argparse.Namespace, file: HoldFile) -> int:
    path = office_of(args).hold_file(file.order.number, file.name)
    new = not path.exists()
    make_folder(path.parent)
    replace_file(path, format_hold(file))  # first: its salts and its terms are in few places
    body = {
        "order": text_of(file.package),
        "terms": text_of(file.terms),
        "salt": text_of(file.salt),
    }
    try:
        taken = local_node(args).post("/v1/holds", body)
    except Unavailable as error:
        raise Unavailable(
            error.code,
            f"the order is signed and kept in {path}, but not with the node: {error.message}",
            hint=f"start the node, then: saphan hold submit {path}",
        ) from None
    except (InvalidInput, Refused):
        if new:
            destroy_file(path)  # it binds nobody, and its number will be another order's
        raise
    held = hold_logged(local_node(args), taken, file.name.hex())
    logged = all(one["logged"] for one in held["orders"] if one["name"] == file.name.hex())
    said = "note.hold_logged" if logged else "note.hold_bound"
    value = held | {"file": str(path), "logged": logged}
    lines = [*hold_lines(held), say(said, path=path)]
    if held["in_force"] and not held["bulletins"]:
        lines.append(say("note.hold_nothing"))
    show(value, lines, as_json=args.json)
    return 0


def _holds(args: argparse.Namespace) -> Json:
    return local_node(args).get("/v1/holds")


def _value(file: HoldFile) -> Json:
    order = file.order
    return {
        "agency": order.agency,
        "number": order.number,
        "action": order.action,
        "hold": None if order.hold is None else order.hold.hex(),
        "review": order.review,
        "reference": file.said.reference,
        "scope": scope_json(file.said),
    }


def _ids(args: argparse.Namespace, named: Sequence[str]) -> tuple[bytes, ...]:
    """Whole ids; what is shortened is looked up at the node."""
    found = set()
    for one in named:
        text = bulletin_id(one, "saphan inbox")
        if len(text) < 64:
            text = local_node(args).get(f"/v1/bulletins/{text}")["id"]
        found.add(bytes.fromhex(text))
    return tuple(sorted(found))


def _schema(args: argparse.Namespace, text: str) -> str:
    """`saphan/<type>/1` for a type of Saphan's own that is named alone; one that nobody knows would
    hold nothing."""
    name = text if "/" in text else f"saphan/{text}/1"
    with suppress(Unavailable):  # an agency's own, whose text has not come here yet
        types_for(local_node(args).get, name).get(name)
    return name


def _day(text: str, field: str) -> int:
    """A date, or so many days from now (`90d`), as days since 1970-01-01."""
    today = datetime.fromtimestamp(now_ms() / 1000, UTC).date()
    with suppress(ValueError):
        if text.endswith("d") and text[:-1].isascii() and text[:-1].isdecimal():
            day = today + timedelta(days=min(int(text[:-1]), 100_000))
        else:
            day = date.fromisoformat(text)
        if day.year >= 1970:
            return (day - date(1970, 1, 1)).days
    raise InvalidInput(
        "day_malformed",
        f"{text[:40]!r} is no day",
        field=field,
        hint="write a date as 2026-12-31, or days from now as 90d",
    )
