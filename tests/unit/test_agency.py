"""The ceremony: keys, operations, pins and agreements as an agency's people make them."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from saphan.agency import FIRST_OFFICERS, init, store_pins
from saphan.agreements.draft import Draft, finish, format_draft, parse_draft, propose, sign
from saphan.agreements.terms import first_terms, parse_terms
from saphan.key_places import activate
from saphan.keyring import add_key, find_key, list_keys, revoke_key
from saphan.keys.keyfiles import read_key, read_mailbox, read_node, read_witness
from saphan.keys.passphrase import Passphrase
from saphan.office import Office
from saphan.operations import open_root
from saphan_protocol.directory import Directory, agreement_leaf, operation_leaf
from saphan_protocol.operation import check_operation
from saphan_schemas.codec import decode
from saphan_schemas.directory_records import SignedAgreement
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role
from support.cheap import CHEAP
from support.pin_files import pins
from support.refusals import refusal

ROOT = Passphrase("root of the agency")
DESK = Passphrase("desk of an officer")
NOW = 1_752_624_000_000
PINS, OTHER_PINS = pins(), pins(key="other")


def found(folder: Path, name: str = "la.ospp") -> Office:
    return init(folder / name, name, ROOT, {"bounmy": DESK}, now=NOW, cost=CHEAP)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return found(tmp_path)


def active(office: Office) -> list[Role]:
    return sorted(key.role for key in list_keys(office) if key.revoked is None)


# --- init ------------------------------------------------------------------------------------


def test_init_makes_an_enrolment_that_a_fresh_directory_takes(office: Office) -> None:
    directory = Directory()
    directory.apply(operation_leaf(office.enrolment.read_bytes()))
    for role, opened in (
        (Role.ROOT, open_root(office, ROOT).key_id),
        (Role.NODE, read_node(office.key_file(Role.NODE, b"")).key_id),
        (Role.WITNESS, read_witness(office.key_file(Role.WITNESS, b"")).key_id),
    ):
        assert [key.key_id for key in directory.keys("la.ospp", role)] == [opened]
    (officer,) = directory.keys("la.ospp", Role.OFFICER)
    desk = read_key(office.key_file(Role.OFFICER, b"", "bounmy"), Role.OFFICER, DESK)
    assert (officer.key_id, officer.handle) == (desk.key_id, "bounmy")
    mailbox = directory.mailbox("la.ospp", NOW)
    assert read_mailbox(office.key_file(Role.MAILBOX, mailbox.key_id)).key_id == mailbox.key_id
    weeks = directory.keys("la.ospp", Role.MAILBOX)
    assert len(weeks) == LIMITS.mailbox_first_weeks
    assert mailbox.seal_until == min(key.seal_until or 0 for key in weeks)


def test_only_the_public_files_can_be_read_by_others(office: Office) -> None:
    readable = {
        path.relative_to(office.folder).as_posix()
        for path in office.folder.rglob("*")
        if path.stat().st_mode & 0o077
    }
    assert readable == {"agency.json", "enrol.saphan", "operations/0001.saphan"}
    assert office.folder.stat().st_mode & 0o077 == 0


def test_the_public_file_names_the_roots_that_signed(office: Office) -> None:
    assert office.read_agency().root_ids == (open_root(office, ROOT).key_id,)


def test_an_agency_is_never_made_over_another(office: Office) -> None:
    before = office.root_key.read_bytes()
    again = refusal(lambda: found(office.folder.parent))
    assert again.code == "agency_folder_exists"
    assert office.root_key.read_bytes() == before


def test_an_agency_is_not_made_under_the_feet_of_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder that appears is another one: whoever stands in the old one would find nothing."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    here = refusal(lambda: init(Path(), "la.ospp", ROOT, {"b": DESK}, now=NOW, cost=CHEAP))
    assert here.code == "agency_folder_exists"
    assert "--dir" in str(here.hint)


def test_an_interrupted_init_leaves_nothing(tmp_path: Path) -> None:
    officers = {"bounmy": DESK, "khamla": None}  # the second passphrase is not there

    def interrupted() -> None:
        init(tmp_path / "a", "la.ospp", ROOT, officers, now=NOW, cost=CHEAP)  # type: ignore[arg-type]

    with pytest.raises(RuntimeError):
        interrupted()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ("ospp", "LA.ospp", "la.", "la.ospp\n", "la.ປທ", "l.x", "la.a/b"))
def test_a_name_that_is_no_agency_is_refused(tmp_path: Path, name: str) -> None:
    error = refusal(lambda: init(tmp_path / "a", name, ROOT, {"b": DESK}, now=NOW, cost=CHEAP))
    assert error.code == "agency_malformed"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("handle", ("", "Bounmy", "../root", "a.b", "x" * 32))
def test_a_handle_never_becomes_a_path(tmp_path: Path, handle: str) -> None:
    officers = {handle: DESK}
    error = refusal(lambda: init(tmp_path / "a", "la.ospp", ROOT, officers, now=NOW, cost=CHEAP))
    assert error.code == "handle_malformed"


def test_the_first_operation_takes_as_many_officers_as_it_says(tmp_path: Path) -> None:
    officers = {f"officer{number}": DESK for number in range(FIRST_OFFICERS)}
    made = init(tmp_path / "a", "la.ospp", ROOT, officers, now=NOW, cost=CHEAP)
    assert len(list_keys(made)) == FIRST_OFFICERS + 3 + LIMITS.mailbox_first_weeks
    officers["onemore"] = DESK
    error = refusal(lambda: init(tmp_path / "b", "la.ospp", ROOT, officers, now=NOW, cost=CHEAP))
    assert error.code == "officers_count"


# --- keys ------------------------------------------------------------------------------------


def test_later_operations_are_chained_and_taken_in_order(office: Office) -> None:
    add_key(office, Role.OFFICER, ROOT, now=NOW, handle="khamla", passphrase=DESK, cost=CHEAP)
    add_key(office, Role.MAILBOX, ROOT, now=NOW)
    made = add_key(office, Role.ORDER, ROOT, now=NOW, passphrase=DESK, cost=CHEAP)
    assert made.version == 4
    directory = Directory()
    for version in range(1, 5):
        directory.apply(operation_leaf(office.operation(version).read_bytes()))
    assert len(directory.keys("la.ospp", Role.MAILBOX)) == LIMITS.mailbox_first_weeks + 1
    skipped = Directory()
    skipped.apply(operation_leaf(office.enrolment.read_bytes()))
    third = operation_leaf(office.operation(3).read_bytes())
    assert refusal(lambda: skipped.apply(third)).code == "operation_chain"


def test_a_key_in_use_stays_in_use_until_the_next_one_is_activated(office: Office) -> None:
    path = office.key_file(Role.NODE, b"")
    old = read_node(path).key_id
    made = add_key(office, Role.NODE, ROOT, now=NOW)
    assert read_node(path).key_id == old
    current, kept = activate(office, Role.NODE)
    assert (current, read_node(current).key_id) == (path, made.key_id)
    assert read_node(kept).key_id == old
    assert refusal(lambda: activate(office, Role.NODE)).code == "file_missing"
    revoke_key(office, old, ROOT, now=NOW)
    assert active(office).count(Role.NODE) == 1


def test_a_revoked_key_is_gone_and_cannot_be_revoked_again(office: Office) -> None:
    officer = next(key for key in list_keys(office) if key.role is Role.OFFICER)
    revoke_key(office, officer.key_id, ROOT, now=NOW)
    assert Role.OFFICER not in active(office)
    assert find_key(office, officer.key_id.hex()[:8]).revoked == 1
    again = refusal(lambda: revoke_key(office, officer.key_id, ROOT, now=NOW))
    assert again.code == "key_revoked"
    assert not office.operation(3).exists()


def test_the_last_root_cannot_revoke_itself(office: Office) -> None:
    root = office.read_agency().root_ids[0]
    error = refusal(lambda: revoke_key(office, root, ROOT, now=NOW))
    assert error.code == "operation_threshold"
    assert not office.operation(2).exists()


def test_a_wrong_root_passphrase_changes_nothing(office: Office) -> None:
    before = sorted(office.folder.rglob("*"))
    error = refusal(lambda: add_key(office, Role.NODE, DESK, now=NOW))
    assert error.code == "passphrase_wrong"
    assert sorted(office.folder.rglob("*")) == before


def test_a_key_left_by_an_interrupted_ceremony_is_not_taken_for_one_in_use(office: Office) -> None:
    add_key(office, Role.ORDER, ROOT, now=NOW, passphrase=DESK, cost=CHEAP)
    office.operation(2).unlink()  # the power went between key file and operation
    again = refusal(lambda: add_key(office, Role.ORDER, ROOT, now=NOW, passphrase=DESK, cost=CHEAP))
    assert again.code == "key_not_enrolled"
    assert "delete" in (again.hint or "")


@pytest.mark.parametrize("prefix", ("", "abc", "zzzzzzzz", "12345678", "../../.."))
def test_a_key_is_found_by_eight_digits_of_its_id_or_not_at_all(
    office: Office, prefix: str
) -> None:
    assert refusal(lambda: find_key(office, prefix)).code in {"key_prefix", "key_unknown"}


def test_a_changed_operation_file_is_noticed_before_anything_is_signed(office: Office) -> None:
    data = bytearray(office.operation(1).read_bytes())
    data[len(data) // 2] ^= 1
    office.operation(1).write_bytes(data)
    assert refusal(lambda: list_keys(office)).code == "operations_damaged"
    error = refusal(lambda: add_key(office, Role.NODE, ROOT, now=NOW))
    assert error.code == "operations_damaged"


def test_every_operation_proves_possession_of_its_new_keys(office: Office) -> None:
    checked = check_operation(office.enrolment.read_bytes())
    assert {change.role for _, change in checked.added} == set(Role) - {Role.ORDER}


# --- pins ------------------------------------------------------------------------------------


def test_a_second_broker_never_replaces_the_first_silently(office: Office) -> None:
    assert refusal(office.read_pins).code == "pins_missing"
    store_pins(office, PINS)
    store_pins(office, PINS)
    assert refusal(lambda: store_pins(office, OTHER_PINS)).code == "pins_differ"
    assert office.read_pins() == PINS


# --- agreements ------------------------------------------------------------------------------


@pytest.fixture
def offices(tmp_path: Path) -> tuple[Office, Office]:
    return found(tmp_path, "la.ospp"), found(tmp_path, "kh.gpo")


@pytest.fixture
def draft(offices: tuple[Office, Office]) -> Draft:
    terms = parse_terms(first_terms(["la.ospp", "kh.gpo"], date(2025, 7, 16)))
    return propose(terms, [office.read_agency() for office in offices], PINS)


def signed_by(draft: Draft, *offices: Office) -> Draft:
    for office in offices:
        draft = sign(draft, open_root(office, ROOT), PINS, os.urandom(32))
    return draft


def test_an_agreement_goes_round_and_the_directory_takes_it(
    offices: tuple[Office, Office], draft: Draft
) -> None:
    assert draft.missing == ("kh.gpo", "la.ospp")
    # Each party gets a file, signs it, passes a file on.
    received = parse_draft(format_draft(signed_by(draft, offices[0])))
    assert received.missing == ("kh.gpo",)
    data = finish(signed_by(received, offices[1]), os.urandom(32))
    package = decode(SignedAgreement, data, 100_000, "agreement")
    directory = Directory()
    for office in offices:
        directory.apply(operation_leaf(office.enrolment.read_bytes()))
    directory.apply(agreement_leaf(package.salt, package.agreement))
    directory.add_package(data)
    assert list(directory.agreements("la.ospp", "kh.gpo"))
    assert list(directory.agreements("kh.gpo", "la.ospp"))


def test_an_agreement_is_not_finished_while_a_party_has_not_signed(
    offices: tuple[Office, Office], draft: Draft
) -> None:
    error = refusal(lambda: finish(signed_by(draft, offices[0]), os.urandom(32)))
    assert error.code == "agreement_threshold"
    assert "kh.gpo" in error.message


def test_signing_twice_changes_nothing(offices: tuple[Office, Office], draft: Draft) -> None:
    once = signed_by(draft, offices[0])
    assert signed_by(once, offices[0]) == once


def test_a_root_that_is_no_party_cannot_sign(tmp_path: Path, draft: Draft) -> None:
    stranger = found(tmp_path, "th.oag")
    assert refusal(lambda: signed_by(draft, stranger)).code == "agreement_not_party"


def test_an_agreement_that_pins_another_log_is_not_signed(
    offices: tuple[Office, Office], draft: Draft
) -> None:
    root = open_root(offices[0], ROOT)
    error = refusal(lambda: sign(draft, root, OTHER_PINS, os.urandom(32)))
    assert error.code == "pins_differ"


def tampered(draft: Draft, change: Callable[[dict[str, Any]], object]) -> bytes:
    fields = json.loads(format_draft(draft))
    change(fields)
    return json.dumps(fields).encode()


def test_a_text_changed_after_the_first_signature_is_refused(
    offices: tuple[Office, Office], draft: Draft
) -> None:
    """la.ospp signs "red"; somebody makes it "green"; kh.gpo opens the file."""
    signed = signed_by(draft, offices[0])
    text = draft.text.replace(b"\xa3red", b"\xa5green")
    assert text != draft.text
    changed = tampered(signed, lambda f: f.update(agreement=base64.b64encode(text).decode()))
    error = refusal(lambda: parse_draft(changed))
    assert (error.code, type(error)) == ("signature_invalid", InvalidInput)


@pytest.mark.parametrize(
    "change",
    (
        lambda f: f.update(saphan="agreement-draft/2"),
        lambda f: f.update(more="x"),
        lambda f: f["roots"].pop(),
        lambda f: f["roots"].reverse() or f["roots"].append(f["roots"][0]),
        lambda f: f["signatures"].append(f["signatures"][0]),
        lambda f: f.update(agreement="!!!!"),
    ),
)
def test_a_damaged_draft_is_refused(
    offices: tuple[Office, Office], draft: Draft, change: Callable[[dict[str, Any]], object]
) -> None:
    data = tampered(signed_by(draft, offices[0]), change)
    assert refusal(lambda: parse_draft(data)).code == "draft_malformed"


def test_a_root_put_in_place_of_a_partys_is_refused(
    tmp_path: Path, offices: tuple[Office, Office], draft: Draft
) -> None:
    stranger = base64.b64encode(found(tmp_path, "th.oag").read_agency().roots[0]).decode()
    data = tampered(draft, lambda f: f["roots"].__setitem__(0, stranger))
    assert refusal(lambda: parse_draft(data)).code == "draft_malformed"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    (
        (b'"red"', b'"black"', "terms_malformed"),
        (b'"quorum": 1', b'"quorum": 99', "terms_malformed"),
        (b'"to": "kh.gpo"', b'"to": "th.oag"', "agreement_malformed"),
        (b'"valid_until": "2030', b'"valid_until": "2020', "agreement_malformed"),
        (b'"retain_days": 3650', b'"retain_days": 0', "terms_malformed"),
        (b'"instrument": "MOU"', b'"instrument": "mou"', "terms_malformed"),
        (b'"languages"', b'"tongues"', "terms_malformed"),
        (b'"instrument": "MOU"', b'"instrument": "MOU", "instrument": "MOA"', "terms_malformed"),
        (b'"title": "', b'"title": "\\u202e', "text_forbidden"),
        (b'"title": "', b'"title": "\\u001b[2J', "text_forbidden"),
    ),
)
def test_terms_that_make_no_agreement_are_refused(
    offices: tuple[Office, Office], old: bytes, new: bytes, code: str
) -> None:
    terms = first_terms(["la.ospp", "kh.gpo"], date(2025, 7, 16))
    assert old in terms
    parties = [office.read_agency() for office in offices]
    error = refusal(lambda: propose(parse_terms(terms.replace(old, new)), parties, PINS))
    assert error.code == code
