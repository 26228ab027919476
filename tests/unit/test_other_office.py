"""Who has signed is proven; the office that the content names is not, and the reader is told so."""

from __future__ import annotations

from typing import Any

import pytest
from saphan.cli.render import bulletin_lines
from saphan_schemas.messages import text
from saphan_schemas.samples import sample

HEADER: dict[str, Any] = {
    "schema": "saphan/info_request/1",
    "sender": "la.ospp",
    "recipients": ["kh.gpo"],
    "marking": {"tlp": "amber", "codes": ["H1"]},
    "urgency": "routine",
    "exercise": True,
    "created": 0,
    "answer_by": None,
    "expires": 0,
    "retain_until": 0,
}


def shown(originator: str) -> str:
    content = sample("info_request")
    content["about"]["originator"] = originator
    return "\n".join(bulletin_lines({"header": HEADER, "author": "khamla", "content": content}))


@pytest.mark.parametrize("office", ["KH-GPO", "LA-MPS", "LA-OSPPX", "LA-OSP"])
def test_another_office_than_the_senders_is_pointed_out(office: str) -> None:
    assert text("note.other_office", office=office, sender="la.ospp") in shown(office)


@pytest.mark.parametrize("office", ["LA-OSPP", "LA-OSPP-CH"])
def test_the_senders_own_offices_need_no_word(office: str) -> None:
    assert text("note.other_office", office=office, sender="la.ospp") not in shown(office)
