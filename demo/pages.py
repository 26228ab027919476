"""The last scene: both officers' desks, as pages in a browser."""

from __future__ import annotations

import signal
import sys
import time
from typing import Final

from desk import OfficersDesk
from houses import Bridge
from pictures import Screen
from stage import Program, last_object

COMMAND: Final = ".venv/bin/python demo/run.py --stay"


def show_pages(bridge: Bridge, desks: list[OfficersDesk], screen: Screen, stay: bool) -> None:
    """Say how both desks are opened; with `stay`, open them and wait until told to end."""
    screen.scene("The officers' desks, as they see them")
    screen.say(
        "Each officer works on a page that their own computer serves to itself alone: keys and "
        "opened content never leave it. It is in Lao, Khmer and English."
    )
    if not stay:
        screen.say("To open both desks of this demo and look around:")
        screen.table([(COMMAND,)])
        screen.say("It plays the same story, opens them, and waits until you have seen enough.")
        return
    _everything_again(bridge)
    pages = [_opened(bridge, desk) for desk in desks]
    for desk, link in zip(desks, pages, strict=True):
        screen.good(f"{desk.officer} of {desk.agency}: open this link in a browser here.")
        screen.table([("link", link), ("passphrase", desk.typed)])
    screen.say("A link works once, within ten minutes. Ctrl-C ends the demo.")
    _wait()


def _everything_again(bridge: Bridge) -> None:
    """The audit has stopped all programs."""
    bridge.start_broker()
    bridge.start_laos()
    bridge.start_cambodia()
    bridge.stage.until("the node in Phnom Penh", bridge.node_answers)


def _opened(bridge: Bridge, desk: OfficersDesk) -> str:
    """The page's launch link."""
    program = bridge.stage.start(
        f"page-{desk.officer}", desk.house, "saphan", "desk", "open", desk.folder,
        "--no-browser", "--json",
    )  # fmt: skip
    bridge.stage.until(f"the page of {desk.officer}", lambda: _complete(program))
    link: str = last_object(program.said())["link"]
    return link


def _complete(program: Program) -> bool:
    """Whether it has printed its line."""
    return program.said().rstrip(" ").endswith("}\n")


def _wait() -> None:
    """Until Ctrl-C or SIGTERM."""
    sys.stdout.flush()
    try:
        while True:
            time.sleep(60)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would leave programs behind
