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
from saphan_schemas.errors import OperatorError

from saphan.compose import Wish
from saphan.node.agreement_watch import AgreementWatch
from saphan.node.alarms import Alarms
from saphan.node.archive import Archive
from saphan.node.budget import Budget
from saphan.node.bulletins import Bulletins
from saphan.node.config import NodeConfig
from saphan.node.disclosing import Disclosing
from saphan.node.drafts_kept import DraftsKept
from saphan.node.engine import Engine
from saphan.node.events import Events
from saphan.node.evidence_ready import EvidenceReady
from saphan.node.files.attachments import Shown
from saphan.node.files.blobs import DAMAGED
from saphan.node.files.parts import mark_lost
from saphan.node.files.uploads import Uploads
from saphan.node.ground import Ground, lay
from saphan.node.holding.rows import held_among
from saphan.node.holding.watch import HoldWatch
from saphan.node.judging import Judge
from saphan.node.kept_anyway import looked_for
from saphan.node.logs import Logs
from saphan.node.looks import agreements, holds, recalls, retention, schemas, watching
from saphan.node.officers.clearance import Clearance
from saphan.node.officers.countersigning import Countersigning
from saphan.node.officers.readings import SYSTEM, Readings
from saphan.node.officers.second_officer import SecondOfficer
from saphan.node.officers.showings import ATTACHMENT, Showings
from saphan.node.outbox import Outbox
from saphan.node.own_schemas import OwnSchemas
from saphan.node.policy.current import Current
from saphan.node.policy.rules import Rules
from saphan.node.prepared import Outcome, Prepared, Waiting
from saphan.node.proving.gaps import Gaps
from saphan.node.proving.notes_kept import NotesKept
from saphan.node.proving.proofs import WitnessedProofs
from saphan.node.proving.witness_lag import WitnessLag
from saphan.node.recall.recalls import Recalls
from saphan.node.receive import Intake
from saphan.node.recovery import Recovery
from saphan.node.repeats import KEEPERS, Asked, Repeats
from saphan.node.resending import Resending
from saphan.node.resent import first_answer
from saphan.node.retaining.retaining import Retaining
from saphan.node.retention.erasing import Erasing
from saphan.node.rows.db import Database
from saphan.node.schema_watch import SchemaWatch
from saphan.node.seen_heads import SeenHeads
from saphan.node.splits import Splits
from saphan.node.subjects.parts import SubjectParts, subject_parts
from saphan.node.submitting import Submitting
from saphan.node.succession.adopting import Adopting
from saphan.node.succession.bringing import Bringing
from saphan.node.telling.notices import Notices
from saphan.node.telling.owed import OwedReplies
from saphan.node.telling.warnings import Warnings
from saphan.node.threads.view import open_threads
from saphan.node.tokens import Tokens
from saphan.node.watching import Watching
from saphan.node.wire.line import Line
from saphan.node.wire.session import Parts

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
    warnings: Warnings
    disclosing: Disclosing
    resending: Resending
    evidence: EvidenceReady
    tokens: Tokens
    watching: Watching
    agreements: AgreementWatch
    lag: WitnessLag
    splits: Splits
    seen: SeenHeads
    own: OwnSchemas
    schemas: SchemaWatch
    holds: HoldWatch
    subjects: SubjectParts
    retention: Retaining
    recalls: Recalls
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

    async def send(self, wish: Wish, asked: Asked = KEEPERS) -> bytes:
        """Keep a machine-made bulletin; its id when it is durable.

        Args:
            asked: who asks for it, and whether that may come again; then it has the first answer.

        Raises:
            SaphanError: why it is refused.
        """
        return await self.submitting.machine(wish, asked)

    async def send_signed(self, prepared: Prepared) -> Outcome | Waiting:
        """Keep an officer's bulletin; its id, or why it is refused. Sent again, it has its id.

        Raises:
            SaphanError: what `SecondOfficer.judge` raises.
        """
        waiting = await self.second.judge(prepared)
        if waiting is not None:
            return waiting
        with looked_for(partial(self.line.offer, None)):
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
        with looked_for(self.line.wake_statements):
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
        with looked_for(self.line.wake_statements):
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
    ground = lay(config)
    try:
        return _built(ground)
    except BaseException:
        ground.db.close()
        raise


