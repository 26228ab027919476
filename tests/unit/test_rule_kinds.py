"""Every kind of rule: seen to hold, to break at the right place, to pass over the rest."""

from __future__ import annotations

from typing import Any

import pytest
from saphan_schemas.errors import InvalidInput
from saphan_schemas.rules import KINDS, Rule, RuleSet
from saphan_schemas.rules.check_digits import METHODS
from saphan_schemas.rules.tree import plant

Case = tuple[Rule, dict[str, Any], str | None]
ID = "ab" * 32
OTHER = "cd" * 32


def rule(name: str, /, **parameters: Any) -> Rule:
    return {"rule": name, **parameters}


NOT_BEFORE = rule("not_before", each="/body/x", earlier="a", later="b")
AT_MOST = rule("at_most", each="/body/x/*", value="n", limit="most")
UNIQUE = rule("unique", each="/body/x/*", by=["a", "b/c"])
INDEX = rule("index", each="/body/x/*", value="of")
TIMES_TWO = rule("product", each="/body", value="kg", of=["n", "f"], places=3)
SUM = {"of": "/body/x/*", "by": "u", "value": "n", "totals": "/body/t", "except": ["skip"]}
LEAST = {"immediate": {"direct": 8, "*": 72}, "*": {"*": 168}}
SLOWER = rule("at_least_by", each="/body", value="n", by=["/header/urgency", "way"], table=LEAST)
GOES = rule("unit_agreement", each="/body", value="unit", by="kind", table={"counted": ["U2"]})
WHEN_BIG = {"when": "kind", "is": ["big", 7, True]}
GIVEN = rule("given_when", each="/body", given=["a", "b/c"], **WHEN_BIG)
ABSENT = rule("absent_when", each="/body", absent=["a", "b/c"], when="kind")
ONE_OF = rule("one_of_given", each="/body", of=["a", "b"], least=1, most=1)
HEADER = rule("must_be", value="/header/codes", be=["H1", "H2"])
PHOTO = rule("attachment", each="/body/x/*", value="", role=["photo"])
RELATED = rule("related", each="/body", value="of", kind="in_reply_to")
STARS = rule("listed", each="/body/x/*", list="/body/t/*/u")
SOME = rule("some_is", each="/body", value="k", of="x/*/u", be=["p2p", "toluene"])
PARTS = rule("parts", each="/body/x/*", value="n", of=["a", "b/c"])
ADDS = rule("adds_up", each="/body", of="x/*/n", value="", total="all")
JOIN = rule("starts_with", each="/body", value="sub", **{"with": "country", "join": "-"})


def body(**fields: Any) -> dict[str, Any]:
    return {"body": fields}


