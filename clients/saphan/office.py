"""An agency's folder: where its keys, its operations and its node's files stand.

agency.json              public: name and root keys, to be handed to other agencies
enrol.saphan             the first operation, to be carried to the broker's operator
operations/0001.saphan   every operation of the agency, numbered by version
drafts/0002.draft        an operation that waits for its root holders
root/root.key            sealed by passphrase; belongs offline
root/<holder>.json       or: public halves of roots that holders keep elsewhere
officers/<handle>.key    sealed by passphrase
orders/order.key         sealed by passphrase
node/node.key, node/witness.key, node/mailbox/<key id>.key    0600, of the service user
node/pins.json           the broker's logs, after their words were compared
node/invitation.json     the same with the broker's address and TLS key
agreements/<name>.saphan finished agreements, with their salts: 0600
schemas/<name>.saphan    own bulletin types as the roots have registered them
holds/<number>-<name>.saphan   signed hold orders, with terms and salts: 0600
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saphan_protocol.directory import Directory, operation_leaf
from saphan_protocol.invitation import INVITATION_BYTES, Invitation, parse_invitation
from saphan_protocol.pins import PINS_BYTES, Pins, parse_pins
from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role

from saphan.agency_file import AGENCY_FILE_BYTES, AgencyFile, parse_agency
from saphan.durable import read_bounded

FOLDERS: Final = (
    "root",
    "officers",
    "orders",
    "operations",
    "agreements",
    "node",
    "node/mailbox",
)


@dataclass(frozen=True, slots=True)
class Office:
    """The paths of one agency's folder; nothing is read or created by it."""

    folder: Path

    @property
    def agency_file(self) -> Path:
        return self.folder / "agency.json"

    @property
    def enrolment(self) -> Path:
        return self.folder / "enrol.saphan"

    @property
    def root_key(self) -> Path:
        return self.folder / "root" / "root.key"

    @property
    def node(self) -> Path:
        return self.folder / "node"

    @property
    def pins_file(self) -> Path:
        return self.node / "pins.json"

    @property
    def invitation_file(self) -> Path:
        return self.node / "invitation.json"

    def agreement_file(self, reference: str) -> Path:
        """Where the finished agreement of this reference is kept."""
        return self.folder / "agreements" / f"{reference}.saphan"

    def schema_file(self, name: str) -> Path:
        """Where the signed registration of an own type is kept, with its bundle."""
        return self.folder / "schemas" / f"{name.replace('/', '.')}.saphan"

    def hold_file(self, number: int, name: bytes) -> Path:
        """Where a signed hold order of this number and leaf commitment is kept, with its terms."""
        return self.folder / "holds" / f"{number:04d}-{name.hex()[:16]}.saphan"

    def operation(self, version: int) -> Path:
        """File of the agency's operation with this version."""
        return self.folder / "operations" / f"{version:04d}.saphan"

    def draft(self, version: int) -> Path:
        """Where the draft of an operation waits until enough roots have signed it."""
        return self.folder / "drafts" / f"{version:04d}.draft"

    def root_half(self, holder: str) -> Path:
        """The public half of a root that its holder keeps elsewhere."""
        return self.folder / "root" / f"{holder}.json"

    def key_file(self, role: Role, key_id: bytes, handle: str | None = None) -> Path:
        """Where a key of this role stands when it is in use."""
        match role:
            case Role.ROOT:
                return self.root_key
            case Role.ORDER:
                return self.folder / "orders" / "order.key"
            case Role.OFFICER:
                return self.folder / "officers" / f"{handle}.key"
            case Role.MAILBOX:
                return self.node / "mailbox" / f"{key_id.hex()[:16]}.key"
            case Role.NODE | Role.WITNESS:
                return self.node / f"{role.value}.key"

    def read_agency(self) -> AgencyFile:
        """The agency's public file.

        Raises:
            OperatorError: `not_an_agency_folder`, `file_unreadable`; InvalidInput: as parse_agency.
        """
        if not self.agency_file.is_file():
            raise OperatorError(
                "not_an_agency_folder",
                f"{self.folder} is no agency's folder: it has no agency.json",
                field="dir",
                hint="name it with --dir DIR, or make one: saphan agency init NAME --dir DIR",
            )
        return parse_agency(read_bounded(self.agency_file, AGENCY_FILE_BYTES, "agency.json"))

    def read_pins(self) -> Pins:
        """The broker's logs that this agency trusts.

        Raises:
            OperatorError: `pins_missing`, `file_unreadable`; InvalidInput: `pins_malformed`.
        """
        if not self.pins_file.exists():
            raise OperatorError(
                "pins_missing",
                "no broker is trusted yet: its pin file is not stored here",
                field="pins",
                hint="compare the words with the broker's operator: saphan agency pin FILE",
            )
        return parse_pins(read_bounded(self.pins_file, PINS_BYTES, "pins"))

    def read_invitation(self) -> Invitation:
        """Where the broker is, and how its TLS is known.

        Raises:
            OperatorError: `invitation_missing`, `file_unreadable`; InvalidInput: `invitation_*`.
        """
        if not self.invitation_file.exists():
            raise OperatorError(
                "invitation_missing",
                "no broker's invitation is stored here, so its address is not known",
                field="invitation",
                hint="compare the words with the broker's operator: saphan agency pin FILE; or "
                "name the address: --broker wss://bridge.example:8470",
            )
        data = read_bounded(self.invitation_file, INVITATION_BYTES, "invitation")
        return parse_invitation(data)

    def history(self) -> tuple[bytes, ...]:
        """The agency's SignedOperations as they stand in its folder, from the first.

        Raises:
            OperatorError: `file_unreadable`; InvalidInput: `too_large`.
        """
        found: list[bytes] = []
        while (path := self.operation(len(found) + 1)).exists():
            found.append(read_bounded(path, LIMITS.operation_bytes, "operation"))
        return tuple(found)

    def replay(self) -> Directory:
        """The agency's own operations, checked and replayed in order.

        Raises:
            OperatorError: `operations_damaged`.
        """
        directory, version = Directory(), 1
        while (path := self.operation(version)).exists():
            try:
                data = read_bounded(path, LIMITS.operation_bytes, "operation")
                directory.apply(operation_leaf(data))
            except SaphanError as error:
                raise OperatorError(
                    "operations_damaged",
                    f"{path} is not this agency's operation {version}: {error.message}",
                    field="operations",
                    hint="take the folder from its backup; the broker's log has the operations too",
                ) from None
            version += 1
        return directory
