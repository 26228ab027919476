"""Making the houses: keys, pins, enrolment, agreement, running programs; by the real commands.

What each house does alone is done at the same time. What passes between houses is a file that an
operator carries, or words that two people read to each other.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from saphan.local_api import LocalNode
from saphan_schemas.errors import SaphanError
from stage import AUDITOR, BROKER, CAMBODIA, LAOS, Program, Stage
from wire import Wire

NAME: Final = "bridge.example"
DRAFT: Final = "agreement.draft"
FOLDER: Final = "agency"
READY: Final = " is ready at https://127.0.0.1:"
INVITATION: Final = "invitation-of-the-bridge.json"
OFFICERS: Final = {LAOS: "khamla", CAMBODIA: "sokha"}
PASSPHRASES: Final = {
    LAOS: "ferry lantern rice seven drums",
    CAMBODIA: "lotus ladder copper nine boats",
}

T = TypeVar("T")


@dataclass
class Bridge:
    """The running system as its people know it."""

    stage: Stage
    words: str
    root_words: dict[str, str]
    port: int
    desk_ports: dict[str, int]
    nodes: dict[str, Program] = field(default_factory=dict)
    running: Program | None = None
    disturbed: Wire | None = None

    @property
    def broker(self) -> Program:
        """The running broker."""
        assert self.running is not None
        return self.running

    @property
    def wire(self) -> Wire:
        """The line between the broker and the node in Phnom Penh."""
        assert self.disturbed is not None
        return self.disturbed

    def folder(self, agency: str) -> Path:
        """The agency's folder, made by `saphan agency init`."""
        return self.stage.house(agency) / FOLDER

    def passphrase(self, agency: str) -> Path:
        """The file that stands for what the agency's people type."""
        return self.stage.house(agency) / "passphrase"

    def node(self, agency: str) -> LocalNode:
        """The agency's node, as its own case system asks it."""
        return LocalNode(self.folder(agency) / "node")

    def saphan(self, agency: str, *words: str | Path) -> dict[str, Any]:
        """Run `saphan ...` in the agency's house."""
        return self.stage.run(agency, "saphan", *words, "--dir", self.folder(agency))

    def status(self, agency: str, bulletin: str) -> dict[str, Any]:
        """A bulletin's life as the agency's node knows it."""
        return self.node(agency).get(f"/v1/bulletins/{bulletin}")

    def start_broker(self) -> None:
        """Start the broker, at the same address each time, and wait until it is ready."""
        house = self.stage.house(BROKER)
        self.running = self.stage.start(
            "broker", BROKER, "saphan-broker", "run", "--data", house / "data",
            "--keys", house / "keys", "--listen", f"127.0.0.1:{self.port}",
            "--public-log",
        )  # fmt: skip
        self.stage.until("the broker", lambda: READY in self.broker.said())

    def start_node(self, agency: str, *options: str) -> None:
        """Start an agency's node."""
        self.nodes[agency] = self.stage.start(
            f"node-{agency}", agency, "saphan", "node", "run", "--dir", self.folder(agency),
            *options,
        )  # fmt: skip

    def start_laos(self) -> None:
        """The node in Vientiane, serving desks."""
        self.start_node(LAOS, "--desks", f"127.0.0.1:{self.desk_ports[LAOS]}")

    def start_cambodia(self) -> None:
        """The node in Phnom Penh: behind the wire, and serving desks."""
        self.start_node(
            CAMBODIA, "--broker", f"wss://127.0.0.1:{self.wire.port}",
            "--desks", f"127.0.0.1:{self.desk_ports[CAMBODIA]}",
        )  # fmt: skip

    def node_answers(self) -> bool:
        """Whether the node in Phnom Penh serves desks."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.desk_ports[CAMBODIA])) == 0

    def has_agreement(self, agency: str) -> bool:
        """Whether the node has replayed the agreement from the directory log."""
        with suppress(SaphanError):
            return bool(self.node(agency).get("/v1/identity")["agreements"])
        return False


def make_houses(stage: Stage) -> Bridge:
    """The bridge's keys and invitation; then both agencies' keys, made at the same time."""
    for agency, text in PASSPHRASES.items():
        stage.secret(agency, "passphrase", text)
    port = free_port()
    broker = _make_broker(stage, port)
    for house in (LAOS, CAMBODIA, AUDITOR):
        stage.carry(stage.house(BROKER) / INVITATION, house)
    agencies = together(
        lambda: _make_agency(stage, LAOS, broker["words"]),
        lambda: _make_agency(stage, CAMBODIA, broker["words"]),
    )
    words = {made["agency"]: made["roots"][0]["words"] for made in agencies}
    ports = {agency: free_port() for agency in OFFICERS}
    return Bridge(stage, broker["words"], words, port, ports)


def free_port() -> int:
    """An invitation names it before the program runs that listens there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make_broker(stage: Stage, port: int) -> dict[str, Any]:
    house = stage.house(BROKER)
    return stage.run(
        BROKER, "saphan-broker", "init", "--data", house / "data", "--keys", house / "keys",
        "--name", NAME, "--address", f"127.0.0.1:{port}", "--invitation", house / INVITATION,
    )  # fmt: skip


def _make_agency(stage: Stage, agency: str, words: str) -> dict[str, Any]:
    """Its people have heard the invitation's words from the bridge's operator."""
    house = stage.house(agency)
    secret = house / "passphrase"
    return stage.run(
        agency, "saphan", "agency", "init", agency, "--dir", house / FOLDER,
        "--invitation", house / INVITATION, "--words", words, "--officer", OFFICERS[agency],
        "--passphrase-file", secret, "--officer-passphrase-file", secret,
    )  # fmt: skip


def enrol(bridge: Bridge) -> None:
    """Carry the enrolments to the bridge's operator, words compared; then open the lines."""
    stage, house = bridge.stage, bridge.stage.house(BROKER)
    bridge.start_broker()
    bridge.disturbed = Wire(bridge.port, house / "keys")
    for agency in PASSPHRASES:
        file = stage.carry(bridge.folder(agency) / "enrol.saphan", BROKER, f"{agency}.saphan")
        stage.run(
            BROKER, "saphan-broker", "admit", file, "--data", house / "data",
            "--fingerprint", bridge.root_words[agency],
        )  # fmt: skip
    bridge.start_laos()
    bridge.start_cambodia()


def agree(bridge: Bridge) -> dict[str, Any]:
    """The memorandum: proposed and signed at one office, signed and handed over at the other."""
    stage = bridge.stage
    draft = stage.house(LAOS) / DRAFT
    secret = bridge.passphrase(LAOS)
    bridge.saphan(
        LAOS, "agreement", "propose", "--with", CAMBODIA, "--out", draft, "--wait",
        "--words", bridge.root_words[CAMBODIA], "--passphrase-file", secret,
    )  # fmt: skip
    stage.carry(draft, CAMBODIA)
    shown = sign(bridge, CAMBODIA)
    stage.until("the agreement in Vientiane", lambda: bridge.has_agreement(LAOS))
    return shown


def sign(bridge: Bridge, agency: str) -> dict[str, Any]:
    """Sign the draft with the agency's root key, as the last one, and hand it to its node."""
    draft = bridge.stage.house(agency) / DRAFT
    secret = bridge.passphrase(agency)
    words = ("agreement", "countersign", draft, "--yes", "--passphrase-file", secret)
    return bridge.saphan(agency, *words)


def together(*work: Callable[[], T]) -> list[T]:
    """Run several things at the same time; results in their order, the first error raised."""
    with ThreadPoolExecutor(len(work)) as pool:
        return [future.result() for future in [pool.submit(one) for one in work]]
