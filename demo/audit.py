"""The audit: offline, in a folder without any private key, from public logs and record packs."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any, Final

import secrecy
from houses import INVITATION, Bridge, together
from packs import export_broker, export_node
from pictures import Screen
from saphan_protocol.notes import parse_note
from stage import AUDITOR, BROKER, CAMBODIA, LAOS, DemoFailed

LOGS: Final = "logs"
FEWEST_KEYS: Final = 14
"""Two log keys, TLS key, day seed; for each agency root, officer, node, mailbox and witness."""


def audit(bridge: Bridge, screen: Screen) -> None:
    """The scene.

    Raises:
        DemoFailed: when something is wrong, or when what is wrong is not found.
    """
    screen.scene("The auditor checks all of it, offline")
    packs = _hand_over(bridge)
    bridge.stage.stop()
    screen.say(
        "The auditor has fetched the bridge's public log and got three record packs, one from each "
        "house; they hold no content and no key. All programs are stopped now."
    )
    _no_private_key(bridge, screen)
    report = _verify(bridge, packs)
    _numbers(screen, report)
    _tampered(bridge, screen, packs)


def _hand_over(bridge: Bridge) -> list[Path]:
    """The auditor fetches the public log; every house exports its pack, a courier carries it."""
    stage = bridge.stage
    files = [stage.house(name) / f"{name}.pack" for name in (BROKER, LAOS, CAMBODIA)]
    stage.until("both witnesses", lambda: _witnesses(bridge) == {LAOS, CAMBODIA})
    together(
        lambda: export_broker(bridge, files[0]),
        lambda: export_node(bridge, LAOS, files[1]),
        lambda: export_node(bridge, CAMBODIA, files[2]),
    )
    return [stage.carry(file, AUDITOR) for file in files]


def _witnesses(bridge: Bridge) -> set[str]:
    """Fetch the public log; who else than the log itself has signed its head by now."""
    house = bridge.stage.house(AUDITOR)
    url = f"https://127.0.0.1:{bridge.port}"
    pins = house / INVITATION
    bridge.stage.run(AUDITOR, "saphan", "audit", "fetch", url, house / LOGS, "--pins", pins)
    note = parse_note((house / LOGS / "evidence" / "checkpoint").read_bytes())
    return {line.name for line in note.lines} & {LAOS, CAMBODIA}


def _no_private_key(bridge: Bridge, screen: Screen) -> None:
    stage = bridge.stage
    keys = secrecy.key_files(stage.house(name) for name in (BROKER, LAOS, CAMBODIA))
    found = secrecy.holding(stage.house(AUDITOR), secrecy.secrets_of(keys))
    if found or secrecy.key_files([stage.house(AUDITOR)]) or len(keys) < FEWEST_KEYS:
        raise DemoFailed("the auditor's folder holds a private key")
    screen.good(
        f"No private key at the auditor: the secrets of all {len(keys)} key files of the three "
        "houses were searched for in its folder, and none is there."
    )


def _verify(bridge: Bridge, packs: list[Path], refused: bool = False) -> dict[str, Any]:
    house = bridge.stage.house(AUDITOR)
    handed: list[str | Path] = ["--pins", house / INVITATION]
    for pack in packs:
        handed += ["--pack", pack]
    return bridge.stage.run(
        AUDITOR, "saphan", "audit", "verify", house / LOGS, *handed, refused=refused
    )


def _numbers(screen: Screen, report: dict[str, Any]) -> None:
    """The verdict, and how much of everything it covers."""
    seen = report["coverage"]
    directory, evidence = seen["directory"], seen["evidence"]
    outcomes = Counter[str](evidence["deliveries"])
    witnesses = " and ".join(seen["heads"][-1]["witnesses"]) or "nobody"
    screen.good("Nothing is wrong. What the verdict covers:")
    screen.table(
        [
            ("directory", f"{directory['operations']} enrolments, {directory['signatures']} "
             f"signatures, {directory['agreements']['opened']} of "
             f"{directory['agreements']['logged']} agreements opened"),
            ("events", f"{evidence['opened']} of {evidence['entries']} opened and in their order"),
            ("signatures", f"{evidence['signatures']} verified"),
            ("deliveries", f"{outcomes.total()} accepted, {outcomes['read']} of them read"),
            ("order", f"one history, its newest head cosigned by {witnesses}"),
        ]
    )  # fmt: skip
    if evidence["opened"] != evidence["entries"] or not outcomes.keys() <= {"accepted", "read"}:
        raise DemoFailed("the audit covers less than everything")


def _tampered(bridge: Bridge, screen: Screen, packs: list[Path]) -> None:
    """One bit of the public log is flipped: the audit must name the place."""
    logs = bridge.stage.house(AUDITOR) / LOGS
    shutil.copytree(logs, logs.with_name("logs-as-they-came"))
    bundle = max(secrecy.files(logs / "evidence" / "tile" / "entries"))
    data = bytearray(bundle.read_bytes())
    data[-1] ^= 1
    bundle.write_bytes(data)
    finding = _verify(bridge, packs, refused=True)["finding"]
    if finding is None:
        raise DemoFailed("a flipped bit of the log was not noticed")
    screen.refused(
        "One bit of the auditor's copy of the log is flipped, and it is checked again: wrong, "
        f"step {finding['step']}: {finding['message']} ({finding['code']})."
    )