def _built(on: Ground) -> NodeService:
    db, logs, clock = on.db, on.logs, on.clock
    kept = on.agency, on.key, db, on.archive, logs, on.files, on.uploads, on.own
    outbox = Outbox(*kept, clock, on.settings.needs_two, lambda: on.settings.now.retention.keeps)
    subjects, held = subject_parts(on), partial(held_among, db)
    erasing = Erasing(on.agency, on.key, db, on.files, held, subjects.tells, clock)
    engine, recovery, line = _carrying(on, outbox, erasing)
    threads = open_threads(on.agency, db, on.archive, on.settings, clock)
    bulletins = Bulletins(on.agency, db, on.logs, on.mailboxes, on.archive, threads)
    clearance, showings = Clearance(on.agency, logs, on.settings, bulletins), Showings(db, clock)
    readings = Readings(on.agency, on.key, db, logs, on.archive, on.files, on.restored, clock)
    drafts = DraftsKept(db, on.archive, on.files, on.uploads, clock)
    eyes = Countersigning(
        on.agency, logs, on.settings, clearance, drafts, outbox, showings.has_read, clock
    )
    return NodeService(
        config=on.config,
        agency=on.agency,
        key=on.key,
        db=db,
        archive=on.archive,
        uploads=on.uploads,
        logs=logs,
        engine=engine,
        outbox=outbox,
        submitting=Submitting(engine, line, Repeats(db)),
        bulletins=bulletins,
        readings=readings,
        clearance=clearance,
        showings=showings,
        second=SecondOfficer(
            engine, line, on.events, eyes, drafts, readings, showings, on.restored
        ),
        line=line,
        alarms=on.alarms,
        events=on.events,
        settings=on.settings,
        notices=Notices(clearance, db, on.settings, on.alarms, on.events, clock),
        warnings=Warnings(db, on.restored, on.alarms, OwedReplies(db, threads.requests), clock),
        resending=Resending(on.agency, db, engine, line, on.alarms),
        disclosing=Disclosing(on.agency, on.key, db, logs, on.archive, on.restored, clock),
        evidence=EvidenceReady(on.agency, db, logs, engine, line),
        watching=watching(on, engine, line, eyes),
        agreements=agreements(on, engine, line, recovery),
        lag=WitnessLag(on.agency, db, logs, on.alarms, line.is_open, clock),
        tokens=Tokens(on.agency, db, logs, clock),
        splits=on.splits,
        seen=on.seen,
        own=on.own,
        schemas=schemas(on, engine, line, recovery),
        holds=holds(on, engine, line),
        recalls=recalls(on, engine, line, erasing, subjects.indexing),
        subjects=subjects,
        retention=retention(on, engine, line, erasing, threads.requests),
    )


def _carrying(on: Ground, outbox: Outbox, erasing: Erasing) -> tuple[Engine, Recovery, Line]:
    """What judges, stores and speaks with the broker."""
    agency, key, db, logs, clock = on.agency, on.key, on.db, on.logs, on.clock
    judge = Judge(
        agency, on.archive, on.mailboxes, logs.directory, on.files, outbox.threads, on.own
    )
    intake = Intake(agency, key, db, logs, judge, on.mailboxes, on.restored, clock)
    budget = Budget(db, on.settings, on.alarms, clock)
    proofs, gaps = WitnessedProofs(agency, db, logs), Gaps(db, logs)
    notes = NotesKept(db, logs, proofs)
    whole = agency, key, db, logs, intake, outbox
    engine = Engine(*whole, on.alarms, budget, proofs, gaps, notes, erasing, on.time)
    recovery = Recovery(agency, key, db, logs, on.archive, judge, on.mailboxes, on.alarms, clock)
    parts = Parts(
        engine,
        recovery,
        on.witness,
        on.restored,
        on.files,
        on.splits,
        on.seen,
        on.alarms,
        on.events,
        Adopting(agency, db, logs, on.witness, on.splits, proofs, on.alarms, clock),
        Bringing(agency, db, logs),
        clock,
    )
    return engine, recovery, Line(on.config.broker, parts, on.config.pin)


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
        asyncio.create_task(service.warnings.run(service.engine, service.events)),
        asyncio.create_task(service.watching.run()),
        asyncio.create_task(service.agreements.run()),
        asyncio.create_task(service.schemas.run()),
        asyncio.create_task(service.holds.run()),
        asyncio.create_task(service.recalls.run()),
        asyncio.create_task(service.retention.sweeping.run()),
        asyncio.create_task(service.lag.run()),
        asyncio.create_task(service.subjects.run(service.engine, service.line)),
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
        for keep in (service.engine.budget.save, service.tokens.note):
            with contextlib.suppress(OperatorError):  # a full disk: a part of today is forgotten
                await asyncio.to_thread(keep)
        await asyncio.to_thread(service.db.close)
