"""A change of the roots themselves: holders come and go, or more of them have to sign.

The present roots sign it, as many as it takes today, and the roots as they will be, as many as it
takes from then on; every new root signs, to prove that its holder has the key.
"""

from __future__ import annotations

from collections.abc import Sequence

from saphan_schemas.directory_records import Change
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.records import Role

from saphan.ceremony.draft import propose
from saphan.ceremony.holder import RootHalf
from saphan.ceremony.operation_draft import OperationDraft
from saphan.ceremony.roots import check_distinct, known_holders, root_additions
from saphan.office import Office


def change_roots(
    office: Office,
    added: Sequence[RootHalf],
    removed: Sequence[str],
    threshold: int | None,
    now: int,
) -> OperationDraft:
    """Draft a change of the roots; nothing is written.

    Args:
        added: public halves of new roots.
        removed: holders' names, or at least 8 hexadecimal digits of key ids.
        threshold: how many sign from then on; None leaves it as it is.
        now: ms UTC.

    Raises:
        InvalidInput: `roots_unchanged`, `key_prefix`, `key_duplicate`, `holder_duplicate`.
        Refused: `key_unknown`, `operation_threshold`.
    """
    _check_new_names(office, added)
    gone = [_find(office, each) for each in removed]
    changes = [Change("revoke", Role.ROOT, name, None, None, None) for name in gone]
    changes += root_additions(tuple(added))
    if not changes:
        raise InvalidInput(
            "roots_unchanged",
            "an operation that adds and removes no root is not made",
            field="roots",
            hint="the threshold changes together with a holder: --add FILE or --remove HOLDER",
        )
    holders = {half.key_id: half.holder for half in added}
    return propose(office, changes, (), now, threshold, holders)


def _check_new_names(office: Office, added: Sequence[RootHalf]) -> None:
    check_distinct(tuple(added))
    known = {holder: name for name, holder in known_holders(office).items()}
    for half in added:
        if known.get(half.holder, half.key_id) != half.key_id:
            raise InvalidInput(
                "holder_duplicate",
                f"another root of this agency has the holder's name {half.holder}",
                field="root",
                hint="make the new root under another name, such as the name with a number",
            )


def _find(office: Office, wanted: str) -> bytes:
    """The one active root with this holder's name or start of its key id."""
    agency, holders = office.read_agency().agency, known_holders(office)
    digits = wanted.lower()
    by_id = len(digits) >= 8 and all(digit in "0123456789abcdef" for digit in digits)
    found = [
        root.key_id
        for root in office.replay().keys(agency, Role.ROOT)
        if holders.get(root.key_id) == wanted or (by_id and root.key_id.hex().startswith(digits))
    ]
    if len(found) != 1:
        raise Refused(
            "key_unknown",
            f"{len(found)} roots of {agency} are named {wanted[:64]!r}",
            field="remove",
            hint="give a holder's name, or 8 digits of the key id: saphan agency show",
        )
    return found[0]
