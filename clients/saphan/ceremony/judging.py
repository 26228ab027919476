"""Judging a draft wherever it is opened: every part that can be checked before all have signed.

The machine may have no network and know nothing but this file: what the operation changes is judged
against the agency's earlier operations, which the draft carries. The numbered steps are those of
schemas/spec/ceremony.md, "Judging a draft".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from saphan_protocol.directory import Directory, KeyInfo, operation_leaf
from saphan_protocol.identity import pae
from saphan_protocol.keys import SIGNING_ROLES, VerifyingKey, check_public_key, key_id
from saphan_protocol.operation import OPERATION_TYPE, check_shape
from saphan_protocol.witness import verify_proof
from saphan_schemas.codec import decode
from saphan_schemas.directory_records import Change, Operation, WitnessProof
from saphan_schemas.errors import InvalidInput, Refused, SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role, Signature

from saphan.ceremony.operation_draft import OperationDraft
from saphan.draft_signature import check_signature

SIGNATURE_BYTES: Final = 3_500
"""A root's or a new key's signature with its item, in the finished operation."""
PROOF_BYTES: Final = 2_540
"""A new witness key's proof."""


def open_draft(
    body: bytes,
    history: Sequence[bytes],
    *,
    keys: Iterable[Signature] = (),
    witnesses: Iterable[WitnessProof] = (),
    signatures: Iterable[Signature] = (),
    holders: Mapping[bytes, str] | None = None,
) -> OperationDraft:
    """A draft of these parts; every part is judged, one that does not hold refuses the whole.

    Raises:
        InvalidInput: `operation_draft_malformed`, `signature_invalid`, `key_duplicate`,
            `key_malformed`, `key_weak`, `change_malformed`, `operation_large`.
        Refused: `key_unknown`, `operation_threshold`.
    """
    operation = decode(Operation, body, LIMITS.operation_bytes, "draft.operation")
    draft = OperationDraft(
        body=body,
        operation=operation,
        history=tuple(history),
        before=_replay(operation.agency, history),  # J2
        keys=tuple(keys),
        witnesses=tuple(witnesses),
        holders=dict(holders or {}),
    )
    _check_follows(draft)  # J3
    _check_changes(draft)  # J4
    _check_possession(draft)  # J5
    _check_size(draft)  # J6
    for signature in signatures:  # J7
        draft = with_signature(draft, signature)
    return draft


def with_signature(draft: OperationDraft, signature: Signature) -> OperationDraft:
    """The draft with one more root's signature, checked; raises as `open_draft`."""
    name = signature.item.key
    public = (draft.present | draft.added_roots).get(name)
    if public is None or name in draft.signed:
        raise malformed("a signature is by none of the agency's roots, or stands twice")
    key = VerifyingKey(Role.ROOT, public)
    check_signature(signature, key, OPERATION_TYPE, draft.body, "operation")
    return replace(draft, signatures=(*draft.signatures, signature))


def _replay(agency: str, history: Sequence[bytes]) -> Directory:
    directory = Directory()
    try:
        for signed in history:
            directory.apply(operation_leaf(signed))
    except SaphanError as error:
        raise malformed(f"its earlier operations do not hold: {error.message}") from None
    if directory.agencies() not in ([], [agency]):
        raise malformed("its earlier operations are another agency's")
    return directory


def _check_follows(draft: OperationDraft) -> None:
    version, last, _ = draft.before.version(draft.operation.agency)
    if (draft.operation.version, draft.operation.previous) != (version + 1, last):
        raise malformed(f"operation {draft.operation.version} does not follow its own history")


def _check_changes(draft: OperationDraft) -> None:
    """What `Directory.check_operation` will ask of the changes, asked before anybody signs."""
    known = {key.key_id: key for key in draft.before.all_keys(draft.operation.agency)}
    seen: set[bytes] = set()
    for number, change in enumerate(draft.operation.changes):
        check_shape(change, f"draft.operation.changes[{number}]")
        name = change.key if change.action == "revoke" else key_id(change.role, change.key)
        if change.action == "revoke":
            _check_revoked(draft.operation.agency, change, known.get(name))
        else:
            check_public_key(change.role, change.key)
        if name in seen or (change.action == "add" and name in known):
            raise InvalidInput(
                "key_duplicate",
                f"{change.role.value} key {name.hex()[:16]} is named twice, or was enrolled before",
                field="draft.operation",
                hint="keys are made fresh for each enrolment",
            )
        seen.add(name)
    if not draft.operation.threshold <= len(draft.future) <= LIMITS.roots:
        raise threshold_refused(draft.operation.threshold, f"{len(draft.future)} roots")


def _check_revoked(agency: str, change: Change, held: KeyInfo | None) -> None:
    if held is None or held.role is not change.role or held.revoked is not None:
        raise Refused(
            "key_unknown",
            f"{agency} has no active {change.role.value} key {change.key.hex()[:16]}",
            field="draft.operation",
            hint="see the active ones: saphan keys list",
        )


def _check_possession(draft: OperationDraft) -> None:
    """Every new key but mailboxes and roots has signed the operation, and nobody else has."""
    added = {key_id(c.role, c.key): c for c in draft.operation.changes if c.action == "add"}
    signing = {n: c for n, c in added.items() if c.role in SIGNING_ROLES - {Role.ROOT}}
    witnesses = {n: c for n, c in added.items() if c.role is Role.WITNESS}
    signed = sorted(signature.item.key for signature in draft.keys)
    proven = sorted(proof.key for proof in draft.witnesses)
    if signed != sorted(signing) or proven != sorted(witnesses):
        raise malformed("a new key has not signed it, or something else has")
    for signature in draft.keys:
        change = signing[signature.item.key]
        key = VerifyingKey(change.role, change.key)
        check_signature(signature, key, OPERATION_TYPE, draft.body, "operation")
    for proof in draft.witnesses:
        verify_proof(witnesses[proof.key].key, pae(OPERATION_TYPE, draft.body), proof.signature)


def _check_size(draft: OperationDraft) -> None:
    """A draft too large for a log entry is refused before its holders travel for it."""
    roots = draft.present_threshold + (draft.operation.threshold if draft.changes_roots else 0)
    count = roots + len(draft.added_roots) + len(draft.keys)
    size = len(draft.body) + count * SIGNATURE_BYTES + len(draft.witnesses) * PROOF_BYTES
    if size >= LIMITS.operation_bytes:
        raise InvalidInput(
            "operation_large",
            f"the operation would take {size} bytes with its signatures, a log entry has "
            f"{LIMITS.operation_bytes}",
            field="draft.operation",
            hint="make two operations of it: fewer keys in each",
        )


def threshold_refused(threshold: int, of: str) -> Refused:
    """The error for as many signatures as these roots can never give."""
    return Refused(
        "operation_threshold",
        f"{threshold} of {of} cannot be a threshold",
        field="draft.threshold",
        hint=f"an agency has at most {LIMITS.roots} roots, and no more sign than there are",
    )


def malformed(why: str) -> InvalidInput:
    """The error for a file that is no draft, or not whole."""
    return InvalidInput(
        "operation_draft_malformed",
        f"this is not an operation's draft: {why}",
        field="draft",
        hint="ask for the draft again, by another way; it is the file that `saphan agency init`, "
        "`saphan keys` or `saphan root sign` wrote",
    )
