"""What must still hold when a handover is asked for: it releases the key (design 4.3).

Between admission and handover days may pass. A revocation or an order under the last anchor before
the handover refuses it; one that comes later is too late for the key. Broker, recipient's node and
auditor judge by this one function. The steps are those of schemas/spec/admission.md, "A release".
"""

from __future__ import annotations

from saphan_schemas.errors import Refused
from saphan_schemas.records import Header, Role

from saphan_protocol.admission_steps import Facts
from saphan_protocol.agreement import Agreed, covers


def check_release(
    header: Header, recipient: str, node_key: bytes, mailbox_key: bytes, facts: Facts
) -> None:
    """Judge the handover of a bulletin that was admitted before.

    Args:
        node_key, mailbox_key: key ids that the newest consignment names, for this recipient.
        facts: time and directory size of the handover; not those of the consignment.

    Raises:
        Refused: `consignment_revoked`, `mailbox_revoked`, `agreement_stopped`.
    """
    _check_key(node_key, Role.NODE, "consignment_revoked", facts)  # R1: a thief's consignment
    _check_key(mailbox_key, Role.MAILBOX, "mailbox_revoked", facts)  # R2: a thief could open it
    _check_agreements(header, recipient, facts)  # R3


def _check_key(key_id: bytes, role: Role, code: str, facts: Facts) -> None:
    try:
        facts.directory.key(key_id, role, facts.at)
    except Refused as error:
        raise Refused(
            code,
            f"{error.message}: what was consigned by it or to it is not handed over",
            field="statement",
            hint="the sender's node consigns the bulletin anew, by itself",
        ) from None


def _check_agreements(header: Header, recipient: str, facts: Facts) -> None:
    agreed, in_force = carrying(header, recipient, facts)
    if not in_force and (agreed is None or agreed.text.in_flight == "stop"):
        raise Refused(
            "agreement_stopped",
            f"no agreement in force covers this bulletin from {header.sender} to {recipient}, and "
            "what is in flight is stopped",
            field="statement",
            hint="it can be handed over again when the agreement is resumed: saphan agreement list",
        )


def carrying(header: Header, recipient: str, facts: Facts) -> tuple[Agreed | None, bool]:
    """The agreement that carries a bulletin which is in flight, and whether it is in force.

    One that allows the bulletin and is in force; or else the newest one that allows it: though
    suspended or ended, it says what becomes of what is in flight. One that has not begun says
    nothing yet.
    """
    directory, newest = facts.directory, None
    for agreed in directory.agreements(header.sender, recipient, facts.at):
        begun = agreed.text.valid_from <= facts.now
        if not begun or covers(agreed, header, recipient) is not None:
            continue
        dated = facts.now < agreed.text.valid_until
        if dated and directory.standing(agreed, facts.at).in_force:
            return agreed, True
        newest = agreed
    return newest, False
