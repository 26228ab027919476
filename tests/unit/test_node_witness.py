"""The witness persists before it signs, and never signs two histories or a wrong clock's head."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from saphan.node.split import Known, TwoHistories
from saphan.node.witness import Witness, anchor_lags
from saphan_protocol.checkpoint import Head, format_checkpoint, verify_cosignatures, verify_head
from saphan_protocol.notes import KeyType, add_lines, verifier_key
from saphan_protocol.witness import WitnessKey
from saphan_schemas.errors import OperatorError, Refused, SaphanError
from support.log_keys import log_note, log_pair, witness_lines

ORIGIN = "bridge.test/evidence/1"
NOW = 1_752_624_000
KEY = WitnessKey(bytes(range(64)))


def head(size: int, name: str = "a", time: int = NOW) -> Head:
    root = hashlib.sha256(f"{name}{size}".encode()).digest()
    note = log_note(ORIGIN, format_checkpoint(ORIGIN, size, root), time)
    return verify_head(note, log_pair(ORIGIN))


def witness(path: Path, now: int = NOW) -> Witness:
    return Witness("kh.gpo", KEY, path / "witness.json", lambda: now * 1000)


def test_the_lines_verify_and_the_state_is_on_disk(tmp_path: Path) -> None:
    cosigned = witness(tmp_path).cosign(head(7))
    assert cosigned is not None
    pair = (
        verifier_key("kh.gpo", KeyType.COSIGNATURE_ED25519, KEY.public[:32]),
        verifier_key("kh.gpo", KeyType.COSIGNATURE_MLDSA44, KEY.public[32:]),
    )
    (found,) = verify_cosignatures(add_lines(cosigned.head.note, cosigned.lines), [pair])
    assert (found.name, found.time) == ("kh.gpo", NOW)
    assert witness(tmp_path).known(ORIGIN) == Known(7, head(7).root, NOW)
    assert (tmp_path / "witness.json").stat().st_mode & 0o777 == 0o600


def test_nothing_is_signed_before_it_is_persisted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk refuses the state: no lines leave, and the next head is judged by the old state."""

    def full(*_: object) -> None:
        raise OperatorError("file_unwritable", "no room")

    made = witness(tmp_path)
    made.cosign(head(3))
    signed: list[int] = []
    monkeypatch.setattr("saphan.node.witness.cosign_lines", lambda *_: signed.append(1))
    with monkeypatch.context() as broken:
        broken.setattr("saphan.node.witness.replace_file", full)
        with pytest.raises(OperatorError, match="file_unwritable"):
            made.cosign(head(4))
    assert signed == []
    assert made.known(ORIGIN) == Known(3, head(3).root, NOW)


@pytest.mark.parametrize(
    ("size", "name", "time", "code"),
    [
        (5, "b", NOW, "split_view"),
        (4, "a", NOW, "witness_ahead"),
        (6, "a", NOW - 61, "head_stale"),
        (6, "a", NOW + 61, "head_stale"),
    ],
)
def test_a_head_that_must_not_be_signed_is_refused_after_a_restart_too(
    tmp_path: Path, size: int, name: str, time: int, code: str
) -> None:
    witness(tmp_path).cosign(head(5))
    before = (tmp_path / "witness.json").read_bytes()
    with pytest.raises(SaphanError) as caught:
        witness(tmp_path).cosign(head(size, name, time))
    assert caught.value.code == code
    assert isinstance(caught.value, Refused if code == "head_stale" else OperatorError)
    assert (tmp_path / "witness.json").read_bytes() == before


def test_the_same_head_is_signed_again_only_when_the_log_signed_it_anew(tmp_path: Path) -> None:
    made = witness(tmp_path)
    assert made.cosign(head(5)) is not None
    assert made.cosign(head(5)) is None
    assert made.cosign(head(5, time=NOW + 30)) is not None


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"[" * 50_000, b'{"saphan": "witness/2"}'])
def test_a_damaged_state_stops_the_witness(tmp_path: Path, data: bytes) -> None:
    """Without its state a witness cannot know what it has signed: it must not begin anew."""
    (tmp_path / "witness.json").write_bytes(data)
    with pytest.raises(OperatorError, match="witness_state_damaged"):
        witness(tmp_path)


def test_a_state_whose_parts_contradict_each_other_is_damaged(tmp_path: Path) -> None:
    """A bit that a disk has changed must not look like a broker with two histories."""
    witness(tmp_path).cosign(head(7))
    path = tmp_path / "witness.json"
    state = path.read_text()
    path.write_text(state.replace(head(7).root.hex(), head(8).root.hex()))
    with pytest.raises(OperatorError, match="witness_state_damaged"):
        witness(tmp_path)
    path.write_text(state.replace(ORIGIN + "\\n7", ORIGIN + "\\n8"))
    with pytest.raises(OperatorError, match="witness_state_damaged"):
        witness(tmp_path)


def test_an_anchor_may_lag_a_minute_behind_the_directory() -> None:
    assert not anchor_lags(head(5), 3, 3, NOW - 1000)
    assert not anchor_lags(head(5), 2, 3, NOW - 60)
    assert anchor_lags(head(5), 2, 3, NOW - 61)


def test_the_state_keeps_what_proves_a_second_history(tmp_path: Path) -> None:
    """The log's own lines, without those of other witnesses; an older state has none."""
    first = head(7)
    lines = witness_lines("vn.vks", first.text, NOW)
    crowded = replace(first, note=add_lines(first.note, lines))
    witness(tmp_path).cosign(crowded)
    known = witness(tmp_path).known(ORIGIN)
    assert known is not None
    assert verify_head(known.note, log_pair(ORIGIN)).ref == first.ref
    assert b"vn.vks" not in known.note
    with pytest.raises(TwoHistories) as caught:
        witness(tmp_path).cosign(head(7, "b"))
    assert caught.value.shown.notes[0] == known.note
    state = tmp_path / "witness.json"
    value = json.loads(state.read_bytes())
    del value["logs"][ORIGIN]["note"]
    state.write_text(json.dumps(value))
    old = witness(tmp_path).known(ORIGIN)
    assert (old, old and old.note) == (known, b"")
