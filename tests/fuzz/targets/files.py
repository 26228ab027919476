"""Files that people carry, and settings that they write: an agency's, an officer's, a keeper's."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from functools import cache
from typing import Any, Final

from saphan.agency_file import AGENCY_FILE_BYTES, AgencyFile, format_agency, parse_agency
from saphan.agreements import draft as agreement_draft
from saphan.agreements.order_draft import draft_order, format_order_draft, parse_order_draft
from saphan.agreements.orders import make_order
from saphan.agreements.terms import TERMS_BYTES, first_terms, parse_terms
from saphan.attaching import parse_role
from saphan.ceremony.draft_file import DRAFT_BYTES, format_draft, parse_draft
from saphan.ceremony.holder import ROOT_HALF_BYTES, RootHalf, format_root_half, parse_root_half
from saphan.ceremony.judging import open_draft
from saphan.ceremony.paper import OPERATION_CODE, parse_code
from saphan.cli.days import read_day
from saphan.compose import parse_wish
from saphan.desk.invitation import Chain, DeskInvitation, format_invitation, parse_invitation
from saphan.holds.hold_file import FILE_BYTES, format_hold, make_hold, parse_hold_file
from saphan.keys.keyfiles import SecretKey, public_half
from saphan.node.bulletins import parse_start
from saphan.node.policy.settings import SETTINGS_BYTES, parse_endpoint, parse_settings
from saphan.officer_request import make_request, parse_request
from saphan.own_types import registration_draft
from saphan.threads.holidays import HOLIDAYS_BYTES, parse_holidays
from saphan_broker.enrolment import read_enrolment
from saphan_broker.quotas import parse_quotas
from saphan_protocol.agreement import AGREEMENT_TYPE
from saphan_protocol.batch import sign_one
from saphan_protocol.identity import identity
from saphan_protocol.operation import OPERATION_TYPE
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import Change, Operation
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.hold_records import HoldOrder
from saphan_schemas.limits import KIB, LIMITS
from saphan_schemas.records import Role
from saphan_schemas.samples import SAMPLES, wish
from support import own_types
from support.agency import seed
from support.ceremony import NOW
from support.holds import terms
from support.pin_files import pins

from fuzz.target import Form, Target, text
from fuzz.targets.directory import agencies
from fuzz.targets.records import KH, LA

HOLIDAYS: Final = {
    "saphan": "holidays/1",
    "country": "la",
    "dated": "2026-01-05",
    "source": "Notice of the Prime Minister's Office",
    "from": "2026-01-01",
    "to": "2026-12-31",
    "days": ["2026-04-14", "2026-04-15"],
}
SETTINGS: Final[dict[str, Any]] = {
    "saphan": "settings/1",
    "desks": "[::1]:8472",
    "budget_bytes_per_day": 20_000_000,
    "rules": [{"officers": ["dao"], "schemas": ["saphan/arrest_notice/1"], "from": [LA]}],
    "sections": {"drugs": {"schemas": ["saphan/arrest_notice/1"], "from": [LA], "to": [LA]}},
    "officers": {"dao": {"clearance": "amber", "sections": ["drugs"], "languages": ["km"]}},
    "four_eyes": [{"schemas": ["saphan/arrest_notice/1"], "tlp_from": "amber", "by": ["chan"]}],
    "notice": {"command": ["/usr/local/bin/page"], "escalate": [{"share": 0.5, "to": ["dao"]}]},
    "calendar": {"zones": {"la": "Asia/Vientiane"}},
}


def key(role: Role, name: str) -> SecretKey:
    """A key made from a name: seeds of inputs are the same in every run."""
    secret = seed(name, 32 if role is Role.MAILBOX else 64)
    return SecretKey(role, public_half(role, secret), secret, name)


@cache
def roots() -> tuple[SecretKey, SecretKey]:
    return key(Role.ROOT, "bounmy"), key(Role.ROOT, "khamla")


@cache
def agency_file() -> AgencyFile:
    return AgencyFile(agency=LA, threshold=2, roots=tuple(one.public for one in roots()))


@cache
def proposed() -> agreement_draft.Draft:
    """An agreement that one root has signed."""
    kh = AgencyFile(agency=KH, threshold=1, roots=(key(Role.ROOT, "sokha").public,))
    named = parse_terms(first_terms([LA, KH], date(2025, 7, 16)))
    made = agreement_draft.propose(named, [agency_file(), kh], pins())
    return agreement_draft.sign(made, roots()[0].signing(), pins(), bytes(32))


def _agreement_draft() -> list[bytes]:
    return [agreement_draft.format_draft(proposed())]


def _order_draft() -> list[bytes]:
    named = identity(AGREEMENT_TYPE, proposed().text)
    order = make_order(named, LA, "terminate", 1, NOW, "ended by both ministers")
    made = draft_order(order, proposed().text, agency_file())
    return [format_order_draft(made), format_order_draft(made.sign(roots()[0].signing()))]


def _registration_draft() -> list[bytes]:
    made = registration_draft.draft_registration(
        own_types.OWN, own_types.bundle(), None, agency_file(), NOW
    )
    whole = made.sign(roots()[0].signing())
    return [registration_draft.format_registration_draft(one) for one in (made, whole)]


def _request() -> list[bytes]:
    made = key(Role.OFFICER, "dao").signing()
    change = Change("add", Role.OFFICER, made.public, "dao", None, None)
    operation = Operation(KH, 4, bytes(32), 1, NOW, (change,))
    return [make_request(operation, made, bytes(32))]


def _desk_invitation() -> list[bytes]:
    chain = Chain(version=3, last="ab" * 32, threshold=1)
    return [
        format_invitation(
            DeskInvitation(agency=KH, address="node.example:8472", tls=bytes(32), chain=chain)
        )
    ]


def _hold_file() -> list[bytes]:
    order = HoldOrder(LA, 1, "hold", None, bytes(32), 21_000, NOW)
    made = make_hold(order, terms(cases=("12/2026",)))
    return [format_hold(made), format_hold(made.sign(roots()[0].signing()))]


def _operation_draft() -> list[bytes]:
    la = agencies()[0]
    change = Change("add", Role.ROOT, la.root.public, None, None, None)
    body = encode(Operation(LA, 1, None, 1, NOW, (change,)))
    proof = sign_one(la.root, OPERATION_TYPE, body, bytes(32))
    made = open_draft(body, [], keys=[], witnesses=[], signatures=[proof], holders={})
    return [format_draft(made)]


def _wishes() -> list[bytes]:
    to_kh = {"to": [KH]}
    found = [json.dumps(wish(name) | to_kh, ensure_ascii=False).encode() for name in SAMPLES]
    to = wish("training_notice") | {"to": [KH], "marking": {"tlp": "red", "codes": ["H1"]}}
    return [*found, json.dumps(to).encode()]


def _quotas() -> list[bytes]:
    given = {"default": {"bulletins_per_minute": 600}, "agencies": {LA: {"open_deliveries": 5000}}}
    return [b"{}", json.dumps(given).encode()]


def _day(given: str) -> int:
    return read_day(given, "until", NOW)


def _row(
    name: str,
    parse: Callable[[bytes], object],
    seeds: Callable[[], list[bytes]],
    longest: int = 64 * KIB,
    form: Form = "json",
    *,
    slow: bool = False,
) -> Target:
    errors = (InvalidInput, Refused)
    return Target(
        name=name,
        parse=parse,
        seeds=seeds,
        form=form,
        errors=errors,
        longest=longest,
        slow=slow,
    )


TARGETS: Final = (
    _row("agency-file", parse_agency, lambda: [format_agency(agency_file())], AGENCY_FILE_BYTES),
    _row(
        "agreement-terms",
        parse_terms,
        lambda: [first_terms([LA, KH], date(2025, 7, 16))],
        TERMS_BYTES,
    ),
    _row(
        "agreement-draft",
        agreement_draft.parse_draft,
        _agreement_draft,
        agreement_draft.DRAFT_BYTES,
        slow=True,
    ),
    _row("order-draft", parse_order_draft, _order_draft, DRAFT_BYTES, slow=True),
    _row(
        "registration-draft",
        registration_draft.parse_registration_draft,
        _registration_draft,
        registration_draft.DRAFT_BYTES,
        slow=True,
    ),
    _row("operation-draft", parse_draft, _operation_draft, DRAFT_BYTES, slow=True),
    _row("officer-request", parse_request, _request),
    _row("desk-invitation", parse_invitation, _desk_invitation),
    _row("hold-file", parse_hold_file, _hold_file, FILE_BYTES),
    _row(
        "holidays",
        lambda data: parse_holidays(data, "la"),
        lambda: [json.dumps(HOLIDAYS).encode()],
        HOLIDAYS_BYTES,
    ),
    _row(
        "root-half",
        parse_root_half,
        lambda: [format_root_half(RootHalf("bounmy", roots()[0].public))],
        ROOT_HALF_BYTES,
    ),
    _row(
        "node-settings",
        parse_settings,
        lambda: [json.dumps(SETTINGS).encode(), b'{"saphan": "settings/1"}'],
        SETTINGS_BYTES,
    ),
    _row("wish", parse_wish, _wishes, LIMITS.api_body_bytes),
    _row("quotas", parse_quotas, _quotas, LIMITS.quota_file_bytes),
    _row(
        "enrolment", read_enrolment, lambda: [agencies()[0].enrolment()], form="msgpack", slow=True
    ),
    _row(
        "paper-code",
        text(parse_code),
        lambda: [(OPERATION_CODE + "AB" * 32).encode()],
        form="text",
    ),
    _row(
        "endpoint",
        text(lambda given: parse_endpoint(given, "x")),
        lambda: [b"[::1]:1"],
        form="text",
    ),
    _row("day", text(_day), lambda: [b"90d", b"2026-12-31"], form="text"),
    _row("bulletin-start", text(parse_start), lambda: [b"0123abcd"], form="text"),
    _row("attachment-role", text(parse_role), lambda: [b"report.pdf:warrant"], form="text"),
)
