"""The root ceremony as people type it: machines, files carried by hand, and what goes wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from saphan.ceremony.holder import new_root
from saphan.doctor import examine
from saphan.keys.passphrase import Passphrase
from saphan.office import Office
from saphan_protocol.words import fingerprint_words
from support.agency_folders import DESK_PASSPHRASE, ROOT_PASSPHRASE
from support.cheap import CHEAP
from support.command import Ran, saphan_here
from support.root_holders import NOW

HOLDERS = ("ann", "bee", "cam")


def secret(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three holders' machines and an office, its first operation signed by all and finished."""
    folder = tmp_path_factory.mktemp("ceremony")
    secret(folder, "root.txt", ROOT_PASSPHRASE)
    secret(folder, "desk.txt", DESK_PASSPHRASE)
    for name in HOLDERS:
        holder(folder, name)
    roots = [word for name in HOLDERS for word in ("--root", folder / name / f"{name}.json")]
    saphan_here(
        *("agency", "init", "la.ospp", "--dir", folder / "office", *roots, "--threshold", "2"),
        *("--officer", "bounmy", "--officer-passphrase-file", folder / "desk.txt"),
    )
    shutil.copy(folder / "office/drafts/0001.draft", folder / "first.draft")
    for name in HOLDERS:
        sign(folder, name, "first.draft")
    saphan_here("root", "finish", folder / "first.draft", "--dir", folder / "office")
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "place")


def holder(folder: Path, name: str) -> None:
    """What `saphan root new` makes, without the second that a good passphrase costs."""
    new_root(folder / name, name, Passphrase(ROOT_PASSPHRASE), CHEAP)


def sign(folder: Path, name: str, draft: str, *more: str, status: int = 0) -> Ran:
    return saphan_here(
        *("root", "sign", folder / draft, "--key", folder / name / f"{name}.key"),
        *("--passphrase-file", folder / "root.txt"),
        *(more or ("--yes",)),
        status=status,
    )


def drafted(folder: Path, *words: str | Path) -> Ran:
    """A command of the office that leaves a draft, carried as `next.draft`."""
    return saphan_here(*words, "--dir", folder / "office", "--out", folder / "next.draft")


def order_key(folder: Path) -> Ran:
    return drafted(folder, "keys", "add", "order", "--new-passphrase-file", folder / "desk.txt")


def finish(folder: Path, *drafts: str, status: int = 0) -> Ran:
    paths = [folder / draft for draft in drafts]
    return saphan_here("root", "finish", *paths, "--dir", folder / "office", status=status)


def test_the_office_of_three_holders_has_no_root_and_knows_all_of_them(place: Path) -> None:
    assert not (place / "office/root/root.key").exists()
    shown = saphan_here("agency", "show", "--dir", place / "office", "--json").json
    assert (shown["threshold"], len(shown["roots"])) == (2, 3)
    enrolled = saphan_here("words", place / "office/enrol.saphan", "--json").json["fingerprints"]
    assert [each["words"] for each in enrolled[:-1]] == [root["words"] for root in shown["roots"]]
    assert enrolled[-1]["of"] == "la.ospp operation 1"


def test_a_draft_is_signed_by_two_and_finished(place: Path) -> None:
    said = order_key(place).out
    assert "saphan root sign" in said
    assert "1 of 2" in sign(place, "bee", "next.draft").out
    early = finish(place, "next.draft", status=3)
    assert early.code == "operation_threshold"
    assert "saphan root finish" in sign(place, "cam", "next.draft").out
    assert "0002.saphan" in finish(place, "next.draft").out
    keys = saphan_here("keys", "list", "--dir", place / "office", "--json").json["keys"]
    assert [key["version"] for key in keys if key["role"] == "order"] == [2]
    assert not (place / "office/drafts/0002.draft").exists()


def test_copies_signed_apart_are_joined(place: Path) -> None:
    order_key(place)
    for name in ("ann", "cam"):
        shutil.copy(place / "next.draft", place / f"{name}.draft")
        sign(place, name, f"{name}.draft")
    assert "0002.saphan" in finish(place, "ann.draft", "cam.draft").out


