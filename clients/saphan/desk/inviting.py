"""The node's side of an invitation: its address, its key, where its agency's operations stand."""

from __future__ import annotations

from saphan_protocol.invitation import split_address
from saphan_schemas.errors import InvalidInput, OperatorError

from saphan.desk.invitation import Chain, DeskInvitation
from saphan.node.desks.tls import desk_certificate
from saphan.node.policy.settings import SETTINGS_NAME, read_settings
from saphan.office import Office

EVERYWHERE = frozenset({"0.0.0.0", "::", "*"})  # noqa: S104 (refused, not listened at)


def invite(office: Office, address: str | None, now: int) -> DeskInvitation:
    """An invitation to the desks of this agency; the node's TLS key is made if it has none.

    Args:
        address: HOST:PORT at which desks reach the node; None: as the node's settings say.
        now: ms UTC.

    Raises:
        InvalidInput: `address_malformed`, `address_needed`, `settings_malformed`.
        OperatorError: `not_an_agency_folder`, `operations_damaged`, `file_unwritable`.
    """
    agency = office.read_agency().agency
    named = address or read_settings(office.node / SETTINGS_NAME).desks
    host = "" if named is None else split_address(named)[0]
    if named is None or host in EVERYWHERE:
        raise InvalidInput(
            "address_needed",
            "desks need the name or the address at which they reach the node",
            field="address",
            hint="say it: --address node.example:8472",
        )
    version, last, threshold = office.replay().version(agency)
    if last is None:
        raise OperatorError(
            "operations_damaged",
            f"{office.folder} holds no operation of this agency",
            field="operations",
            hint="take the folder from its backup; the broker's log has the operations too",
        )
    facts = desk_certificate(office.node, host, now)
    chain = Chain(version=version, last=last.hex(), threshold=threshold)
    return DeskInvitation(agency=agency, address=named, tls=facts.pin, chain=chain)
