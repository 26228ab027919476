"""What every part of a node stands on: its identity, its store, its logs, its keys and files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from saphan_protocol.keys import SigningKey
from saphan_protocol.pins import Pins
from saphan_protocol.witness import WitnessKey
from saphan_schemas.records import Role

from saphan.keys.keyfiles import read_node, read_witness
from saphan.node.alarms import Alarms
from saphan.node.archive import Archive
from saphan.node.config import NodeConfig
from saphan.node.events import Events
from saphan.node.files.blobs import BlobFiles
from saphan.node.files.parts import sweep
from saphan.node.files.uploads import Uploads
from saphan.node.logs import Logs
from saphan.node.own_schemas import OwnSchemas
from saphan.node.policy.current import Current
from saphan.node.restored import Restored, catching_up
from saphan.node.retention.witnessed import WitnessedTime
from saphan.node.rows.db import Database
from saphan.node.seen_heads import SeenHeads
from saphan.node.split import TwoHistories
from saphan.node.splits import Splits
from saphan.node.succession.kept import present_pins
from saphan.node.trust.mailboxes import Mailboxes
from saphan.node.witness import Witness
from saphan.office import Office


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The parts that need no other part."""

    config: NodeConfig
    agency: str
    key: SigningKey
    pins: Pins
    db: Database
    logs: Logs
    restored: Restored
    time: WitnessedTime
    witness: Witness
    splits: Splits
    seen: SeenHeads
    archive: Archive
    mailboxes: Mailboxes
    files: BlobFiles
    uploads: Uploads
    settings: Current
    own: OwnSchemas
    alarms: Alarms
    events: Events

    @property
    def clock(self) -> Callable[[], int]:
        """Gives ms UTC."""
        return self.config.clock


def lay(config: NodeConfig) -> Ground:
    """Open it; blocking. Whoever takes it closes `db`.

    Raises:
        OperatorError: key files, pins, store, lock; InvalidInput: damaged files.
    """
    office = config.office
    agency, file = office.read_agency().agency, office.read_pins()
    key = read_node(office.key_file(Role.NODE, b""))
    mailboxes = Mailboxes(office.node / "mailbox")
    db = Database(config.data)
    try:
        alarms, clock = Alarms(config.clock), config.clock
        settings = Current(config.settings_file, alarms)
        pins = present_pins(db, file)
        logs = Logs(db, pins)
        restored = Restored(db, logs)
        if restored.listening:
            alarms.sound(catching_up())
        witness_key = _witness_key(office, restored)
        witness = Witness(agency, witness_key, config.data / "witness.json", clock)
        splits = Splits(agency, db, config.data, pins, alarms, clock)
        _expect(logs, witness, splits)
        seen = SeenHeads(agency, db, config.data, logs, alarms, clock)
        seen.look()
        files = BlobFiles(config.blobs)
        sweep(db, files, agency)
        return Ground(
            config=config,
            agency=agency,
            key=key,
            pins=pins,
            db=db,
            logs=logs,
            restored=restored,
            time=WitnessedTime(agency, db, logs, clock),
            witness=witness,
            splits=splits,
            seen=seen,
            archive=Archive(config.data / "archive-keys"),
            mailboxes=mailboxes,
            files=files,
            uploads=Uploads(config.blobs / "uploads", clock),
            settings=settings,
            own=OwnSchemas(agency, db, logs, alarms),
            alarms=alarms,
            events=Events(),
        )
    except BaseException:
        db.close()
        raise


def _expect(logs: Logs, witness: Witness, splits: Splits) -> None:
    """Hold the store against what this node's witness has signed.

    Two histories, once they are written down, are for people to look at: the node starts, and does
    not speak with its broker.

    Raises:
        OperatorError: `split_unproven`; `split_view` that cannot be written.
    """
    pins = logs.pins
    try:
        logs.expect(witness.known_of_any(pins.directory), witness.known(pins.evidence.origin))
    except TwoHistories as met:
        error = splits.keep(met)
        if not splits.standing():
            raise error from None


def _witness_key(office: Office, restored: Restored) -> WitnessKey | None:
    """The witness key; a restored node has none before its agency has made a new one."""
    path = office.key_file(Role.WITNESS, b"")
    if restored.at is not None and not path.exists():
        return None
    return read_witness(path)