def test_every_holder_is_shown_whose_key_goes_and_the_same_words(place: Path) -> None:
    key = saphan_here("keys", "list", "--dir", place / "office", "--json").json["keys"]
    (officer,) = (each for each in key if each["role"] == "officer")
    said = drafted(place, "keys", "revoke", officer["key_id"], "--yes").out
    value = saphan_here("root", "show", place / "next.draft", "--json").json
    (change,) = value["changes"]
    assert (change["action"], change["handle"], change["enrolled_by"]) == ("revoke", "bounmy", 1)
    page = saphan_here("root", "show", place / "next.draft").out
    assert "bounmy" in page
    assert value["words"] in " ".join(page.split())
    assert value["words"] in " ".join(said.split())  # what the office reads to the holders
    # Who compares with other words than those of the draft does not sign it.
    wrong = sign(place, "ann", "next.draft", "--words", fingerprint_words(bytes(32)), status=3)
    assert wrong.code == "words_differ"
    sign(place, "ann", "next.draft", "--words", value["words"])


@pytest.mark.parametrize(("lang", "word"), (("lo", "ເພີ່ມ"), ("km", "បន្ថែម"), ("en", "adds")))
def test_the_page_is_shown_in_the_holders_language(place: Path, lang: str, word: str) -> None:
    order_key(place)
    assert word in saphan_here("root", "show", place / "next.draft", "--lang", lang).out
    assert word in saphan_here("root", "paper", place / "next.draft", "--lang", lang).out


def test_signing_is_asked_and_silence_is_no(place: Path) -> None:
    order_key(place)
    before = (place / "next.draft").read_bytes()
    sealed = place / "ann/ann.key"
    ran = saphan_here(
        *("root", "sign", place / "next.draft", "--key", sealed),
        *("--passphrase-file", place / "root.txt"),
        status=5,
    )
    assert "not_confirmed" in ran.err
    assert (place / "next.draft").read_bytes() == before


def test_a_holder_who_signs_twice_is_told_and_counts_once(place: Path) -> None:
    order_key(place)
    sign(place, "ann", "next.draft")
    before = (place / "next.draft").read_bytes()
    assert "already" in sign(place, "ann", "next.draft").out
    assert (place / "next.draft").read_bytes() == before
    assert finish(place, "next.draft", status=3).code == "operation_threshold"


def test_a_strangers_root_is_refused_before_its_passphrase_is_asked_for(place: Path) -> None:
    holder(place, "mallory")
    order_key(place)
    ran = saphan_here(
        *("root", "sign", place / "next.draft", "--key", place / "mallory/mallory.key", "--yes"),
        status=3,
    )
    assert ran.code == "root_foreign"


def test_a_draft_that_was_edited_after_one_signature_is_refused(place: Path) -> None:
    order_key(place)
    sign(place, "ann", "next.draft")
    file = json.loads((place / "next.draft").read_bytes())
    (place / "office/drafts/0002.draft").unlink()
    (place / "office/orders/order.key").unlink()
    (place / "next.draft").unlink()
    order_key(place)
    other = json.loads((place / "next.draft").read_bytes())
    forged = file | {"operation": other["operation"], "keys": other["keys"]}
    (place / "forged.draft").write_text(json.dumps(forged))
    for words in (("show",), ("paper",), ("sign", "--key", place / "bee/bee.key", "--yes")):
        ran = saphan_here("root", words[0], place / "forged.draft", *words[1:], status=2)
        assert ran.code == "signature_invalid"
    assert finish(place, "forged.draft", status=2).code == "signature_invalid"


def test_a_draft_that_another_operation_overtook_is_refused(place: Path) -> None:
    order_key(place)
    for name in ("ann", "bee"):
        sign(place, name, "next.draft")
    (place / "office/drafts/0002.draft").unlink()
    (place / "next.draft").rename(place / "late.draft")
    drafted(place, "keys", "add", "mailbox")
    for name in ("cam", "bee"):
        sign(place, name, "next.draft")
    finish(place, "next.draft")
    assert finish(place, "late.draft", status=3).code == "draft_stale"


def test_a_second_draft_is_not_begun_while_one_waits(place: Path) -> None:
    order_key(place)
    (place / "next.draft").unlink()
    ran = saphan_here("keys", "add", "node", "--dir", place / "office", status=5)
    assert ran.code == "draft_waiting"
    listed = saphan_here("keys", "list", "--dir", place / "office", "--json").json
    assert listed["waiting"] == str(place / "office/drafts/0002.draft")


