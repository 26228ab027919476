"""When a proof counts as witnessed: by the policy of the agreement of its corridor (design 5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from saphan_protocol.directory import Directory
from saphan_schemas.directory_records import WitnessPolicy

UNAGREED: Final = WitnessPolicy(1, False)
"""The default, for what runs in no agreement's corridor: one witness of another agency."""


def policy(directory: Directory, pair: tuple[str, str]) -> WitnessPolicy:
    """That of the newest agreement in force for a corridor; of the newest one where none is.

    The caller holds the logs' lock.
    """
    found = UNAGREED
    in_force = False
    for agreed in directory.agreements(*pair):
        stands = directory.standing(agreed).in_force
        if stands or not in_force:
            found, in_force = agreed.text.witnesses, stands
    return found


def counted(directory: Directory, pair: tuple[str, str], agency: str) -> tuple[str, ...]:
    """Agencies whose cosignatures the policy of a corridor counts when `agency` shows a proof.

    The caller holds the logs' lock.
    """
    found = policy(directory, pair)
    parties = set(pair)
    for agreed in directory.agreements(*pair):
        parties.update(party.agency for party in agreed.text.parties)
    return tuple(sorted(parties if found.own_counts else parties - {agency}))


def witnessed(found: WitnessPolicy, agency: str, names: Iterable[str]) -> bool:
    """Whether these agencies' cosignatures make a proof that `agency` shows a witnessed one."""
    counted = set(names) if found.own_counts else set(names) - {agency}
    return len(counted) >= found.quorum
