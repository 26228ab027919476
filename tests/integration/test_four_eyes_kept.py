"""What waits for a second officer, while who may see it, or open it, changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import msgspec
import pytest
from saphan.agreements.orders import Action, make_order
from saphan.desk.second import SecondEyes
from saphan.keys.keyfiles import read_key
from saphan.node.drafts_kept import EXPIRED
from saphan.node.officers import countersigning
from saphan.node.outbox import Submitted
from saphan.node.prepared import Prepared, Waiting
from saphan.node.service import NodeService
from saphan.second_signature import exact_of
from saphan_protocol.agreement_order import sign_order
from saphan_protocol.batch import sign_one
from saphan_protocol.identity import CONTENT_TYPE, identity
from saphan_schemas.codec import decode, decode_content, encode, encode_content
from saphan_schemas.desk_frames import AskFetch, AskStatus, DeskPart
from saphan_schemas.errors import InvalidInput, OperatorError, Refused, Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.officer_records import REFUSAL_TYPE
from saphan_schemas.records import Blob, Inner, Role
from support import officers
from support.bridge import KH, LA, OFFICERS, SECRET, Bridge, agreed, eventually, opened, wish
from support.desks import desk_bridge, on_line, ready_bridge
from support.officers import Person

RED, GREEN = {"clearance": "red"}, {"clearance": "green"}


@dataclass
class World:
    """la.ospp, where everything needs two officers."""

    la: NodeService
    bounmy: Person
    chan: Person
    lim: Person


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    async with ready_bridge() as made:
        yield made


@asynccontextmanager
async def world(bridge: Bridge) -> AsyncIterator[World]:
    async with bridge.broker_running(), bridge.node(LA) as la:
        await opened(la)
        await agreed(la)
        bounmy = await officers.first(bridge, la, OFFICERS[LA])
        chan = await officers.enrolled(bridge, la, "chan")
        lim = await officers.enrolled(bridge, la, "lim")
        await officers.settings(bridge, la, four_eyes=[{}])
        yield World(la, bounmy, chan, lim)


async def test_a_lowered_author_hears_that_it_waits_or_has_left(bridge: Bridge) -> None:
    """A refusal would make a draft of it at their desk, and they would send it twice."""
    async with world(bridge) as here:
        written = here.bounmy.prepare(wish())
        await here.la.send_signed(written)
        low = {"*": RED, "bounmy": GREEN}
        await officers.settings(bridge, here.la, four_eyes=[{}], officers=low)
        assert await here.la.send_signed(written) == Waiting(written.draft.header_id)
        with pytest.raises(Refused, match="above_clearance"):
            await here.la.send_signed(here.bounmy.prepare(wish()))
        await officers.settings(bridge, here.la, four_eyes=[{}])
        bulletin = await here.chan.sign(written.draft.header_id)
        await officers.settings(bridge, here.la, officers=low)
        assert await here.la.send_signed(written) == bulletin


async def test_what_left_before_a_clearance_was_lowered_is_not_refused(bridge: Bridge) -> None:
    async with world(bridge) as here:
        await officers.settings(bridge, here.la)
        written = here.bounmy.prepare(wish())
        bulletin = await here.la.send_signed(written)
        await officers.settings(bridge, here.la, officers={"bounmy": GREEN})
        assert await here.la.send_signed(written) == bulletin


async def test_only_who_has_signed_is_told_under_which_id_it_left(bridge: Bridge) -> None:
    async with world(bridge) as here:
        draft = await here.bounmy.write(wish())
        exact = await here.chan.open(draft)
        late = encode(here.lim.signer.second(exact))
        second = encode(here.chan.signer.second(exact))
        bulletin = await here.la.second.sign(draft, second)
        assert await here.la.second.sign(draft, second) == bulletin
        with pytest.raises(InvalidInput, match="countersign_unknown"):
            await here.la.second.sign(draft, late)


async def test_what_does_not_concern_an_officer_is_no_candidate(bridge: Bridge) -> None:
    """Neither unknown in other words, nor ambiguous."""
    async with world(bridge) as here:
        await officers.settings(bridge, here.la, four_eyes=[{}], officers={"*": RED, "lim": GREEN})
        draft = await here.bounmy.write(wish())
        start = draft.hex()[:8]
        assert await here.la.second.resolve(start, "chan") == draft
        assert await here.la.second.resolve(start) == draft
        with pytest.raises(InvalidInput) as hidden:
            await here.la.second.resolve(start, "lim")
        with pytest.raises(InvalidInput) as missing:
            await here.la.second.resolve("00000000", "lim")
        assert str(hidden.value) == str(missing.value)


async def test_one_whose_archive_key_is_gone_stops_nobody(bridge: Bridge) -> None:
    """Its day's key was destroyed, or not restored: everything else goes on waiting; it ends at
    its own deadline, and makes no key for a day that was destroyed."""
    async with world(bridge) as here:
        gone = here.bounmy.prepare(
            wish(
                expires=bridge.node_clock() + 3_600_000,
                retain_until=bridge.node_clock() // 86_400_000 + 2,
            )
        )
        await here.la.send_signed(gone)
        good = await here.bounmy.write(wish())
        key = here.la.config.data / "archive-keys" / str(gone.draft.header.retain_until)
        await asyncio.to_thread(key.unlink)
        here.la.archive._ciphers.clear()  # what a restart does
        assert [row["id"] for row in await here.chan.listed()] == [good.hex()]
        assert len(await here.la.second.listed(None)) == 2
        with pytest.raises(InvalidInput, match="countersign_unknown"):
            await here.chan.open(gone.draft.header_id)
        with pytest.raises(OperatorError, match="archive_key_gone"):
            await here.la.send_signed(gone)
        bridge.node_clock.ahead += 3_600_001
        assert [row["id"] for row in await here.chan.listed()] == [good.hex()]
        with pytest.raises(Refused, match="countersign_expired"):
            await here.la.send_signed(gone)
        assert not key.exists()


async def test_a_node_that_lies_of_a_files_name_gets_no_signature(bridge: Bridge) -> None:
    """All digests fit; the file would be saved elsewhere than the officer has said."""
    async with world(bridge) as here:
        written = here.bounmy.prepare(wish())
        content = decode_content(written.draft.content, LIMITS.content_bytes)
        content["attachments"] = [
            {"name": "../../.profile.pdf", "media_type": "application/pdf", "role": "other"}
        ]
        said = encode_content(content)
        inner = msgspec.structs.replace(
            decode(Inner, written.inner, 4096, "inner"),
            content=identity(CONTENT_TYPE, said),
            attachments=(Blob(9, bytes(32)),),
        )
        exact = {"header": written.draft.header_bytes, "inner": encode(inner), "content": said}
        answer = {"exact": {name: officers.text(data) for name, data in exact.items()}}
        with pytest.raises(OperatorError, match="node_answer"):
            exact_of(answer, written.draft.header_id)


async def test_its_time_is_over_while_it_is_signed(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread has ended it: nothing leaves, and the sealed files go."""
    async with world(bridge) as here:
        draft = await here.bounmy.write(wish())
        exact, submit = await here.chan.open(draft), here.la.outbox.submit

        def late(prepared: Sequence[Prepared]) -> Submitted:
            drafts = here.la.second.drafts
            drafts.end(drafts.get(draft), EXPIRED, None)
            return submit(prepared)

        monkeypatch.setattr(here.la.outbox, "submit", late)
        with pytest.raises(InvalidInput, match="countersign_unknown"):
            await here.la.second.sign(draft, encode(here.chan.signer.second(exact)))
        assert here.la.bulletins.sent(0, 10) == []
        assert list((here.la.config.blobs / "out").iterdir()) == []


