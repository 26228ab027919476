"""What a process is to its broker: does it sequence, does anybody, what was accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from saphan_broker.broker import Broker

Role: TypeAlias = Literal["alone", "holder", "follower"]


@dataclass(frozen=True, slots=True)
class Standing:
    """A process among those of its broker.

    Args:
        role: `alone` where there is only one.
        holder: whether a process that sequences is known.
        accepted_losses: settings by which the store may lose data, taken with --accept-loss.
    """

    role: Role
    holder: bool
    accepted_losses: tuple[str, ...]


def standing_of(broker: Broker) -> Standing:
    """The standing of a started broker's process."""
    process = broker.role
    role: Role = "alone" if process.alone else "holder" if process.holding else "follower"
    return Standing(role, process.holder_known, getattr(broker.store, "accepted_losses", ()))
