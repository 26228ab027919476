"""Weekly mailbox keys are made ahead at the node, and enrolled by the root wherever it is."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from saphan.agency import init
from saphan.keys.keyfiles import read_mailbox
from saphan.keys.mailbox_schedule import WEEK_MS, choose, planned_until
from saphan.keys.passphrase import Passphrase
from saphan.mailbox_rotation import rotate_mailbox
from saphan.office import Office
from saphan_protocol.directory import KeyInfo
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Role
from support.cheap import CHEAP
from support.refusals import code_of

ROOT = Passphrase("root of the agency")
NOW = 1_752_624_000_000
FIRST = LIMITS.mailbox_first_weeks


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return init(tmp_path / "la.ospp", "la.ospp", ROOT, {"bounmy": ROOT}, now=NOW, cost=CHEAP)


def mailboxes(office: Office) -> list[KeyInfo]:
    return office.replay().keys("la.ospp", Role.MAILBOX)


def test_an_agency_begins_with_some_weeks(office: Office) -> None:
    keys = mailboxes(office)
    assert planned_until(keys, NOW) == NOW + FIRST * WEEK_MS
    for key in keys:
        assert read_mailbox(office.key_file(Role.MAILBOX, key.key_id)).public == key.public


def test_new_weeks_follow_the_ones_that_are_enrolled(office: Office) -> None:
    later = NOW + 5 * WEEK_MS
    done = rotate_mailbox(office, 24, ROOT, now=later)
    keys = mailboxes(office)
    assert len(keys) == FIRST + 24
    assert done.until == planned_until(keys, later) == NOW + (FIRST + 24) * WEEK_MS
    assert (done.made.version, done.made.waits, done.revoked) == (2, False, ())
    for path in done.key_files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    # From the first week to the last one there is a key of each week, and no gap between them.
    directory = office.replay()
    used = [
        choose(directory, "la.ospp", now, now + 30 * DAY_MS).key_id
        for now in range(later + 1, done.until, DAY_MS)
    ]
    assert len(dict.fromkeys(used)) == FIRST + 24 - 5


def test_after_a_gap_weeks_begin_now(office: Office) -> None:
    late = NOW + 30 * WEEK_MS
    done = rotate_mailbox(office, 2, ROOT, now=late)
    assert done.until == late + 2 * WEEK_MS


def test_without_a_root_here_a_draft_waits_and_keys_are_made(office: Office) -> None:
    done = rotate_mailbox(office, 3, None, now=NOW)
    assert done.made.waits
    assert len(mailboxes(office)) == FIRST
    assert all(path.exists() for path in done.key_files)
    assert code_of(lambda: rotate_mailbox(office, 3, None, now=NOW)) == "draft_waiting"


def test_all_keys_are_replaced_when_the_disk_was_stolen(office: Office) -> None:
    rotate_mailbox(office, 24, ROOT, now=NOW)
    late = NOW + 10 * WEEK_MS
    held = [key for key in mailboxes(office) if key.open_until and key.open_until >= late]
    done = rotate_mailbox(office, 12, ROOT, now=late, replace=True)
    assert set(done.revoked) == {key.key_id for key in held}
    fresh = [key for key in mailboxes(office) if key.open_until and key.open_until >= late]
    assert len(fresh) == 12
    assert done.until == late + 12 * WEEK_MS


def test_a_full_schedule_is_replaced_without_counting_weeks(office: Office) -> None:
    """At midnight nobody knows how many changes an operation takes."""
    now = NOW + 9 * WEEK_MS
    for weeks, at in ((24, NOW), (8, NOW), (9, now)):  # as far ahead as it goes, none destroyed
        rotate_mailbox(office, weeks, ROOT, now=at)
    held = [key for key in mailboxes(office) if key.open_until and key.open_until >= now]
    assert len(held) == LIMITS.mailbox_ahead_weeks + 9
    rotate_mailbox(office, None, ROOT, now=now, replace=True)
    fresh = [key for key in mailboxes(office) if key.open_until and key.open_until >= now]
    assert len(fresh) == 12


def test_a_repeated_rotation_is_refused_before_anything_is_made(office: Office) -> None:
    rotate_mailbox(office, 24, ROOT, now=NOW)
    before = sorted(office.node.glob("mailbox/*"))
    assert code_of(lambda: rotate_mailbox(office, 24, ROOT, now=NOW)) == "weeks_planned"
    assert code_of(lambda: rotate_mailbox(office, 0, ROOT, now=NOW)) == "weeks_count"
    wrong = Passphrase("another one entirely")
    assert code_of(lambda: rotate_mailbox(office, 2, wrong, now=NOW)) == "passphrase_wrong"
    assert sorted(office.node.glob("mailbox/*")) == before
