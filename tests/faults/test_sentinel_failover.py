"""Failovers by real sentinels under a broker of two processes, while bulletins are brought.

Oracle: as for killed processes (`support.process_house`); seconds are printed, none decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest
from support.crews import until
from support.guarded_crews import GuardedCrew
from support.loads import Stubborn
from support.process_house import BULLETINS, A, B, House
from support.sentinels import role
from support.servers import Engine, Server, wait_until

PATIENCE_S = 60.0
"""Generous: the sentinels take about three seconds, the broker two more."""
pytestmark = pytest.mark.timeout(600)  # half a minute each on two quiet cores


@asynccontextmanager
async def broker_over(place: Path, engine: Engine) -> AsyncIterator[tuple[House, GuardedCrew]]:
    """Two processes over a primary with two replicas, one of which must hold each commit."""
    crew = GuardedCrew(place, A, B, engine=engine)
    async with crew.carried(1):
        await crew.enrol()
        await crew.members[0].broker.stop()
        house = House(crew)
        try:
            await house.start(2)
            yield house, crew
        finally:
            await house.close()


async def failover(
    house: House, crew: GuardedCrew, away: Callable[[Server], Awaitable[None]]
) -> float:
    """Bring bulletins, take the primary away in the middle; seconds until one is answered again."""
    sender, recipient = house.node(A, 0, 1), house.node(B, 1)
    await recipient.connect()
    loading = asyncio.create_task(house.load(sender))
    await until(lambda: len(house.told) >= BULLETINS // 4)
    old, at = await asyncio.to_thread(lambda: crew.guarded.primary), monotonic()
    await away(old)
    await asyncio.to_thread(crew.guarded.wait_for_another, old)
    promoted, told = monotonic() - at, len(house.told)
    await until(lambda: len(house.told) > told or loading.done(), PATIENCE_S)
    took = monotonic() - at
    print(f"promoted after {promoted:.2f} s, answered again after {took:.2f} s")
    async with asyncio.timeout(PATIENCE_S):
        await loading
        await recipient.fetch(BULLETINS)
    assert "store_behind_node" not in sender.refusals | recipient.refusals
    return took


@pytest.mark.parametrize("engine", ["valkey", pytest.param("redis", marks=pytest.mark.long)])
async def test_the_primary_is_killed_under_load(engine: Engine, tmp_path: Path) -> None:
    """Timeline: SIGKILL; the sentinels promote a replica; both processes go there by themselves;
    nothing is lost, and nothing is answered twice differently."""
    async with broker_over(tmp_path, engine) as (house, crew):

        async def killed(primary: Server) -> None:
            await asyncio.to_thread(primary.kill)

        await failover(house, crew, killed)
        await house.check(BULLETINS, tmp_path)


@pytest.mark.long
async def test_an_operator_asks_for_a_failover_under_load(tmp_path: Path) -> None:
    """Timeline: SENTINEL FAILOVER; the old primary lives, and so does its other replica, so that it
    could go on answering until it is told; it does not."""
    async with broker_over(tmp_path, "valkey") as (house, crew):

        async def asked(_primary: Server) -> None:
            await asyncio.to_thread(crew.guarded.failover)

        await failover(house, crew, asked)
        await house.check(BULLETINS, tmp_path)


@pytest.mark.long
async def test_a_primary_that_stood_still_wakes_up_stale_under_load(tmp_path: Path) -> None:
    """Timeline: SIGSTOP under load; another one is promoted; SIGCONT while bulletins are brought
    there: what the old one had on its way to it is answered to nobody, and it follows."""
    async with broker_over(tmp_path, "valkey") as (house, crew):

        async def stopped(primary: Server) -> None:
            primary.pause()
            crew.server = primary

        await failover(house, crew, stopped)
        again = asyncio.create_task(house.load(house.node(A, 0), BULLETINS))
        crew.server.resume()
        async with asyncio.timeout(PATIENCE_S):
            await again
        await asyncio.to_thread(wait_until, lambda: role(crew.server) == "slave")
        await house.check(2 * BULLETINS)


async def test_a_promoted_replica_that_lacks_what_was_answered_stops_the_log(
    tmp_path: Path,
) -> None:
    """Timeline: nobody waits for the replica, and that is accepted; its line to the primary is cut;
    bulletins are answered; SIGKILL of the primary; the sentinels promote the replica. The broker
    signs nothing upon it, says why, and has not restarted."""
    crew = GuardedCrew(tmp_path, A, B, replicas=1, wanted=0)
    async with crew.carried(1) as (member,):
        await crew.enrol()
        house = House(crew)
        primary, replica = crew.guarded.servers
        sender = Stubborn(crew.agencies[A], crew.pins, crew.clock, lambda: [member.url])
        house.nodes.append(sender)
        await house.load(sender, 5)
        replica.pause()
        await asyncio.to_thread(cut_replicas, primary)
        await house.load(sender, 5)
        signed = newest(crew)
        await asyncio.to_thread(primary.kill)
        replica.resume()
        more = asyncio.create_task(house.load(sender, 1))
        alarms = member.broker.state.alarms
        await until(
            lambda: "store_behind_signer" in {alarm.code for alarm in alarms.active()}, PATIENCE_S
        )
        (said,) = [one for one in alarms.active() if one.code == "store_behind_signer"]
        assert said.stops
        assert "saphan-broker succeed" in said.message
        assert not more.done()
        assert newest(crew) == signed
        assert role(replica) == "master"
        more.cancel()
        await asyncio.gather(more, return_exceptions=True)
        await house.close()


def cut_replicas(primary: Server) -> None:
    """What is written from here on is at the primary alone."""
    with primary.client() as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "replica")


def newest(crew: GuardedCrew) -> tuple[int, bytes]:
    """Size and root that were signed last."""
    last = crew.broker.state.signers["evidence"].last()
    return last.size, last.root
