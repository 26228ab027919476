"""Directory operations, agreements and their leaves, each with who notices a changed byte."""

from __future__ import annotations

from saphan_protocol.agreement import AGREEMENT_TYPE
from saphan_protocol.agreement_order import parse_order
from saphan_protocol.directory import agreement_leaf, operation_leaf, order_leaf, types_leaf
from saphan_protocol.identity import identity
from saphan_protocol.keys import SigningKey
from saphan_protocol.merkle import leaf_hash, verify_inclusion
from saphan_protocol.operation import parse_agreement_package
from saphan_protocol.registrations import parse_registration, parse_schema_package
from saphan_protocol.tile_tree import TileTree
from saphan_schemas.bodies import known_types
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import (
    SchemaPackage,
    SignedAgreement,
    SignedOrder,
    SignedRegistration,
    Types,
)
from saphan_schemas.records import Role

from support.agency import Agency, agreement, order_by, seed
from support.ceremony import NOW, PINS, Ceremony, add, replay, revoke
from support.mauling import Guarded, codes, named
from support.own_types import bundle, registration

LA, KH = Ceremony(Agency("la.ospp", NOW)), Ceremony(Agency("kh.gpo", NOW))
TYPES = types_leaf(Types(known_types()))
NEXT = SigningKey(Role.OFFICER, seed("la.ospp next officer", 64))

ENROLMENT = LA.enrol()
BEFORE = [TYPES, operation_leaf(KH.enrol())]
LATER = LA.operate(
    [add(Role.OFFICER, NEXT.public, "next"), revoke(Role.OFFICER, LA.agency.officer.key_id)],
    [NEXT],
)
PACKAGE = agreement([LA.agency, KH.agency], *PINS, NOW)
SIGNED = parse_agreement_package(PACKAGE)
AGREEMENT = agreement_leaf(SIGNED.salt, SIGNED.agreement)
AGREED = identity(AGREEMENT_TYPE, SIGNED.agreement)
SUSPENSION = order_by(KH.agency, AGREED, "suspend")
ORDERED = parse_order(SUSPENSION).package
ORDER = order_leaf(ORDERED.salt, ORDERED.order)
BUNDLE = bundle()
OWN_SCHEMA = registration(LA.agency, data=BUNDLE)
REGISTERED = parse_registration(OWN_SCHEMA)[1]
ALL = [*BEFORE, operation_leaf(ENROLMENT), AGREEMENT, operation_leaf(LATER), ORDER]

EMPTY, ENROLLED, FULL = replay(BEFORE), replay([*BEFORE, ALL[2]]), replay(ALL)
IN_FORCE, ORDERED_ON = replay(ALL[:-1], PACKAGE), replay(ALL, PACKAGE)
TREE = TileTree(0, {}, lambda level, n: b"")
TREE.append([leaf_hash(leaf) for leaf in ALL])

UNUSUAL = (
    "not_canonical key_malformed key_mismatch change_malformed batch_path operation_chain"
    " operation_possession operation_threshold"
)


def _with_text(text: bytes) -> bytes:
    return encode(SignedAgreement(text, SIGNED.signatures, SIGNED.salt))


def _with_order(order: bytes) -> bytes:
    return encode(SignedOrder(order, ORDERED.signatures, ORDERED.salt))


def _with_registration(registration: bytes) -> bytes:
    return encode(SignedRegistration(registration, REGISTERED.roots))


def _in_the_log(index: int) -> Guarded:
    """A leaf as whoever replays the log takes it: only if it lies under the signed root."""
    path = TREE.inclusion(index)
    name = ("types", "enrolment", "enrolment of another", "agreement", "operation", "order")[index]
    leaf = ALL[index]
    return Guarded(
        f"directory leaf: {name}",
        leaf,
        lambda data: verify_inclusion(index, TREE.size, leaf_hash(data), path, TREE.root()),
        codes("proof_inclusion"),
        stride=1 if len(leaf) < 1000 else 61,
        values=1,
    )


DIRECTORY = named(
    Guarded(
        "enrolment",
        ENROLMENT,
        EMPTY.check_operation,
        codes("malformed signature_invalid operation_possession"),
        codes(f"{UNUSUAL} key_weak key_duplicate agency_exists"),
        stride=23,
        values=1,
    ),
    Guarded(
        "later operation",
        LATER,
        ENROLLED.check_operation,
        codes("malformed signature_invalid"),
        codes(f"{UNUSUAL} key_unknown"),
        stride=7,
        values=1,
    ),
    Guarded(
        "agreement",
        PACKAGE,
        FULL.add_package,
        codes("malformed agreement_unlogged agreement_roots signature_invalid"),
        codes("not_canonical batch_path"),
        stride=3,
        values=1,
    ),
    Guarded(
        "agreement's text, before it is logged",
        SIGNED.agreement,
        lambda data: FULL.check_package(_with_text(data)),
        codes("malformed agreement_malformed agreement_roots text_forbidden signature_invalid"),
        codes("not_canonical agreement_threshold"),
        values=8,
    ),
    Guarded(
        "order",
        SUSPENSION,
        ORDERED_ON.add_package,
        codes("malformed agreement_unlogged order_signer signature_invalid"),
        codes("not_canonical batch_path key_mismatch"),
        stride=3,
        values=1,
    ),
    Guarded(
        "order's text, before it is logged",
        ORDERED.order,
        lambda data: IN_FORCE.check_order(_with_order(data)),
        codes("malformed signature_invalid agreement_unknown"),
        codes("not_canonical agreement_party order_number order_signer order_malformed"),
        values=8,
    ),
    Guarded(
        "own schema",
        OWN_SCHEMA,
        ENROLLED.check_schema,
        codes("malformed schema_roots signature_invalid"),
        codes("not_canonical batch_path key_mismatch schema_namespace schema_version"),
        stride=3,
        values=1,
    ),
    Guarded(
        "own schema's registration",
        REGISTERED.registration,
        lambda data: ENROLLED.check_schema(_with_registration(data)),
        codes("malformed signature_invalid schema_namespace"),
        codes("not_canonical schema_version"),
        values=8,
    ),
    Guarded(
        "own schema's bundle",
        BUNDLE,
        lambda data: parse_schema_package(encode(SchemaPackage(OWN_SCHEMA, data))),
        codes("schema_bundle_differs"),
        stride=61,
        values=1,
    ),
    *(_in_the_log(index) for index in range(len(ALL))),
)
