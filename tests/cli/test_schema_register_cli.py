"""An own type at the command line: with one root beside the node, and carried between holders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from saphan.base64_text import text_of
from saphan.ceremony.holder import new_root
from saphan.keys.passphrase import Passphrase
from saphan.local_api import LocalNode
from saphan.own_types.registration_draft import parse_registration_draft
from saphan_protocol.registrations import parse_schema_package
from saphan_schemas.bodies import digest_of
from support.agency_folders import DESK_PASSPHRASE, ROOT_PASSPHRASE
from support.broker_command import running_broker
from support.cheap import CHEAP
from support.command import Ran, saphan_here
from support.drill_pages import until
from support.joining import Joining, running_node
from support.sources import NAME, Json, made, source

SECOND = "la.ospp/field_report/2"
HOLDERS = ("ann", "bee", "cam")


def error(ran: Ran) -> Json:
    found: Json = json.loads(ran.err.splitlines()[-1])["error"]
    assert found["hint"]
    return found


def written(path: Path, value: Json) -> Path:
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")
    return path


def second(**parts: Any) -> Json:
    """The next version of the good source, with one more field."""
    value = source(name=SECOND, **parts)
    value["body"]["properties"]["weather"] = {"enum": ["dry", "rain"]}
    return value


# --- one root, beside the node --------------------------------------------------------------------


def register(joining: Joining, value: Json, *words: str | Path, status: int = 0) -> Ran:
    return saphan_here(
        *("schema", "register", written(joining.top / "source.json", value), "--yes", "--json"),
        *("--dir", joining.agency("la.ospp"), "--passphrase-file", joining.passphrase),
        *words,
        status=status,
    )


def held(folder: Path) -> dict[str, str]:
    """Name and digest of the agency's own types that its node knows."""
    rows = LocalNode(folder / "node").get("/v1/schemas")["schemas"]
    return {row["name"]: row["digest"] for row in rows if row["agency"] == "la.ospp"}


def test_one_root_registers_its_types_and_lets_them_grow(joining: Joining) -> None:
    folder = joining.agency("la.ospp")
    with running_broker(joining.broker, tls=True) as broker:
        joining.invite(broker.url)
        joining.admit("la.ospp")
        with running_node(folder):
            first = register(joining, source()).json
            assert (first["name"], first["registered"]) == (NAME, True)
            assert first["digest"] == digest_of(made(source())).hex()
            record, package = parse_schema_package(Path(first["file"]).read_bytes())
            assert (record.name, package.bundle) == (NAME, made(source()))
            assert register(joining, source()).json["file"] == first["file"]  # nothing changes
            narrower = second()
            narrower["body"]["properties"]["patrols"]["maximum"] = 10
            refused = error(register(joining, narrower, status=2))
            assert refused["code"] == "schema_growth"
            assert refused["field"] == "/schema/properties/body/properties/patrols/maximum"
            assert register(joining, second()).json["before"] == first["digest"]
            until(lambda: held(folder).keys() == {NAME, SECOND}, lambda: str(held(folder)))
            assert held(folder)[NAME] == first["digest"]
        changed = source()
        changed["body"]["properties"]["weather"] = {"enum": ["dry", "rain"]}
        assert error(register(joining, changed, status=5))["code"] == "file_exists"


def test_a_type_of_another_agency_is_not_signed(folder: Path) -> None:
    path = written(folder / "source.json", source(name="kh.gpo/field_report/1"))
    here = ("--dir", folder / "la.ospp", "--yes", "--passphrase-file", folder / "root.txt")
    ran = saphan_here("schema", "register", path, *here, status=2)
    assert ran.code == "schema_namespace"
    assert not (folder / "la.ospp/schemas").exists()


def test_without_its_first_version_a_second_one_is_not_signed(folder: Path) -> None:
    path = written(folder / "source.json", second())
    here = ("--dir", folder / "la.ospp", "--yes", "--passphrase-file", folder / "root.txt")
    assert saphan_here("schema", "register", path, *here, status=2).code == "schema_before"
    other = written(folder / "other.json", source(name="la.ospp/other/1"))
    ran = saphan_here("schema", "register", path, "--before", other, *here, status=2)
    assert ran.code == "schema_before"
    first = written(folder / "first.json", source())
    ran = saphan_here("schema", "register", path, "--before", first, *here, status=4)
    assert ran.code == "node_unreachable"
    kept = folder / "la.ospp/schemas/la.ospp.field_report.2.saphan"
    assert str(kept) in ran.err  # signed, and not lost for want of a line
    assert parse_schema_package(kept.read_bytes())[0].name == SECOND


def test_nobody_signs_without_having_said_so(folder: Path) -> None:
    path = written(folder / "source.json", source())
    here = ("--dir", folder / "la.ospp", "--passphrase-file", folder / "root.txt")
    ran = saphan_here("schema", "register", path, *here, status=5)
    assert ran.code == "not_confirmed"
    assert "call_sign: string 0..12 pattern ^[A-Z]{2,4}-[0-9]{1,3}$" in ran.err
    assert "way: river | road | air" in ran.err


# --- several roots, each where its holder keeps it ------------------------------------------------


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three holders' machines and the office, which has no root; two of them sign."""
    place = tmp_path_factory.mktemp("holders")
    for name, secret in (("root.txt", ROOT_PASSPHRASE), ("desk.txt", DESK_PASSPHRASE)):
        (place / name).write_text(secret + "\n", encoding="utf-8")
        (place / name).chmod(0o600)
    for name in HOLDERS:
        new_root(place / name, name, Passphrase(ROOT_PASSPHRASE), CHEAP)
    roots: list[str | Path] = []
    for name in HOLDERS:
        roots += ["--root", place / name / f"{name}.json"]
    saphan_here(
        *("agency", "init", "la.ospp", "--dir", place / "office", *roots, "--threshold", "2"),
        *("--officer", "bounmy", "--officer-passphrase-file", place / "desk.txt"),
    )
    return place


