"""Signed registrations in the agency's folder: with their bundles, as node and broker take them."""

from __future__ import annotations

from pathlib import Path

from saphan_protocol.registrations import parse_schema_package
from saphan_schemas.directory_records import SchemaRegistration
from saphan_schemas.errors import OperatorError
from saphan_schemas.frames import SCHEMA_PACKAGE_BYTES

from saphan.durable import PUBLIC_MODE, create_file, make_folder, read_bounded
from saphan.office import Office


def keep_package(office: Office, name: str, package: bytes) -> Path:
    """Put a finished registration into the folder; one of the same bundle stays as it is.

    Raises:
        OperatorError: `file_exists`: another bundle of this name is kept; `file_unwritable`.
    """
    path = office.schema_file(name)
    if path.exists():
        if read_package(path)[1] == parse_schema_package(package)[1].bundle:
            return path
        raise OperatorError(
            "file_exists",
            f"{path} holds another registration of {name}",
            field="schema",
            hint="a registered name never changes: give what you changed the next version; if the "
            "kept one was never handed over, move it away",
        )
    make_folder(path.parent)
    create_file(path, package, PUBLIC_MODE)
    return path


def read_package(path: Path) -> tuple[SchemaRegistration, bytes]:
    """The registration of a package and its bundle; whose roots signed is not asked here.

    Raises:
        OperatorError: `file_unreadable`. InvalidInput: as `parse_schema_package`.
    """
    record, package = parse_schema_package(read_bounded(path, SCHEMA_PACKAGE_BYTES, "schema"))
    return record, package.bundle
