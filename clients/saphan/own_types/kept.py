"""Signed registrations in the agency's folder: with their bundles, as node and broker take them."""

from __future__ import annotations

from pathlib import Path

from saphan_protocol.registrations import check_bundle, parse_registration
from saphan_schemas.codec import decode
from saphan_schemas.directory_records import SchemaPackage, SchemaRegistration
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
        if (
            read_package(path)[1]
            == decode(SchemaPackage, package, SCHEMA_PACKAGE_BYTES, "schema").bundle
        ):
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
    """The registration of a kept package and its bundle; whose roots signed is not asked here.

    Raises:
        OperatorError: `file_unreadable`. InvalidInput: as `parse_package`.
    """
    return parse_package(read_bounded(path, SCHEMA_PACKAGE_BYTES, "schema"))


def parse_package(data: bytes) -> tuple[SchemaRegistration, bytes]:
    """The same of a package's bytes.

    Raises:
        InvalidInput: codec codes, `schema_namespace`, `schema_version`, `schema_bundle_differs`.
    """
    package = decode(SchemaPackage, data, SCHEMA_PACKAGE_BYTES, "schema")
    record, _ = parse_registration(package.registration)
    check_bundle(record, package.bundle)
    return record, package.bundle