CASES: tuple[Case, ...] = (
    (NOT_BEFORE, body(x={"a": "2024-05", "b": "2024-05-01"}), None),
    (NOT_BEFORE, body(x={"a": "2024-05-02", "b": "2024-05-01"}), "/body/x/b"),
    (NOT_BEFORE, body(x={"a": "2024-05-02"}), None),
    (NOT_BEFORE, body(x={"a": 5, "b": "2024"}), None),
    (AT_MOST, body(x=[{"n": 2, "most": 2}, {"n": "2.000001", "most": "2"}]), "/body/x/1/n"),
    (AT_MOST, body(x=[{"n": 3}, {"most": 1}, {"n": "x", "most": 1}, 4]), None),
    (UNIQUE, body(x=[{"a": 1, "b": {"c": 1}}, {"a": 1, "b": {"c": 2}}]), None),
    (UNIQUE, body(x=[{"a": 1}, {"a": True}, {"a": "1"}, {"a": None, "b": 1}]), None),
    (UNIQUE, body(x=[{"a": 1}, {"a": 2}, {"a": 2}]), "/body/x/2"),
    (UNIQUE, body(x=[{"a": {"p": 1, "q": 2}}, {"a": {"q": 2, "p": 1}}]), "/body/x/1"),
    (rule("unique", each="/body/x/*"), body(x=["a", "b", "a"]), "/body/x/2"),
    (rule("unique", each="/body/y/*/x/*"), body(y=[{"x": ["a"]}, {"x": ["a"]}]), None),
    (INDEX, body(x=[{}, {"of": 0}, {"of": "0"}]), None),
    (INDEX, body(x=[{}, {"of": 1}]), "/body/x/1/of"),
    (INDEX, body(x=[{}, {"of": 2}]), "/body/x/1/of"),
    (rule("index", each="/body/x/*", value=""), body(x=[1, 7]), "/body/x/1"),
    (TIMES_TWO, body(kg="0.012", n="130", f="0.00009"), None),
    (TIMES_TWO, body(kg="0.011", n="130", f="0.00009"), "/body/kg"),
    (TIMES_TWO, body(kg="0.012", n="130"), None),
    (TIMES_TWO, body(kg="12", n=3, f="4"), None),
    (TIMES_TWO, body(kg=-6, n=-3, f="2"), None),
    (TIMES_TWO, body(kg=6, n=-3, f="2"), "/body/kg"),
    (
        rule("sum", **SUM),
        body(
            x=[{"u": "a", "n": "0.1"}, {"u": "a", "n": "0.2"}, {"u": "skip"}],
            t=[{"u": "a", "n": "0.30"}],
        ),
        None,
    ),
    (rule("sum", **SUM), body(x=[{"u": "a", "n": "1"}], t=[{"u": "a", "n": "2"}]), "/body/t/0/n"),
    (rule("sum", **SUM), body(x=[{"u": "a", "n": "1"}], t=[]), "/body/t"),
    (rule("sum", **SUM), body(x=[], t=[{"u": "a", "n": "0"}]), "/body/t/0"),
    (rule("sum", **SUM), body(x=[{"u": "1", "n": 2}], t=[{"u": 1, "n": 2}]), "/body/t/0"),
    (rule("sum", **SUM, when="/body/on"), body(x=[{"u": "a", "n": "1"}], t=[]), None),
    (ADDS, body(all=6, x=[{"n": 1}, {"n": 2}, {"n": 3}, {}]), None),
    (ADDS, body(all="6.1", x=[{"n": 1}, {"n": 2}, {"n": 3}]), "/body/all"),
    (ADDS, body(x=[{"n": 1}]), None),
    (PARTS, body(x=[{"n": "1.5", "a": "1", "b": {"c": "0.5"}}, {"n": 0}, {"a": 1}]), None),
    (PARTS, body(x=[{"n": "1.5", "a": "1"}]), "/body/x/0/n"),
    (SLOWER, body(n=8, way="direct"), None),
    (SLOWER, body(n=7, way="direct"), "/body/n"),
    (SLOWER, body(n=71, way="unknown"), "/body/n"),
    (SLOWER, body(n=72), None),
    (SLOWER, body(way="direct"), None),
    (GOES, body(unit="U2", kind="counted"), None),
    (GOES, body(unit="KGM", kind="counted"), "/body/unit"),
    (GOES, body(unit="KGM", kind="net"), None),
    (GIVEN, body(kind="big", a=1, b={"c": 0}), None),
    (GIVEN, body(kind="big", a=1), "/body/b/c"),
    (GIVEN, body(kind=7), "/body/a"),
    (GIVEN, body(kind=True, a=False), "/body/b/c"),
    (GIVEN, body(kind=1), None),
    (GIVEN, body(kind=["small", "big"]), "/body/a"),
    (GIVEN, body(kind=[["big"], {"big": 1}, None]), None),
    (GIVEN, body(kind="small"), None),
    (ABSENT, body(kind="any", b={}), None),
    (ABSENT, body(kind="any", b={"c": 1}), "/body/b/c"),
    (ABSENT, body(a=1), None),
    (ONE_OF, body(a=1), None),
    (ONE_OF, body(c=1), "/body/a"),
    (ONE_OF, body(a=1, b=1), "/body/b"),
    (rule("must_be", each="/body", value="a", be=[True]), body(a=True), None),
    (rule("must_be", each="/body", value="a", be=[True]), body(a=1), "/body/a"),
    (rule("must_be", each="/body", value="a", be=["x"]), body(), None),
    (rule("must_be", each="/body", value="a", be=["x"]), body(a=["x", "y"]), "/body/a"),
    (HEADER, body(), None),
    (rule("must_be", value="/header/tlp", be=["red"]), body(), "/header/tlp"),
    (
        rule("must_be", value="/header/tlp", be=["red"], when="/header/codes", **{"is": ["H3"]}),
        body(),
        None,
    ),
    (rule("must_have", value="/header/codes", all=["H1", "H2"]), body(), None),
    (rule("must_have", value="/header/codes", all=["H0"]), body(), "/header/codes"),
    (
        rule("declared", each="/body/x/*", flag="/about/f"),
        {"about": {"f": True}, "body": {"x": [1]}},
        None,
    ),
    (rule("declared", each="/body/x/*", flag="/about/f"), body(x=[]), None),
    (rule("declared", each="/body/x/*", flag="/about/f"), body(x=[1]), "/about/f"),
    (rule("has_key", each="/body", map="m", key="k"), body(m={"lo": "x"}, k="lo"), None),
    (rule("has_key", each="/body", map="m", key="k"), body(m={"lo": "x"}, k="km"), "/body/m"),
    (rule("listed", each="/body/x/*", list="/body/t"), body(x=["a"], t=["b", "a"]), None),
    (rule("listed", each="/body/x/*", list="/body/t"), body(x=["a", "c"], t=["a"]), "/body/x/1"),
    (rule("listed", each="/body/x/*", list="/body/t"), body(x=["a"]), "/body/x/0"),
    (STARS, body(x=["a"], t=[{"u": "b"}, {"u": "a"}]), None),
    (STARS, body(x=["c"], t=[{"u": "b"}]), "/body/x/0"),
    (SOME, body(k="sent", x=[{"u": "cash"}, {"u": "p2p"}]), None),
    (SOME, body(k="sent", x=[{"u": "cash"}, {"u": 4}]), "/body/k"),
    (SOME, body(x=[]), None),
    (rule("some_is", each="/body", value="k", of="x/*", be=[7]), body(k=1, x=["7", 7]), None),
    (rule("given_when", when="header/tlp", given=["body/a"]), body(), "/body/a"),
    (rule("refers", each="/body", value="n", into="/body/x"), body(n=1, x=["a", "b"]), None),
    (rule("refers", each="/body", value="n", into="/body/x"), body(n=2, x=["a", "b"]), "/body/n"),
    (rule("refers", each="/body", value="n", into="/body/x"), body(n=0), "/body/n"),
    (rule("refers", each="/body", value="n", into="/body/x"), body(n=-1, x=[1]), "/body/n"),
    (PHOTO, body(x=[0]), None),
    (PHOTO, body(x=[0, 1]), "/body/x/1"),
    (PHOTO, body(x=[2]), "/body/x/0"),
    (RELATED, body(of=ID), None),
    (RELATED, body(of=OTHER), "/body/of"),
    (JOIN, body(sub="LA-CH", country="LA"), None),
    (JOIN, body(sub="LAO", country="LA"), "/body/sub"),
    (JOIN, body(sub="KH-1"), None),
    (rule("check_digit", each="/body", value="v", method="cas"), body(v="1609-66-1"), None),
    (rule("check_digit", each="/body", value="v", method="cas"), body(v="1609-66-5"), "/body/v"),
    (rule("one_script", each="/body", value="v"), body(v="ກຂ 0000"), None),
    (rule("one_script", each="/body", value="v"), body(v="pаypal"), "/body/v"),
)
AROUND: dict[str, Any] = {
    "about": {
        "relations": [
            {"kind": "related", "bulletin_id": OTHER},
            {"kind": "in_reply_to", "bulletin_id": ID},
        ]
    },
    "attachments": [{"role": "photo"}, {"role": "warrant"}],
    "header": {"urgency": "immediate", "tlp": "amber", "codes": ["H1", "H2"]},
}


