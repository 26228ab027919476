"""`saphan schema register|sign|finish`: an agency's own type, signed by its roots, into the log.

With one root in the folder `register` does all of it. With several it writes a draft, which the
holders sign where their keys are; `finish` joins the copies and hands the package to the node.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saphan_protocol.registrations import parse_schema_package
from saphan_protocol.words import fingerprint_words, word_lines
from saphan_schemas.bodies import digest_of
from saphan_schemas.errors import InvalidInput, Unavailable
from saphan_schemas.frames import SCHEMA_PACKAGE_BYTES
from saphan_schemas.own_types import bundle_source, split_name

from saphan.agency_file import AgencyFile
from saphan.ceremony.holder import open_root_file
from saphan.cli.comparing import compare_words
from saphan.cli.options import local_node, now_ms, office_of, passphrase_source
from saphan.cli.render import stamp
from saphan.cli.speech import confirm, note, say, show
from saphan.cli.submitting import hand_over
from saphan.durable import PUBLIC_MODE, create_file, read_bounded, replace_file
from saphan.keys.keyfiles import read_key_id
from saphan.office import Office
from saphan.own_types.kept import keep_package, read_package
from saphan.own_types.outline import outline
from saphan.own_types.registration_draft import (
    DRAFT_BYTES,
    RegistrationDraft,
    draft_registration,
    finish_registration,
    format_registration_draft,
    parse_registration_draft,
)

Json = dict[str, Any]


# --- register -------------------------------------------------------------------------------------


def register(args: argparse.Namespace) -> int:
    """Make the bundle of a source; sign it here, or write a draft for the root's holders."""
    office = office_of(args)
    agency = office.read_agency()
    name, bundle = bundle_source(read_bounded(args.file, DRAFT_BYTES, "source"))
    draft = draft_registration(name, bundle, _before(args, office, name), agency, now_ms())
    key = args.key or (office.root_key if office.root_key.exists() else None)
    if args.out is None and (key is None or agency.threshold > 1):
        raise InvalidInput(
            "schema_draft_needed",
            f"{agency.threshold} of {len(agency.roots)} roots sign this registration, where they "
            "are kept",
            field="out",
            hint="name a file for the draft, which is carried to the holders: --out FILE",
        )
    if key is not None:
        draft.check_signer(read_key_id(key))
        for line in _page(draft):
            note(line)
        confirm(say("prompt.sign"), yes=args.yes)
        draft = _signed(args, draft, key)
    if args.out is None:
        return _conclude(args, office, agency, draft)
    create_file(args.out, format_registration_draft(draft), PUBLIC_MODE)
    return _show_draft(args, draft, args.out, [] if key is not None else [*_page(draft)])


def _before(args: argparse.Namespace, office: Office, name: str) -> bytes | None:
    """The bundle of the version before: named by --before, else as this folder has kept it."""
    before = split_name(name).before
    if before is None:
        return None
    kept = office.schema_file(before)
    if args.before is None:
        return read_package(kept)[1] if kept.exists() else None
    data = read_bounded(args.before, SCHEMA_PACKAGE_BYTES, "before")
    if data.lstrip()[:1] == b"{":
        found, bundle = bundle_source(data)
    else:
        record, package = parse_schema_package(data)
        found, bundle = record.name, package.bundle
    if found != before:
        raise InvalidInput(
            "schema_before", f"{args.before} is {found}, not {before}", field="before"
        )
    return bundle


# --- sign, finish ---------------------------------------------------------------------------------


def sign(args: argparse.Namespace) -> int:
    """Sign a draft with one holder's root, after its words were compared."""
    draft = _read(args.file)
    root = read_key_id(args.key)
    draft.check_signer(root)  # before anybody reads the page
    if root not in draft.signed:
        for line in _page(draft):
            note(line)
        title = say("note.schema_title", name=draft.record.name)
        compare_words(args, title, draft.identity, say("noun.other_holders"))
        draft = _signed(args, draft, args.key)
        replace_file(args.file, format_registration_draft(draft), PUBLIC_MODE)
    return _show_draft(args, draft, args.file, [])


def _signed(args: argparse.Namespace, draft: RegistrationDraft, key: Path) -> RegistrationDraft:
    secret = passphrase_source(args).read(say("noun.root_key"))
    return draft.sign(open_root_file(key, secret))


def finish(args: argparse.Namespace) -> int:
    """Join the copies of a draft and hand the package to the node."""
    office = office_of(args)
    agency = office.read_agency()
    first, *others = (_read(path) for path in (args.file, *args.copies))
    return _conclude(args, office, agency, first.merged(*others))


def _read(path: Path) -> RegistrationDraft:
    return parse_registration_draft(read_bounded(path, DRAFT_BYTES, "draft"))


def _conclude(
    args: argparse.Namespace, office: Office, agency: AgencyFile, draft: RegistrationDraft
) -> int:
    """Keep the package first: whatever the line does, what the roots have signed is not lost."""
    path = keep_package(office, draft.record.name, finish_registration(draft, agency))
    try:
        local_node(args).get("/v1/identity")  # a node that does not run is not waited for
        hand_over(args, path, wait=False)
    except Unavailable as error:
        raise Unavailable(
            error.code,
            f"{draft.record.name} is signed and kept in {path}, but not with the broker: "
            f"{error.message}",
            hint=f"start the node, then: saphan keys submit {path}",
        ) from None
    value = _value(draft) | {"file": str(path), "registered": True}
    line = say("note.schema_registered", name=draft.record.name, path=path)
    show(value, [line], as_json=args.json)
    return 0


# --- what is said ---------------------------------------------------------------------------------


def _show_draft(
    args: argparse.Namespace, draft: RegistrationDraft, path: Path, lines: list[str]
) -> int:
    key = "note.schema_draft_complete" if draft.complete else "note.schema_draft_waits"
    have, need = len(draft.signatures), draft.threshold
    said = say(key, path=path, signed=have, needed=need)
    value = _value(draft) | {"file": str(path), "registered": False}
    show(value, [*lines, said], as_json=args.json)
    return 0


def _value(draft: RegistrationDraft) -> Json:
    return {
        "name": draft.record.name,
        "agency": draft.record.agency,
        "digest": draft.record.digest.hex(),
        "time": draft.record.time,
        "words": fingerprint_words(draft.identity),
        "rules": len(draft.opened["rules"]),
        "before": None if draft.before is None else digest_of(draft.before).hex(),
        "signed": len(draft.signatures),
        "threshold": draft.threshold,
    }


def _page(draft: RegistrationDraft) -> Iterator[str]:
    """What whoever signs reads: every field of the type, and the words that cover all of it."""
    yield say("note.schema_title", name=draft.record.name)
    yield say("note.draft_time", time=stamp(draft.record.time))
    for depth, name, given, form in outline(draft.opened):
        mark = " *" if given else ""
        yield f"  {'  ' * depth}{name}{mark}: {form}"
    yield say("note.schema_rule_count", count=len(draft.opened["rules"]))
    if draft.before is not None:
        yield say("note.schema_before_words")
        yield from (f"    {line}" for line in word_lines(digest_of(draft.before)))
    yield say("note.schema_words")
    yield from (f"    {line}" for line in word_lines(draft.identity))
    yield say("note.schema_forever")