async def test_a_clearance_is_lowered_while_a_file_is_fetched(bridge: Bridge) -> None:
    """Every piece of what waits is judged, not the first one alone."""
    data = b"%PDF-1.7 " + bytes(9_000)
    async with desk_bridge(bridge) as there:
        folder, node = await there.desk("dao"), there.kh
        await officers.settings(bridge, node, four_eyes=[{}])
        sokha = await officers.first(bridge, node, OFFICERS[KH])
        file = officers.file("a.pdf", data)
        upload = node.uploads.begin(file.blob.digest, 0, len(data))
        assert upload is not None
        await asyncio.to_thread(upload.append, data)
        assert await asyncio.to_thread(upload.finish)
        upload.close()
        draft = await sokha.write(wish(LA, attachments=(file,)))
        async with on_line(folder, bridge) as (desk, line):
            await SecondEyes(desk).open(line, draft)

            async def fetch(offset: int) -> object:
                asked = AskFetch(line.number(), draft, 1, offset, 4_000)
                await line.send(asked)
                return await line.answer(asked.request)

            assert isinstance(await fetch(0), DeskPart)
            low = {"*": RED, "dao": GREEN}
            await officers.settings(bridge, node, four_eyes=[{}], officers=low)
            with pytest.raises(InvalidInput, match="bulletin_unknown"):
                await fetch(4_000)
            with pytest.raises(InvalidInput, match="bulletin_unknown"):
                await line.ask(AskStatus(line.number(), draft.hex()))


