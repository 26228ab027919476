"""Both doctors: what they find, the next step of each, and what the exit status says."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from saphan.backup.making import MARK_NAME
from saphan.doctor import examine
from saphan.node.rows.db import Database
from saphan.office import Office
from saphan_broker.doctor import Patient
from saphan_broker.doctor import examine as examine_broker
from saphan_broker.server_look import ServerSeen
from saphan_schemas.findings import Finding, exit_status, findings_lines, worst
from saphan_schemas.limits import DAY_MS, HOUR_MS
from saphan_schemas.messages import LANGUAGES
from support.bridge import KH, bridged, eventually
from support.broker_command import running_broker, saphan_broker
from support.brokers import Clock
from support.command import saphan

NOW = Clock()()


@pytest.fixture
def office(folder: Path) -> Office:
    made = Office(folder / "la.ospp")
    shutil.copy(folder / "pins.json", made.pins_file)
    return made


def found(findings: list[Finding], check: str) -> list[tuple[str, str]]:
    """(level, message) of one check."""
    return [(one.level, one.message()) for one in findings if one.check == check]


def levels(findings: list[Finding], check: str) -> set[str]:
    return {level for level, _ in found(findings, check)}


# --- node -----------------------------------------------------------------------------------------


def test_a_node_that_does_not_run_is_examined_all_the_same(office: Office) -> None:
    ran = saphan("node", "doctor", "--dir", office.folder, status=5)
    assert "BAD   process" in ran.out
    assert "saphan node run" in ran.out
    assert "ok    mailbox" in ran.out
    value = saphan("node", "doctor", "--dir", office.folder, "--json", status=5).json
    assert value["worst"] == "bad"
    checks = {one["check"] for one in value["findings"]}
    assert {"running", "clock", "disk", "pins", "keys", "mailbox", "outbox", "backup"} <= checks
    needy = [one for one in value["findings"] if one["level"] != "ok"]
    assert [one["check"] for one in needy if not one["hint"]] == []
    ran = saphan("node", "doctor", "--dir", office.folder.parent, status=5)
    assert ran.code == "not_an_agency_folder"


def test_keys_that_others_can_read_or_that_are_gone_are_bad(office: Office) -> None:
    assert levels(examine(office, NOW), "keys") == {"ok", "warn"}  # the root key lies there
    (office.node / "node.key").chmod(0o640)
    next((office.node / "mailbox").glob("*.key")).rename(office.folder / "away")
    findings = examine(office, NOW)
    assert any("0640" in message for level, message in found(findings, "keys") if level == "bad")
    assert tuple(sorted(levels(findings, "mailbox"))) == ("bad", "ok")
    shutil.rmtree(office.folder / "root")
    (office.node / "witness.key").unlink()
    assert ("bad", "there is no witness key in use") in found(examine(office, NOW), "keys")


def test_whatever_opens_something_is_nobody_elses_to_read(office: Office) -> None:
    """Archive keys and the API's token too, and keys that a link names."""
    days = office.node / "data" / "archive-keys"
    days.mkdir(parents=True)
    key = office.node / "node.key"
    key.rename(office.folder / "moved")
    key.symlink_to(office.folder / "moved")
    for path in (days / "20500", office.node / "api.token"):
        path.write_bytes(b"x")
        path.chmod(0o600)
    assert "bad" not in levels(examine(office, NOW), "keys")
    for path in (days / "20500", office.node / "api.token"):
        path.chmod(0o644)
        bad = [message for level, message in found(examine(office, NOW), "keys") if level == "bad"]
        assert len(bad) == 1
        assert str(path) in bad[0]
        path.chmod(0o600)