@pytest.mark.parametrize(("one", "content", "pointer"), CASES)
def test_a_rule_holds_or_names_the_value(
    one: Rule, content: dict[str, Any], pointer: str | None
) -> None:
    root = {**AROUND, **content}
    rules = RuleSet([one])
    assert rules.hold(root) is (pointer is None)
    if pointer is None:
        rules.check(root)
        return
    with pytest.raises(InvalidInput) as refused:
        rules.check(root)
    error = refused.value
    assert (error.code, error.field) == ("rule_broken", pointer)
    assert error.fault is not None
    assert (error.fault.rule, error.fault.pointer) == (one["rule"], pointer)


def test_every_kind_is_seen_to_hold_and_to_break() -> None:
    for kind in KINDS:
        seen = {pointer is None for one, _, pointer in CASES if one["rule"] == kind}
        assert seen == {True, False}, kind


def test_the_first_rule_of_the_list_is_the_one_that_is_named() -> None:
    rules = RuleSet([HEADER, GIVEN, ONE_OF])
    with pytest.raises(InvalidInput) as refused:
        rules.check({**AROUND, "body": {"kind": "big"}})
    assert (refused.value.field, refused.value.fault and refused.value.fault.rule) == (
        "/body/a",
        "given_when",
    )


def test_an_error_never_repeats_the_value() -> None:
    secret = "CONFIDENTIAL-7"
    values = body(x=[secret, secret], v=secret, a=secret, unit=secret, kind="counted", sub=secret)
    values["body"] |= {"country": "LA", "k": secret, "of": secret, "m": {}, "n": secret}
    others = body(x=[{"u": secret, "n": "1"}], sub="x", country=secret, k=secret, m={secret: "x"})
    seen = 0
    for one, _, _ in CASES:
        for content in (values, others):
            error = RuleSet([one]).first_broken({**AROUND, **content})
            if error is not None:
                seen += 1
                assert secret not in f"{error} {error.hint} {error.fault}"
    assert seen > 20


