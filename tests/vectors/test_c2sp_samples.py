"""The samples printed in C2SP's signed-note, tlog-checkpoint and tlog-cosignature."""

from __future__ import annotations

from typing import Any

import pytest
from saphan_protocol import checkpoint, notes
from saphan_schemas.errors import InvalidInput
from support.vectors import official


@pytest.fixture(scope="module")
def samples() -> Any:
    return official("c2sp-samples.json")


def test_the_sample_vkey_verifies_the_sample_note(samples: Any) -> None:
    sample = samples["signed_note"]
    key = notes.parse_vkey(sample["vkey"])
    assert notes.format_vkey(key) == sample["vkey"]
    data = sample["note"].encode()
    note = notes.parse_note(data)
    assert notes.encode_note(note.text, note.lines) == data
    assert [line.key for line in notes.verify_note(note, [key])] == [key]


def test_every_altered_byte_of_the_sample_note_is_refused(samples: Any) -> None:
    sample = samples["signed_note"]
    key = notes.parse_vkey(sample["vkey"])
    data = sample["note"].encode()
    for at in range(len(data)):
        altered = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(InvalidInput):
            notes.verify_note(notes.parse_note(altered), [key])


@pytest.mark.parametrize("name", ("checkpoint", "cosigned_checkpoint"))
def test_the_sample_checkpoints_parse_and_encode_back(samples: Any, name: str) -> None:
    data = samples[name].encode()
    note = notes.parse_note(data)
    parsed = checkpoint.parse_checkpoint(note.text)
    assert (parsed.origin, parsed.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert checkpoint.format_checkpoint(*parsed) == note.text
    assert notes.encode_note(note.text, note.lines) == data


def test_the_sample_cosignature_carries_the_time_of_the_sample_message(samples: Any) -> None:
    line = notes.parse_note(samples["cosigned_checkpoint"].encode()).lines[1]
    assert line.name == "witness.example.com/w1"
    time = int.from_bytes(line.blob[:8], "big")
    assert time == 1_679_315_147
    assert len(line.blob) == 72
    text = notes.parse_note(samples["checkpoint"].encode()).text
    assert checkpoint.ed25519_message(time, text).startswith(b"cosignature/v1\ntime 1679315147\n")
