"""One defect for each step of admission that only a broker with its store can judge.

A provocation is given a running broker with two lines, and gives the result of the item that is
refused; what it builds on is taken.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from msgspec.structs import replace
from saphan_broker.quotas import Quotas
from saphan_protocol.quota import Quota
from saphan_schemas.frames import Result, Submission
from saphan_schemas.records import BatchSignature, Event, HeadRef, Role

from support.agency import Agency, Made, order_by
from support.brokers import World
from support.ceremony import revoke
from support.session import Line

SENDER, RECIPIENT = "la.ospp", "kh.gpo"


@dataclass(frozen=True)
class Bridge:
    """A running broker, a line of each agency, and the agreement between them by its identity."""

    world: World
    out: Line
    into: Line
    agreement: bytes

    @property
    def la(self) -> Agency:
        return self.world.agencies[SENDER]

    @property
    def kh(self) -> Agency:
        return self.world.agencies[RECIPIENT]

    def made(self, **changes: Any) -> Made:
        """A good bulletin from one to the other."""
        return self.la.bulletin([RECIPIENT], self.world.clock(), **changes)

    def consigned(
        self, made: Made, seen: HeadRef | None = None
    ) -> tuple[Submission, BatchSignature]:
        """It, ready to be submitted."""
        (item,), batch = self.la.submissions([made], [self.kh], seen)
        return item, batch

    async def submit(self, made: Made, seen: HeadRef | None = None, **parts: Any) -> Result:
        """Consign and submit it, with parts of the submission exchanged."""
        item, batch = self.consigned(made, seen)
        (result,) = await self.out.submit([replace(item, **parts)], batch)
        return result

    async def taken(self) -> Made:
        """A bulletin that is logged."""
        made = self.made()
        result = await self.submit(made)
        assert result.code is None, result
        return made

    async def say(self, made: Made, *events: Event, **changes: Any) -> Result:
        """The recipient says these about it, one after the other; the last one's result."""
        digest = changes.pop("ciphertext", made.ciphertext_digest)
        about = [(made.bulletin_id, digest)]
        result: Result | None = None
        for event in events:
            assert result is None or result.code is None, result
            now = self.world.clock()
            items, batch = self.kh.statements(event, about, (SENDER, RECIPIENT), now, **changes)
            (result,) = await self.into.state(items, batch)
        assert result is not None
        return result

    def allow(self, **quota: int) -> None:
        """What the sender may have logged."""
        self.world.broker.state.quotas = Quotas(Quota(), {SENDER: Quota(**quota)})


Provoke: TypeAlias = Callable[[Bridge], Awaitable[Result]]


@dataclass(frozen=True)
class BrokerRow:
    """A step of the page, its code, whether the refusal is a record, and a defect."""

    step: str
    code: str
    record: bool
    provoke: Provoke


async def _no_salt(bridge: Bridge) -> Result:
    return await bridge.submit(bridge.made(), salts=(bytes(32), bytes(32)))


async def _made_up_head(bridge: Bridge) -> Result:
    origin = bridge.world.pins.evidence.origin
    return await bridge.submit(bridge.made(), HeadRef(origin, 2, bytes(32)))


async def _attachment_not_brought(bridge: Bridge) -> Result:
    return await bridge.submit(bridge.made(attachments=[b"never brought"]))


async def _same_random_bytes(bridge: Bridge) -> Result:
    made = await bridge.taken()
    return await bridge.submit(bridge.made(nonce=made.header.nonce))


async def _consigned_after_its_outcome(bridge: Bridge) -> Result:
    made = await bridge.taken()
    await bridge.say(made, Event.HANDOVER, Event.ACCEPTED)
    return await bridge.submit(made)


async def _consigned_while_handed_over(bridge: Bridge) -> Result:
    made = await bridge.taken()
    await bridge.say(made, Event.HANDOVER)
    return await bridge.submit(made)


async def _one_more_a_minute(bridge: Bridge) -> Result:
    bridge.allow(bulletins_per_minute=1)
    await bridge.taken()
    return await bridge.submit(bridge.made())


