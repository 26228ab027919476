"""What fuzzing found: each of these once ended in another error than one of ours, or took too much.

docs/fuzzing.md lists them; short inputs are kept in tests/fuzz/corpus too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from saphan import sdk
from saphan.api_answer import object_of, refusal
from saphan.backup.making import MARK_NAME, read_mark
from saphan.node.witness import Witness
from saphan.showing.document import document
from saphan_broker.moved_marker import MARKER_NAME, check_not_moved
from saphan_broker.moving.kept import MANIFEST, read_manifest
from saphan_broker.opening import StoreChoice
from saphan_broker.store.redis import packing
from saphan_broker.store.redis.address import RedisAddress
from saphan_schemas import strict_json
from saphan_schemas.errors import OperatorError, SaphanError

DEEP = b"[" * 100_000


def refused(work: Callable[[], object]) -> OperatorError:
    with pytest.raises(OperatorError) as caught:
        work()
    return caught.value


@pytest.mark.parametrize("data", [DEEP, b'{"made": {"data": 1e999}}'])
def test_a_spoiled_mark_of_backups_says_that_none_is_known(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / MARK_NAME
    path.write_bytes(data)
    assert read_mark(path) == {}


def test_infinity_in_a_witnesss_state_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "witness.json"
    head = {"size": float("inf"), "root": "00" * 32, "time": 1}
    path.write_text(json.dumps({"saphan": "witness/1", "logs": {"a/1": head}}))
    path.chmod(0o600)
    assert refused(lambda: Witness("la.ospp", None, path, int)).code == "witness_state_damaged"


def test_a_brokers_backup_that_is_no_text_is_malformed(tmp_path: Path) -> None:
    data = b'{"saphan": "\xc3\x28"}'
    (tmp_path / MANIFEST).write_bytes(data)
    assert refused(lambda: read_manifest(tmp_path)).code == "backup_malformed"


def test_a_marker_that_is_no_text_keeps_the_store_closed(tmp_path: Path) -> None:
    (tmp_path / MARKER_NAME).write_bytes(b"redis \xc3\x28\n")
    assert refused(lambda: check_not_moved(tmp_path, StoreChoice())).code == "store_moved"


@pytest.mark.parametrize("data", [b"\x91" * 5_000, b"\x80", b"\x81\xa1a\x01"])
def test_a_row_of_the_server_that_is_nested_or_a_map_is_damage(data: bytes) -> None:
    reading: tuple[Callable[[], object], ...] = (
        lambda: packing.read_facts(bytes(32), data),
        lambda: packing.read_sender(data),
        lambda: packing.read_leaf(data),
    )
    for read in reading:
        assert refused(read).code == "store_damaged"


@pytest.mark.parametrize("digits", ["9" * 10, "9" * 5_000])
def test_a_database_number_that_no_server_has_is_refused(digits: str) -> None:
    with pytest.raises(OperatorError, match="redis_url") as caught:
        RedisAddress(url=f"redis://localhost/{digits}", name="bridge.example").check()
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("value", [7, ["x"], {"a": 1}, None])
def test_a_nodes_refusal_with_no_words_is_an_error_of_ours(value: Any) -> None:
    error = refusal(400, {"code": "refused", "message": "no", "field": value, "hint": value})
    assert (error.field, error.hint) == (None, None)
    assert str(error) == "no (refused)"


@pytest.mark.parametrize("data", [DEEP, b'{"a": "\xc3\x28"}', b"[1]", b""])
def test_an_answer_that_is_no_object_is_an_error_of_ours(data: bytes) -> None:
    assert refused(lambda: object_of(data)).code == "node_answer"
    assert isinstance(sdk._error(400, data), SaphanError)


@pytest.mark.parametrize("about", [[1], "text", 7, [["a", 1]]])
def test_content_whose_common_fields_are_none_is_shown_without_them(about: Any) -> None:
    made = document("saphan/training_notice/1", None, {"about": about, "body": {"a": "b"}}, "en")
    assert (made.title, [section.key for section in made.sections]) == ((), ["body"])


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str


def test_what_fits_no_type_is_never_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """32 MiB of objects took 7 s and 250 MiB before the type refused them."""
    built: list[object] = []
    monkeypatch.setattr(strict_json, "_check_names", built.append)
    for data in (b"[{},{}]", b'{"other": {"a": 1}}', b'{"name": {}}'):
        with pytest.raises(ValueError, match=r"Expected|unknown field"):
            strict_json.parse_json(Named, data)
    assert built == []
    strict_json.parse_json(Named, b'{"name": "a"}')
    assert built == [[("name", "a")]]


READS = """
import resource, sys
from pathlib import Path
from saphan.private import read_private
grown = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + 2**28
resource.setrlimit(resource.RLIMIT_AS, (grown, grown))
print(len(read_private(Path(sys.argv[1]), 2**30, "state")))
"""


def test_a_short_file_takes_little_room_however_long_it_may_be(tmp_path: Path) -> None:
    """An auditor's state may have 1 GiB; a short one asked for a GiB all the same."""
    path = tmp_path / "state"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(b"short")
    done = subprocess.run([sys.executable, "-c", READS, path], capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"5\n", b"")