def test_facts_are_given_that_any_path_may_lead_to() -> None:
    paths = ("/header/tlp", "header/urgency", "/header/codes/x", "/body/header/sender")
    assert RuleSet([rule("given_when", given=list(paths))]).header_facts == {
        "codes",
        "tlp",
        "urgency",
    }
    assert "" in RuleSet([rule("has_key", map="/header", key="/body/a")]).header_facts


NUMBERS = (
    ("cas", "299-42-3", "299-42-4"),
    ("cas", "14838-15-4", "14838-15-6"),
    ("luhn", "490154203237518", "490154203237581"),
    ("luhn", "79927398713", "79927398710"),
    ("imo", "9074729", "9074792"),
    ("container", "CSQU3054383", "CSQU3054388"),
    ("container", "TOLU4734787", "TOLU4734778"),
    ("iban", "GB82WEST12345698765432", "GB82WEST12345698765423"),
)


@pytest.mark.parametrize(("method", "right", "wrong"), NUMBERS)
def test_check_digits_of_published_examples(method: str, right: str, wrong: str) -> None:
    assert METHODS[method](right)
    assert not METHODS[method](wrong)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("text", ("", "1", "abc", "៩៨៧", "-", "1" * 5_000, "1-1-1", "\n", "²"))
def test_what_is_no_such_number_is_wrong_and_never_crashes(method: str, text: str) -> None:
    assert not METHODS[method](text)


def test_no_rules_hold_anywhere() -> None:
    assert plant([])({}, {})
