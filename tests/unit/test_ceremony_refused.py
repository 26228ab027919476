"""Drafts that were forged, edited, crossed, overtaken or cut: what the root ceremony refuses."""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
from pathlib import Path

import pytest
from saphan.ceremony.concluding import conclude
from saphan.ceremony.describing import describe
from saphan.ceremony.draft import merge, propose, sign
from saphan.ceremony.draft_file import DRAFT_BYTES, format_draft, parse_draft
from saphan.ceremony.root_change import change_roots
from saphan.keyring import find_key, list_keys, revoke_key
from saphan.keys.keyfiles import SecretKey, new_key, public_half
from saphan.office import Office
from saphan.operations import addition, settle
from saphan_protocol.batch import sign_one
from saphan_protocol.operation import OPERATION_TYPE
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import Change, Operation
from saphan_schemas.errors import SaphanError
from saphan_schemas.records import Role
from support.refusals import refusal
from support.root_holders import NOW, Holders, drafted_officer, waiting


@pytest.fixture(scope="module")
def holders() -> Holders:
    return Holders("ann", "bee", "cam")


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory, holders: Holders) -> Office:
    return holders.enrolled(tmp_path_factory.mktemp("ceremony") / "la", 2)


@pytest.fixture
def office(tmp_path: Path, enrolled: Office) -> Office:
    return Office(shutil.copytree(enrolled.folder, tmp_path / "la"))


def test_a_strangers_root_does_not_sign(office: Office, holders: Holders) -> None:
    drafted_officer(office)
    stranger = new_key(Role.ROOT).signing()
    assert refusal(lambda: sign(waiting(office), stranger)).code == "root_foreign"


def altered(path: Path, **fields: object) -> bytes:
    return json.dumps(json.loads(path.read_bytes()) | fields).encode()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_draft_edited_after_one_signature_is_refused_whole(
    office: Office, holders: Holders
) -> None:
    """Between two holders somebody writes a later handle into it."""
    path = drafted_officer(office)
    signed = holders.sign(waiting(office), "ann")
    path.write_bytes(format_draft(signed))
    other = encode(_renamed(signed.operation))
    edited = altered(path, operation=text(other))
    assert refusal(lambda: parse_draft(edited)).code == "signature_invalid"
    without = altered(path, operation=text(other), keys=[], signatures=[])
    assert refusal(lambda: parse_draft(without)).code == "operation_draft_malformed"


def test_terms_of_roots_edited_after_one_signature_are_refused(
    office: Office, holders: Holders
) -> None:
    """A threshold of 2 becomes 1 on the way: nothing but the root's signature covers it."""
    draft = change_roots(office, [], ["cam"], 2, NOW)
    path = settle(office, holders.sign(draft, "ann")).operation
    one = draft.operation
    weaker = Operation(one.agency, one.version, one.previous, 1, one.time, one.changes)
    edited = altered(path, operation=text(encode(weaker)))
    assert refusal(lambda: parse_draft(edited)).code == "signature_invalid"


def _renamed(operation: Operation) -> Operation:
    (change,) = operation.changes
    renamed = Change("add", change.role, change.key, "mallory", None, None)
    return Operation(
        operation.agency,
        operation.version,
        operation.previous,
        operation.threshold,
        operation.time,
        (renamed,),
    )


def test_a_strangers_signature_in_the_file_refuses_the_draft(
    office: Office, holders: Holders
) -> None:
    path = drafted_officer(office)
    draft = waiting(office)
    stranger = new_key(Role.ROOT).signing()
    signature = sign_one(stranger, OPERATION_TYPE, draft.body, os.urandom(32))
    forged = altered(path, signatures=[text(encode(signature))])
    assert refusal(lambda: parse_draft(forged)).code == "operation_draft_malformed"


def test_a_signature_that_stands_twice_refuses_the_draft(office: Office, holders: Holders) -> None:
    path = drafted_officer(office)
    draft = holders.sign(waiting(office), "ann")
    twice = [text(encode(signature)) for signature in draft.signatures * 2]
    assert refusal(lambda: parse_draft(altered(path, signatures=twice))).code == (
        "operation_draft_malformed"
    )


