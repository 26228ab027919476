"""Files that programs keep for themselves: who changes one, or its disk, gets an error of ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Final

from saphan.api_answer import read_token
from saphan.audit.statefile import StateFile
from saphan.backup.custodians import read_custodian
from saphan.backup.header import Header, NamedCustodian, format_header, make_split, parse_header
from saphan.backup.making import read_mark
from saphan.backup.shares import read_share
from saphan.backup.stream import SealedReader, SealedWriter
from saphan.base64_text import text_of
from saphan.desk.folder import DeskFolder
from saphan.desk.searchable import read_searchable, searchable
from saphan.form.draft import read_draft
from saphan.keys.keyfile_json import format_key_file, parse_key_file
from saphan.keys.keyfiles import read_key_id, read_node
from saphan.keys.passphrase import PassphraseSource
from saphan.node.witness import Witness
from saphan_broker.keys import load_log_keys
from saphan_broker.logs.last_head import LastHead, LastHeadFile, _Slot
from saphan_broker.moved_marker import check_not_moved
from saphan_broker.moving.kept import MANIFEST, read_manifest
from saphan_broker.objects.s3 import read_credentials
from saphan_broker.opening import StoreChoice
from saphan_broker.retention.armed import Armed
from saphan_broker.seeds import DayKeys
from saphan_protocol.checkpoint import parse_checkpoint
from saphan_protocol.custody import custodian_id
from saphan_schemas.codec import encode
from saphan_schemas.limits import KIB, LIMITS
from saphan_schemas.records import Role
from saphan_schemas.samples import sample
from support.ceremony import NOW
from support.log_keys import log_note

from fuzz.on_disk import in_file
from fuzz.target import ANY_OF_OURS, Form, Target
from fuzz.targets.files import key
from fuzz.targets.logs import ORIGIN, TEXT
from fuzz.targets.records import LA

SECRET: Final = bytes(32)


@cache
def header() -> Header:
    """A backup's first line, its share sealed to nobody who could open it."""
    public = key(Role.MAILBOX, "dara").public
    named = NamedCustodian("dara", custodian_id(public).hex())
    backup = bytes(16)
    split = make_split(backup, LA, NOW, [named], 1)
    return format_header("data", LA, NOW, backup, [named], split, [bytes(1168)])


def _stream(data: bytes) -> None:
    """A backup's bytes behind its header, as whoever holds the secret may have sealed them."""
    sealed = BytesIO()
    writer = SealedWriter(header(), SECRET, sealed.write)
    writer._put(data)
    sealed.write(writer._cipher.finalize())
    sealed.seek(len(header().line))
    reader = SealedReader(header(), SECRET, sealed)
    while (named := reader.next_file()) is not None:
        for _ in reader.pieces(named[1]):
            pass
    reader.finish()


def _stream_seeds() -> list[bytes]:
    name, body, signature = b"node/node.key", b"a file's bytes", b"signature"
    file = len(name).to_bytes(2, "big") + name + len(body).to_bytes(8, "big") + body
    return [file + file + b"\0\0" + len(signature).to_bytes(4, "big") + signature]


def _custodian() -> list[bytes]:
    public = text_of(key(Role.MAILBOX, "dara").public)
    return [json.dumps({"saphan": "custodian/1", "name": "dara", "public": public}).encode()]


def _share() -> list[bytes]:
    shares = [{"group": [0, 1], "share": text_of(bytes(32))}]
    told = {"saphan": "custodian-share/1", "agency": LA, "backup": "00" * 16, "place": 0}
    return [json.dumps(told | {"shares": shares}).encode()]


def _key_file() -> list[bytes]:
    made = key(Role.NODE, "node")
    fields: dict[str, object] = {"saphan": "key/1", "role": "node", "key_id": made.key_id.hex()}
    fields |= {"public": text_of(made.public)}
    argon2 = {"salt": text_of(bytes(16)), "memory_kib": 64, "iterations": 1, "lanes": 1}
    secret = {"argon2id": argon2, "nonce": text_of(bytes(12)), "sealed": text_of(bytes(80))}
    return [format_key_file(fields | more) for more in ({"seed": text_of(made.seed)}, secret)]


def _desk() -> list[bytes]:
    told = {"saphan": "desk/1", "agency": LA, "handle": "dao", "address": "node.example:8472"}
    return [json.dumps(told | {"tls": "ab" * 32}).encode()]