async def test_a_line_that_is_down_for_an_hour_wakes_somebody(tmp_path: Path) -> None:
    """A warning exits with 0: with a wrong pin nobody would ever hear of it."""
    async with bridged(tmp_path) as bridge:
        async with bridge.broker_running():
            await bridge.enrol()
        office = Office(bridge.place / KH)

        async def level() -> set[str]:
            return levels(await asyncio.to_thread(examine, office, bridge.clock()), "line")

        async with bridge.node_with_api(KH) as kh:
            for _ in range(2):  # whatever tries it makes meanwhile
                await eventually(lambda: kh.line.state.code == "broker_unreachable")
                assert await level() == {"warn"}
                bridge.clock.ahead += HOUR_MS // 2 + 1
                bridge.node_clock.ahead += HOUR_MS // 2 + 1
            assert await level() == {"bad"}
            async with bridge.broker_running():
                await eventually(lambda: kh.line.state.state == "open")
                assert await level() == {"ok"}
            await eventually(lambda: kh.line.state.state != "open")
            assert await level() == {"warn"}


def test_what_grows_old_is_said_in_time(office: Office) -> None:
    for days, level in ((0, "ok"), (40, "warn"), (59, "bad")):
        assert level in levels(examine(office, NOW + days * DAY_MS), "mailbox")
    assert "warn" in levels(examine(office, NOW + 900 * DAY_MS), "keys")
    assert "past its last day" in str(found(examine(office, NOW + 900 * DAY_MS), "mailbox"))


def test_an_outbox_that_waits_and_a_restored_store_are_seen(office: Office) -> None:
    with closing(Database(office.node / "data")) as db, db.transaction() as tx:
        tx.execute("INSERT INTO facts VALUES ('listening', 1)")
        tx.execute(
            "INSERT INTO bulletins (id, sender, nonce, header, header_id, digest, wrap_day, stored)"
            " VALUES (x'01', 'la.ospp', x'01', x'', x'', x'', 1, ?)",
            (NOW,),
        )
        tx.execute(
            "INSERT INTO consignments (bulletin, body, item, root, salts, stanzas, state)"
            " VALUES (x'01', x'', x'', x'', x'', x'', 'waiting')"
        )
    for hours, level in ((0, "ok"), (2, "warn"), (30, "bad")):
        findings = examine(office, NOW + hours * HOUR_MS)
        assert levels(findings, "outbox") == {level}
        assert levels(findings, "restored") == {"warn"}
    (office.node / "data/node.db").write_bytes(b"not a store")
    assert levels(examine(office, NOW), "outbox") == {"bad"}


def test_backups_grow_old_too(office: Office) -> None:
    assert levels(examine(office, NOW), "backup") == {"warn"}
    mark = f'{{"saphan": "backup-made/1", "made": {{"data": {NOW}, "keys": {NOW + DAY_MS}}}}}'
    (office.node / MARK_NAME).write_text(mark)
    for days, level in ((0, "ok"), (3, "warn"), (20, "bad")):
        assert worst([
            one for one in examine(office, NOW + days * DAY_MS) if one.check == "backup"
        ]) == level  # fmt: skip
    (office.node / MARK_NAME).write_text(mark.replace(str(NOW + DAY_MS), "1"))
    assert "keys were made after" in str(found(examine(office, NOW), "backup"))
    ahead = NOW + 20_000 * DAY_MS  # the clock was wrong on that night: this would be fine for ever
    (office.node / MARK_NAME).write_text(mark.replace(str(NOW), str(ahead)))
    assert ("warn", "the data was never saved from here") in found(examine(office, NOW), "backup")


def test_settings_and_pins_that_do_not_parse_are_findings_not_failures(office: Office) -> None:
    (office.node / "settings.json").write_text("{")
    office.pins_file.write_text("{")
    findings = examine(office, NOW)
    assert levels(findings, "settings") == {"bad"}
    assert levels(findings, "pins") == {"bad"}


# --- broker ---------------------------------------------------------------------------------------


def test_a_broker_is_examined_running_and_not(place: Path) -> None:
    given = ("--data", place / "data", "--keys", place / "keys")
    ran = saphan_broker("doctor", *given, status=5)
    assert "BAD   process" in ran.out
    with running_broker(place) as broker:
        value = saphan_broker("doctor", *given, "--json").json
        # How full the tester's disk is decides nothing here.
        rest = {one["level"] for one in value["findings"] if one["check"] != "disk"}
        assert rest == {"ok"}
        checks = {one["check"]: one["level"] for one in value["findings"]}
        assert {"running", "clock", "disk", "store", "keys", "line"} <= set(checks)
        assert broker.stop() == 0


