"""`saphan evidence` as people use it: beside a running node, without one, and as a stranger."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from saphan.node.service import NodeService
from saphan_protocol.pins import format_pins
from support.attaching import pdf, send
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, opened, states, wish
from support.command import Ran, environment, saphan, saphan_here
from support.evidence import have_patience, settled


@pytest.fixture
async def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    have_patience(monkeypatch)
    async with bridged(tmp_path) as made, made.broker_running():
        await made.enrol()
        yield made


async def evidence(bridge: Bridge, agency: str, *words: str | Path, status: int = 0) -> Ran:
    """A command of one agency's, in this process."""
    words = ("evidence", *words, "--dir", bridge.place / agency)
    return await asyncio.to_thread(saphan_here, *words, status=status)


async def carried(out: NodeService, into: NodeService, *attachments: bytes) -> bytes:
    bulletin = await send(out, *attachments)
    await eventually(lambda: states(out, bulletin) == ["accepted"])
    await into.read_by_system(bulletin)
    for node in (out, into):
        await eventually(lambda: settled(node, bulletin, 4))  # noqa: B023
    return bulletin


def stranger(place: Path, bundle: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """A process that has the program and the file: no home, no folder of an agency, no network."""
    alone = place / "stranger"
    alone.mkdir()
    file = Path(shutil.copy(bundle, alone / "file"))
    command = [sys.executable, "-m", "saphan", "evidence", "verify", file.name, *options]
    without_network = ["unshare", "--user", "--net"]
    if shutil.which("unshare") and not subprocess.call([*without_network, "true"]):
        command = [*without_network, *command]
    variables = environment()
    env = {name: variables[name] for name in ("PATH", "PYTHONPATH", "LC_ALL")}
    return subprocess.run(
        command, cwd=alone, env=env, capture_output=True, text=True, check=False, timeout=60
    )


async def test_a_bundle_of_a_running_node_convinces_a_stranger(bridge: Bridge) -> None:
    async with bridge.node_with_api(LA) as out, bridge.node(KH) as into:
        await opened(out)
        await agreed(into)
        bulletin = (await carried(out, into)).hex()
        bundle = bridge.place / "case.evidence"
        ran = await evidence(bridge, LA, "export", bulletin[:8], "--out", bundle, "--json")
        assert (ran.json["verdict"], ran.json["gaps"]) == ("valid", [])
        assert stat.S_IMODE(os.stat(bundle).st_mode) == 0o600
        again = await evidence(bridge, LA, "export", bulletin[:8], "--out", bundle, status=5)
        assert again.code == "file_exists"
    ended = await asyncio.to_thread(stranger, bridge.place, bundle)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("Valid\n")
    assert bulletin in ended.stdout
    pins = bridge.place / "pins.json"
    pins.write_bytes(format_pins(bridge.pins))
    ran = await evidence(bridge, LA, "verify", bundle, "--pins", pins, "--json")
    assert ran.json["pinned"] is True


async def test_a_stopped_node_exports_too_and_so_does_the_recipient(bridge: Bridge) -> None:
    async with bridge.node(LA) as out, bridge.node(KH) as into:
        await opened(out)
        await agreed(into)
        bulletin = (await carried(out, into)).hex()
    for agency in (LA, KH):
        bundle = bridge.place / f"{agency}.evidence"
        ran = await evidence(bridge, agency, "export", bulletin, "--out", bundle, "--json")
        assert ran.json["finding"] is None
        assert "nothing more could be fetched" in ran.err.lower()
        # The directory's head is as old as the directory: nobody was asked for a fresh one.
        assert set(ran.json["gaps"]) <= {"directory_older", "directory_unwitnessed"}
        status = 6 if ran.json["gaps"] else 0
        shown = await evidence(bridge, agency, "verify", bundle, "--json", status=status)
        assert [event["event"] for event in shown.json["events"]] == [
            "submitted",
            "handover",
            "accepted",
            "read",
        ]


async def test_a_disclosed_bulletin_says_what_it_said(bridge: Bridge) -> None:
    async with bridge.node_with_api(LA) as out, bridge.node(KH) as into:
        await opened(out)
        await agreed(into)
        attached = pdf(300_000)
        bulletin = (await carried(out, into, attached)).hex()
        bundle = bridge.place / "case.evidence"
        asked = ("--disclose", "--to", "the Court of Vientiane", "--reason", "order 12/2026")
        words = ("export", bulletin, "--out", bundle, *asked)
        refused = await evidence(bridge, LA, *words, status=5)
        assert refused.code == "not_confirmed"
        assert not bundle.exists()
        # What the disk would refuse is known before the key is given away.
        for place in (bridge.place / "nowhere" / "case", bridge.place / ("x" * 250)):
            words_there = ("export", bulletin, "--out", place, *asked, "--yes")
            there = await evidence(bridge, LA, *words_there, status=5)
            assert there.code == "file_unwritable"
        assert out.disclosing.listed(bytes.fromhex(bulletin)) == []
        ran = await evidence(bridge, LA, *words, "--yes", "--attachments", "--json")
        assert (ran.json["verdict"], ran.json["gaps"]) == ("valid", [])
        shown = (await evidence(bridge, LA, "show", bundle, "--json")).json
        assert shown["content"]["content"]["body"] == wish().body
        assert shown["disclosure"]["to"] == "the Court of Vientiane"
        assert shown["disclosure"]["index"] is not None
        folder = bridge.place / "attachments"
        ran = await evidence(bridge, LA, "show", bundle, "--save", folder, "--json")
        (saved,) = (Path(name) for name in ran.json["saved"])
        assert (saved, saved.read_bytes()) == (folder / "1.pdf", attached)
        assert stat.S_IMODE(os.stat(saved).st_mode) == 0o600
        again = await evidence(bridge, LA, "show", bundle, "--save", folder, status=5)
        assert again.code == "file_exists"
        page = bridge.place / "page.html"
        await evidence(bridge, LA, "verify", bundle, "--page", page)
        assert "the Court of Vientiane" in page.read_text()
        assert stat.S_IMODE(os.stat(page).st_mode) == 0o600


async def test_nothing_is_disclosed_where_no_node_runs_to_record_it(bridge: Bridge) -> None:
    async with bridge.node(LA) as out, bridge.node(KH) as into:
        await opened(out)
        await agreed(into)
        bulletin = (await carried(out, into)).hex()
    bundle = bridge.place / "case.evidence"
    asked = ("--disclose", "--to", "the Court of Vientiane", "--reason", "order 12", "--yes")
    words = ("export", bulletin, "--out", bundle, *asked)
    ran = await evidence(bridge, LA, *words, status=4)
    assert ran.code == "node_unreachable"
    assert not bundle.exists()


async def test_a_store_of_an_older_release_is_told_to_be_brought_up(bridge: Bridge) -> None:
    async with bridge.node(LA) as out:
        await agreed(out)
        bulletin = (await out.send(wish())).hex()
        await eventually(lambda: states(out, bytes.fromhex(bulletin)) == ["submitted"])
    with closing(sqlite3.connect(bridge.place / LA / "node/data/node.db")) as db:
        db.execute("PRAGMA user_version = 3")
    words = ("export", bulletin, "--out", bridge.place / "out")
    assert (await evidence(bridge, LA, *words, status=5)).code == "store_older"


async def test_proofs_for_other_programs_hold(bridge: Bridge) -> None:
    from saphan_protocol.tlog_policy import parse_policy
    from saphan_protocol.tlog_proof import parse_proof, verify_proof

    async with bridge.node(LA) as out, bridge.node(KH) as into:
        await opened(out)
        await agreed(into)
        bulletin = (await carried(out, into)).hex()
    folder = bridge.place / "proofs"
    ran = await evidence(bridge, LA, "proof", bulletin, "--out", folder, "--json")
    assert ran.json["proofs"] == 4
    policy = parse_policy((folder / "policy").read_bytes())
    assert policy.quorum == "witnesses"
    for path in folder.glob("*.tlog-proof"):
        leaf = path.with_suffix(".leaf").read_bytes()
        head = verify_proof(parse_proof(path.read_bytes()), leaf, policy)
        assert head.origin == bridge.pins.evidence.origin


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("verify", "nothing"), 5, "file_missing"),
        (("verify", "text"), 2, "evidence_foreign"),
        (("show", "text"), 2, "evidence_foreign"),
    ],
)
def test_what_is_no_bundle_has_a_status_of_its_own(
    tmp_path: Path, words: tuple[str, str], status: int, code: str
) -> None:
    (tmp_path / "text").write_text("a letter\n")
    assert saphan("evidence", words[0], tmp_path / words[1], status=status).code == code


def test_a_disclosure_says_to_whom_and_why(tmp_path: Path) -> None:
    words = ("evidence", "export", "00000000", "--out", tmp_path / "out")
    assert "--to" in saphan(*words, "--disclose", status=2).err
    assert "--disclose" in saphan(*words, "--reason", "why", status=2).err
