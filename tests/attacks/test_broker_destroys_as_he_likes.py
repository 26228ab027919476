"""The broker destroys too early, never, or what a court wants kept; or goes on with what is gone.

What is due and what was destroyed stands in the leaves in clear. So whoever has the public log and
its heads finds most of it without a record, a key or anybody's leave; records make it exact.
"""

from __future__ import annotations

import pytest
from saphan.node.service import NodeService
from saphan_broker.sequencing.work import Destruction
from saphan_protocol.audit.report import AuditStep, Report
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Event
from support.audits import KH, LA, THERE, at, found
from support.bridge import Bridge, agreed, eventually, states, wish
from support.retained import Retained, hold_by, retained


@pytest.fixture
def book() -> Retained:
    return retained()


def stranger(book: Retained) -> Report:
    """What anybody sees: the public log, nothing opened."""
    return book.audit(book.pack(only=[]))


# --- too early ------------------------------------------------------------------------------------


def test_he_destroys_early_and_signs_a_head_over_it(book: Retained) -> None:
    made, target = book.ended()
    book.come(made, -2 * DAY_MS)
    early = book.destroy(made, target)
    book.show_head()
    book.come(made)
    assert found(stranger(book)) == at(early, AuditStep.DESTRUCTION, "destroyed_early")


def test_he_destroys_early_and_signs_no_head_until_the_day(book: Retained) -> None:
    """No stranger can tell. The entry's own date convicts him, or is a lie under O4."""
    made, target = book.ended()
    book.come(made, -2 * DAY_MS)
    early = book.destroy(made, target)
    book.come(made)
    assert stranger(book).finding is None
    assert found(book.audit()) == at(early, AuditStep.DELIVERY, "destroyed_early")


def test_he_dates_the_early_destruction_on_its_day(book: Retained) -> None:
    """Then the date is later than a head that has the entry already."""
    made, target = book.ended()
    book.come(made)
    early = book.destroy(made, target)
    book.come(made, -2 * DAY_MS)
    book.show_head()
    book.come(made)
    assert found(stranger(book)) == at(early, AuditStep.DESTRUCTION, "destroyed_early")


def alarms(node: NodeService) -> set[str]:
    return {alarm.code for alarm in node.alarms.standing()}


async def test_both_nodes_see_at_once_that_it_was_early(bridge: Bridge) -> None:
    async with bridge.broker_running() as broker, bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        bulletin = await la.send(wish())
        await eventually(lambda: states(la, bulletin) == ["accepted"])
        row = (await broker.store.deliveries([(bulletin, KH)]))[bulletin, KH]
        # He names a day that has not come; his own program never would.
        broker.retention.sweep._submit(Destruction((row,), row.due_day))
        for node in (la, kh):
            await eventually(lambda node=node: "destroyed_early" in alarms(node))  # type: ignore[misc]
            assert node.bulletins.status(bulletin)["timeline"][-1]["event"] == "destroyed"


# --- never ----------------------------------------------------------------------------------------


def test_he_keeps_for_ever(book: Retained) -> None:
    kept, gone = book.ended(), book.ended()
    book.come(kept[0])
    book.destroy(*gone)
    book.time += LIMITS.destruction_grace_ms + 1000
    assert found(stranger(book)) == at(kept[1], AuditStep.DESTRUCTION, "destruction_missing")


def test_he_says_that_somebody_holds_it_and_nobody_does(book: Retained) -> None:
    """A leaf alone would keep it: the entry behind it has to be an agency's, by its order."""
    made, target = book.ended()
    index = book.says_held(made, target, bytes(32))
    book.come(made, LIMITS.destruction_grace_ms + 1000)
    assert stranger(book).finding is None
    assert found(book.audit()) == at(index, AuditStep.RETENTION, "hold_unknown")


# --- what is held ---------------------------------------------------------------------------------


def test_he_destroys_what_is_held(book: Retained) -> None:
    made, target = book.ended()
    book.hold(made, target)
    book.come(made)
    index = book.destroy(made, target)
    assert found(stranger(book)) == at(index, AuditStep.DESTRUCTION, "destroyed_held")


def test_he_ends_a_hold_in_its_agencys_name(book: Retained) -> None:
    made, target = book.ended()
    _, order = book.hold(made, target)
    release = book.hold_order(hold_by(book.agencies[KH], 2, order))
    book.come(made)
    said = book.broker_states(Event.RELEASED, made, (KH, KH), None, target=target)
    book.destroy(made, target)
    log, index, step, _code = found(book.audit())
    assert (log, index, step) == ("evidence", said, AuditStep.SIGNED)
    assert release != order


# --- what is gone ---------------------------------------------------------------------------------


def test_he_hands_over_what_he_has_destroyed(book: Retained) -> None:
    """So he had kept a copy; or the recipient signs for bytes that nobody could give it."""
    made, target = book.submit(LA, KH)
    book.come(made)
    book.broker_states(Event.EXPIRED, made, THERE, "undelivered")
    book.destroy(made, target)
    late = book.state(Event.HANDOVER, made, THERE)
    assert found(book.audit()) == at(late, AuditStep.DELIVERY, "after_destruction")


def test_he_destroys_in_silence_what_nobody_had(book: Retained) -> None:
    made, target = book.submit(LA, KH)
    book.come(made)
    index = book.destroy(made, target)
    assert found(book.audit()) == at(index, AuditStep.DELIVERY, "not_destroyable")


def test_he_destroys_one_bulletin_and_says_that_it_was_another(book: Retained) -> None:
    kept, gone = book.ended(), book.ended()
    book.come(kept[0])
    index = book.destroy(kept[0], gone[1])
    assert found(book.audit()) == at(index, AuditStep.DELIVERY, "target_differs")