def test_the_doctor_names_a_draft_that_waits(place: Path) -> None:
    def said() -> list[tuple[str, str]]:
        found = examine(Office(place / "office"), NOW)
        return [(one.level, one.message()) for one in found if one.key == "doctor.draft_waits"]

    assert said() == []
    order_key(place)
    ((level, message),) = said()
    assert level == "warn"
    assert str(place / "office/drafts/0002.draft") in message


def test_a_stolen_key_is_revoked_before_a_draft_that_waits(place: Path) -> None:
    order_key(place)
    sign(place, "ann", "next.draft")
    (place / "next.draft").rename(place / "slow.draft")
    keys = saphan_here("keys", "list", "--dir", place / "office", "--json").json["keys"]
    (node,) = (each["key_id"] for each in keys if each["role"] == "node")
    revoke = ("keys", "revoke", node, "--yes", "--dir", place / "office")
    assert saphan_here(*revoke, status=5).code == "draft_waiting"
    ran = drafted(place, "keys", "revoke", node, "--yes", "--instead")
    assert "given-up" in ran.err
    for name in ("bee", "cam"):
        sign(place, name, "next.draft")
    finish(place, "next.draft")
    sign(place, "bee", "slow.draft")
    assert finish(place, "slow.draft", status=3).code == "draft_stale"


def test_keys_that_go_together_cost_one_visit_to_the_holders(place: Path) -> None:
    keys = saphan_here("keys", "list", "--dir", place / "office", "--json").json["keys"]
    gone = [one["key_id"] for one in keys if one["role"] in ("node", "officer")]
    drafted(place, "keys", "revoke", *gone, "--yes")
    for name in ("bee", "cam"):
        sign(place, name, "next.draft")
    finish(place, "next.draft")
    after = saphan_here("keys", "list", "--dir", place / "office", "--json").json["keys"]
    assert [one["key_id"] for one in after if one["revoked_by"] == 2] == gone
    again = ("keys", "revoke", gone[0], "--yes", "--dir", place / "office")
    assert saphan_here(*again, status=3).code == "key_revoked"
    twice = ("keys", "revoke", keys[0]["key_id"], keys[0]["key_id"], "--yes")
    assert saphan_here(*twice, "--dir", place / "office", status=2).code == "key_duplicate"


def test_a_draft_waits_on_where_nothing_takes_its_place(place: Path) -> None:
    """No is typed, a key is unknown, a key file is in the way: "nothing was done" is true."""
    order_key(place)
    path = place / "office/drafts/0002.draft"
    before, office = path.read_bytes(), ("--dir", place / "office", "--instead")
    keys = saphan_here("keys", "list", "--dir", place / "office", "--json").json["keys"]
    new = ("--new-passphrase-file", place / "desk.txt")
    for words, status, code in (
        (("revoke", keys[3]["key_id"]), 5, "not_confirmed"),
        (("revoke", "0" * 64, "--yes"), 3, "key_unknown"),
        (("add", "order", *new), 5, "key_not_enrolled"),
        (("add", "node", "--out", place / "nowhere/next.draft"), 5, "file_missing"),
    ):
        assert saphan_here("keys", *words, *office, status=status).code == code
        assert [file.name for file in path.parent.iterdir()] == [path.name]
        assert path.read_bytes() == before


def test_a_draft_that_was_given_up_and_comes_back_first_is_finished(place: Path) -> None:
    order_key(place)
    (place / "next.draft").rename(place / "slow.draft")
    drafted(place, "keys", "add", "mailbox", "--instead")
    for name in ("bee", "cam"):
        sign(place, name, "slow.draft")
        sign(place, name, "next.draft")
    finish(place, "slow.draft")
    assert finish(place, "next.draft", status=3).code == "draft_stale"


@pytest.mark.parametrize("file", ("office/enrol.saphan", "office/agency.json", "ann/ann.json"))
def test_another_kind_of_file_is_no_draft(place: Path, file: str) -> None:
    for command in ("show", "sign"):
        key = ("--key", place / "ann/ann.key") if command == "sign" else ()
        ran = saphan_here("root", command, place / file, *key, status=2)
        assert ran.code == "operation_draft_malformed"