def test_a_draft_with_an_officers_key_that_nobody_proved_is_refused(
    office: Office, holders: Holders
) -> None:
    path = drafted_officer(office)
    assert refusal(lambda: parse_draft(altered(path, keys=[]))).code == "operation_draft_malformed"


def test_a_history_that_leaves_something_out_is_refused(office: Office, holders: Holders) -> None:
    drafted_officer(office)
    conclude(office, holders.sign(waiting(office), "ann", "bee"))
    path = drafted_officer(office, "sokha")
    first, second = office.history()
    for history in ([], [text(first)], [text(second)], [text(first), text(second), text(second)]):
        changed = altered(path, history=history)
        with pytest.raises(SaphanError) as refused:
            parse_draft(changed)
        assert refused.value.code == "operation_draft_malformed"


def test_a_stale_draft_is_refused_after_another_operation(office: Office, holders: Holders) -> None:
    path = drafted_officer(office)
    late = holders.sign(waiting(office), "ann", "bee")
    path.unlink()  # given up here, while a copy was on its way
    revoke_key(office, find_key(office, list_keys(office)[3].key_id.hex()).key_id, None, now=NOW)
    conclude(office, holders.sign(waiting(office), "bee", "cam"))
    assert refusal(lambda: conclude(office, late)).code == "draft_stale"
    assert len(office.history()) == 2


def test_another_agencys_draft_is_refused(tmp_path: Path, office: Office, holders: Holders) -> None:
    other = Holders("ann", "bee", "cam")
    foreign = other.enrolled(tmp_path / "kh", 2, "kh.gpo")
    drafted_officer(foreign)
    draft = waiting(foreign)
    assert refusal(lambda: holders.sign(draft, "ann")).code == "root_foreign"
    finished = other.sign(draft, "ann", "bee")
    assert refusal(lambda: conclude(office, finished)).code == "draft_foreign"


@pytest.mark.parametrize("threshold", (1, 2))
def test_a_first_draft_that_was_exchanged_on_its_way_is_not_finished(
    tmp_path: Path, holders: Holders, threshold: int
) -> None:
    """Whoever carries it signs one of their own, whole, with roots of the same holders' names."""
    office, thief = holders.found(tmp_path / "la", 2), Holders("ann", "bee", "cam")
    mine = office.agency_file.read_bytes()
    other = thief.found(tmp_path / "thief", threshold)
    whole = thief.sign(waiting(other), *thief.keys)
    assert whole.complete
    assert refusal(lambda: conclude(office, whole)).code == "draft_differs"
    assert office.agency_file.read_bytes() == mine
    assert office.history() == ()
    conclude(office, holders.sign(waiting(office), *holders.keys))  # the office's own still waits


def test_a_first_draft_in_which_fewer_of_the_same_roots_sign_is_not_finished(
    tmp_path: Path, holders: Holders
) -> None:
    office, weaker = holders.found(tmp_path / "la", 2), holders.found(tmp_path / "weak", 1)
    whole = holders.sign(waiting(weaker), *holders.keys)
    assert refusal(lambda: conclude(office, whole)).code == "draft_differs"


def test_drafts_of_two_operations_are_not_joined(office: Office, holders: Holders) -> None:
    drafted_officer(office)
    one = holders.sign(waiting(office), "ann")
    key = new_key(Role.OFFICER, "other")
    other = holders.sign(propose(office, (addition(key, NOW),), (key,), NOW), "bee")
    assert refusal(lambda: merge(one, other)).code == "draft_differs"


def test_a_draft_too_large_for_the_log_is_refused_before_anybody_travels(office: Office) -> None:
    keys = [new_key(Role.OFFICER, f"officer{number}") for number in range(12)]
    changes = [addition(key, NOW) for key in keys]
    assert refusal(lambda: propose(office, changes, keys, NOW)).code == "operation_large"


