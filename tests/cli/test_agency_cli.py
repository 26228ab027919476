"""The ceremony at the command line: real processes, real key files, real parameters."""

from __future__ import annotations

import json
from pathlib import Path

from saphan_protocol.directory import Directory, agreement_leaf, operation_leaf
from saphan_protocol.operation import parse_agreement_package
from saphan_protocol.pins import format_pins
from saphan_protocol.words import fingerprint_words
from support.agency_folders import PINS
from support.command import saphan, saphan_here
from support.pin_files import pins


def pinned(folder: Path, *agencies: str) -> None:
    words = fingerprint_words(PINS.digest)
    for name in agencies:
        saphan_here("agency", "pin", folder / "pins.json", "--words", words, "--dir", folder / name)


def proposed(folder: Path) -> Path:
    parties = [
        word
        for name in ("la.ospp", "kh.gpo")
        for word in ("--party", folder / name / "agency.json")
    ]
    saphan_here("agreement", "terms", *parties, "--out", folder / "terms.json")
    saphan_here(
        *("agreement", "propose", *parties, "--terms", folder / "terms.json"),
        *("--pins", folder / "pins.json", "--out", folder / "draft.json"),
    )
    return folder / "draft.json"


def sign(folder: Path, name: str, status: int = 0) -> str:
    ran = saphan_here(
        *("agreement", "sign", folder / "draft.json", "--yes", "--dir", folder / name),
        *("--passphrase-file", folder / "root.txt"),
        status=status,
    )
    return ran.out if status == 0 else ran.code


def test_init_says_in_json_what_it_made(folder: Path) -> None:
    shown = saphan_here("agency", "show", "--dir", folder / "la.ospp", "--json").json
    (root,) = shown["roots"]
    assert shown["agency"] == "la.ospp"
    assert root["words"] == fingerprint_words(bytes.fromhex(root["key_id"]))
    # The broker's operator sees the same words in the file that is carried to them.
    carried = saphan("words", folder / "la.ospp" / "enrol.saphan", "--json").json
    assert carried["fingerprints"][0]["words"] == root["words"]
    saphan("words", folder / "la.ospp" / "enrol.saphan", "--compare", root["words"])


def test_words_of_another_agency_are_not_taken_for_the_same(folder: Path) -> None:
    shown = saphan_here("agency", "show", "--dir", folder / "kh.gpo", "--json").json
    words = shown["roots"][0]["words"]
    ran = saphan("words", folder / "la.ospp" / "agency.json", "--compare", words, status=3)
    assert ran.code == "words_differ"


def test_init_never_writes_into_an_agency(folder: Path) -> None:
    ran = saphan(
        *("agency", "init", "la.ospp", "--dir", folder / "la.ospp", "--officer", "khamla"),
        *("--passphrase-file", folder / "root.txt"),
        *("--officer-passphrase-file", folder / "desk.txt"),
        status=5,
    )
    assert ran.code == "agency_folder_exists"


def test_keys_are_added_listed_and_revoked(folder: Path) -> None:
    here = ("--dir", folder / "la.ospp", "--passphrase-file", folder / "root.txt")
    added = saphan(
        *("keys", "add", "officer", "--handle", "khamla", *here),
        *("--new-passphrase-file", folder / "desk.txt", "--json"),
    ).json
    assert added["version"] == 2
    revoked = saphan("keys", "revoke", added["key_id"][:12], "--yes", *here, "--json").json
    assert revoked["version"] == 3
    keys = saphan("keys", "list", *here[:2], "--json").json["keys"]
    assert [(k["handle"], k["revoked_by"]) for k in keys if k["role"] == "officer"] == [
        ("bounmy", None),
        ("khamla", 3),
    ]
    directory = Directory()
    for operation in ("0001", "0002", "0003"):
        data = (folder / "la.ospp" / "operations" / f"{operation}.saphan").read_bytes()
        directory.apply(operation_leaf(data))


