"""A network of its own for each party: a namespace with one cable to a switch; only as root.

The switch is a bridge in a namespace of its own too, so nothing of this is routed outside.
Addresses are of the block that RFC 5737 keeps for documentation: nothing real has them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from chaos.schedule import AGENCIES, BROKER

PORT: Final = 8470
PARTIES: Final = (BROKER, *AGENCIES)


def allowed() -> bool:
    """Whether namespaces with cables can be made here."""
    if os.getuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"saphan-try-{os.getpid()}"
    if _ip("netns", "add", name, check=False).returncode != 0:
        return False
    made = _ip("-n", name, "link", "add", "a0", "type", "veth", "peer", "name", "b0", check=False)
    _ip("netns", "del", name)
    return made.returncode == 0


def address(party: str) -> str:
    """A party's address on the switch."""
    return f"192.0.2.{PARTIES.index(party) + 1}"


def inside(on: bool, place: Path, party: str) -> list[str]:
    """What stands before a command line so that it runs in a party's network."""
    return ["ip", "netns", "exec", _name(place, party)] if on else []


def make(place: Path) -> None:
    """The switch, and a network for each party, plugged in."""
    switch = _name(place, "switch")
    _ip("netns", "add", switch)
    _ip("-n", switch, "link", "add", "br0", "type", "bridge")
    _ip("-n", switch, "link", "set", "br0", "up")
    for number, party in enumerate(PARTIES, 1):
        own, port = _name(place, party), f"port{number}"
        _ip("netns", "add", own)
        _ip(
            "-n", switch, "link", "add", port, "type", "veth", "peer", "name", "cable", "netns", own
        )
        _ip("-n", switch, "link", "set", port, "master", "br0", "up")
        _ip("-n", own, "address", "add", f"{address(party)}/24", "dev", "cable")
        _ip("-n", own, "link", "set", "cable", "up")
        _ip("-n", own, "link", "set", "lo", "up")


def plug(place: Path, party: str, *, plugged: bool) -> None:
    """Pull a party's cable out of the switch, or put it back."""
    port = f"port{PARTIES.index(party) + 1}"
    # Taken off the switch, and not down: the party's kernel must not see that its cable is out.
    words = ["master", "br0"] if plugged else ["nomaster"]
    _ip("-n", _name(place, "switch"), "link", "set", port, *words)


def plugged(place: Path, party: str) -> bool:
    """Whether a party's cable is in the switch."""
    port = f"port{PARTIES.index(party) + 1}"
    said = _ip("-n", _name(place, "switch"), "link", "show", port)
    return " master br0 " in said.stdout


def remove(place: Path) -> None:
    """All of it; what still runs in a network keeps that until it ends."""
    for party in (*PARTIES, "switch"):
        _ip("netns", "del", _name(place, party), check=False)


def _name(place: Path, party: str) -> str:
    return f"saphan-{place.name}-{party}"


def _ip(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=check)
