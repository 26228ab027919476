"""What an audit keeps of each delivery: a record, so that it can go on from it later."""

from __future__ import annotations

import msgspec
from saphan_schemas.records import Header

from saphan_protocol.admission import Admitted
from saphan_protocol.aftermath import Aftermath
from saphan_protocol.deadlines import Times
from saphan_protocol.delivery import State

NOTHING_YET = Aftermath()


class Carried(msgspec.Struct, array_like=True, frozen=True):
    """What a handover is judged by; key ids."""

    header: Header
    node_key: bytes
    mailbox_key: bytes


class Delivery(msgspec.Struct, array_like=True):
    """`times` are None when the submission was not shown; `handed` is when it was handed over.

    Args:
        holes: of its corridor at its last step; -1: its state is not known.
        begun: of its corridor when it began; -1: that was not shown.
        submitted: its `submitted` leaf, and `retain`: its retain_until; -1: not shown.
    """

    state: State
    sender: str
    ciphertext: bytes
    holes: int
    begun: int = -1
    submitted: int = -1
    retain: int = -1
    after: Aftermath = NOTHING_YET
    times: Times | None = None
    handed: int | None = None
    said: set[bytes] | None = None
    carried: Carried | None = None
    """What its newest consignment says, until it is handed over."""

    def say(self, name: bytes) -> bool:
        """Remember a statement; False if it was said before."""
        if self.said is None:
            self.said = set()
        known = name in self.said
        self.said.add(name)
        return not known


class DeliveriesKept(msgspec.Struct, array_like=True):
    """Some of what `Deliveries` knows: of a million it is not copied at once."""

    deliveries: list[tuple[tuple[bytes, str], Delivery]] = []
    nonces: list[tuple[bytes, bytes]] = []
    asked: list[bytes] = []
    sent: list[tuple[bytes, int]] = []
    parties: tuple[bytes, bytes] = (b"", b"")


def carried(admitted: Admitted, recipient: str) -> Carried | None:
    """What a handover by this recipient will be judged by."""
    for ref in admitted.consignment.recipients:
        if ref.agency == recipient:
            return Carried(admitted.header, admitted.consignment.node_key, ref.mailbox_key)
    return None
