"""What a node looks after by itself, wired from its ground: one function for each kind of look."""

from __future__ import annotations

from functools import partial

from saphan.node.agreement_watch import AgreementWatch
from saphan.node.engine import Engine
from saphan.node.ground import Ground
from saphan.node.holding.asking import HoldsAsked
from saphan.node.holding.listing import HoldList
from saphan.node.holding.orders import HoldOrders
from saphan.node.holding.rows import held_among
from saphan.node.holding.saying import Saying
from saphan.node.holding.sorting import Sorting
from saphan.node.holding.watch import HoldWatch
from saphan.node.officers.countersigning import Countersigning
from saphan.node.recall.answering import Answering
from saphan.node.recall.ordering import Ordering
from saphan.node.recall.recalls import Recalls
from saphan.node.recall.suppressing import Suppressing
from saphan.node.recovery import Recovery
from saphan.node.retaining.archive_days import ArchiveDays
from saphan.node.retaining.armed import Armed
from saphan.node.retaining.closings import Closings
from saphan.node.retaining.forgetting import Forgetting
from saphan.node.retaining.reckoner import Reckoner
from saphan.node.retaining.retaining import Retaining
from saphan.node.retaining.reviews import Reviews
from saphan.node.retaining.sweeping import Sweeping
from saphan.node.retention.erasing import Erasing
from saphan.node.schema_watch import SchemaWatch
from saphan.node.subjects.indexing import Indexing
from saphan.node.threads.requests import Requests
from saphan.node.trust.bound import Bound
from saphan.node.trust.in_flight import InFlight
from saphan.node.trust.mailbox_care import MailboxCare
from saphan.node.trust.own_operations import OwnOperations
from saphan.node.trust.rejections import Rejections
from saphan.node.watching import Watching
from saphan.node.wire.line import Line


def watching(on: Ground, engine: Engine, line: Line, eyes: Countersigning) -> Watching:
    """Of keys, operations and what waits for a second officer."""
    rejections = Rejections(on.db, on.mailboxes, on.archive)
    return Watching(
        engine=engine,
        line=line,
        mailboxes=MailboxCare(
            on.agency, on.db, on.logs, on.mailboxes, rejections, on.witness, on.alarms, on.clock
        ),
        operations=OwnOperations(on.agency, on.db, on.config.office, on.alarms, on.clock),
        bound=Bound(on.db, on.logs, on.clock),
        countersigning=eyes,
        restored=on.restored,
        alarms=on.alarms,
        events=on.events,
        clock=on.clock,
    )


def agreements(on: Ground, engine: Engine, line: Line, recovery: Recovery) -> AgreementWatch:
    """Of what agreements stop and let go."""
    return AgreementWatch(
        agency=on.agency,
        engine=engine,
        line=line,
        in_flight=InFlight(on.agency, on.db, on.logs, on.alarms, on.clock),
        recovery=recovery,
        restored=on.restored,
        alarms=on.alarms,
        events=on.events,
    )


def recalls(
    on: Ground, engine: Engine, line: Line, erasing: Erasing, indexing: Indexing
) -> Recalls:
    """Of what this agency takes back, and of what others do."""
    on_what = on.agency, on.key, on.db
    suppressing = Suppressing(on.db, indexing.one, on.clock)
    suppress = suppressing.keep
    return Recalls(
        engine=engine,
        line=line,
        ordering=Ordering(*on_what, on.logs, on.restored, suppress, on.clock),
        answering=Answering(
            *on_what,
            erasing=erasing,
            suppress=suppress,
            settings=on.settings,
            restored=on.restored,
            alarms=on.alarms,
            clock=on.clock,
        ),
        alarms=on.alarms,
        events=on.events,
        db=on.db,
        forget=suppressing.forget,
    )


def holds(on: Ground, engine: Engine, line: Line) -> HoldWatch:
    """Of what this agency's order key keeps from being destroyed."""
    orders = HoldOrders(on.agency, on.db, on.logs, on.clock)
    return HoldWatch(
        db=on.db,
        engine=engine,
        line=line,
        orders=orders,
        listing=HoldList(on.db, orders, on.clock),
        sorting=Sorting(on.agency, on.db, on.archive),
        saying=Saying(on.agency, on.key, on.db, orders, on.clock),
        asked=HoldsAsked(on.agency, on.key, on.db, on.clock),
        restored=on.restored,
        alarms=on.alarms,
        events=on.events,
        clock=on.clock,
    )


def retention(
    on: Ground, engine: Engine, line: Line, erasing: Erasing, requests: Requests
) -> Retaining:
    """Of how long what is here is kept, and of what is due."""
    armed = Armed(on.db, on.settings, on.alarms, on.clock)
    if on.restored.at is None:
        armed.begin()
    else:
        erasing.take_up()
    closings = Closings(on.db, on.archive, requests)
    reckoner = Reckoner(on.agency, on.db, on.archive, closings, armed)
    held = partial(held_among, on.db)
    reviews = Reviews(on.agency, on.db, on.archive, erasing, held, reckoner, armed, on.clock)
    sweeping = Sweeping(
        engine=engine,
        line=line,
        db=on.db,
        erasing=erasing,
        reckoner=reckoner,
        reviews=reviews,
        days=ArchiveDays(on.db, on.archive, on.files),
        forgetting=Forgetting(on.db),
        armed=armed,
        time=on.time,
        restored=on.restored,
        alarms=on.alarms,
        events=on.events,
        clock=on.clock,
    )
    return Retaining(
        engine=engine,
        line=line,
        db=on.db,
        archive=on.archive,
        armed=armed,
        reviews=reviews,
        sweeping=sweeping,
        held=held,
        restored=on.restored,
        clock=on.clock,
    )


def schemas(on: Ground, engine: Engine, line: Line, recovery: Recovery) -> SchemaWatch:
    """Of agencies' own types that are not here yet."""
    return SchemaWatch(on.own, engine, line, recovery, on.restored, on.alarms, on.events)
