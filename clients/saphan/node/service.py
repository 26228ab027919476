"""One running node: everything opened, wired and closed in one place."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from saphan_protocol.keys import SigningKey
from saphan_protocol.suite import require_post_quantum
from saphan_protocol.witness import WitnessKey
from saphan_schemas.errors import OperatorError
from saphan_schemas.records import Role

from saphan.compose import Wish
from saphan.keyfiles import read_node, read_witness
from saphan.node.agreement_watch import AgreementWatch
from saphan.node.alarms import Alarms
from saphan.node.archive import Archive
from saphan.node.bound import Bound
from saphan.node.budget import Budget
from saphan.node.bulletins import Bulletins
from saphan.node.clearance import Clearance
from saphan.node.config import NodeConfig
from saphan.node.countersigning import Countersigning
from saphan.node.current import Current
from saphan.node.db import Database
from saphan.node.drafts_kept import DraftsKept
from saphan.node.engine import Engine
from saphan.node.events import Events
from saphan.node.files.attachments import Shown
from saphan.node.files.blobs import DAMAGED, BlobFiles
from saphan.node.files.parts import mark_lost, sweep
from saphan.node.files.uploads import Uploads
from saphan.node.in_flight import InFlight
from saphan.node.judging import Judge
from saphan.node.line import Line
from saphan.node.logs import Logs
from saphan.node.mailbox_care import MailboxCare
from saphan.node.mailboxes import Mailboxes
from saphan.node.outbox import Outbox
from saphan.node.own_operations import OwnOperations
from saphan.node.prepared import Outcome, Prepared, Waiting
from saphan.node.readings import SYSTEM, Readings
from saphan.node.receive import Intake
from saphan.node.recovery import Recovery
from saphan.node.rejections import Rejections
from saphan.node.repeats import Repeat, Repeats
from saphan.node.resent import first_answer
from saphan.node.restored import Restored, catching_up
from saphan.node.rules import Rules
from saphan.node.second_officer import SecondOfficer
from saphan.node.session import Parts
from saphan.node.showings import ATTACHMENT, Showings
from saphan.node.submitting import Submitting
from saphan.node.telling.notices import Notices
from saphan.node.tokens import Tokens
from saphan.node.watching import Watching
from saphan.node.witness import Witness
from saphan.office import Office

log = logging.getLogger("saphan.node")


@dataclass(frozen=True, slots=True)
class NodeService:
    """The parts of a running node, for its API; made by `running`."""

    config: NodeConfig
    agency: str
    key: SigningKey
    db: Database
    archive: Archive
    uploads: Uploads
    logs: Logs
    engine: Engine
    outbox: Outbox
    submitting: Submitting
    bulletins: Bulletins
    readings: Readings
    clearance: Clearance
    showings: Showings
    second: SecondOfficer
    line: Line
    alarms: Alarms
    events: Events
    settings: Current
    notices: Notices
    tokens: Tokens
    watching: Watching
    agreements: AgreementWatch
    listening: dict[str, tuple[str, int]] = field(default_factory=dict)
    """(host, port) of what is served besides the local API: "desks"."""

    @property
    def rules(self) -> Rules:
        """What its officers are shown."""
        return self.settings.now.shown

    def shows(self, handle: str, bulletin: bytes) -> bool:
        """Whether this officer is shown this bulletin; blocking."""
        return self.clearance.viewer(handle).shows(bulletin)

    async def reread_settings(self) -> None:
        """Take the settings file as it is now; a damaged one is an alarm, and changes nothing."""
        await asyncio.to_thread(self.settings.reread)
        self.engine.budget.look()
        self.events.publish([{"type": "settings"}])

    async def send(self, wish: Wish, repeat: Repeat | None = None) -> bytes:
        """Keep a machine-made bulletin; its id when it is durable.

        Args:
            repeat: of a request that may come again; then it has the first answer.

        Raises:
            SaphanError: why it is refused.
        """
        return await self.submitting.machine(wish, repeat)

    async def send_signed(self, prepared: Prepared) -> Outcome | Waiting:
        """Keep an officer's bulletin; its id, or why it is refused. Sent again, it has its id.

        Raises:
            Refused: `above_clearance`, `section_foreign`; what `SecondOfficer.judge` raises.
        """
        author, header = prepared.author, prepared.draft.header
        if author is not None:
            await self.engine.in_reading(partial(self.clearance.check_send, author, header))
        waiting = await self.second.judge(prepared)
        if waiting is not None:
            return waiting
        submitted = await self.engine.in_sealing(partial(self.outbox.submit, [prepared]))
        self.line.offer(submitted.portion)
        (outcome,) = submitted.outcomes
        again = partial(first_answer, self.db, self.archive, prepared, outcome)
        return await self.engine.in_reading(again)

    async def read(self, bulletin: bytes, record: bytes, signature: bytes) -> dict[str, Any]:
        """Content for an officer who has signed that they read it.

        Raises:
            InvalidInput: `bulletin_unknown` for what the rules do not show to this officer;
            SaphanError: what `Readings.officer` raises.
        """

        def judge() -> str:
            handle = self.readings.check(bulletin, record, signature).handle
            self.clearance.viewer(handle).check(bulletin)
            return handle

        handle = await self.engine.in_reading(judge)
        content, stated = await self.engine.in_sealing(
            partial(self.readings.officer, bulletin, record, signature)
        )
        if stated:
            self.line.wake_statements()
        officer = self.rules.officer(handle)
        return content | {"languages": [] if officer is None else list(officer.languages)}

    async def attachment(
        self,
        bulletin: bytes,
        number: int,
        reader: bytes | None = None,
        officer: str | None = None,
    ) -> Shown:
        """An attachment for those who have read its bulletin; a lost one is fetched again.

        Args:
            reader, officer: whose reading counts, by key and by handle; what is shown to an
                officer is a record.

        Raises:
            SaphanError: what `Readings.attachment` raises; InvalidInput: `bulletin_unknown` for
                what this officer is not shown.
        """

        def look() -> Shown:
            if officer is not None:
                self.clearance.viewer(officer).check(bulletin)
            shown = self.readings.attachment(bulletin, number, reader, officer)
            if officer is not None:
                self.showings.note(officer, ATTACHMENT, [bulletin])
            return shown

        try:
            return await self.engine.in_sealing(look)
        except OperatorError as error:
            if error.code == DAMAGED:
                await self.fetch_again(bulletin)
            raise

    async def fetch_again(self, bulletin: bytes) -> None:
        """Received attachments of a bulletin are damaged on this disk: the broker may have them."""

        def lose() -> None:
            with self.db.transaction() as tx:
                mark_lost(tx, bulletin, self.agency)

        await self.engine.in_frames(lose)
        self.line.wake_parts()

    async def read_by_system(self, bulletin: bytes, reader: bytes = SYSTEM) -> dict[str, Any]:
        """Content for a case system of the agency.

        Args:
            reader: which one, as `views.system_reader` names it.

        Raises:
            SaphanError: what `Readings.system` raises.
        """
        read = partial(self.readings.system, bulletin, reader)
        content, stated = await self.engine.in_sealing(read)
        if stated:
            self.line.wake_statements()
        return content


def build(config: NodeConfig) -> NodeService:
    """Open everything a node needs; blocking, before the event loop has anything else to do.

    Raises:
        OperatorError: key files, pins, store, lock; InvalidInput: damaged files.
    """
    require_post_quantum()
    office = config.office
    agency = office.read_agency().agency
    pins = office.read_pins()
    key = read_node(office.key_file(Role.NODE, b""))
    mailboxes = Mailboxes(office.node / "mailbox")
    db = Database(config.data)
    try:
        alarms, events, clock = Alarms(config.clock), Events(), config.clock
        settings = Current(config.settings_file, alarms)
        logs = Logs(db, pins)
        restored = Restored(db, logs)
        if restored.listening:
            alarms.sound(catching_up())
        witness_key = _witness_key(office, restored)
        witness = Witness(agency, witness_key, config.data / "witness.json", clock)
        logs.expect(witness.known(pins.directory.origin), witness.known(pins.evidence.origin))
        archive = Archive(config.data / "archive-keys")
        files = BlobFiles(config.blobs)
        sweep(db, files, agency)
        uploads = Uploads(config.blobs / "uploads", clock)
        judge = Judge(agency, archive, mailboxes, logs.directory, files)
        intake = Intake(agency, key, db, logs, judge, mailboxes, restored, clock)
        outbox = Outbox(agency, key, db, archive, logs, files, uploads, clock, settings.needs_two)
        budget = Budget(db, settings, alarms, clock)
        engine = Engine(agency, key, db, logs, intake, outbox, alarms, budget)
        recovery = Recovery(agency, key, db, logs, archive, judge, mailboxes, alarms, clock)
        parts = Parts(engine, recovery, witness, restored, files, alarms, events, clock)
        line = Line(config.broker, parts, config.pin)
        rejections = Rejections(db, mailboxes, archive)
        care = MailboxCare(agency, db, logs, mailboxes, rejections, witness, alarms, clock)
        bulletins = Bulletins(agency, db, mailboxes, archive, pins.evidence.origin)
        clearance = Clearance(agency, logs, settings, bulletins)
        showings = Showings(db, clock)
        readings = Readings(agency, key, db, logs, archive, files, restored, clock)
        drafts = DraftsKept(db, archive, files, uploads, clock)
        eyes = Countersigning(
            agency, logs, settings, clearance, drafts, outbox, showings.has_read, clock
        )
        return NodeService(
            config=config,
            agency=agency,
            key=key,
            db=db,
            archive=archive,
            uploads=uploads,
            logs=logs,
            engine=engine,
            outbox=outbox,
            submitting=Submitting(engine, line, Repeats(db)),
            bulletins=bulletins,
            readings=readings,
            clearance=clearance,
            showings=showings,
            second=SecondOfficer(engine, line, events, eyes, drafts, readings, showings),
            line=line,
            alarms=alarms,
            events=events,
            settings=settings,
            notices=Notices(clearance.shown_to, db, settings, alarms, events, clock),
            watching=Watching(
                engine=engine,
                line=line,
                mailboxes=care,
                operations=OwnOperations(agency, db, office, alarms, clock),
                bound=Bound(db, logs, clock),
                restored=restored,
                alarms=alarms,
                events=events,
                clock=clock,
            ),
            agreements=AgreementWatch(
                agency=agency,
                engine=engine,
                line=line,
                in_flight=InFlight(agency, db, logs, alarms, clock),
                recovery=recovery,
                restored=restored,
                alarms=alarms,
                events=events,
            ),
            tokens=Tokens(agency, db, logs, clock),
        )
    except BaseException:
        db.close()
        raise


def _witness_key(office: Office, restored: Restored) -> WitnessKey | None:
    """The witness key; a restored node has none before its agency has made a new one."""
    path = office.key_file(Role.WITNESS, b"")
    if restored.at is not None and not path.exists():
        return None
    return read_witness(path)


@asynccontextmanager
async def running(config: NodeConfig) -> AsyncIterator[NodeService]:
    """A node with its line open for as long as the block lasts; then everything is closed in order.

    Raises:
        SaphanError: what `build` raises.
    """
    service = await asyncio.to_thread(build, config)
    tasks = [
        asyncio.create_task(service.line.run()),
        asyncio.create_task(service.submitting.run()),
        asyncio.create_task(service.notices.run()),
        asyncio.create_task(service.watching.run()),
        asyncio.create_task(service.agreements.run()),
        asyncio.create_task(service.engine.budget.run()),
    ]
    try:
        yield service
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        # What has begun is finished: a transaction is whole, an answer durable.
        await asyncio.to_thread(service.notices.close)
        await asyncio.to_thread(service.engine.close)
        with contextlib.suppress(OperatorError):  # a full disk: a part of today is forgotten
            await asyncio.to_thread(service.engine.budget.save)
        await asyncio.to_thread(service.db.close)