def test_half_a_draft_is_refused(place: Path) -> None:
    order_key(place)
    data = (place / "next.draft").read_bytes()
    (place / "next.draft").write_bytes(data[: len(data) // 2])
    ran = saphan_here("root", "show", place / "next.draft", status=2)
    assert ran.code == "operation_draft_malformed"


def test_a_lost_root_is_replaced(place: Path) -> None:
    holder(place, "dow")
    change = ("agency", "change-roots", "--add", place / "dow/dow.json", "--remove", "cam", "--yes")
    drafted(place, *change)
    for name in ("ann", "bee"):
        sign(place, name, "next.draft")
    assert finish(place, "next.draft", status=3).code == "operation_threshold"
    sign(place, "dow", "next.draft")
    finish(place, "next.draft")
    roots = saphan_here("agency", "show", "--dir", place / "office", "--json").json["roots"]
    (new,) = saphan_here("words", place / "dow/dow.json", "--json").json["fingerprints"]
    (gone,) = saphan_here("words", place / "cam/cam.json", "--json").json["fingerprints"]
    names = {root["key_id"] for root in roots}
    assert new["digest"] in names
    assert gone["digest"] not in names


def test_an_agency_of_one_root_becomes_one_of_three(place: Path) -> None:
    office = ("--dir", place / "small")
    saphan_here(
        *("agency", "init", "kh.gpo", *office, "--officer", "sokha"),
        *("--passphrase-file", place / "root.txt"),
        *("--officer-passphrase-file", place / "desk.txt"),
    )
    added = [word for name in HOLDERS for word in ("--add", place / name / f"{name}.json")]
    saphan_here(
        *("agency", "change-roots", *added, "--remove", "root", "--threshold", "2", "--yes"),
        *(*office, "--out", place / "next.draft", "--passphrase-file", place / "root.txt"),
    )
    for name in HOLDERS:
        sign(place, name, "next.draft")
    saphan_here("root", "finish", place / "next.draft", *office)
    # The old root's file still lies in the folder, and signs nothing any more.
    made = saphan_here("keys", "add", "node", *office, "--json").json
    assert made["waits"] is True


@pytest.mark.parametrize(
    ("words", "code", "status"),
    (
        (("--root", "ann/ann.json"), "threshold_needed", 2),
        (("--threshold", "2"), "threshold_needed", 2),
        (("--root", "ann/ann.json", "--root", "bee/bee.json", "--threshold", "3"),
         "operation_threshold", 3),
        (("--root", "ann/ann.json", "--root", "ann/ann.json", "--threshold", "2"),
         "key_duplicate", 2),
        (("--root", "office/agency.json", "--threshold", "1"), "root_file_malformed", 2),
        (("--root", "nobody.json", "--threshold", "1"), "file_missing", 5),
    ),
)  # fmt: skip
def test_roots_that_cannot_be_are_refused_before_anything_is_made(
    place: Path, words: tuple[str, ...], code: str, status: int
) -> None:
    given = [place / word if word.endswith(".json") else word for word in words]
    ran = saphan_here(
        *("agency", "init", "vn.vks", "--dir", place / "other", "--officer", "lan", *given),
        status=status,
    )
    assert ran.code == code
    assert not (place / "other").exists()


def test_more_officers_than_the_first_operation_takes_are_refused_at_once(place: Path) -> None:
    roots = [word for name in HOLDERS for word in ("--root", place / name / f"{name}.json")]
    officers = [word for number in range(6) for word in ("--officer", f"officer{number}")]
    ran = saphan_here(
        *("agency", "init", "vn.vks", "--dir", place / "other", *roots, "--threshold", "2"),
        *officers,
        status=2,
    )
    assert ran.code == "officers_count"


def test_a_root_is_made_once_and_not_over_another(place: Path) -> None:
    new = ("root", "new", "--passphrase-file", place / "root.txt")
    made = saphan_here(*new, "--name", "eve", "--out", place / "eve", "--json").json
    assert (place / "eve/eve.key").stat().st_mode & 0o077 == 0
    (half,) = saphan_here("words", made["public_file"], "--json").json["fingerprints"]
    assert half["words"] == made["words"]
    ran = saphan_here(
        *("root", "new", "--name", "ann", "--out", place / "ann"),
        *("--passphrase-file", place / "root.txt"),
        status=5,
    )
    assert ran.code == "file_exists"