async def _one_more_byte_a_day(bridge: Bridge) -> Result:
    bridge.allow(bytes_per_day=4096)
    return await bridge.submit(bridge.made())


async def _one_more_without_outcome(bridge: Bridge) -> Result:
    bridge.allow(open_deliveries=1)
    await bridge.taken()
    return await bridge.submit(bridge.made())


async def _of_no_bulletin(bridge: Bridge) -> Result:
    return await bridge.say(bridge.made(), Event.HANDOVER)


async def _of_other_bytes(bridge: Bridge) -> Result:
    return await bridge.say(await bridge.taken(), Event.HANDOVER, ciphertext=bytes(32))


async def _rejected_after_accepted(bridge: Bridge) -> Result:
    made = await bridge.taken()
    await bridge.say(made, Event.HANDOVER, Event.ACCEPTED)
    return await bridge.say(made, Event.REJECTED, code="rule_broken")


async def _accepted_unseen(bridge: Bridge) -> Result:
    return await bridge.say(await bridge.taken(), Event.ACCEPTED)


async def _read_twice(bridge: Bridge) -> Result:
    made = await bridge.taken()
    await bridge.say(made, Event.HANDOVER, Event.ACCEPTED, Event.READ)
    return await bridge.say(made, Event.READ, code="system")


async def _thief_of_a_node_key(bridge: Bridge) -> Result:
    made = await bridge.taken()
    await _revoke(bridge, bridge.la, Role.NODE, bridge.la.node.key_id)
    return await bridge.say(made, Event.HANDOVER)


async def _thief_of_a_mailbox_key(bridge: Bridge) -> Result:
    made = await bridge.taken()
    await _revoke(bridge, bridge.kh, Role.MAILBOX, bridge.kh.mailbox.key_id)
    return await bridge.say(made, Event.HANDOVER)


async def _stopped_in_flight(bridge: Bridge) -> Result:
    made = await bridge.taken()
    order = order_by(bridge.kh, bridge.agreement, "suspend")
    result = await bridge.into.register(order=order)
    assert result.code is None, result
    return await bridge.say(made, Event.HANDOVER)


async def _revoke(bridge: Bridge, agency: Agency, role: Role, key_id: bytes) -> None:
    version, newest, _ = bridge.world.broker.state.directory.version(agency.name)
    assert newest is not None
    operation = agency.operation(version + 1, newest, [revoke(role, key_id)])
    result = await bridge.into.register(operation=operation)
    assert result.code is None, result


BROKER_ROWS: Final = (
    BrokerRow("13.6", "salt_count", True, _no_salt),
    BrokerRow("C1", "seen_differs", True, _made_up_head),
    BrokerRow("C2", "attachment_missing", False, _attachment_not_brought),
    BrokerRow("C3", "replay", True, _same_random_bytes),
    BrokerRow("C4", "already_decided", True, _consigned_after_its_outcome),
    BrokerRow("C5", "order_illegal", True, _consigned_while_handed_over),
    BrokerRow("14.1", "quota_rate", False, _one_more_a_minute),
    BrokerRow("14.2", "quota_bytes", False, _one_more_byte_a_day),
    BrokerRow("14.3", "quota_deliveries", False, _one_more_without_outcome),
    BrokerRow("S7.1", "bulletin_unknown", True, _of_no_bulletin),
    BrokerRow("S7.2", "statement_subject", True, _of_other_bytes),
    BrokerRow("S8.1", "already_decided", True, _rejected_after_accepted),
    BrokerRow("S8.2", "order_illegal", True, _accepted_unseen),
    BrokerRow("S8.3", "already_read", True, _read_twice),
    BrokerRow("R1", "consignment_revoked", True, _thief_of_a_node_key),
    BrokerRow("R2", "mailbox_revoked", True, _thief_of_a_mailbox_key),
    BrokerRow("R3", "agreement_stopped", True, _stopped_in_flight),
)