def test_what_was_enrolled_once_is_not_drafted_again(office: Office, holders: Holders) -> None:
    half = holders.half("ann")
    change = Change("add", Role.ROOT, half.public, None, None, None)
    assert refusal(lambda: propose(office, (change,), (), NOW)).code == "key_duplicate"


def revocation(role: Role, name: bytes) -> Change:
    return Change("revoke", role, name, None, None, None)


def why_not(office: Office, *changes: Change) -> str:
    """Code with which these changes are refused, before anybody travels."""
    return refusal(lambda: propose(office, changes, (), NOW)).code


def test_only_an_active_key_of_the_role_stated_is_revoked_and_once(
    office: Office, holders: Holders
) -> None:
    (node,) = office.replay().keys("la.ospp", Role.NODE)
    gone = revocation(Role.NODE, node.key_id)
    assert why_not(office, revocation(Role.NODE, bytes(32))) == "key_unknown"
    assert why_not(office, revocation(Role.WITNESS, node.key_id)) == "key_unknown"
    assert why_not(office, gone, gone) == "key_duplicate"
    revoke_key(office, node.key_id, None, now=NOW)
    conclude(office, holders.sign(waiting(office), "ann", "bee"))
    assert why_not(office, gone) == "key_unknown"


def test_a_root_that_is_no_key_is_not_drafted(office: Office) -> None:
    change = Change("add", Role.ROOT, bytes(1984), None, None, None)
    assert why_not(office, change) in ("key_weak", "key_malformed")


def test_another_agencys_history_refuses_the_draft(tmp_path: Path, holders: Holders) -> None:
    """Else a first operation would stand on a page that has all the roots of somebody else."""
    office = holders.found(tmp_path / "la", 2)
    foreign = Holders("ann", "bee", "cam").enrolled(tmp_path / "kh", 2, "kh.gpo")
    forged = altered(office.draft(1), history=[text(foreign.history()[0])])
    assert refusal(lambda: parse_draft(forged)).code == "operation_draft_malformed"


@pytest.mark.parametrize("field", ("keys", "witnesses"))
def test_proofs_of_another_operation_refuse_the_draft(office: Office, field: str) -> None:
    keys = [new_key(Role.WITNESS), new_key(Role.OFFICER, "khamla")]
    one, other = (
        propose(office, [addition(key, now) for key in keys], keys, now) for now in (NOW, NOW + 1)
    )
    path = settle(office, one).operation
    (old,) = getattr(other, field)
    forged = altered(path, **{field: [text(encode(old))]})
    assert refusal(lambda: parse_draft(forged)).code == "signature_invalid"


def test_what_a_directory_would_refuse_is_never_kept(office: Office, holders: Holders) -> None:
    """Two officers share half a key: the page shows two, the directory knows."""
    first, other = new_key(Role.OFFICER, "khamla"), new_key(Role.OFFICER, "sokha")
    seed = first.seed[:32] + other.seed[32:]
    twin = SecretKey(Role.OFFICER, public_half(Role.OFFICER, seed), seed, "sokha")
    keys = (first, twin)
    draft = propose(office, [addition(key, NOW) for key in keys], keys, NOW)
    signed = holders.sign(draft, "ann", "bee")
    assert refusal(lambda: conclude(office, signed)).code == "key_duplicate"
    assert len(office.history()) == 1


def test_another_threshold_of_the_same_roots_needs_as_many_as_it_says(
    office: Office, holders: Holders
) -> None:
    """It comes with an officer's key: no root is added or revoked."""
    key = new_key(Role.OFFICER, "khamla")
    draft = propose(office, (addition(key, NOW),), (key,), NOW, threshold=3)
    assert draft.tallies == (("present", 0, 2), ("new", 0, 3))
    signed = holders.sign(draft, "ann", "bee")
    assert refusal(lambda: conclude(office, signed)).code == "operation_threshold"
    conclude(office, holders.sign(signed, "cam"))
    assert office.read_agency().threshold == 3


