"""The page of codes says what the lists say."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

from saphan_schemas import bodies, messages
from saphan_schemas.codes import code_attribute, code_lists, codes, unreviewed_codes
from saphan_schemas.labels import label_key, title, unreviewed_labels
from support.rooms import ROOT

SPEC = ROOT / "schemas" / "spec"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SPEC / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGE = (SPEC / "codes.md").read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_lists() -> None:
    assert script("generate_codes").with_tables(PAGE) == PAGE
    for name in code_lists():
        assert f"| `{name}` |" in PAGE


def test_the_samples_are_taken_from_the_files() -> None:
    blocks = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert '"KGM"' in blocks[0]
    assert codes("unit")[0] == "KGM"
    assert len(codes("unit")) == 9
    assert title("date_approx.precision", "km") in blocks[1]
    key = label_key("saphan/drug_seizure/1", "/body/substances/0/unit")
    assert f"`{key}`" in PAGE


def test_a_longer_reply_time_is_measured_against_the_table() -> None:
    """A request's own time may only lengthen: its rule says the least in each unit."""
    rules = bodies.bundle("saphan/info_request/1")["rules"]
    (table,) = [rule["table"] for rule in rules if rule["rule"] == "at_least_by"]
    for urgency in ("immediate", "priority", "routine"):
        for availability in codes("availability"):
            least = table.get(urgency, table["*"])
            least = least.get(availability, least["*"])
            speed = "urgent" if urgency == "immediate" else "normal"
            situation = f"{speed}_{'direct' if availability == 'direct' else 'indirect'}"
            known = situation if situation in codes("reply_time") else "other"
            count = code_attribute("reply_time", known, "count")
            unit = code_attribute("reply_time", known, "unit")
            assert least[unit] == count
            if unit == "calendar_days":
                # A day that is counted ends at midnight: hours must reach over the last one.
                assert least["hours"] >= 24 * (count + 1)
                # Working days are never fewer days than calendar days.
                assert least["working_days"] == count
            else:
                assert 24 * least["calendar_days"] >= count


def test_the_sheet_for_native_readers_has_everything_that_waits_for_them() -> None:
    where: list[str] = []
    for lang in ("lo", "km"):
        lines = list(script("sheet_for_readers").waiting(lang))
        where = [line[0] for line in lines]
        assert len(where) == (
            len(messages.unreviewed(lang))
            + len(unreviewed_codes(lang))
            + 2 * len(unreviewed_labels(lang))
        )
        assert "labels about.title" in where
        assert all(english and text for _, english, text in lines)
    assert "codes subdivision.LA-CH" in where  # of the Khmer sheet: its Lao name was read
