"""What a desk says of bulletins that were taken back or replaced since it listed them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from saphan.cli.render import inbox_lines
from saphan.desk.inbox import Inbox
from saphan.desk.outbox import Outbox
from saphan.desk.syncing import sync
from saphan_schemas.errors import InvalidInput, Refused
from support.bridge import KH, LA, Bridge, eventually, states, wish
from support.desk_letters import letter as desk_letter
from support.desks import desk_bridge, on_line, ready_bridge
from support.recalls import stands
from support.threads import accepted, letter, related


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    async with ready_bridge() as made:
        yield made


async def test_a_list_that_is_here_already_is_struck_through(
    bridge: Bridge,
) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        wrong = await accepted(world.la, letter("training_notice", (KH,)))
        old = await accepted(world.la, letter("training_notice", (KH,)))
        async with on_line(folder, bridge) as (desk, line):
            await sync(desk, line)
            box = Inbox(desk)
            box.keep(await box.read(line, wrong))
            box.keep(await box.read(line, old))
            await sync(desk, line)
            before = box.rows()
            assert [one["recalled"] for one in before] == [None, None]

            new = await accepted(
                world.la,
                letter(
                    "training_notice", (KH,), about_message_kind="correction",
                    about_relations=[related("corrects", old)],
                ),
            )  # fmt: skip
            await world.la.recalls.order(wrong, "error", "keeper")
            await stands(world.la, wrong, "obeyed")
            await sync(desk, line)
            first, second, third = box.rows()
            assert (first["recalled"], first["author"]) == ("error", None)
            assert (second["recalled"], second["replaced_by"]) == (None, [new.hex()])
            assert third["replaced_by"] == []
            shown = [one[2:18] for one in inbox_lines(box.rows())[1:]]
            # The newest first, and under it what it replaced.
            assert shown == [one.hex()[:16] for one in (wrong, new, old)]

            assert box.opened(wrong.hex()) is None
            assert box.opened(old.hex()) is not None
            assert box.standing(old.hex())["replaced_by"] == [new.hex()]
            with pytest.raises(Refused, match="bulletin_erased"):
                await box.read(line, wrong)


async def test_what_a_recalled_correction_replaced_stands_again(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        old = await accepted(world.la, letter("training_notice", (KH,)))
        new = await accepted(
            world.la,
            letter(
                "training_notice", (KH,), about_message_kind="correction",
                about_relations=[related("corrects", old)],
            ),
        )  # fmt: skip
        async with on_line(folder, bridge) as (desk, line):
            await sync(desk, line)
            box = Inbox(desk)
            box.keep(await box.read(line, old))
            box.keep(await box.read(line, new))
            await sync(desk, line)  # both are read: the list goes on behind them
            assert box.standing(old.hex())["replaced_by"] == [new.hex()]
            await world.la.recalls.order(new, "error", "keeper")
            await stands(world.la, new, "obeyed")
            await sync(desk, line)
            assert box.standing(new.hex())["recalled"] == "error"
            assert box.standing(old.hex())["replaced_by"] == []
            assert [one["replaced_by"] for one in box.rows()] == [[], []]


async def test_an_officer_takes_back_at_the_desk_what_is_theirs(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk("dao")
        machine = await accepted(world.kh, wish(LA))
        async with on_line(folder, bridge) as (desk, line):
            await sync(desk, line)
            box = Inbox(desk)
            before = await box.recall(line, machine.hex()[:12], None)
            assert (before["recalled"], before["here"]) == (False, None)
            with pytest.raises(Refused, match="recall_not_author"):
                await box.recall(line, machine.hex(), "error")
            corridors = await asyncio.to_thread(box.corridors)
            queue = Outbox(desk).queue
            written = await asyncio.to_thread(queue, desk_letter(LA), corridors)
            assert await Outbox(desk).send(line) == []
            (kept,) = Outbox(desk).some([written.number])
            assert kept.bulletin is not None
            await eventually(lambda: states(world.kh, kept.bulletin or b"") == ["accepted"])
            ordered = await box.recall(line, kept.bulletin.hex(), "error")
            assert (ordered["code"], ordered["by"]) == ("error", "officer:dao")
            await stands(world.kh, kept.bulletin, "obeyed", LA)
            with pytest.raises(InvalidInput, match="recall_code"):
                await box.recall(line, kept.bulletin.hex(), "because")
