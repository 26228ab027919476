"""A disclosed bulletin in an agency's own type: the bundle brings the schema it is judged by."""

from __future__ import annotations

from typing import Any

from saphan_protocol.bundle.report import Outcome
from saphan_schemas.bodies import digest_of
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import CorridorRule, SchemaPackage
from support.agency import Agency
from support.audits import KH, LA
from support.bundled import Maker, gap_codes, refusal
from support.ceremony import NOW
from support.logbook import PINS, Logbook
from support.own_types import BODY, OWN, bundle, content, package, registration

OTHER = "la.ospp/other/1"


def disclosed(
    told: dict[str, Any] | None = None, *names: str, data: bytes | None = None
) -> tuple[Maker, list[bytes]]:
    """A bulletin in the own type, its key disclosed; and the packages of the schemas logged.

    Args:
        names: of other own types, registered before; data: what is registered as its bundle.
    """
    data = bundle() if data is None else data
    rules = tuple(CorridorRule(a, b, (OWN,), "amber", 4000) for a, b in ((LA, KH), (KH, LA)))
    book = Logbook([Agency(LA, NOW), Agency(KH, NOW)], rules=rules)
    la = book.agencies[LA]
    packages = [package(la, name, bundle(name)) for name in names] + [package(la, OWN, data)]
    for one in packages:
        book.schema(one)
    told = content() if told is None else told
    made = la.bulletin([KH], book.time, told, schema=OWN, schema_digest=digest_of(data))
    book.submit(LA, KH, made)
    maker = Maker(book, made, LA)
    maker.disclose(la)
    return maker, packages


def test_with_its_schema_the_content_is_judged() -> None:
    maker, packages = disclosed()
    maker.packages = [maker.book.package, *packages]
    verdict = maker.verify(PINS)
    assert verdict.outcome is Outcome.VALID, (verdict.finding, verdict.gaps)
    assert verdict.content is not None
    assert verdict.content.schema_checked
    assert verdict.content.content == content()


def test_without_its_schema_that_is_a_gap() -> None:
    maker, _ = disclosed()
    verdict = maker.verify(PINS)
    assert gap_codes(verdict) == {"schema_unknown"}
    assert verdict.content is not None
    assert not verdict.content.schema_checked


def test_content_that_the_own_schema_refuses_is_found() -> None:
    maker, packages = disclosed(content(patrols=-1))
    maker.packages = [maker.book.package, *packages]
    assert refusal(maker.verify(PINS)) == ("V17", "schema_invalid")


def test_another_bundle_than_the_registered_one_is_found() -> None:
    maker, _ = disclosed()
    laxer = bundle(body=BODY | {"required": ["patrols"]})
    maker.packages = [maker.book.package, package(maker.book.agencies[LA], given=laxer)]
    assert refusal(maker.verify(PINS)) == ("V7", "schema_bundle_differs")


def test_another_registration_than_the_logged_one_is_found() -> None:
    """By the same roots of the same name, but no leaf holds it."""
    maker, _ = disclosed()
    la, laxer = maker.book.agencies[LA], bundle(body=BODY | {"required": ["patrols"]})
    given = encode(SchemaPackage(registration(la, OWN, laxer), laxer))
    maker.packages = [maker.book.package, given]
    assert refusal(maker.verify(PINS)) == ("V7", "schema_unregistered")


def test_more_than_one_schema_is_too_many() -> None:
    maker, packages = disclosed(None, OTHER)
    maker.packages = [maker.book.package, *packages]
    assert refusal(maker.verify(PINS)) == ("V1", "evidence_order")


def test_a_schema_stands_where_its_leaf_does() -> None:
    maker, packages = disclosed()
    maker.packages = [*packages, maker.book.package]
    assert refusal(maker.verify(PINS)) == ("V1", "evidence_order")


def test_the_schema_of_another_type_judges_nothing() -> None:
    maker, packages = disclosed(None, OTHER)
    maker.packages = [maker.book.package, packages[0]]
    assert gap_codes(maker.verify(PINS)) == {"schema_unknown"}


def test_a_schema_outside_the_profile_judges_nothing() -> None:
    """Its roots have signed it, a broker of another program logged it: nothing of it is run."""
    maker, packages = disclosed(data=b"\x81\xa1x\x01")
    maker.packages = [maker.book.package, *packages]
    assert gap_codes(maker.verify(PINS)) == {"schema_unknown"}


def test_an_audit_replays_registrations_and_judges_entries_by_them() -> None:
    maker, _ = disclosed()
    report = maker.book.audit()
    assert report.finding is None, report.finding
    assert report.coverage.types == 2
