"""What a draft says, as plain values: for the page that holders compare, for JSON, for paper."""

from __future__ import annotations

from typing import Any

from saphan_protocol.keys import key_id
from saphan_protocol.words import fingerprint_words
from saphan_schemas.directory_records import Change
from saphan_schemas.records import Role

from saphan.ceremony.operation_draft import OperationDraft


def describe(draft: OperationDraft) -> dict[str, Any]:
    """Everything that is signed, and who has signed; keys with their words, times in ms UTC."""
    operation = draft.operation
    return {
        "agency": operation.agency,
        "version": operation.version,
        "time": operation.time,
        "identity": draft.identity.hex(),
        "words": fingerprint_words(draft.identity),
        "threshold": {"before": draft.present_threshold, "after": operation.threshold},
        "changes": [_change(draft, change) for change in operation.changes],
        "roots": [_root(draft, name) for name in draft.present | draft.added_roots],
        "tallies": [
            {"of": whose, "signed": have, "needed": need} for whose, have, need in draft.tallies
        ],
        "complete": draft.complete,
    }


def _change(draft: OperationDraft, change: Change) -> dict[str, Any]:
    """One change; a revocation says whose key it is and since when, from the earlier operations."""
    if change.action == "add":
        name, handle, since = key_id(change.role, change.key), change.handle, None
    else:
        held = draft.before.find(change.key)
        assert held is not None  # a draft that revokes what is not there is refused when opened
        name, handle, since = change.key, held.handle, held.added + 1
    return {
        "action": change.action,
        "role": change.role.value,
        # A label is of a root's holder only: the draft does not name anybody else's key by it.
        "handle": draft.holders.get(name) if change.role is Role.ROOT else handle,
        "key_id": name.hex(),
        "words": fingerprint_words(name),
        "enrolled_by": since,
        "seal_until": change.seal_until,
        "open_until": change.open_until,
    }


def _root(draft: OperationDraft, name: bytes) -> dict[str, Any]:
    added, stays = name in draft.added_roots, name in draft.future
    return {
        "key_id": name.hex(),
        "holder": draft.holders.get(name),
        "words": fingerprint_words(name),
        "state": "added" if added else "stays" if stays else "revoked",
        "signed": name in draft.signed,
    }