def _witness() -> list[bytes]:
    note = log_note(ORIGIN, TEXT, NOW // 1000)
    head = {
        "size": 13,
        "root": parse_checkpoint(TEXT).root.hex(),
        "time": NOW // 1000,
        "note": note.decode(),
    }
    return [json.dumps({"saphan": "witness/1", "logs": {ORIGIN: head}}).encode()]


def _mark() -> list[bytes]:
    return [json.dumps({"saphan": "backup-mark/1", "made": {"data": NOW, "keys": NOW}}).encode()]


def _searchable() -> list[bytes]:
    wanted = {"schema": "saphan/training_notice/1", "sender": LA, "recipients": ["kh.gpo"]}
    facts = {"created": NOW, "urgency": "routine", "exercise": True}
    return [encode(searchable(wanted | facts, sample("training_notice"), ["report.pdf"], "dao"))]


def _state_file() -> list[bytes]:
    body = b"".join(len(piece).to_bytes(4, "big") + piece for piece in (b"first", b"second"))
    return [body + sha256(body).digest()]


def _read_state(path: Path) -> None:
    for _ in StateFile(path).read() or ():
        pass


def _form_draft() -> list[bytes]:
    told = {"form": 1, "schema": "saphan/training_notice/1", "answers": {"/body/topic": "x"}}
    return [json.dumps(told).encode()]


def _log_keys() -> list[bytes]:
    told = {"saphan": "logkey/1", "origin": ORIGIN, "ed25519": "01" * 32, "mldsa44": "02" * 32}
    return [json.dumps(told).encode()]


def _manifest() -> list[bytes]:
    heads = {
        log: {"origin": f"b.example/{log}/1", "size": 3, "root": "ab" * 32}
        for log in ("directory", "evidence")
    }
    told = {"saphan": "broker-backup/1", "made": NOW, "heads": heads, "store": "ab" * 32}
    return [json.dumps(told | {"attachments": 0, "lost": 0}).encode()]


def _last_head() -> list[bytes]:
    file = LastHeadFile(Path("unused"), ORIGIN)
    return [file._whole(_Slot(number, LastHead(13, bytes(32), NOW))) for number in (1, 2)]


CREDENTIALS: Final = b"[default]\naws_access_key_id = AKIA\naws_secret_access_key = secret\n"


def _row(
    name: str,
    read: Callable[[Path], object],
    seeds: Callable[[], list[bytes]],
    longest: int = 64 * KIB,
    form: Form = "json",
    *,
    called: str = "file",
    slow: bool = False,
    seeds_refused: bool = False,
) -> Target:
    return Target(
        name=name,
        parse=in_file(read, called),
        seeds=seeds,
        form=form,
        errors=ANY_OF_OURS,
        longest=longest,
        slow=slow,
        seeds_refused=seeds_refused,
    )


def _in_bytes(
    name: str,
    parse: Callable[[bytes], object],
    seeds: Callable[[], list[bytes]],
    longest: int = 64 * KIB,
    form: Form = "json",
) -> Target:
    return Target(
        name=name, parse=parse, seeds=seeds, form=form, errors=ANY_OF_OURS, longest=longest
    )


TARGETS: Final = (
    _in_bytes("backup-header", parse_header, lambda: [header().line], LIMITS.backup_header_bytes),
    _in_bytes("backup-stream", _stream, _stream_seeds, form="bytes"),
    _row("custodian", read_custodian, _custodian),
    _row("custodian-share", read_share, _share),
    _row("backup-mark", read_mark, _mark),
    _row("key-file", parse_key_file, _key_file),
    _row("key-file-id", read_key_id, _key_file),
    _row("key-file-opened", read_node, lambda: _key_file()[:1], slow=True),
    _row("token-file", read_token, lambda: [b"abcDEF-123\n"], form="text"),
    _row(
        "passphrase-file",
        lambda path: PassphraseSource(file=path).read("it"),
        lambda: [b"a long passphrase\n"],
        form="text",
    ),
    _row("desk-folder", lambda path: DeskFolder(path.parent).read(), _desk, called="desk.json"),
    _row("witness-state", lambda path: Witness(LA, None, path, int), _witness),
    _row("audit-state-file", _read_state, _state_file, form="bytes"),
    _row(
        "form-draft",
        lambda path: read_draft(path, "saphan/training_notice/1"),
        _form_draft,
        LIMITS.form_draft_bytes,
    ),
    _in_bytes("searchable-row", read_searchable, _searchable, form="msgpack"),
    _row(
        "log-keys",
        lambda path: load_log_keys(path.parent, "evidence"),
        _log_keys,
        called="evidence.key",
        slow=True,
    ),
    _row(
        "day-seed",
        lambda path: DayKeys.open(path.parent),
        lambda: [json.dumps({"saphan": "days/1", "day": 20_700, "seed": "ab" * 32}).encode()],
        called="days.seed",
    ),
    _row(
        "retention-rule",
        lambda path: Armed.open(path.parent),
        lambda: [b'{"saphan": "retention/1", "acted": 5, "armed": null, "shown": "ab"}'],
        called="retention.json",
    ),
    _row("broker-backup", lambda path: read_manifest(path.parent), _manifest, called=MANIFEST),
    _row("last-head", lambda path: LastHeadFile(path, ORIGIN).read(), _last_head, form="bytes"),
    _row(
        "moved-marker",
        lambda path: check_not_moved(path.parent, StoreChoice()),
        lambda: [b"sqlite\n"],
        form="text",
        called="store.moved",
    ),
    _row("s3-credentials", read_credentials, lambda: [CREDENTIALS], form="text"),
)
