"""Put a node together again from its backups, in an empty folder; numbered as in backup.md.

Everything is opened, checked and made durable in a folder beside the target, which gets its name in
the last step. Whatever fails before leaves nothing behind.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from saphan_protocol.batch import verify_one
from saphan_protocol.directory import Directory
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput, OperatorError, Refused, SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role, Signature

from saphan.backup.contents import check_name, is_public
from saphan.backup.header import BACKUP_TYPE, Header, Part, malformed, parse_header
from saphan.backup.making import signed_body
from saphan.backup.new_file import disk_errors
from saphan.backup.one_at_a_time import alone
from saphan.backup.restored_store import Recovered, adopt_store
from saphan.backup.shares import Opened, join
from saphan.backup.stream import SIGNATURE_BYTES, SealedReader, damaged
from saphan.durable import FOLDER_MODE, PUBLIC_MODE, SECRET_MODE, sync_folder
from saphan.office import FOLDERS, Office


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """What was put back.

    Args:
        roots: ids of the root keys by the operations that came back; a person compares them.
        made: when each part was made, ms UTC; a part that is missing was not given.
    """

    office: Office
    agency: str
    roots: tuple[bytes, ...]
    made: dict[Part, int]
    recovered: Recovered


def read_header(path: Path) -> Header:
    """The first line of a backup file.

    Raises:
        InvalidInput: `backup_malformed`, `custodians_malformed`.
        OperatorError: `backup_newer`, `file_missing`, `file_unreadable`.
    """
    with _opened(path) as file:
        return _first_line(file)


def restore(
    target: Path, backups: Sequence[Path], opened: Sequence[Opened], *, now: int
) -> Restoration:
    """Put the files of one or two backups into `target`, which is missing or empty.

    Raises:
        OperatorError: `target_not_empty`, `backup_newer`, `store_newer`, `disk_full`,
            `file_unwritable`, `operations_damaged`.
        InvalidInput: `backup_malformed`, `backup_damaged`, `backup_name`, `backups_differ`.
        Refused: `custodians_too_few`, `share_foreign`, `key_unknown`.
    """
    headers = [read_header(path) for path in backups]  # R1
    _check_pair(headers)
    joined = [join(header, opened) for header in headers]  # R2
    _check_empty(target)  # R3
    # The newer part's public files stay: an operation or a pin may have come between them.
    order = sorted(range(len(headers)), key=lambda at: headers[at].made)
    with _staged(target) as staging:
        secrets = [_true(path, those) for path, those in zip(backups, joined, strict=True)]
        ends = [_extract(backups[at], secrets[at], staging) for at in order]  # R4
        _check_agency(Office(staging), headers[0].agency)
        directory = Office(staging).replay()
        for at, end in zip(order, ends, strict=True):
            _check_signature(headers[at], *end, directory)  # R5
        # A machine whose clock was never set cannot make it older than what it restores.
        recovered = adopt_store(staging, max(now, *(header.made for header in headers)))  # R6
        _sync_all(staging)
        staging.rename(target)  # R7: from here on it is there, whole
        sync_folder(target.parent)
    agency = headers[0].agency
    return Restoration(
        office=Office(target),
        agency=agency,
        roots=tuple(key.key_id for key in directory.keys(agency, Role.ROOT)),
        made={header.part: header.made for header in headers},
        recovered=recovered,
    )


def _check_pair(headers: Sequence[Header]) -> None:
    if len({header.part for header in headers}) != len(headers):
        raise _differ(f"both hold {headers[0].part}")
    if len({header.agency for header in headers}) != 1:
        raise _differ(" and ".join(f"one is {header.agency}'s" for header in headers))


def _check_agency(office: Office, agency: str) -> None:
    found = office.read_agency().agency
    if found != agency:
        raise _differ(f"the first line says {agency}, the files inside are {found}'s")


def _differ(why: str) -> InvalidInput:
    return InvalidInput(
        "backups_differ",
        f"these two files do not make one node: {why}",
        field="backup",
        hint="give one file with data and one with keys, of one agency",
    )


def _check_empty(target: Path) -> None:
    with disk_errors(target):
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise OperatorError(
                "target_not_empty",
                f"{target} is there and is not an empty folder",
                field="dir",
                hint="restore into a new folder; what is there is not overwritten",
            )


@contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """A folder beside the target, gone at the end if it was not renamed."""
    staging = target.absolute().with_name(f".{target.absolute().name}.restoring")
    with disk_errors(target):
        staging.mkdir(mode=FOLDER_MODE, exist_ok=True)
        with alone(staging, os.O_RDONLY | os.O_DIRECTORY):
            try:
                _clear(staging)  # what a killed one left: keys, among other things
                for name in FOLDERS:
                    (staging / name).mkdir(mode=FOLDER_MODE)
                yield staging
            finally:
                if staging.exists():
                    _clear(staging)
                    staging.rmdir()


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _true(path: Path, secrets: Sequence[bytes]) -> bytes:
    """The one that opens the stream's beginning; the last if none does, which the end will say."""
    for secret in secrets[:-1]:
        with _opened(path) as file, suppress(InvalidInput):
            SealedReader(_first_line(file), secret, file).next_file()
            return secret
    return secrets[-1]


def _extract(path: Path, secret: bytes, staging: Path) -> tuple[bytes, bytes]:
    """(SHA-256 of its files, its node's signature); believed by nobody yet."""
    with _opened(path) as file:
        header = _first_line(file)
        stream = SealedReader(header, secret, file)
        while (found := stream.next_file()) is not None:
            name, size = found
            check_name(header.part, name)
            _write(staging / name, stream.pieces(size), name)
        return stream.finish()


def _write(path: Path, pieces: Iterator[bytes], name: str) -> None:
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    mode = PUBLIC_MODE if is_public(name) else SECRET_MODE
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _check_signature(header: Header, digest: bytes, record: bytes, directory: Directory) -> None:
    """The agency's own node made it: anybody can seal something to custodians."""
    signature = decode(Signature, record, SIGNATURE_BYTES, "signature")
    info = directory.find(signature.item.key)
    if info is None or info.agency != header.agency or info.role is not Role.NODE:
        raise Refused(
            "key_unknown",
            f"the backup is signed by a key that never was a node's of {header.agency}",
            field="backup",
            hint="nothing of it was restored; find out who made this file",
        )
    try:
        verify_one(
            signature, directory.verifying(info.key_id), BACKUP_TYPE, signed_body(header, digest)
        )
    except SaphanError:
        raise damaged("the node's signature is not of these files") from None


def _sync_all(folder: Path) -> None:
    for place, _, _ in os.walk(folder):
        sync_folder(Path(place))


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise OperatorError(
            "file_missing", f"there is no file {path} (backup)", field="backup"
        ) from None
    except OSError as error:
        raise OperatorError(
            "file_unreadable", f"{path} cannot be read: {error.strerror}", field="backup"
        ) from None
    with file:
        yield file


def _first_line(file: BinaryIO) -> Header:
    if file.read(1) != b"{":
        raise malformed("it does not begin like one")
    line = b"{" + file.readline(LIMITS.backup_header_bytes)
    return parse_header(line)
