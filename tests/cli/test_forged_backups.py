"""Backups that somebody else has made: custodians' public keys are known to everybody."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from saphan import agency as ceremony
from saphan.backup.contents import members
from saphan.backup.custodians import Custodian
from saphan.backup.header import BACKUP_TYPE, NamedCustodian, format_header, make_split
from saphan.backup.making import signed_body
from saphan.backup.restoring import restore
from saphan.backup.shares import open_share
from saphan.backup.stream import SealedWriter
from saphan.keys.keyfiles import read_node
from saphan.office import Office
from saphan_protocol.batch import sign_one
from saphan_protocol.custody import seal_shares
from saphan_protocol.keys import SigningKey
from saphan_protocol.mailbox import MailboxKey
from saphan_schemas.codec import encode
from saphan_schemas.errors import SaphanError
from saphan_schemas.records import Role
from support.bridge import CHEAP, KH, LA, SECRET
from support.brokers import Clock

KEY = MailboxKey(bytes(range(32)))
NOW = Clock()()
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def offices(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Office]:
    place = tmp_path_factory.mktemp("offices")
    return {
        name: ceremony.init(place / name, name, SECRET, {"dao": SECRET}, now=NOW, cost=CHEAP)
        for name in (LA, KH)
    }


def keys_of(office: Office) -> Files:
    return {name: (office.folder / name).read_bytes() for name in members(office.folder, "keys")}


def node_key(office: Office) -> SigningKey:
    return read_node(office.key_file(Role.NODE, b""))


def forge(path: Path, files: Files, signer: SigningKey, after: bytes = b"") -> None:
    """A keys backup of la.ospp, sealed to KEY by whoever knows its public half."""
    custodian = Custodian("dara", KEY.public)
    named = (NamedCustodian("dara", custodian.id.hex()),)
    split = make_split(b"i" * 16, LA, NOW, named, 1)
    secret = os.urandom(32)
    shares = seal_shares(split, [KEY.public], secret, b"")
    header = format_header("keys", LA, NOW, b"i" * 16, named, split, shares)
    with path.open("wb") as file:
        sealed = SealedWriter(header, secret, file.write)
        for name, data in files.items():
            sealed.add(name, len(data), iter((data,)))
        sealed.finish(
            lambda digest: encode(
                sign_one(signer, BACKUP_TYPE, signed_body(header, digest), os.urandom(32))
            )
        )
        file.write(after)


def code_of(path: Path) -> str | None:
    """What restoring it is refused with; None if it is taken."""
    from saphan.backup.restoring import read_header

    target = path.parent / "new"
    try:
        restore(target, [path], [open_share(read_header(path), KEY)], now=NOW)
    except SaphanError as error:
        assert not target.exists()
        assert list(path.parent.glob(".new*")) == []
        return error.code
    return None


def test_a_backup_of_the_agencys_own_node_is_taken(
    offices: dict[str, Office], tmp_path: Path
) -> None:
    forge(tmp_path / "a.keys", keys_of(offices[LA]), node_key(offices[LA]))
    assert code_of(tmp_path / "a.keys") is None


def without(name: str) -> Callable[[Files], Files]:
    return lambda files: {one: data for one, data in files.items() if one != name}


def with_file(name: str) -> Callable[[Files], Files]:
    return lambda files: files | {name: b"x"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (with_file("../outside"), "backup_name"),
        (with_file("/etc/cron.d/x"), "backup_name"),
        (with_file("node/../../x.key"), "backup_name"),
        (with_file("node/witness.key"), "backup_name"),
        (with_file("node/witness.abc.old.key"), "backup_name"),
        (with_file("node/data/witness.json"), "backup_name"),
        (with_file("root/root.key"), "backup_name"),
        (with_file("node/data/node.db"), "backup_name"),
        (with_file("node/" + "x" * 300 + ".key"), "backup_damaged"),
        (without("operations/0001.saphan"), "key_unknown"),
        (without("agency.json"), "not_an_agency_folder"),
    ],
)
def test_what_belongs_into_no_backup_is_refused(
    offices: dict[str, Office], tmp_path: Path, change: Callable[[Files], Files], code: str
) -> None:
    forge(tmp_path / "a.keys", change(keys_of(offices[LA])), node_key(offices[LA]))
    assert code_of(tmp_path / "a.keys") == code


def test_what_anybody_can_seal_to_custodians_is_refused(
    offices: dict[str, Office], tmp_path: Path
) -> None:
    path, good = tmp_path / "a.keys", keys_of(offices[LA])
    forge(path, good, node_key(offices[KH]))  # signed by another agency's node
    assert code_of(path) == "key_unknown"
    forge(path, keys_of(offices[KH]), node_key(offices[KH]))  # another agency's folder, whole
    assert code_of(path) == "backups_differ"
    forge(path, good, node_key(offices[LA]), after=b"more")
    assert code_of(path) == "backup_damaged"
