"""An operation on its way round the holders of an agency's root: drafted, signed by each, finished.

The draft holds the agency's earlier operations too: a machine without a network replays them, so a
holder sees whose key is revoked, which roots must sign, and that nothing was left out. The new keys
have proven themselves when it is drafted; a new root does so when its holder signs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from saphan_protocol.batch import sign_one
from saphan_protocol.identity import pae
from saphan_protocol.keys import SIGNING_ROLES, SigningKey
from saphan_protocol.operation import OPERATION_TYPE
from saphan_protocol.witness import WitnessKey
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import Change, Operation, SignedOperation, WitnessProof
from saphan_schemas.errors import Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role, Signature

from saphan.ceremony.judging import open_draft, threshold_refused, with_signature
from saphan.ceremony.operation_draft import OperationDraft
from saphan.ceremony.roots import known_holders
from saphan.keys.keyfiles import SecretKey
from saphan.office import Office

__all__ = ["OperationDraft", "check_signer", "finish", "merge", "open_draft", "propose", "sign"]


def propose(
    office: Office,
    changes: Sequence[Change],
    new_keys: Iterable[SecretKey | SigningKey],
    now: int,
    threshold: int | None = None,
    holders: Mapping[bytes, str] | None = None,
) -> OperationDraft:
    """Draft an agency's next operation; nothing is written.

    Args:
        changes: 1 to 24, made with `saphan.operations.addition` or as revocations.
        new_keys: every added key that can prove itself now: all but mailbox keys and roots that
            their holders keep elsewhere.
        now: ms UTC.
        threshold: how many roots sign from then on; None leaves it as it is.
        holders: key id to holder's name of roots whose halves are not in the folder yet.

    Raises:
        InvalidInput: `key_duplicate`, `key_malformed`, `key_weak`, `operation_large`.
        Refused: `key_unknown`, `operation_threshold`.
    """
    agency, before = office.read_agency(), office.replay()
    version, last, present = before.version(agency.agency)
    need = (present or agency.threshold) if threshold is None else threshold
    if not 1 <= need <= LIMITS.roots:  # what no operation can even say
        raise threshold_refused(need, "an agency's roots")
    body = encode(Operation(agency.agency, version + 1, last, need, now, tuple(changes)))
    keys, witnesses = _prove(body, new_keys)
    history = office.history()
    names = known_holders(office) | dict(holders or {})
    return open_draft(body, history, keys=keys, witnesses=witnesses, holders=names)


def sign(draft: OperationDraft, root: SigningKey) -> OperationDraft:
    """Add a root's signature; a root that has signed already changes nothing.

    Raises:
        Refused: `root_foreign`: it is none of the agency's roots, old or new.
    """
    if root.key_id in draft.signed:
        return draft
    check_signer(draft, root.key_id)
    return with_signature(draft, sign_one(root, OPERATION_TYPE, draft.body, os.urandom(32)))


def check_signer(draft: OperationDraft, root: bytes) -> None:
    """Refuse a root that has no part in this operation, before its passphrase is asked for.

    Raises:
        Refused: `root_foreign`.
    """
    if root not in draft.present and root not in draft.future:
        raise Refused(
            "root_foreign",
            f"root {root.hex()[:16]} is none of {draft.operation.agency}'s, present or new",
            field="key",
            hint="take the key file that belongs to this agency; saphan root show DRAFT lists them",
        )


def merge(first: OperationDraft, *others: OperationDraft) -> OperationDraft:
    """One draft with the signatures of several copies that went different ways.

    Raises:
        Refused: `draft_differs`: the copies are not of one operation.
    """
    for other in others:
        if other.body != first.body:
            raise Refused(
                "draft_differs",
                "the drafts are of different operations, or one was changed on its way",
                field="draft",
                hint="compare the words that saphan root show DRAFT gives for each of them",
            )
        for signature in other.signatures:
            if signature.item.key not in first.signed:
                first = with_signature(first, signature)
    return first


def finish(draft: OperationDraft) -> bytes:
    """The finished SignedOperation, judged as broker and nodes will judge it.

    Raises:
        Refused: `operation_threshold` naming what is missing; InvalidInput as `check_operation`.
    """
    for whose, have, need in draft.tallies:
        if have < need:
            raise Refused(
                "operation_threshold",
                f"{have} of the {need} needed signatures of {whose} roots are there",
                field="draft.signatures",
                hint="see who has not signed: saphan root show DRAFT",
            )
    added = draft.added_roots.keys()
    proofs = [signature for signature in draft.signatures if signature.item.key in added]
    signed = SignedOperation(
        draft.body, _needed(draft), (*proofs, *draft.keys), tuple(draft.witnesses)
    )
    data = encode(signed)
    draft.before.check_operation(data)
    return data


def _needed(draft: OperationDraft) -> tuple[Signature, ...]:
    """As few root signatures as both thresholds take: a log entry has 65,535 bytes for all."""
    present, future = draft.present.keys(), draft.future.keys() if draft.changes_roots else set()
    need_old = draft.present_threshold if present else 0
    need_new = draft.operation.threshold if draft.changes_roots else 0
    # Roots that count on both sides come first.
    order = sorted(
        draft.signatures,
        key=lambda s: (s.item.key in present) + (s.item.key in future),
        reverse=True,
    )
    chosen: list[Signature] = []
    for signature in order:
        old, new = signature.item.key in present, signature.item.key in future
        if (old and need_old > 0) or (new and need_new > 0):
            chosen.append(signature)
            need_old -= old
            need_new -= new
    return tuple(chosen)


def _prove(
    body: bytes, new: Iterable[SecretKey | SigningKey]
) -> tuple[list[Signature], list[WitnessProof]]:
    """Every new key signs the operation that adds it."""
    keys: list[Signature] = []
    witnesses: list[WitnessProof] = []
    for key in new:
        if key.role in SIGNING_ROLES:
            signer = key if isinstance(key, SigningKey) else key.signing()
            keys.append(sign_one(signer, OPERATION_TYPE, body, os.urandom(32)))
        elif key.role is Role.WITNESS and isinstance(key, SecretKey):
            witness = WitnessKey(key.seed)
            proof = witness.sign_proof(pae(OPERATION_TYPE, body))
            witnesses.append(WitnessProof(witness.key_id, proof))
    return keys, witnesses
