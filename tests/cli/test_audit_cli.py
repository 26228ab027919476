"""`saphan audit` and packs as files: real folders, real processes, real damage."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from saphan.audit.folder import LogFolder
from saphan.audit.packfile import read_pack, split_pack, write_pack
from saphan.item_file import CHUNK_BYTES
from saphan_protocol.pack import PACK_ITEM_BYTES
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.packs import PackAgreement
from saphan_schemas.records import Event
from support.agency import Agency
from support.ceremony import NOW
from support.command import Ran, saphan
from support.log_folders import put, write_log, write_logbook
from support.logbook import ORIGINS, Log, Logbook

LA, KH = "la.ospp", "kh.gpo"


@pytest.fixture
def book() -> Logbook:
    made = Logbook([Agency(LA, NOW), Agency(KH, NOW)])
    made.deliver(LA, KH)
    made.deliver(KH, LA)
    return made


def verify(*words: str, status: int = 0) -> Ran:
    return saphan("audit", "verify", *words, status=status)


def test_a_good_log_is_said_to_be_good_with_its_numbers(book: Logbook, tmp_path: Path) -> None:
    words = write_logbook(book, tmp_path)
    page = verify(*words).out
    assert page.startswith("Nothing is wrong in what was checked.\n")
    assert "9 leaves; 8 of 8 entries opened (record packs: 1)" in page
    assert "la.ospp to kh.gpo: 4 opened, numbers 1 to 4" in page
    assert "cosigned by: nobody" in page
    assert "no pack opened" not in page
    shown = verify(*words, "--json").json
    assert (shown["ok"], shown["finding"]) == (True, None)
    evidence = shown["coverage"]["evidence"]
    assert (evidence["leaves"], evidence["entries"], evidence["opened"]) == (9, 8, 8)
    assert evidence["signatures"] == 8
    assert evidence["types"]["handover"] == {"logged": 2, "opened": 2}
    assert shown["coverage"]["directory"]["agreements"] == {"logged": 1, "opened": 1}


def test_it_needs_no_pack_and_no_private_key(book: Logbook, tmp_path: Path) -> None:
    words = write_logbook(book, tmp_path)[:3]
    evidence = verify(*words, "--json").json["coverage"]["evidence"]
    assert (evidence["entries"], evidence["opened"]) == (8, 0)
    assert "entries that no pack opened: 8" in verify(*words).out
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".key"]


def test_a_flipped_bit_in_the_log_is_named_by_its_leaf(book: Logbook, tmp_path: Path) -> None:
    words = write_logbook(book, tmp_path)
    bundle = tmp_path / "logs/evidence/tile/entries/000.p/9"
    data = bytearray(bundle.read_bytes())
    data[-1] ^= 1
    bundle.write_bytes(data)
    ran = verify(*words, status=3)
    assert "Where: Evidence log, leaf 8, step E2 of the audit" in ran.out
    shown = verify(*words, "--json", status=3).json
    assert shown["ok"] is False
    assert (shown["finding"]["index"], shown["finding"]["code"]) == (8, "leaf_differs")


def test_what_the_broker_did_wrong_is_said_in_words(book: Logbook, tmp_path: Path) -> None:
    made, _ = book.submit(LA, KH)
    book.time = made.header.expires
    book.broker_states(Event.EXPIRED, made, (LA, KH), "undelivered")
    late = book.state(Event.HANDOVER, made, (LA, KH))
    ran = verify(*write_logbook(book, tmp_path), status=3)
    assert ran.out.startswith("Something is wrong.")
    assert "(already_decided)" in ran.out
    assert f"leaf {late}, step O8" in ran.out
    assert "Shown by the record pack 0.pack" in ran.out


def test_tiles_that_are_not_there_are_not_needed(book: Logbook, tmp_path: Path) -> None:
    words = write_logbook(book, tmp_path)
    shutil.rmtree(tmp_path / "logs/evidence/tile/0")
    assert verify(*words, "--json").json["ok"]


def test_a_missing_bundle_is_this_machines_matter(book: Logbook, tmp_path: Path) -> None:
    words = write_logbook(book, tmp_path)
    (tmp_path / "logs/evidence/tile/entries/000.p/9").unlink()
    assert verify(*words, status=5).code == "file_missing"


def test_a_folder_without_logs_is_refused(book: Logbook, tmp_path: Path) -> None:
    words = write_logbook(book, tmp_path)
    assert verify(str(tmp_path), *words[1:], status=5).code == "log_folder_missing"


def test_a_log_of_many_tiles_is_read_whole(tmp_path: Path) -> None:
    log = Log(ORIGINS[1])
    log.kept = [b"leaf %d" % number for number in range(66_000)]
    log.sign(NOW)
    write_log(log, tmp_path)
    folder = LogFolder(tmp_path)
    assert list(folder.leaves(66_000)) == log.kept
    tree = folder.tree(66_000)
    assert tree is not None
    assert tree.root() == log.root()
    assert tree.node(8, 255) == log.tree(66_000).node(8, 255)  # type: ignore[union-attr]


# --- packs as files -------------------------------------------------------------------------------


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _bomb(data: bytes) -> bytes:
    return b"\x91" * 1_000_000 + data


def _hollow(data: bytes) -> bytes:
    return b"\xdd\xff\xff\xff\xff" + b"\xc0" * (PACK_ITEM_BYTES + CHUNK_BYTES)


def _promising(data: bytes) -> bytes:
    return b"\xc6\xff\xff\xff\xff" + data


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_cut, "pack_cut"),
        (lambda data: b"", "pack_cut"),
        (_promising, "pack_cut"),
        (_bomb, "pack_malformed"),
        (_hollow, "pack_malformed"),
        (lambda data: b"\xc1" + data, "pack_malformed"),
        (lambda data: b"\xc0" + data, "pack_malformed"),
        (lambda data: data + b"\x00", "pack_malformed"),
        (lambda data: data[:1] + b"\xcd\x00\x01" + data[2:], "pack_malformed"),
    ],
)
def test_spoilt_pack_files_are_named(
    book: Logbook, tmp_path: Path, spoil: Callable[[bytes], bytes], code: str
) -> None:
    words = write_logbook(book, tmp_path)
    pack = tmp_path / "0.pack"
    pack.write_bytes(spoil(pack.read_bytes()))
    finding = verify(*words, "--json", status=3).json["finding"]
    assert (finding["code"], finding["pack"], finding["step"]) == (code, "0.pack", "P1")


def test_every_cut_of_a_pack_is_noticed(book: Logbook, tmp_path: Path) -> None:
    write_logbook(book, tmp_path)
    data = (tmp_path / "0.pack").read_bytes()
    whole = len(list(split_pack([data])))
    ends = {0}
    for item in split_pack([data]):
        ends.add(max(ends) + len(encode(item)))
    for length in range(0, len(data), 97):
        if length in ends:
            assert len(list(split_pack([data[:length]]))) < whole
        else:
            with pytest.raises(InvalidInput) as caught:
                list(split_pack([data[:length]]))
            assert caught.value.code == "pack_cut"


def test_a_pack_is_read_the_same_in_pieces_of_any_length(book: Logbook, tmp_path: Path) -> None:
    write_logbook(book, tmp_path)
    data = (tmp_path / "0.pack").read_bytes()
    items = list(split_pack([data]))
    for length in (1, 7, 4096):
        pieces = [data[at : at + length] for at in range(0, len(data), length)]
        assert list(split_pack(pieces)) == items
    assert list(read_pack(tmp_path / "0.pack")) == items


def test_the_longest_item_is_read(tmp_path: Path) -> None:
    item = PackAgreement(bytes(PACK_ITEM_BYTES - 64))
    write_pack(tmp_path / "long.pack", [item])
    assert list(read_pack(tmp_path / "long.pack")) == [item]


def test_a_pack_is_for_its_owner_and_never_overwritten(book: Logbook, tmp_path: Path) -> None:
    path = tmp_path / "x.pack"
    write_pack(path, book.pack())
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(OperatorError) as caught:
        write_pack(path, book.pack())
    assert caught.value.code == "file_exists"
    assert os.listdir(tmp_path) == ["x.pack"]


def test_a_pack_that_cannot_be_finished_leaves_nothing(book: Logbook, tmp_path: Path) -> None:
    def broken() -> object:
        yield book.pack()[0]
        raise OperatorError("store_damaged", "in the middle")

    with pytest.raises(OperatorError):
        write_pack(tmp_path / "x.pack", broken())  # type: ignore[arg-type]
    assert os.listdir(tmp_path) == []


def test_a_pipe_in_place_of_a_pack_is_not_waited_for(book: Logbook, tmp_path: Path) -> None:
    words = write_logbook(book, tmp_path)
    (tmp_path / "0.pack").unlink()
    os.mkfifo(tmp_path / "0.pack")
    assert verify(*words, status=5).code == "file_unreadable"
    state = str(tmp_path / "state")
    assert verify(*words, "--state", state, status=5).code == "file_unreadable"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"{", b"[", "pins_malformed"),
        (b"bridge.test/evidence/1+", b"bridge.test/evidence/1-", "vkey_malformed"),
    ],
)
def test_a_pin_file_that_is_none_is_no_finding(
    book: Logbook, tmp_path: Path, old: bytes, new: bytes, code: str
) -> None:
    words = write_logbook(book, tmp_path)
    pins = (tmp_path / "pins.json").read_bytes()
    put(tmp_path / "pins.json", pins.replace(old, new))
    assert verify(*words, status=2).code == code


def test_two_packs_of_one_name_are_told_apart(book: Logbook, tmp_path: Path) -> None:
    words = write_logbook(book, tmp_path)
    other = tmp_path / "other" / "0.pack"
    put(other, (tmp_path / "0.pack").read_bytes()[:-1])
    finding = verify(*words, "--pack", str(other), "--json", status=3).json["finding"]
    assert (finding["code"], finding["pack"]) == ("pack_cut", str(other))
    assert finding["hint"] == "get the file again from whoever exported it"
    assert f"    hint: {finding['hint']}\n" in verify(*words, "--pack", str(other), status=3).out


def test_a_pack_whose_name_is_no_text_is_named(book: Logbook, tmp_path: Path) -> None:
    words = write_logbook(book, tmp_path)
    odd = tmp_path / os.fsdecode(b"\xff.pack")
    (tmp_path / "0.pack").rename(odd)
    result = tmp_path / "result.json"
    verify(*words[:-1], str(odd), "--result", str(result))
    assert list(json.loads(result.read_bytes())["packs"]) == ["\\xff.pack"]
