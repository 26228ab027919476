"""The one line that `saphan-broker run` prints when it serves."""

from __future__ import annotations

import sys

from saphan_schemas.messages import text
from saphan_schemas.terminal import print_json, print_line


def say_ready(name: str, address: str, metrics: list[str] | None, as_json: bool) -> None:
    """The one line of output: whoever started the program may go on.

    Args:
        metrics: addresses of the processes' metrics, by number; None without a port of their own.
    """
    if not as_json:
        print_line(sys.stdout, text("note.broker_ready", name=name, url=address))
        return
    value: dict[str, object] = {"event": "ready", "url": address, "name": name}
    if metrics:
        value |= {"metrics": metrics[0], "all_metrics": metrics}
    print_json(sys.stdout, value)


def url(bound: tuple[str, int], *, tls: bool = False) -> str:
    """An address that listens, as a URL."""
    host, port = bound
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{port}"