def test_a_brokers_keys_and_certificate_are_looked_at(place: Path) -> None:
    def examined(now: int) -> list[Finding]:
        return examine_broker(Patient(place / "data", place / "keys", now, None))

    assert levels(examined(NOW), "keys") == {"ok"}
    assert levels(examined(NOW + 1200 * DAY_MS), "keys") == {"warn"}
    for days, level in ((0, "ok"), (715, "warn"), (740, "bad")):
        assert levels(examined(NOW + days * DAY_MS), "tls") == {level}
    (place / "keys" / "evidence.key").chmod(0o644)
    assert levels(examined(NOW), "keys") == {"ok", "bad"}
    (place / "keys" / "evidence.key").unlink()
    assert "key_file_missing" in str(found(examined(NOW), "keys"))


def test_what_a_running_broker_says_is_weighed() -> None:
    status = {
        "ready": False,
        "name": "bridge.example",
        "role": "alone",
        "processes": [{"number": 1, "of": 1}],
        "reasons": [{"code": "clock_disagrees", "message": "60 s off"}],
        "alarms": [{"code": "disk_full", "message": "no room"}],
        "agencies": ["la.ospp"],
        "sessions": 0,
        "waiting": 3,
        "witnessed_at": None,
    }
    nowhere = Path("/nonexistent")
    findings = examine_broker(Patient(nowhere, nowhere, NOW, status))
    assert levels(findings, "running") == {"bad"}
    assert levels(findings, "clock") == {"bad"}
    assert levels(findings, "alarm") == {"bad"}
    assert levels(findings, "line") == {"warn"}
    assert levels(findings, "disk") == {"bad"}
    heard = status | {"sessions": 2, "witnessed_at": (NOW - 5 * HOUR_MS) // 1000}
    findings = examine_broker(Patient(nowhere, nowhere, NOW, heard))
    assert found(findings, "witness") == [
        ("warn", "the newest head that a node has cosigned is 5 h old")
    ]
    assert found(findings, "server") == []
    one_of_two = {"role": "follower", "ready": True, "processes": [{"number": 2, "of": 2}]}
    served = examine_broker(Patient(nowhere, nowhere, NOW, heard | one_of_two))
    assert levels(served, "running") == {"ok", "warn"}
    assert levels(served, "server") == {"warn"}  # it runs on a server that nobody has looked at


GIB = 2**30
SEEN = ServerSeen("10.0.0.5:6379", "Valkey 9.1.2", (), 1, 1, 0, GIB, 4 * GIB, True, True)


@pytest.mark.parametrize(
    ("changed", "level"),
    [
        ({}, {"ok"}),
        ({"used": 3 * GIB}, {"ok", "warn"}),
        ({"used": 3 * GIB + GIB // 2 + GIB // 4}, {"ok", "bad"}),
        ({"most": 0}, {"ok", "warn"}),
        ({"wanted": 2}, {"ok", "bad"}),
        ({"replicas": 0, "wanted": 0}, {"ok", "warn"}),
        ({"lag": 60}, {"ok", "warn"}),
        ({"losses": ("appendfsync everysec",)}, {"ok", "warn"}),
        ({"primary": False}, {"ok", "bad"}),
        ({"writes": False}, {"ok", "bad"}),
    ],
)
def test_what_the_server_is_is_weighed(changed: dict[str, Any], level: set[str]) -> None:
    nowhere = Path("/nonexistent")
    findings = examine_broker(Patient(nowhere, nowhere, NOW, None, replace(SEEN, **changed)))
    assert levels(findings, "server") == level
    needy = [one for one in findings if one.check == "server" and one.level != "ok"]
    assert [one for one in needy if not one.hint()] == []


# --- what both say --------------------------------------------------------------------------------


def test_a_warning_wakes_nobody_and_every_language_fits() -> None:
    warn = Finding(
        "disk", "warn", "doctor.disk_free", {"free": 1, "percent": 2}, "doctor.disk_next"
    )
    assert exit_status([warn]) == 0
    assert exit_status([]) == 0
    for lang in LANGUAGES:
        line, hint = findings_lines([warn], lang)
        assert "1 MiB" in line
        assert hint.startswith(" " * 18)
