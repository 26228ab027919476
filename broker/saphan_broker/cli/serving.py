"""What one process of `saphan-broker run` does: a broker, the operator's socket, what listens."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from aiohttp import web
from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.terminal import print_json

from saphan_broker.admin import Seat, administered
from saphan_broker.app import make_app, run_until_told, serving
from saphan_broker.broker import Broker, open_broker
from saphan_broker.cli.quotas import quotas_of
from saphan_broker.cli.ready import say_ready, url
from saphan_broker.data_pins import keep_pins
from saphan_broker.http_log import LogPages
from saphan_broker.logs.signer import Signer
from saphan_broker.metrics import MetricsPages
from saphan_broker.objects.place import check_objects
from saphan_broker.opening import StoreChoice, open_objects
from saphan_broker.orphan import parent_gone
from saphan_broker.serving_keys import read_keys
from saphan_broker.standing import standing_of
from saphan_broker.tls_files import Shown

_log = logging.getLogger("saphan.broker")

LOOK_S: Final = 0.2
"""A parent that is told a little late only ends its processes in another order."""


async def serve(args: argparse.Namespace, choice: StoreChoice, showing: Shown) -> None:
    """Serve until SIGTERM, SIGINT or, with `args.seat`, until the parent is gone.

    Raises:
        OperatorError: `store_*`, `key_file_*`, `port_taken`, ...: it cannot start.
    """
    seat = Seat(args.seat or 1, args.processes)
    told = asyncio.Event()
    broker = await _opened(args, choice)
    if choice.shared:
        keep_pins(args.data, broker.state.pins)
    try:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(quotas_of(args.quotas, broker.state))
            await broker.start()
            for loss in standing_of(broker).accepted_losses:
                _log.warning("--accept-loss: what is answered may be lost: %s", loss)
            if args.seat is not None:
                await stack.enter_async_context(parent_gone(told))
                await stack.enter_async_context(_telling_role(broker))
            await stack.enter_async_context(administered(broker, args.data, seat))
            routes, metrics = await _pages(args, broker, stack)
            await run_until_told(
                broker,
                make_app(broker, routes),
                *args.listen,
                shown=showing,
                started=lambda host, port: say_ready(
                    broker.state.pins.name,
                    url((host, port), tls=showing.context is not None),
                    None if metrics is None else [url(metrics)],
                    args.json or args.seat is not None,
                ),
                told=told,
                beside_others=args.seat is not None,
            )
    finally:
        await broker.stop()


async def _look_at_objects(data: Path, choice: StoreChoice) -> None:
    """Objects that a person must look at are found at the start, not at their first use.

    Raises:
        OperatorError: `blobs_unusable`, and as `open_objects`.
    """
    if choice.blobs is None and choice.redis is None:
        return
    objects = await asyncio.to_thread(open_objects, data, choice)
    try:
        await check_objects(objects)
    except Unavailable as error:  # a service that is down comes back; bulletins need not wait
        _log.warning("%s", error)
    finally:
        await objects.close()


async def _opened(args: argparse.Namespace, choice: StoreChoice) -> Broker:
    """The broker; what is missing is said in this program's options.

    Raises:
        OperatorError: `store_behind_signer`, and as `open_broker`.
    """
    try:
        broker = await open_broker(args.data, args.keys, store=choice)
    except OperatorError as error:
        if error.code != "store_missing":
            raise
        raise _missing(args, choice, error) from None
    try:
        await _look_at_objects(args.data, choice)  # they are the store's: nothing is put elsewhere
    except BaseException:
        await broker.stop()
        raise
    return broker


def _missing(args: argparse.Namespace, choice: StoreChoice, error: OperatorError) -> OperatorError:
    """Why there is no store: another place, or, where heads were signed, a loss."""
    if not choice.shared:
        error.hint = (
            "make a broker with `saphan-broker init`; where a server carries this one, name it "
            "with --redis; if its data is lost: saphan-broker succeed"
        )
        return error
    _pins, log_keys = read_keys(args.keys)
    if log_keys is None:
        return error  # who only serves does not know what was signed
    signed = [Signer.open(args.keys, log, one).last() for log, one in log_keys.items()]
    return OperatorError(
        "store_behind_signer",
        "the server holds nothing of this broker, but heads of "
        f"{' and '.join(str(last.size) for last in signed)} leaves were signed",
        field="redis",
        hint="is --redis the right server, and was it restarted without its data? From SQLite: "
        "`saphan-broker copy`; after a loss: restore its files or a backup that lacks nothing; if "
        "none is left: saphan-broker succeed",
    )


async def _pages(
    args: argparse.Namespace, broker: Broker, stack: AsyncExitStack
) -> tuple[list[web.AbstractRouteDef], tuple[str, int] | None]:
    """Routes beside the sessions, and where metrics listen if they have a port of their own."""
    pages = MetricsPages(broker, args.data, everyone=args.metrics_listen is not None)
    routes: list[web.AbstractRouteDef] = [] if args.metrics_listen else list(pages.routes())
    metrics = None
    if args.metrics_listen:
        app = web.Application()
        app.add_routes(pages.routes())
        metrics = await stack.enter_async_context(serving(app, *args.metrics_listen))
    routes += LogPages(broker.state, None if args.public_log else broker.admits).routes()
    return routes, metrics


@asynccontextmanager
async def _telling_role(broker: Broker) -> AsyncIterator[None]:
    """Tell the parent, inside the block, whenever this process begins or ends to sequence."""

    async def tell() -> None:
        told = ""
        while True:
            role = standing_of(broker).role
            if role != told:
                print_json(sys.stdout, {"event": "role", "role": role})
                told = role
            await asyncio.sleep(LOOK_S)

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
