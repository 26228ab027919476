"""The broker writes a key for an agency into the directory log, to read what others seal to it.

He holds the log's keys and signs any head he likes; he holds no root of the agency.
"""

from __future__ import annotations

import asyncio
from functools import partial

import msgspec
import pytest
from saphan_protocol.keys import SigningKey
from saphan_protocol.mailbox import MailboxKey
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import Change, SignedOperation
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Consignment, Role
from support.agency import seed
from support.bridge import KH, LA, Bridge, agreed, eventually, opened, wish
from support.corrupt import takes_any_root
from support.roster import alarmed, operate

HIS_ROOT = SigningKey(Role.ROOT, seed("the broker's own root", 64))
HIS_MAILBOX = MailboxKey(seed("the broker's own mailbox", 32))


def inserted(bridge: Bridge) -> bytes:
    """kh.gpo's next operation: it adds his mailbox, by a root that is not kh.gpo's."""
    until = bridge.clock() + 800 * DAY_MS
    change = Change("add", Role.MAILBOX, HIS_MAILBOX.public, None, until, until)
    return operate(bridge, KH, [change], roots=[HIS_ROOT])


def with_an_old_signature(bridge: Bridge) -> bytes:
    """The same with kh.gpo's own root signature, of its first operation."""
    first = decode(SignedOperation, bridge.offices[KH].enrolment.read_bytes(), 65_535, "operation")
    second = decode(SignedOperation, inserted(bridge), 65_535, "operation")
    return encode(msgspec.structs.replace(second, roots=first.roots))


@pytest.mark.parametrize(
    ("how", "code"),
    (("by a root of his own", "operation_threshold"), ("by an old one", "signature_invalid")),
)
async def test_the_broker_logs_a_mailbox_of_his_own_for_an_agency(
    bridge: Bridge, how: str, code: str
) -> None:
    """Every node stops believing this log at that leaf, and seals to the agency's own key only."""
    forge = {
        "by a root of his own": inserted,
        "by an old one": with_an_old_signature,
    }[how]
    forged = await asyncio.to_thread(forge, bridge)
    async with bridge.broker_running() as broker, bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        await opened(kh)
        takes_any_root(broker)
        await broker.admit_operation(forged)
        for node in (la, kh):
            await eventually(partial(alarmed, node, code))
            assert node.logs.directory.find(HIS_MAILBOX.key_id) is None
        bulletin = await la.send(wish())
        ((body,),) = la.db.rows("SELECT body FROM consignments WHERE bulletin = ?", (bulletin,))
        (ref,) = decode(Consignment, body, 4096, "consignment").recipients
        own = la.logs.directory.keys(KH, Role.MAILBOX)
        assert ref.mailbox_key in {key.key_id for key in own}