async def test_a_refusal_is_its_officers_own_and_of_this_minute(bridge: Bridge) -> None:
    """Whoever could end a colleague's bulletin in somebody else's name would be heard by nobody."""
    async with world(bridge) as here:
        draft = await here.bounmy.write(wish())
        record, signature = here.chan.signer.refusal(draft, "not ours")
        forged = sign_one(here.lim.key, REFUSAL_TYPE, record, bytes(32))
        bridge.node_clock.ahead += LIMITS.skew_ms + 1
        fresh, own = here.chan.signer.refusal(draft, None)
        other, also = here.chan.signer.refusal(bytes(32), None)
        borrowed, theirs = replace(here.lim.signer, handle="chan").refusal(draft, None)
        for said, signed, code in (
            (record, signature, "read_time"),
            (fresh, forged, "key_mismatch"),
            (fresh, signature, "signature_invalid"),
            (other, also, "read_mismatch"),
            (borrowed, theirs, "key_foreign"),
        ):
            with pytest.raises((InvalidInput, Refused)) as caught:
                await here.la.second.refuse(draft, said, encode(signed))
            assert caught.value.code == code
        assert await here.la.second.refuse(draft, fresh, encode(own)) == "refused"


async def test_no_more_wait_than_can_be_looked_at(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(bridge) as here:
        monkeypatch.setattr(countersigning, "LIMITS", replace(LIMITS, countersigning=1))
        first = await here.bounmy.write(wish())
        with pytest.raises(Unavailable, match="countersign_full"):
            await here.bounmy.write(wish())
        await here.chan.refuse(first)
        await here.bounmy.write(wish())


async def test_a_second_officer_is_of_a_section_that_sends_it(bridge: Bridge) -> None:
    async with world(bridge) as here:
        draft = await here.bounmy.write(wish())
        sections = {"other": {"to": ["vn.vks"]}, "ours": {"to": [KH]}}
        for section, seen in (("other", []), ("ours", [draft.hex()])):
            chan = RED | {"sections": [section]}
            people = {"*": RED, "chan": chan}
            await officers.settings(
                bridge, here.la, four_eyes=[{}], officers=people, sections=sections
            )
            assert [one["id"] for one in await here.chan.listed()] == seen


async def test_the_agreement_is_suspended_while_it_waits(bridge: Bridge) -> None:
    """It waits on, and leaves when the agreement is in force again."""
    async with world(bridge) as here:
        written = here.bounmy.prepare(wish())
        await here.la.send_signed(written)
        draft = written.draft.header_id
        await ordered(bridge, here.la, "suspend", 1)
        with pytest.raises(Refused, match="agreement_suspended"):
            await here.chan.sign(draft)
        assert await here.la.send_signed(written) == Waiting(draft)
        assert here.la.bulletins.sent(0, 10) == []
        await ordered(bridge, here.la, "resume", 2)
        assert await here.chan.sign(draft)


async def ordered(bridge: Bridge, node: NodeService, action: Action, number: int) -> None:
    """la.ospp's order on its agreement, as its node takes it from `saphan agreement`."""
    (agreement,) = node.logs.directory.agreements_of(LA)
    said = make_order(agreement.name, LA, action, number, bridge.clock(), "an exercise")

    def sign() -> bytes:
        root = read_key(bridge.offices[LA].root_key, Role.ROOT, SECRET).signing()
        return sign_order(said, [root], [bytes(32)], bytes(32))

    await node.watching.import_bound("order", await asyncio.to_thread(sign))
    await eventually(lambda: node.watching.bound.listed()[-1]["logged"])