def test_a_draft_of_a_later_format_is_not_guessed_at(office: Office) -> None:
    later = altered(drafted_officer(office), saphan="operation-draft/2")
    assert refusal(lambda: parse_draft(later)).code == "operation_draft_malformed"


def test_no_second_draft_is_stored_beside_one_that_waits(office: Office) -> None:
    drafted_officer(office)
    (node,) = office.replay().keys("la.ospp", Role.NODE)
    draft = propose(office, (revocation(Role.NODE, node.key_id),), (), NOW)
    assert refusal(lambda: settle(office, draft)).code == "draft_waiting"


@pytest.mark.parametrize("times", ((NOW, None), (None, NOW), (None, None), (NOW, NOW - 1)), ids=str)
def test_a_mailbox_without_its_two_times_is_never_shown_to_a_holder(
    office: Office, times: tuple[int | None, int | None]
) -> None:
    change = Change("add", Role.MAILBOX, new_key(Role.MAILBOX).public, None, *times)
    assert refusal(lambda: propose(office, (change,), (), NOW)).code == "change_malformed"


@pytest.mark.parametrize("fields", ((None, NOW, NOW), ("khamla", None, None)), ids=str)
def test_a_key_with_a_field_that_would_hide_its_words_is_refused(
    office: Office, fields: tuple[str | None, int | None, int | None]
) -> None:
    key = new_key(Role.NODE)
    change = Change("add", Role.NODE, key.public, *fields)
    assert refusal(lambda: propose(office, (change,), (key,), NOW)).code == "change_malformed"


def test_a_label_in_a_draft_names_roots_only(office: Office, holders: Holders) -> None:
    """Whoever carries the draft writes a trusted name beside a stranger's node key."""
    key = new_key(Role.NODE)
    named = {key.key_id: "director", holders.half("ann").key_id: "ann"}
    draft = propose(office, (addition(key, NOW),), (key,), NOW, holders=named)
    value = describe(draft)
    assert [change["handle"] for change in value["changes"]] == [None]
    assert "ann" in [root["holder"] for root in value["roots"]]


def test_a_file_without_end_is_not_read_as_a_draft() -> None:
    assert refusal(lambda: parse_draft(bytes(DRAFT_BYTES + 1))).code == "too_large"


def test_a_draft_comes_back_from_its_file_as_it_was(office: Office, holders: Holders) -> None:
    drafted_officer(office)
    draft = holders.sign(waiting(office), "ann")
    assert parse_draft(format_draft(draft)) == draft
    assert draft.holders[holders.half("bee").key_id] == "bee"


def test_a_proof_of_the_wrong_kind_refuses_the_draft(office: Office, holders: Holders) -> None:
    """An officer's signature where a witness's proof belongs, and the other way round."""
    keys = [new_key(Role.WITNESS), new_key(Role.OFFICER, "khamla")]
    draft = propose(office, [addition(key, NOW) for key in keys], keys, NOW)
    path = settle(office, draft).operation
    (proof,), (signature,) = draft.witnesses, draft.keys
    crossed = type(proof)(signature.item.key, proof.signature)
    damages: tuple[dict[str, list[str]], ...] = (
        {"keys": [], "witnesses": [text(encode(proof)), text(encode(crossed))]},
        {"keys": [text(encode(signature))] * 2, "witnesses": []},
        {"witnesses": []},
    )
    for fields in damages:
        with pytest.raises(SaphanError) as refused:
            parse_draft(altered(path, **fields))
        assert refused.value.code == "operation_draft_malformed"


def test_a_damaged_draft_is_refused_and_nothing_else_happens(
    office: Office, holders: Holders
) -> None:
    """Two hundred bytes changed, one at a time: either nothing that counts, or a refusal."""
    path = drafted_officer(office)
    path.write_bytes(format_draft(holders.sign(waiting(office), "ann")))
    data, chance, refused = path.read_bytes(), random.Random(17), 0
    body = waiting(office).body
    for _ in range(200):
        damaged = bytearray(data)
        damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(7)
        try:
            assert parse_draft(bytes(damaged)).body == body
        except SaphanError:
            refused += 1
    assert refused > 150