def test_what_cannot_be_undone_is_asked_and_silence_is_no(folder: Path) -> None:
    here = ("--dir", folder / "la.ospp")
    key = saphan("keys", "list", *here, "--json").json["keys"][1]["key_id"]
    for words in (
        ("keys", "revoke", key, "--passphrase-file", folder / "root.txt"),
        ("agency", "pin", folder / "pins.json"),
    ):
        ran = saphan(*words, *here, status=5)  # there is no terminal to ask
        assert ran.err.splitlines()[-2].endswith("(not_confirmed)")
    assert not (folder / "la.ospp" / "operations" / "0002.saphan").exists()
    assert not (folder / "la.ospp" / "node" / "pins.json").exists()


def test_both_parties_sign_and_the_agreement_is_finished(folder: Path) -> None:
    draft = proposed(folder)
    pinned(folder, "la.ospp", "kh.gpo")
    assert "kh.gpo" in sign(folder, "la.ospp")
    finish = ("agreement", "finish", draft, "--out", folder / "mou.saphan")
    early = saphan(*finish, status=3)
    assert early.code == "agreement_threshold"
    sign(folder, "kh.gpo")
    saphan_here(*finish)
    # Its salt is for the parties and the broker: nobody else may read the file.
    assert (folder / "mou.saphan").stat().st_mode & 0o077 == 0
    package = parse_agreement_package((folder / "mou.saphan").read_bytes())
    directory = Directory()
    for name in ("la.ospp", "kh.gpo"):
        directory.apply(operation_leaf((folder / name / "enrol.saphan").read_bytes()))
    directory.apply(agreement_leaf(package.salt, package.agreement))
    directory.add_package((folder / "mou.saphan").read_bytes())
    shown = saphan_here("agreement", "show", folder / "mou.saphan", "--json").json
    assert shown["finished"] is True
    assert [party["signed"] for party in shown["parties"]] == [1, 1]


def test_the_page_shows_every_fingerprint_as_words(folder: Path) -> None:
    draft = proposed(folder)
    page = saphan_here("agreement", "show", draft).out
    for name in ("la.ospp", "kh.gpo"):
        ran = saphan_here("agency", "show", "--dir", folder / name, "--json")
        words = ran.json["roots"][0]["words"]
        assert words in " ".join(page.split())
    assert fingerprint_words(PINS.digest) in " ".join(page.split())


def test_an_agreement_changed_between_two_signatures_is_refused(folder: Path) -> None:
    """la.ospp signs; the file is exchanged on its way for one with longer retention."""
    draft = proposed(folder)
    pinned(folder, "la.ospp", "kh.gpo")
    sign(folder, "la.ospp")
    terms = (folder / "terms.json").read_text()
    (folder / "terms.json").write_text(terms.replace("3650", "36500"))
    parties = [
        word
        for name in ("la.ospp", "kh.gpo")
        for word in ("--party", folder / name / "agency.json")
    ]
    saphan(
        *("agreement", "propose", *parties, "--terms", folder / "terms.json"),
        *("--pins", folder / "pins.json", "--out", folder / "other.json"),
    )
    signed, other = json.loads(draft.read_text()), json.loads((folder / "other.json").read_text())
    draft.write_text(json.dumps(other | {"signatures": signed["signatures"]}))
    before = draft.read_bytes()
    assert sign(folder, "kh.gpo", status=2) == "signature_invalid"
    assert draft.read_bytes() == before


def test_an_agreement_that_pins_another_broker_is_not_signed(folder: Path) -> None:
    proposed(folder)
    assert sign(folder, "la.ospp", status=5) == "pins_missing"
    asked = ("agreement", "sign", folder / "draft.json", "--dir", folder / "la.ospp")
    assert "--pins FILE" in saphan_here(*asked, status=5).err
    other = pins(key="other")
    (folder / "other.json").write_bytes(format_pins(other))
    words = fingerprint_words(other.digest)
    here = ("--dir", folder / "la.ospp")
    wrong = saphan("agency", "pin", folder / "pins.json", "--words", words, *here, status=3)
    assert wrong.code == "words_differ"
    saphan("agency", "pin", folder / "other.json", "--words", words, *here)
    assert sign(folder, "la.ospp", status=3) == "pins_differ"
