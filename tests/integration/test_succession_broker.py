"""A broker's log is lost: what its nodes report becomes the log that follows."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from saphan_broker.broker import open_broker
from saphan_broker.succession import succeeding as succeeding_module
from saphan_protocol.pins import Pins
from saphan_protocol.succession import check_chain
from saphan_schemas.errors import OperatorError
from support.broker_command import saphan_broker_here
from support.brokers import World
from support.lost_logs import KH, LA, Lived, live, renamed
from support.reporting import Reporter, copy_of
from support.succeeding import exchange, lose_data, reporters, signed_last, succeeding

OLD = "bridge.example/evidence/1"


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    return live(tmp_path_factory.mktemp("lived"))


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


async def _made(world: World, lived: Lived, copies: dict[str, Reporter], **options: Any) -> Any:
    """The successor, once these nodes have reported."""
    async with succeeding(world, **options) as command:
        url = await command.url()
        for reporter in copies.values():
            assert (await reporter.report(url)).code == "log_lost"
        return await command.made


async def _steps(world: World, pins: Pins) -> list[Any]:
    """What a node with old pins is told of all successions."""
    answer = await Reporter(world.agencies[LA], None, world.clock).ask_succession(world.url)  # type: ignore[arg-type]
    return list(check_chain(pins, answer.steps))


def test_all_data_is_gone_and_nodes_bring_the_directory_back(lived: Lived, tmp_path: Path) -> None:
    async def scenario() -> None:
        world = lived.again(tmp_path)
        before = signed_last(world)
        lose_data(world)
        made = await _made(world, lived, reporters(world, lived.late))
        assert made.plan.lost == before["evidence"]
        assert made.plan.lost.origin == OLD
        assert made.plan.directory == before["directory"].origin
        async with renamed(world).running() as broker:
            ((named, pins),) = await _steps(world, lived.world.pins)
            assert (named.ref, pins) == (before["evidence"], world.pins)
            assert (await copy_of(broker.state)).leaves == lived.late.leaves
            line = await world.line(LA)
            (place, text), *_ = lived.packages.items()
            for _ in range(2):
                again = await line.register(agreement=text)
                assert (again.code, again.indices) == (None, (place,))
            assert await broker.store.packages(0, 9) == {place: text}
            await line.close()
            first, second = world.agencies.values()
            await exchange(world, first, second)
            assert (await copy_of(broker.state)).leaves == lived.late.leaves

    run(scenario())


def test_texts_that_were_brought_again_are_there_after_a_restart(
    lived: Lived, tmp_path: Path
) -> None:
    async def scenario() -> None:
        world = lived.again(tmp_path)
        lose_data(world)
        await _made(world, lived, reporters(world, lived.late))
        async with renamed(world).running():
            line = await world.line(LA)
            await line.register(agreement=next(iter(lived.packages.values())))
            await line.close()
        async with world.running():
            first, second = world.agencies.values()
            await exchange(world, first, second)

    run(scenario())


def test_a_store_that_is_behind_is_set_aside_whole_and_gives_its_texts(
    lived: Lived, tmp_path: Path
) -> None:
    async def scenario() -> None:
        world = lived.again(tmp_path)
        before = signed_last(world)
        lived.put_back(world, "data")
        with pytest.raises(OperatorError, match="store_behind_signer") as behind:
            async with world.running():
                pass
        assert "saphan-broker succeed" in (behind.value.hint or "")
        made = await _made(world, lived, reporters(world, lived.late))
        assert made.plan.lost == before["evidence"]
        assert (world.data / "ended/1/broker.db").exists()
        assert (world.data / "ended/1/pins.json").read_bytes() == (
            lived.world.data / "pins.json"
        ).read_bytes()
        async with renamed(world).running() as broker:
            assert await broker.store.packages(0, 9) == lived.packages
            first, second = world.agencies.values()
            await exchange(world, first, second)  # nobody had to bring the agreement

    run(scenario())


def test_a_directory_whose_newest_leaf_nobody_has_gets_the_next_number(
    monkeypatch: pytest.MonkeyPatch, lived: Lived, tmp_path: Path
) -> None:
    monkeypatch.setattr(succeeding_module, "QUIET_S", 0.1)

    async def scenario() -> None:
        world = lived.again(tmp_path)
        before = signed_last(world)
        lose_data(world)
        made = await _made(world, lived, reporters(world, lived.early))
        assert made.plan.lost == before["evidence"]  # the signer's file alone knows it
        assert made.plan.directory == "bridge.example/directory/2"
        async with renamed(world).running() as broker:
            ((named, pins),) = await _steps(world, lived.world.pins)
            assert (named.ref, pins) == (before["evidence"], world.pins)
            assert (await copy_of(broker.state)).leaves == lived.early.leaves

    run(scenario())


def test_an_agency_enrolled_since_the_first_copy_is_not_left_out(tmp_path: Path) -> None:
    """Whoever reports first was away when the other one came: nobody in its copy is waited for."""

    async def scenario() -> None:
        world = World(tmp_path, LA, KH)
        await world.init()
        first, second = world.agencies.values()
        async with world.running() as broker:
            await broker.admit_operation(first.enrolment())
            away = await copy_of(broker.state)
            await broker.admit_operation(second.enrolment())
            there = await copy_of(broker.state)
        assert len(away.leaves) < len(there.leaves)
        lose_data(world)
        async with succeeding(world) as command:
            url = await command.url()
            assert (await Reporter(first, away, world.clock).report(url)).code == "log_lost"
            await command.until(LA, "reported")
            newest = command.views[-1]
            assert (newest.short, newest.complete, command.made.done()) == (True, False, False)
            assert (await Reporter(second, there, world.clock).report(url)).code == "log_lost"
            made = await command.made
        assert made.plan.known.size == len(there.leaves)
        async with renamed(world).running() as broker:
            assert set(broker.state.directory.agencies()) == {LA, KH}

    run(scenario())


def test_a_signer_s_file_that_is_an_old_copy_is_not_the_largest_word(
    lived: Lived, tmp_path: Path
) -> None:
    async def scenario() -> None:
        world = lived.again(tmp_path)
        newest = signed_last(world)
        lived.put_back(world, "data")
        lived.put_back(world, "keys")
        made = await _made(world, lived, reporters(world, lived.late))
        assert made.plan.lost == newest["evidence"]
        # Whatever that signer has signed of the directory since is not known to anybody here.
        assert made.plan.directory == "bridge.example/directory/2"

    run(scenario())


def test_a_second_loss_has_a_second_successor_and_one_chain(lived: Lived, tmp_path: Path) -> None:
    async def scenario() -> None:
        world = lived.again(tmp_path)
        lose_data(world)
        await _made(world, lived, reporters(world, lived.late))
        async with renamed(world).running() as broker:
            line = await world.line(LA)
            await line.register(agreement=next(iter(lived.packages.values())))
            await line.close()
            first, second = world.agencies.values()
            await exchange(world, first, second)
            newer = await copy_of(broker.state)
        lose_data(world)
        second_loss = signed_last(world)
        async with succeeding(world) as command:
            url = await command.url()
            # A node that missed the first succession hears of it while the second is gathered.
            away = await reporters(world, newer)[LA].ask_succession(url)
            assert len(check_chain(lived.world.pins, away.steps)) == 1
            for reporter in reporters(world, newer).values():
                assert (await reporter.report(url)).code == "log_lost"
            made = await command.made
        assert made.plan.lost == second_loss["evidence"]
        async with renamed(world).running():
            chain = await _steps(world, lived.world.pins)
            assert [named.origin[-1] for named, _pins in chain] == ["1", "2"]
            assert chain[-1][1] == world.pins

    run(scenario())


def test_nothing_is_made_of_a_log_of_which_nothing_is_lost(lived: Lived, tmp_path: Path) -> None:
    async def scenario() -> None:
        world = lived.again(tmp_path)
        with pytest.raises(OperatorError, match="succession_needless"):
            await _made(world, lived, reporters(world, lived.late))
        async with world.running():
            pass

    run(scenario())


def test_everybody_is_waited_for_who_is_not_left_out(lived: Lived, tmp_path: Path) -> None:
    async def scenario() -> None:
        world = lived.again(tmp_path)
        lose_data(world)
        nodes = reporters(world, lived.late)
        async with succeeding(world) as command:
            url = await command.url()
            assert not command.views[-1].rows
            assert (await nodes[LA].report(url)).code == "log_lost"
            await command.until(LA, "reported")
            assert command.state(KH) == "waiting"
            assert not command.made.done()
        made = await _made(world, lived, {LA: nodes[LA]}, without=[KH])
        assert made.plan.directory.endswith("/1")

    run(scenario())


def test_what_is_not_agreed_to_is_not_made(lived: Lived, tmp_path: Path) -> None:
    async def scenario() -> None:
        world = lived.again(tmp_path)
        before = signed_last(world)
        lived.put_back(world, "data")
        with pytest.raises(OperatorError, match="not_confirmed"):
            await _made(world, lived, reporters(world, lived.late), agree=lambda view: False)
        assert signed_last(world) == before
        assert (world.data / "broker.db").exists()

    run(scenario())


def test_no_broker_runs_on_keys_whose_successor_is_half_made(lived: Lived, tmp_path: Path) -> None:
    world = lived.again(tmp_path)
    (world.keys / "succession").mkdir()
    with pytest.raises(OperatorError, match="succession_unfinished"):
        asyncio.run(_open(world))
    ran = saphan_broker_here("run", "--data", world.data, "--keys", world.keys, status=5)
    assert ran.code == "succession_unfinished"


async def _open(world: World) -> None:
    broker = await open_broker(world.data, world.keys)
    await broker.stop()
