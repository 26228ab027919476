"""Making the houses: keys, pins, enrolment, agreement, running programs; by the real commands.

What each house does alone is done at the same time. What passes between houses is a file that an
operator carries, or words that two people read to each other.
"""

from __future__ import annotations

import re
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
FOLDER: Final = "agency"
READY: Final = re.compile(r" is ready at http://127\.0\.0\.1:(\d+)\n")
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
    port: int = 0
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
        self.stage.until("the broker", self._ready)

    def _ready(self) -> bool:
        found = READY.search(self.broker.said())
        self.port = int(found[1]) if found else self.port
        return found is not None

    def start_node(self, agency: str, port: int) -> None:
        """Start an agency's node."""
        self.nodes[agency] = self.stage.start(
            f"node-{agency}", agency, "saphan", "node", "run", "--dir", self.folder(agency),
            "--broker", f"ws://127.0.0.1:{port}",
        )  # fmt: skip

    def has_agreement(self, agency: str) -> bool:
        """Whether the node has replayed the agreement from the directory log."""
        with suppress(SaphanError):
            return bool(self.node(agency).get("/v1/identity")["agreements"])
        return False


def make_houses(stage: Stage) -> Bridge:
    """Keys of broker and agencies, made at the same time in three processes."""
    for agency, text in PASSPHRASES.items():
        stage.secret(agency, "passphrase", text)
    broker, *agencies = together(
        lambda: _make_broker(stage),
        lambda: _make_agency(stage, LAOS),
        lambda: _make_agency(stage, CAMBODIA),
    )
    words = {made["agency"]: made["roots"][0]["words"] for made in agencies}
    return Bridge(stage, broker["words"], words)


def _make_broker(stage: Stage) -> dict[str, Any]:
    house = stage.house(BROKER)
    return stage.run(
        BROKER, "saphan-broker", "init", "--data", house / "data", "--keys", house / "keys",
        "--name", NAME, "--pins", house / "pins.json",
    )  # fmt: skip


def _make_agency(stage: Stage, agency: str) -> dict[str, Any]:
    secret = stage.house(agency) / "passphrase"
    return stage.run(
        agency, "saphan", "agency", "init", agency, "--dir", stage.house(agency) / FOLDER,
        "--officer", OFFICERS[agency],
        "--passphrase-file", secret, "--officer-passphrase-file", secret,
    )  # fmt: skip


def enrol(bridge: Bridge) -> None:
    """Carry pins out and enrolments in, words compared on both ways; then open the lines."""
    stage = bridge.stage
    bridge.start_broker()
    bridge.disturbed = Wire(bridge.port)
    for house in (LAOS, CAMBODIA, AUDITOR):
        stage.carry(stage.house(BROKER) / "pins.json", house, "pins-of-the-bridge.json")
    together(lambda: _pin(bridge, LAOS), lambda: _pin(bridge, CAMBODIA))
    for agency in PASSPHRASES:
        file = stage.carry(bridge.folder(agency) / "enrol.saphan", BROKER, f"{agency}.saphan")
        stage.run(
            BROKER, "saphan-broker", "admit", file, "--data", stage.house(BROKER) / "data",
            "--fingerprint", bridge.root_words[agency],
        )  # fmt: skip
    bridge.start_node(LAOS, bridge.port)
    bridge.start_node(CAMBODIA, bridge.wire.port)


def _pin(bridge: Bridge, agency: str) -> None:
    file = bridge.stage.house(agency) / "pins-of-the-bridge.json"
    bridge.saphan(agency, "agency", "pin", file, "--words", bridge.words)


def agree(bridge: Bridge) -> dict[str, Any]:
    """The memorandum: drafted at one office, signed by both, handed to the broker by one node."""
    stage = bridge.stage
    la, kh = stage.house(LAOS), stage.house(CAMBODIA)
    theirs = stage.carry(bridge.folder(CAMBODIA) / "agency.json", LAOS, "agency-of-kh.gpo.json")
    parties = ("--party", bridge.folder(LAOS) / "agency.json", "--party", theirs)
    bridge.saphan(LAOS, "agreement", "terms", *parties, "--out", la / "terms.json")
    bridge.saphan(
        LAOS, "agreement", "propose", *parties, "--terms", la / "terms.json",
        "--pins", la / "pins-of-the-bridge.json", "--out", la / "agreement.draft",
    )  # fmt: skip
    sign(bridge, LAOS)
    stage.carry(la / "agreement.draft", CAMBODIA)
    sign(bridge, CAMBODIA)
    done = kh / "agreement.saphan"
    bridge.saphan(CAMBODIA, "agreement", "finish", kh / "agreement.draft", "--out", done)
    bridge.saphan(CAMBODIA, "agreement", "submit", done, "--wait")
    shown = bridge.saphan(CAMBODIA, "agreement", "show", done)
    stage.until("the agreement in Vientiane", lambda: bridge.has_agreement(LAOS))
    return shown


def sign(bridge: Bridge, agency: str) -> None:
    """Sign the draft with the agency's root key."""
    draft = bridge.stage.house(agency) / "agreement.draft"
    secret = bridge.passphrase(agency)
    bridge.saphan(agency, "agreement", "sign", draft, "--yes", "--passphrase-file", secret)


def together(*work: Callable[[], T]) -> list[T]:
    """Run several things at the same time; results in their order, the first error raised."""
    with ThreadPoolExecutor(len(work)) as pool:
        return [future.result() for future in [pool.submit(one) for one in work]]
