"""`saphan-broker succeed` from its start to the successor: gather, decide, have it agreed, make it.

Nobody runs meanwhile: the caller holds the data directory, and what is left of the store is held
open, so that no other process sequences.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web
from saphan_protocol.invitation import DEFAULT_PORT, INVITATION_BYTES, parse_invitation
from saphan_protocol.pins import Pins
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import HeadRef
from saphan_schemas.succession_frames import Step

from saphan_broker.app import serving
from saphan_broker.clock import Clock
from saphan_broker.inviting import INVITATION_NAME
from saphan_broker.keys import load_log_keys, pins_of
from saphan_broker.logs.last_head import LastHead
from saphan_broker.logs.signer import Signer
from saphan_broker.moving.house import House
from saphan_broker.store.base import LOGS, Log
from saphan_broker.succession.deciding import Decided, check_needed, decide, plan_of
from saphan_broker.succession.gathering import Gathering
from saphan_broker.succession.known import SIGNER, KnownDirectory, Largest
from saphan_broker.succession.making import Made, make
from saphan_broker.succession.old_store import OldStore, old_store, read_directory, read_heads
from saphan_broker.succession.plan import KnownLeaf, Plan, read_plan, write_plan
from saphan_broker.succession_chain import read_chain
from saphan_broker.tls_files import CERTIFICATE_NAME, Shown, read_certificate

QUIET_S: Final = 2 * LIMITS.backoff_max_ms / 1000
"""Within it every node that runs has come, whatever it waited for: none waits longer than half."""
BEGUN: Final = 1
"""Directory leaves of a broker that has admitted nobody: the program's own schemas."""


