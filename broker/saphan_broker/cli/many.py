"""`saphan-broker run --processes N`: the parent, and the command line of each process."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from typing import Any

from saphan_broker.cli.ready import say_ready
from saphan_broker.listening import reserved
from saphan_broker.supervising import Supervisor


async def supervise(args: argparse.Namespace, lock: int) -> int:
    """Run `args.processes` processes until SIGTERM or SIGINT; the exit status.

    Raises:
        OperatorError: `port_taken`, `address_unusable`.
    """
    with reserved(*args.listen) as held:
        listen = held.getsockname()[:2]
        supervisor = Supervisor(args.processes, lambda n: _command(args, listen, n), (lock,))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, supervisor.stop)
        if args.quotas is not None:
            loop.add_signal_handler(signal.SIGHUP, supervisor.hang_up)

        def ready(said: Sequence[dict[str, Any]]) -> None:
            metrics = [one["metrics"] for one in said if "metrics" in one]
            say_ready(said[0]["name"], said[0]["url"], metrics, args.json)

        return await supervisor.run(ready)


def _command(args: argparse.Namespace, listen: tuple[str, int], number: int) -> list[str]:
    """What was given, with the port that is shared and one of its own for metrics."""
    # Without the current directory on Python's path: whoever can write there would run here.
    words = [sys.executable, "-P", "-m", "saphan_broker", *args.given, "--seat", str(number)]
    words += ["--listen", _shown(*listen)]
    if args.metrics_listen:
        host, port = args.metrics_listen
        words += ["--metrics-listen", _shown(host, port + number - 1 if port else 0)]
    return words


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
