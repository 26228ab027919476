"""The root ceremony: drafts carried round, signed apart, finished once."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from saphan.agency import init
from saphan.ceremony.concluding import conclude, keep_logged
from saphan.ceremony.draft import check_signer, finish, merge
from saphan.ceremony.root_change import change_roots
from saphan.ceremony.roots import Roots, keep_halves
from saphan.key_places import activate
from saphan.keyring import (
    add_key,
    enrol_request,
    list_keys,
    revoke_key,
    rotate_key,
)
from saphan.keys.keyfiles import new_key
from saphan.keys.passphrase import Passphrase
from saphan.office import Office
from saphan.officer_request import make_request, parse_request
from saphan.operations import addition, complete, holds_root, settle
from saphan_protocol.directory import Directory, operation_leaf
from saphan_schemas.codec import decode
from saphan_schemas.directory_records import Operation, SignedOperation
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role
from support.cheap import CHEAP
from support.refusals import refusal
from support.root_holders import DESK, NOW, Holders, drafted_officer, waiting


@pytest.fixture(scope="module")
def holders() -> Holders:
    return Holders("ann", "bee", "cam")


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory, holders: Holders) -> Office:
    return holders.enrolled(tmp_path_factory.mktemp("ceremony") / "la", 2)


@pytest.fixture
def office(tmp_path: Path, enrolled: Office) -> Office:
    return Office(shutil.copytree(enrolled.folder, tmp_path / "la"))


def replayed(office: Office) -> Directory:
    directory = Directory()
    for signed in office.history():
        directory.apply(operation_leaf(signed))
    return directory


# --- the first operation --------------------------------------------------------------------------


def test_two_of_three_found_an_agency_that_a_fresh_directory_takes(
    tmp_path: Path, holders: Holders
) -> None:
    office = holders.found(tmp_path / "la", 2)
    assert not office.enrolment.exists()
    assert not office.root_key.exists()
    draft = waiting(office)
    assert draft.tallies == (("new", 0, 2), ("added", 0, 3))
    draft = holders.sign(draft, "ann", "bee")
    # Two are the threshold, but the third has not proven that it holds its key.
    assert refusal(lambda: conclude(office, draft)).code == "operation_threshold"
    conclude(office, holders.sign(draft, "cam"))
    directory = Directory()
    directory.apply(operation_leaf(office.enrolment.read_bytes()))
    assert [key.key_id for key in directory.keys("la.ospp", Role.ROOT)] == [
        holders.half(name).key_id for name in ("ann", "bee", "cam")
    ]
    assert directory.version("la.ospp")[2] == 2
    assert office.read_agency().root_ids == tuple(holders.half(n).key_id for n in holders.keys)


def test_the_finished_operation_carries_no_more_root_signatures_than_it_needs(
    office: Office,
) -> None:
    signed = decode(SignedOperation, office.history()[0], LIMITS.operation_bytes, "operation")
    assert len(signed.roots) == 2


def test_copies_that_went_different_ways_are_joined(tmp_path: Path, holders: Holders) -> None:
    office = holders.found(tmp_path / "la", 2)
    copies = [holders.sign(waiting(office), name) for name in holders.keys]
    both = merge(*copies, copies[0])
    assert both.complete
    conclude(office, both)
    assert replayed(office).version("la.ospp")[0] == 1


def test_a_damaged_label_does_not_stand_in_the_way_of_a_revocation(
    office: Office, holders: Holders
) -> None:
    office.root_half("bee").write_bytes(b"{")
    (officer,) = office.replay().keys("la.ospp", Role.OFFICER)
    revoke_key(office, officer.key_id, None, now=NOW)
    draft = waiting(office)
    assert holders.half("bee").key_id not in draft.holders
    conclude(office, holders.sign(draft, "ann", "bee"))


def test_a_second_finish_changes_nothing_and_mends_what_a_crash_left_out(
    tmp_path: Path, holders: Holders
) -> None:
    office = holders.found(tmp_path / "la", 2)
    draft = holders.sign(waiting(office), *holders.keys)
    conclude(office, draft)
    before = office.history()
    office.enrolment.unlink()  # as if the machine had stopped right after the operation
    conclude(office, draft)
    assert office.history() == before
    assert office.enrolment.read_bytes() == before[0]


@pytest.mark.parametrize("threshold", (0, 4))
def test_a_threshold_that_cannot_be_reached_is_refused(holders: Holders, threshold: int) -> None:
    halves = tuple(holders.half(name) for name in holders.keys)
    assert refusal(lambda: Roots(halves, threshold)).code == "operation_threshold"


def test_two_holders_never_have_one_name(holders: Holders) -> None:
    both = (holders.half("ann"), Holders("ann").half("ann"))
    assert refusal(lambda: Roots(both, 1)).code == "holder_duplicate"


def test_one_root_cannot_stand_for_two_holders(holders: Holders) -> None:
    twice = (holders.half("ann"), holders.half("ann"))
    assert refusal(lambda: Roots(twice, 1)).code == "key_duplicate"


# --- later operations -----------------------------------------------------------------------------


@pytest.mark.parametrize("who", (("ann", "bee"), ("cam", "ann"), ("bee", "cam")))
def test_any_two_of_three_enrol_an_officer(
    office: Office, holders: Holders, who: tuple[str, str]
) -> None:
    path = drafted_officer(office)
    assert conclude(office, holders.sign(waiting(office), *who)) == office.operation(2)
    assert not path.exists()
    officers = replayed(office).keys("la.ospp", Role.OFFICER)
    assert [key.handle for key in officers] == ["bounmy", "khamla"]


def test_one_of_two_needed_is_not_enough(office: Office, holders: Holders) -> None:
    drafted_officer(office)
    alone = holders.sign(waiting(office), "bee")
    assert refusal(lambda: conclude(office, alone)).code == "operation_threshold"
    assert office.operation(2).exists() is False


def test_a_holder_who_signs_twice_counts_once(office: Office, holders: Holders) -> None:
    drafted_officer(office)
    once = holders.sign(waiting(office), "ann")
    assert holders.sign(once, "ann") == once
    assert not once.complete


def test_a_revocation_shows_whose_key_it_is_and_is_signed_by_two(
    office: Office, holders: Holders
) -> None:
    (officer,) = (key for key in list_keys(office) if key.role is Role.OFFICER)
    assert revoke_key(office, officer.key_id, None, now=NOW).waits
    conclude(office, holders.sign(waiting(office), "ann", "cam"))
    assert replayed(office).keys("la.ospp", Role.OFFICER) == []


def test_one_operation_waits_at_a_time(office: Office, holders: Holders) -> None:
    drafted_officer(office)
    mailbox = list((office.node / "mailbox").iterdir())
    error = refusal(lambda: add_key(office, Role.MAILBOX, None, now=NOW))
    assert error.code == "draft_waiting"
    assert list((office.node / "mailbox").iterdir()) == mailbox  # no key was made for nothing


def test_a_key_that_waits_for_its_roots_is_not_taken_into_use(
    office: Office, holders: Holders
) -> None:
    add_key(office, Role.NODE, None, now=NOW)
    assert refusal(lambda: activate(office, Role.NODE)).code == "key_not_enrolled"
    conclude(office, holders.sign(waiting(office), "ann", "cam"))
    activate(office, Role.NODE)


def test_a_next_key_in_the_way_is_said_to_be_what_it_is(office: Office, holders: Holders) -> None:
    """Left by a command that was cut off, or by one whose key is enrolled and not used yet."""
    made = add_key(office, Role.NODE, None, now=NOW)
    made.operation.unlink()  # as if the machine had stopped before it
    again = refusal(lambda: add_key(office, Role.NODE, None, now=NOW))
    assert (again.code, str(made.key_file) in again.message) == ("key_not_enrolled", True)
    assert made.key_file is not None
    made.key_file.unlink()
    add_key(office, Role.NODE, None, now=NOW)
    conclude(office, holders.sign(waiting(office), "ann", "bee"))
    third = refusal(lambda: add_key(office, Role.NODE, None, now=NOW))
    assert third.code == "file_exists"
    assert "keys activate node" in (third.hint or "")


def test_a_key_revoked_before_its_use_is_never_taken_into_use(
    office: Office, holders: Holders
) -> None:
    made = add_key(office, Role.NODE, None, now=NOW)
    conclude(office, holders.sign(waiting(office), "ann", "bee"))
    assert made.key_file is not None
    assert made.key_id is not None
    revoke_key(office, made.key_id, None, now=NOW)
    conclude(office, holders.sign(waiting(office), "ann", "bee"))
    assert refusal(lambda: activate(office, Role.NODE)).code == "key_revoked"
    assert refusal(lambda: add_key(office, Role.NODE, None, now=NOW)).code == "key_revoked"
    made.key_file.unlink()
    add_key(office, Role.NODE, None, now=NOW)


@pytest.mark.parametrize("role", (Role.NODE, Role.WITNESS, Role.OFFICER))
def test_a_rotation_is_one_operation_that_leaves_one_key(
    office: Office, holders: Holders, role: Role
) -> None:
    handle = "bounmy" if role is Role.OFFICER else None
    (old,) = replayed(office).keys("la.ospp", role)
    made = rotate_key(office, role, None, now=NOW, handle=handle, passphrase=DESK, cost=CHEAP)
    conclude(office, holders.sign(waiting(office), "ann", "bee"))
    (new,) = replayed(office).keys("la.ospp", role)
    assert new.key_id == made.key_id != old.key_id
    activate(office, role, handle)


def test_an_officers_request_from_a_desk_waits_for_the_holders_too(
    office: Office, holders: Holders
) -> None:
    """The desk made the operation and the key; nobody but the roots adds anything to it."""
    key = new_key(Role.OFFICER, "khamla")
    version, last, threshold = office.replay().version("la.ospp")
    operation = Operation("la.ospp", version + 1, last, threshold, NOW, (addition(key, NOW),))
    request = parse_request(make_request(operation, key.signing(), os.urandom(32)))
    elsewhere = msgspec.structs.replace(operation, agency="kh.gpo")
    foreign = replace(request, operation=elsewhere)
    assert refusal(lambda: enrol_request(office, foreign, None)).code == "request_foreign"
    made = enrol_request(office, request, None)
    assert (made.waits, made.key_id) == (True, key.key_id)
    conclude(office, holders.sign(waiting(office), "bee", "cam"))
    assert key.key_id in {k.key_id for k in replayed(office).keys("la.ospp", Role.OFFICER)}


def test_what_is_not_in_use_cannot_be_rotated(office: Office) -> None:
    error = refusal(lambda: rotate_key(office, Role.ORDER, None, now=NOW, passphrase=DESK))
    assert error.code == "key_unknown"


def test_a_folder_takes_what_the_log_has_and_it_lacks(
    office: Office, tmp_path: Path, holders: Holders
) -> None:
    """Out of an older backup: in their order, and only what its own roots have signed."""
    old = Office(shutil.copytree(office.folder, tmp_path / "backup"))
    more = Holders("dow")
    change = change_roots(office, [more.half("dow")], ["cam"], None, NOW)
    settle(office, more.sign(holders.sign(change, "ann", "bee"), "dow"))
    drafted_officer(office)
    conclude(office, more.sign(holders.sign(waiting(office), "ann"), "dow"))
    _, second, third = office.history()
    early = refusal(lambda: keep_logged(old, third))
    assert (early.code, "acknowledge 2" in (early.hint or "")) == ("operations_damaged", True)
    for signed in (second, second, third):
        keep_logged(old, signed)
    assert old.history() == office.history()
    assert old.read_agency() == office.read_agency()


def test_a_folder_takes_no_operation_that_its_roots_did_not_sign(
    office: Office, tmp_path: Path, holders: Holders
) -> None:
    thief = Holders("ann", "bee", "cam")
    other = thief.enrolled(tmp_path / "thief", 2)
    drafted_officer(other)
    conclude(other, thief.sign(waiting(other), "ann", "bee"))
    before, (first, second) = office.history(), other.history()
    assert refusal(lambda: keep_logged(office, first)).code == "operations_damaged"
    assert refusal(lambda: keep_logged(office, second)).code == "operation_chain"
    assert office.history() == before


# --- the roots themselves -------------------------------------------------------------------------


def test_a_lost_root_is_replaced_by_the_two_that_are_left(office: Office, holders: Holders) -> None:
    more = Holders("dow")
    draft = change_roots(office, [more.half("dow")], ["cam"], None, NOW)
    assert draft.tallies == (("present", 0, 2), ("new", 0, 2), ("added", 0, 1))
    draft = holders.sign(draft, "ann", "bee")
    assert not draft.complete
    settle(office, more.sign(draft, "dow"))
    keep_halves(office, (more.half("dow"),))
    assert set(office.read_agency().root_ids) == {
        holders.half("ann").key_id,
        holders.half("bee").key_id,
        more.half("dow").key_id,
    }
    # From now on the new root counts, and the one that left has no say.
    drafted_officer(office)
    waits = waiting(office)
    gone = holders.half("cam").key_id
    assert refusal(lambda: check_signer(waits, gone)).code == "root_foreign"
    assert refusal(lambda: holders.sign(waits, "cam")).code == "root_foreign"
    conclude(office, more.sign(holders.sign(waits, "ann"), "dow"))


def test_a_root_change_needs_the_old_threshold_and_the_new_one(
    office: Office, holders: Holders
) -> None:
    more = Holders("dow", "eve")
    draft = change_roots(office, [more.half(n) for n in more.keys], ["ann"], 3, NOW)
    only_new = more.sign(holders.sign(draft, "cam"), "dow", "eve")
    assert only_new.tallies == (("present", 1, 2), ("new", 3, 3), ("added", 2, 2))
    assert refusal(lambda: finish(only_new)).code == "operation_threshold"
    # Ann leaves with this operation, and may still sign it.
    finish(holders.sign(only_new, "ann"))
    fewer = more.sign(holders.sign(draft, "ann", "cam"), "dow")
    assert refusal(lambda: finish(fewer)).code == "operation_threshold"


def test_one_root_becomes_two_of_three_and_its_file_signs_no_more(tmp_path: Path) -> None:
    root = Passphrase("root of the agency")
    office = init(tmp_path / "la", "la.ospp", root, {"bounmy": DESK}, now=NOW, cost=CHEAP)
    holders = Holders("ann", "bee", "cam")
    halves = [holders.half(name) for name in holders.keys]
    draft = change_roots(office, halves, ["root"], 2, NOW)
    made = complete(office, holders.sign(draft, *holders.keys), root)
    assert not made.waits
    assert office.read_agency().threshold == 2
    assert not holds_root(office)


@pytest.mark.parametrize("threshold", (-1, 0, 4, 17, 10**20))
def test_roots_never_change_to_a_threshold_that_cannot_be(office: Office, threshold: int) -> None:
    more = Holders("dow").half("dow")
    error = refusal(lambda: change_roots(office, [more], ["cam"], threshold, NOW))
    assert error.code == "operation_threshold"


def test_roots_that_stay_are_counted_for_both_thresholds_and_stand_once(
    office: Office, holders: Holders
) -> None:
    more = Holders("dow")
    draft = change_roots(office, [more.half("dow")], ["cam"], None, NOW)
    settle(office, holders.sign(more.sign(holders.sign(draft, "cam"), "dow"), "ann", "bee"))
    signed = decode(SignedOperation, office.history()[1], LIMITS.operation_bytes, "operation")
    assert len(signed.roots) == 2


def test_a_change_that_changes_no_root_is_not_made(office: Office) -> None:
    assert refusal(lambda: change_roots(office, [], [], 3, NOW)).code == "roots_unchanged"


@pytest.mark.parametrize(
    ("wanted", "code"), (("nobody", "key_unknown"), ("00000000", "key_unknown"))
)
def test_only_a_root_of_the_agency_leaves(office: Office, wanted: str, code: str) -> None:
    assert refusal(lambda: change_roots(office, [], [wanted], 1, NOW)).code == code


def test_a_new_root_under_a_known_holders_name_is_refused(office: Office) -> None:
    other = Holders("ann").half("ann")
    error = refusal(lambda: change_roots(office, [other], ["ann"], None, NOW))
    assert error.code == "holder_duplicate"