@dataclass(frozen=True, slots=True)
class Row:
    """One agency in the table.

    Args:
        state: `reported`, `waiting`, `left_out`, `refused`, `unknown` (named to be left out).
        evidence, directory: leaves under the heads that it holds; None: not reported.
        code: why its last report was refused.
    """

    agency: str
    state: str
    evidence: int | None = None
    directory: int | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What is known at a moment.

    Args:
        store: code of why nothing was read from the store; "": it was read.
        complete: everybody who must has reported.
        short: leaves of the directory are missing, and with them agencies may be: until nothing was
            reported for `QUIET_S`, it is not complete.
    """

    rows: tuple[Row, ...]
    decided: Decided
    store: str
    complete: bool
    short: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How the command hears of its progress.

    Args:
        listening: the address at which nodes are waited for.
        changed: something was reported.
        agreed: asks whether the successor is to be made; False ends the command.
        resumed: a plan that was decided before is gone on with.
    """

    listening: Callable[[tuple[str, int]], None]
    changed: Callable[[View], None]
    agreed: Callable[[View], Awaitable[bool]]
    resumed: Callable[[Plan], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the operator has asked for.

    Args:
        listen: where nodes come.
        showing: what they see.
        without: agencies that are not waited for.
        address: HOST:PORT for the renewed invitation; None: that of the invitation so far.
    """

    listen: tuple[str, int]
    showing: Shown
    without: Collection[str]
    address: str | None


async def succeed(house: House, keys: Path, wanted: Wanted, told: Told, clock: Clock) -> Made:
    """Make the successor of a lost log, after hearing every agency that is not left out.

    Args:
        house: its choice is of no broker yet.

    Raises:
        OperatorError: `succession_needless`, `not_confirmed`, `reports_contradict`,
            `store_locked`, `store_in_use`, `key_file_*`, `port_taken`, ...
    """
    plan = await asyncio.to_thread(read_plan, keys)
    if plan is None:
        plan = await _planned(house, keys, wanted, told, clock)
    else:
        told.resumed(plan)
    return await make(house, keys, plan, clock)


async def _planned(house: House, keys: Path, wanted: Wanted, told: Told, clock: Clock) -> Plan:
    log_keys = {log: await asyncio.to_thread(load_log_keys, keys, log) for log in LOGS}
    pins = pins_of(log_keys)
    last: dict[Log, LastHead] = {}
    heads: dict[Log, Largest] = {}
    for log, one in log_keys.items():
        last[log] = await asyncio.to_thread(Signer.open(keys, log, one).last)
        heads[log] = Largest(one.origin)
        heads[log].take(HeadRef(one.origin, last[log].size, last[log].root), SIGNER)
    known = KnownDirectory(pins.directory.origin)
    address, tls = _invited(house.data, keys, pins, wanted.address)
    async with old_store(House(house.data, house.choice.of(pins)), pins) as (old, code):
        if old is not None:
            signed = await read_heads(old, pins, heads)
            await read_directory(old, signed.get("directory"), last["directory"], known)
        table = _Table(heads, known, last, wanted.without, code, old)
        await table.gather(pins, read_chain(keys), wanted, told, clock)
        decided = decide(heads, known, last)
    plan = plan_of(pins, decided, address, tls)
    leaves = (KnownLeaf(leaf, known.packages.get(index)) for index, leaf in enumerate(known.leaves))
    await asyncio.to_thread(write_plan, keys, plan, leaves)
    return plan


class _Table:
    """Who has reported, who is waited for, and what would be made of it."""

    def __init__(
        self,
        heads: dict[Log, Largest],
        known: KnownDirectory,
        last: dict[Log, LastHead],
        without: Collection[str],
        store: str,
        old: OldStore | None,
    ) -> None:
        self._heads = heads
        self._known = known
        self._last = last
        self._without = without
        self._store = store
        self._old = old
        self._gathering: Gathering | None = None
        self._news = asyncio.Event()
        self._quiet = False

    async def gather(
        self, pins: Pins, chain: tuple[Step, ...], wanted: Wanted, told: Told, clock: Clock
    ) -> None:
        """Listen until everybody has reported and it is agreed."""
        showing = wanted.showing
        gathering = self._gathering = Gathering(
            pins, self._heads, self._known, chain, clock, showing.fingerprint, self._news.set
        )
        app = web.Application()
        app.add_routes(gathering.routes())
        async with serving(app, *wanted.listen, showing.context) as bound:
            told.listening(bound)
            while True:
                self._quiet = self._quiet and not self._news.is_set()
                self._news.clear()
                await self._check_heads()
                view = self.view()
                told.changed(view)
                if view.complete:
                    await check_needed(self._old, view.decided)
                    if not await told.agreed(view):
                        raise _not_confirmed()
                    await self._check_heads()  # of those who have reported meanwhile, too
                    now = self.view()
                    if now.complete and now.decided == view.decided:
                        return
                    continue  # somebody has said more meanwhile: it is agreed to as it is
                await self._hear(QUIET_S if view.short else None)

    async def _check_heads(self) -> None:
        """Against what is left of the store."""
        if self._old is not None:
            await self._old.check_heads(self._heads)

    async def _hear(self, seconds: float | None) -> None:
        """Wait for a report, or until nobody has anything to say."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            self._quiet = True

    def view(self) -> View:
        """The table now.

        Raises:
            OperatorError: `reports_contradict`.
        """
        gathering = self._gathering
        assert gathering is not None
        if gathering.failure is not None:
            raise gathering.failure
        rows: list[Row] = []
        known = self._known.agencies()
        for agency in sorted({*known, *gathering.refused}):
            reported = gathering.reported.get(agency)
            if reported is not None:
                rows.append(Row(agency, "reported", reported.evidence, reported.directory))
            elif agency in known and agency in self._without:
                rows.append(Row(agency, "left_out"))
            elif agency in gathering.refused:
                rows.append(Row(agency, "refused", code=gathering.refused[agency]))
            else:
                rows.append(Row(agency, "waiting"))
        unknown = sorted(set(self._without) - {*known, *gathering.refused})
        rows += [Row(agency, "unknown") for agency in unknown]
        waiting = [row for row in rows if row.agency in known and row.state in _MISSING]
        # A directory of which nobody has shown anything may have agencies that nobody knows of.
        someone = self._known.size > 0 or self._last["directory"].size <= BEGUN
        decided = decide(self._heads, self._known, self._last)
        # Agencies enrolled in leaves that nobody has shown yet are in no row.
        short = self._known.size < decided.directory.head.size
        complete = someone and not waiting and (self._quiet or not short)
        return View(tuple(rows), decided, self._store, complete, short)


_MISSING: Final = frozenset({"waiting", "refused"})


def _invited(data: Path, keys: Path, pins: Pins, address: str | None) -> tuple[str, bytes | None]:
    """Address and pinned key of the invitation so far, as far as it is left."""
    try:
        with (data / INVITATION_NAME).open("rb") as file:
            old = parse_invitation(file.read(INVITATION_BYTES))
        return address or old.address, old.tls
    except (OSError, InvalidInput):
        pass
    try:
        tls = read_certificate(keys / CERTIFICATE_NAME).pin
    except (OperatorError, InvalidInput):
        tls = None
    return address or f"{pins.name}:{DEFAULT_PORT}", tls


def _not_confirmed() -> OperatorError:
    return OperatorError(
        "not_confirmed",
        "it was not confirmed, so nothing was made",
        field="yes",
        hint="answer yes at the terminal, or give --yes",
    )
