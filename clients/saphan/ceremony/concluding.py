"""The end of a ceremony: the finished operation in the agency's folder, and what follows from it.

The operation comes first, durably. `agency.json` and `enrol.saphan` follow from the operations: a
crash between them is mended by finishing the same draft again.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from saphan_protocol.directory import Directory
from saphan_protocol.identity import sha256
from saphan_protocol.operation import check_operation
from saphan_schemas.codec import decode
from saphan_schemas.directory_records import SignedOperation
from saphan_schemas.errors import OperatorError, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role

from saphan.agency_file import AgencyFile, format_agency
from saphan.ceremony.draft import finish
from saphan.ceremony.draft_file import DRAFT_BYTES, format_draft
from saphan.ceremony.operation_draft import OperationDraft
from saphan.durable import (
    PUBLIC_MODE,
    create_file,
    make_folder,
    read_bounded,
    replace_file,
    sync_folder,
)
from saphan.office import Office


def conclude(office: Office, draft: OperationDraft) -> Path:
    """Finish a draft and keep the operation; a second time changes nothing.

    Returns:
        The operation's file, to be handed to the node (the first one to the broker's operator).

    Raises:
        Refused: `draft_foreign`, `draft_stale`, `draft_differs`, and what `finish` raises.
        OperatorError: `file_unwritable`.
    """
    version, path = draft.operation.version, office.operation(draft.operation.version)
    if not _kept(office, draft):
        create_file(path, finish(draft), PUBLIC_MODE)
    if version == 1 and not office.enrolment.exists():
        create_file(office.enrolment, office.history()[0], PUBLIC_MODE)
    _follow(office, version)
    return path


def keep_logged(office: Office, signed: bytes) -> Path:
    """Keep an operation that the log has and the folder lacks: of a backup, of another machine.

    Without it whatever the office drafts next follows an older operation and is never logged. It is
    judged by the folder's own operations before it: whose log it came from does not count.

    Returns:
        The operation's file; one that is there already is left as it is.

    Raises:
        OperatorError: `operations_damaged`: another operation is in its place, or an earlier one
            is missing. Refused, InvalidInput: as `Directory.check_operation`.
    """
    operation = check_operation(signed).record
    path, history = office.operation(operation.version), office.history()
    directory, at = office.replay(), operation.version - 1
    if len(history) > at and check_operation(history[at]).record == operation:
        return path
    if len(history) != at:
        other = len(history) > at
        raise OperatorError(
            "operations_damaged",
            f"{path} is another operation than the log's"
            if other
            else f"{office.folder} has no operation {len(history) + 1}, which comes before",
            field="operations",
            hint="it was never logged: move it away, with all that follow it; then again"
            if other
            else f"take that one first: saphan keys acknowledge {len(history) + 1}",
        )
    agency = office.read_agency().agency
    if operation.agency != agency:
        raise Refused("draft_foreign", f"it is an operation of {operation.agency}", field="agency")
    directory.check_operation(signed)
    create_file(path, signed, PUBLIC_MODE)
    _follow(office, operation.version)
    return path


def store_draft(office: Office, draft: OperationDraft) -> Path:
    """Put a draft where it waits for its holders; an agency has one at a time.

    Raises:
        OperatorError: `file_exists`, `file_unwritable`.
    """
    path = office.draft(draft.operation.version)
    make_folder(path.parent)
    create_file(path, format_draft(draft), PUBLIC_MODE)
    return path


def waiting_draft(office: Office) -> Path | None:
    """The draft of the agency's next operation, if it waits for its root holders."""
    path = office.draft(len(office.history()) + 1)
    return path if path.exists() else None


def check_none_waits(office: Office) -> None:
    """Refuse to begin an operation beside one that waits: only one of them could ever follow.

    Raises:
        OperatorError: `draft_waiting`.
    """
    path = waiting_draft(office)
    if path is not None:
        raise OperatorError(
            "draft_waiting",
            f"an operation is drafted already and waits for its root holders: {path}",
            field="draft",
            hint=f"finish it: saphan root finish {path}; or give it up with --instead, if this "
            "operation is more urgent",
        )


def give_up(office: Office) -> Path | None:
    """Set the waiting draft aside for another operation; nothing happens where none waits.

    It is kept beside: until another operation is finished, it or a signed copy could still be. Key
    files that it was to enrol stay too.

    Returns:
        Where it is kept now.

    Raises:
        OperatorError: `file_unwritable`.
    """
    path = waiting_draft(office)
    if path is None:
        return None
    data = read_bounded(path, DRAFT_BYTES, "draft")
    kept = path.with_name(f"{path.name}.{sha256(data).hex()[:8]}.given-up")
    if not kept.exists():
        create_file(kept, data, PUBLIC_MODE)
    path.unlink()
    sync_folder(path.parent)
    return kept


def take_up(office: Office, kept: Path) -> None:
    """Let a draft that was set aside wait again, unless another one does by now."""
    if waiting_draft(office) is None:
        kept.rename(office.draft(len(office.history()) + 1))
        sync_folder(kept.parent)


def _kept(office: Office, draft: OperationDraft) -> bool:
    """Whether the operation is in the folder already; what cannot follow there is refused."""
    agency, history = office.read_agency().agency, office.history()
    if draft.operation.agency != agency:
        raise Refused(
            "draft_foreign",
            f"the draft is an operation of {draft.operation.agency}, this is {agency}",
            field="draft",
            hint="name the agency's folder with --dir",
        )
    at = draft.operation.version - 1
    if len(history) > at:
        done = decode(SignedOperation, history[at], LIMITS.operation_bytes, "operation")
        if done.operation == draft.body:
            return True
    if history != draft.history:
        raise Refused(
            "draft_stale",
            f"the draft follows operation {at}, and {agency} is at operation {len(history)}",
            field="draft",
            hint="it can never be used: make the change again, on the agency's newest operation",
        )
    if not history:
        _check_first(office.read_agency(), draft)
    return False


def _check_first(agency: AgencyFile, draft: OperationDraft) -> None:
    """Refuse a first operation of other roots than those that the agency was made with.

    Nothing is signed by roots that are known before it: whoever carries the draft could make a
    whole one of their own, and the office would hand their keys to the broker in its own name.
    """
    found = (set(draft.added_roots), draft.operation.threshold)
    if found != (set(agency.root_ids), agency.threshold):
        raise Refused(
            "draft_differs",
            "the draft's roots, or how many of them sign, are not those that this agency was "
            "made with",
            field="draft",
            hint="it was exchanged on its way: tell the root's holders, and carry the office's own "
            "draft to them again",
        )


def _follow(office: Office, version: int) -> None:
    """Bring `agency.json` up to the roots that the operations say; no draft of `version` waits."""
    agency = office.read_agency()
    now = roots_of(office.replay(), agency.agency)
    if now != agency:
        replace_file(office.agency_file, format_agency(now), PUBLIC_MODE)
    with contextlib.suppress(FileNotFoundError):
        office.draft(version).unlink()
        sync_folder(office.draft(version).parent)


def roots_of(directory: Directory, agency: str) -> AgencyFile:
    """The agency as its newest operation leaves it: roots in the order of their enrolment."""
    roots = tuple(root.public for root in directory.keys(agency, Role.ROOT))
    return AgencyFile(agency=agency, threshold=directory.version(agency)[2], roots=roots)
