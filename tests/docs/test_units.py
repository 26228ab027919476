"""The systemd units start commands that exist, with options that they have, and are well-formed."""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
from saphan.cli.main import _parser as saphan_parser
from saphan_broker.cli.main import _parser as broker_parser
from support.rooms import ROOT

UNITS = sorted((ROOT / "deploy/systemd").iterdir())
SERVICES = [path for path in UNITS if path.suffix == ".service"]
PARSE = {
    "saphan": lambda words: saphan_parser(words).parse_strictly(words),
    "saphan-broker": lambda words: broker_parser(words).parse_strictly(words),
}
HARDENED = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "CapabilityBoundingSet": "",
    "SystemCallFilter": "@system-service",
    "MemoryDenyWriteExecute": "yes",
    "LimitCORE": "0",
    "UMask": "0077",
    "StateDirectoryMode": "0700",
}
EVERY_SERVICE = pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)


def read(unit: Path) -> dict[str, dict[str, list[str]]]:
    """Section, name, values, as systemd.syntax(7) has it; a line that fits nothing fails here."""
    found: dict[str, dict[str, list[str]]] = {}
    section = ""
    for line in unit.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[]")
            found[section] = defaultdict(list)
            continue
        name, equals, value = line.partition("=")
        assert equals, line
        found[section][name].append(value)
    return found


def command(unit: Path) -> list[str]:
    """The words of the program that a unit starts, as a shell would give them."""
    (line,) = read(unit)["Service"]["ExecStart"]
    words = shlex.split(line.replace("%i", "la.ospp").replace("%%", "%"))
    if words[0] == "/bin/sh":
        script = words[2].replace("$$QUORUM", "2").replace("$$", "$")
        words = shlex.split(script[script.index("exec ") + 5 :])
    return words


@EVERY_SERVICE
def test_a_unit_starts_a_command_with_options_that_it_has(unit: Path) -> None:
    program, *words = command(unit)
    assert Path(program).parent == Path("/opt/saphan/bin")
    args = PARSE[Path(program).name](words)
    assert isinstance(args, argparse.Namespace)
    assert callable(args.run)


@EVERY_SERVICE
def test_a_unit_gives_its_process_no_more_than_it_needs(unit: Path) -> None:
    service = read(unit)["Service"]
    assert {name: service[name][-1] for name in HARDENED} == HARDENED
    assert service["User"][-1].startswith("saphan-")
    state = f"/var/lib/{service['StateDirectory'][-1]}".replace("%i", "la.ospp")
    folders = [
        word
        for before, word in zip(command(unit), command(unit)[1:], strict=False)
        if before == "--dir" or (before in ("--data", "--keys") and "broker" in unit.name)
    ]
    assert folders
    assert all(folder.startswith(state) for folder in folders)


def test_the_units_are_these() -> None:
    assert [unit.name for unit in UNITS] == [
        "saphan-broker.service",
        "saphan-node-backup@.service",
        "saphan-node-backup@.timer",
        "saphan-node@.service",
    ]
    page = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    assert [unit.name for unit in UNITS if unit.name not in page] == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    copies = []
    for unit in UNITS:
        copy = tmp_path / unit.name
        text = unit.read_text(encoding="utf-8")
        for program in ("saphan-broker", "saphan"):
            text = text.replace(f"=/opt/saphan/bin/{program} ", "=/bin/true ")
        copy.write_text(text, encoding="utf-8")
        copies.append(str(copy))
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *copies],
        capture_output=True,
        text=True,
        check=False,
    )
    # Of machines without a running systemd it says more than of units; ours must not be named.
    named = [line for line in ran.stderr.splitlines() if "saphan" in line]
    assert named == []