@pytest.fixture
def place(office: Path, tmp_path: Path) -> Path:
    """A copy of them, with the draft of a type on its way."""
    copied = shutil.copytree(office, tmp_path / "place")
    begun = saphan_here(
        *("schema", "register", written(copied / "source.json", source())),
        *("--dir", copied / "office", "--out", copied / "type.draft"),
    )
    assert "saphan schema sign" in begun.out
    return copied


def sign(place: Path, name: str, draft: str, *words: str, status: int = 0) -> Ran:
    return saphan_here(
        *("schema", "sign", place / draft, "--key", place / name / f"{name}.key"),
        *("--passphrase-file", place / "root.txt"),
        *(words or ("--yes",)),
        status=status,
    )


def finish(place: Path, *drafts: str, status: int = 0) -> Ran:
    paths = [place / draft for draft in drafts]
    return saphan_here("schema", "finish", *paths, "--dir", place / "office", status=status)


def words_of(place: Path) -> str:
    """The words that the holders read to each other, as the first page shows them."""
    page = sign(place, "cam", "type.draft", "--words", "no words", status=2).err
    lines = page.splitlines()
    at = next(i for i, line in enumerate(lines) if "for its holders to compare" in line)
    return " ".join(line.strip() for line in lines[at + 1 : at + 6])


def test_two_of_three_holders_sign_what_they_have_compared(place: Path) -> None:
    assert finish(place, "type.draft", status=3).code == "schema_threshold"
    words = words_of(place)
    other = " ".join(reversed(words.split()))
    assert sign(place, "ann", "type.draft", "--words", other, status=3).code == "words_differ"
    assert "1 of 2" in sign(place, "ann", "type.draft", "--words", words).out
    assert "1 of 2" in sign(place, "ann", "type.draft").out  # twice is once
    saphan_here("words", place / "type.draft", "--compare", words)
    assert "saphan schema finish" in sign(place, "cam", "type.draft").out
    assert finish(place, "type.draft", status=4).code == "node_unreachable"
    kept = place / "office/schemas/la.ospp.field_report.1.saphan"
    record, package = parse_schema_package(kept.read_bytes())
    assert (record.agency, package.bundle) == ("la.ospp", made(source()))
    saphan_here("words", kept, "--compare", words)


def test_copies_signed_apart_are_joined(place: Path) -> None:
    for name in ("bee", "cam"):
        shutil.copy(place / "type.draft", place / f"{name}.draft")
        sign(place, name, f"{name}.draft")
    assert finish(place, "bee.draft", status=3).code == "schema_threshold"
    assert finish(place, "bee.draft", "cam.draft", status=4).code == "node_unreachable"


def test_several_roots_need_a_draft(place: Path) -> None:
    ran = saphan_here(
        *("schema", "register", place / "source.json", "--dir", place / "office"), status=2
    )
    assert ran.code == "schema_draft_needed"


def test_a_root_of_nobody_signs_nothing(place: Path) -> None:
    new_root(place / "eve", "eve", Passphrase(ROOT_PASSPHRASE), CHEAP)
    assert sign(place, "eve", "type.draft", status=3).code == "root_foreign"


def edited(place: Path, **parts: Any) -> None:
    """The draft as somebody changed it on its way."""
    path = place / "type.draft"
    path.write_text(json.dumps(json.loads(path.read_text()) | parts), encoding="utf-8")


def test_a_bundle_that_was_exchanged_on_its_way(place: Path) -> None:
    changed = source()
    changed["body"]["properties"]["patrols"]["maximum"] = 9
    edited(place, bundle=text_of(made(changed)))
    assert sign(place, "ann", "type.draft", status=2).code == "schema_bundle_differs"


def test_roots_that_were_exchanged_on_their_way(place: Path) -> None:
    mine = new_root(place / "eve", "eve", Passphrase(ROOT_PASSPHRASE), CHEAP)
    edited(place, roots=[text_of(mine.half.public)], threshold=1)
    sign(place, "eve", "type.draft")
    assert finish(place, "type.draft", status=3).code == "draft_differs"


def test_a_draft_that_is_none(place: Path) -> None:
    for data, code in (
        (b"{", "schema_draft_malformed"),
        (b'{"saphan": "order-draft/1"}', "schema_draft_malformed"),
        (b" " * (2**21 + 1), "too_large"),
    ):
        (place / "type.draft").write_bytes(data)
        assert sign(place, "ann", "type.draft", status=2).code == code


def test_a_signature_that_was_changed(place: Path) -> None:
    sign(place, "ann", "type.draft")
    value = json.loads((place / "type.draft").read_text())
    (signature,) = value["signatures"]
    flipped = signature[:-8] + ("A" if signature[-8] != "A" else "B") + signature[-7:]
    edited(place, signatures=[flipped])
    assert sign(place, "bee", "type.draft", status=2).code in ("signature_invalid", "malformed")
    edited(place, signatures=[signature, signature])
    assert sign(place, "bee", "type.draft", status=2).code == "schema_draft_malformed"
    edited(place, signatures=[signature])
    draft = parse_registration_draft((place / "type.draft").read_bytes())
    assert len(draft.signatures) == 1
