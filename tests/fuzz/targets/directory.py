"""What the directory holds: operations, agreements, orders, holds, registrations, schemas."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from saphan_protocol.agreement import parse_agreement
from saphan_protocol.agreement_order import parse_order
from saphan_protocol.directory import Directory, hold_leaf, operation_leaf, schema_leaf
from saphan_protocol.hold_order import parse_hold, parse_terms
from saphan_protocol.operation import check_operation, parse_agreement_package
from saphan_protocol.registrations import parse_registration, parse_schema_package
from saphan_schemas.codec import decode_content, encode
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.frames import ORDER_BYTES, SCHEMA_PACKAGE_BYTES
from saphan_schemas.growth import check_growth
from saphan_schemas.limits import LIMITS
from saphan_schemas.profile import open_bundle
from support import holds, own_types
from support.agency import Agency
from support.ceremony import NOW, build_directory, replay

from fuzz.target import Form, Target

REFUSED: Final = (InvalidInput, Refused)


@cache
def agencies() -> tuple[Agency, Agency]:
    return Agency("la.ospp", NOW), Agency("kh.gpo", NOW)


@cache
def leaves() -> tuple[list[bytes], bytes]:
    """Leaves of a directory of two agencies that have agreed, and the agreement's package."""
    _directory, found, package = build_directory(agencies())
    return found, package


@cache
def holding() -> holds.Holding:
    return holds.Holding()


def _apply(data: bytes) -> Directory:
    """A leaf after those of two agencies: it is replayed by whoever holds the log."""
    directory = replay(leaves()[0][:1])
    directory.apply(data)
    return directory


def _leaf_seeds() -> list[bytes]:
    la, _ = agencies()
    found, _package = leaves()
    registered = schema_leaf(own_types.registration(la, own_types.OWN, own_types.bundle()))
    return [*found[1:], operation_leaf(la.enrolment()), registered, hold_leaf(bytes(32), b"order")]


@cache
def package() -> bytes:
    return own_types.package(agencies()[0])


def _bundle(data: bytes) -> None:
    open_bundle(own_types.OWN, data)


def _growth(data: bytes) -> None:
    """What the next version of a type is judged by: both of them lie within the profile."""
    check_growth(
        decode_content(own_types.bundle(), LIMITS.schema_bytes), open_bundle(own_types.OWN, data)
    )


def _bundle_seeds() -> list[bytes]:
    body = own_types.BODY
    wider = body | {"properties": body["properties"] | {"more": {"enum": ["a", "b"]}}}
    return [own_types.bundle(), own_types.bundle(body=wider)]


def _row(
    name: str,
    parse: Callable[[bytes], object],
    seeds: Callable[[], list[bytes]],
    longest: int,
    form: Form = "msgpack",
    *,
    seeds_refused: bool = False,
) -> Target:
    return Target(
        name=name,
        parse=parse,
        seeds=seeds,
        form=form,
        errors=REFUSED,
        longest=longest,
        seeds_refused=seeds_refused,
    )


TARGETS: Final = (
    _row(
        "operation",
        check_operation,
        lambda: [one.enrolment() for one in agencies()],
        LIMITS.operation_bytes,
    ),
    _row("directory-leaf", _apply, _leaf_seeds, LIMITS.leaf_bytes, "bytes", seeds_refused=True),
    _row(
        "agreement",
        parse_agreement,
        lambda: [parse_agreement_package(leaves()[1]).agreement],
        LIMITS.agreement_bytes,
    ),
    _row(
        "agreement-package", parse_agreement_package, lambda: [leaves()[1]], 2 * LIMITS.frame_bytes
    ),
    _row("agreement-order", parse_order, lambda: [holding().order("suspend")], ORDER_BYTES),
    _row("hold-order", parse_hold, lambda: [holding().hold()], ORDER_BYTES),
    _row(
        "hold-terms",
        parse_terms,
        lambda: [
            encode(holds.terms()),
            encode(holds.terms(schemas=("saphan/training_notice/1",), cases=("12/2026",), since=1)),
        ],
        LIMITS.hold_terms_bytes,
    ),
    _row(
        "registration",
        parse_registration,
        lambda: [own_types.registration(agencies()[0])],
        LIMITS.leaf_bytes,
    ),
    _row("schema-package", parse_schema_package, lambda: [package()], SCHEMA_PACKAGE_BYTES),
    _row("schema-bundle", _bundle, _bundle_seeds, LIMITS.schema_bytes),
    _row("schema-growth", _growth, _bundle_seeds, LIMITS.schema_bytes),
)
