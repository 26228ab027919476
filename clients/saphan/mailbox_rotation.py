"""Making an agency's next weekly mailbox keys, where its node stands; its roots enrol them.

Private halves never travel: they are made in the node's own folder. The roots sign their public
halves, on another machine if that is where they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saphan_protocol.directory import KeyInfo
from saphan_schemas.directory_records import Change
from saphan_schemas.errors import Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role

from saphan.ceremony.concluding import check_none_waits
from saphan.ceremony.draft import propose
from saphan.durable import make_folder
from saphan.keys.keyfiles import SecretKey, write_plain
from saphan.keys.mailbox_schedule import WEEK_MS, make_keys, planned_until, schedule
from saphan.keys.passphrase import Passphrase
from saphan.office import Office
from saphan.operations import Made, settle, sign_here

REPLACE_WEEKS: Final = 12
"""Where all are revoked at once: 40 to come and 10 of before, of an operation's 64 changes."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """New weekly keys and the operation, or its draft, that enrols them.

    Attributes:
        key_files: one for each week, in order; revoked: key ids that the operation revokes.
        until: end of the last week, ms UTC.
    """

    made: Made
    key_files: tuple[Path, ...]
    revoked: tuple[bytes, ...]
    until: int


def rotate_mailbox(
    office: Office, weeks: int | None, root: Passphrase | None, *, now: int, replace: bool = False
) -> Rotated:
    """Make weekly mailbox keys that follow those enrolled, and the operation that enrols them.

    Args:
        weeks: how many, 1 to 24; None: as many as there is always room for.
        root: passphrase of the root in the agency's folder; None leaves a draft for its holders.
        now: ms UTC.
        replace: revoke every mailbox key that is not yet destroyed, and begin now: somebody else
            may hold the private halves.

    Raises:
        InvalidInput: `weeks_count`. Refused: `weeks_planned`, `operation_threshold`.
        OperatorError: `draft_waiting`, key file and passphrase codes.
    """
    directory, agency = office.replay(), office.read_agency().agency
    check_none_waits(office)
    if weeks is None:
        weeks = REPLACE_WEEKS if replace else LIMITS.mailbox_weeks
    old = [key for key in directory.keys(agency, Role.MAILBOX) if _held(key, now)]
    begin = now if replace else max(now, planned_until(old, now))
    terms = schedule(begin, weeks)
    gone = tuple(key.key_id for key in old) if replace else ()
    _check_room(weeks, len(gone), begin + weeks * WEEK_MS, now)
    keys = make_keys(terms)
    changes = [Change("revoke", Role.MAILBOX, name, None, None, None) for name in gone]
    changes += [change for _, change in keys]
    draft = propose(office, changes, (), now)
    if root is not None:
        draft = sign_here(office, draft, root)
    files = _write(office, [key for key, _ in keys])
    # A crash here leaves keys that nothing enrols: nobody seals to them.
    return Rotated(settle(office, draft), files, gone, begin + weeks * WEEK_MS)


def _held(key: KeyInfo, now: int) -> bool:
    return key.open_until is not None and key.open_until >= now


def _check_room(weeks: int, revoked: int, until: int, now: int) -> None:
    room = LIMITS.operation_changes - revoked
    if until - now <= LIMITS.mailbox_ahead_weeks * WEEK_MS and weeks <= room:
        return
    raise Refused(
        "weeks_planned",
        f"{weeks} more weeks are too many: keys are made {LIMITS.mailbox_ahead_weeks} weeks ahead, "
        f"and an operation takes {LIMITS.operation_changes} changes",
        field="weeks",
        hint="see how far they reach: saphan keys list; then give fewer --weeks, or --replace them "
        "if this machine's clock was wrong when they were made",
    )


def _write(office: Office, keys: list[SecretKey]) -> tuple[Path, ...]:
    paths = [office.key_file(Role.MAILBOX, key.key_id) for key in keys]
    make_folder(office.node / "mailbox")
    for path, key in zip(paths, keys, strict=True):
        write_plain(path, key)
    return tuple(paths)
