"""What another state, or a node that was taken over, may put into a bulletin: shown as text."""

from __future__ import annotations

import re
from typing import Any

import pytest
from saphan.desk.desk import Desk
from saphan.desk.inbox import Inbox
from saphan.desk.store import Shelf
from saphan_schemas.samples import sample, schema_of
from support.desk_page import DeskPage, desk_page

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
TURNED = "abc\u202edcba\u2066\u0007"
ID = "5e" * 32

Json = dict[str, Any]


def changed(part: str, **fields: Any) -> Json:
    content = sample("drug_seizure")
    return {**content, part: {**content[part], **fields}}


CONTENTS: dict[str, Json] = {
    "script": changed("body", narrative={"en": EVIL, "lo": EVIL}, detection=EVIL),
    "names": {"about": {EVIL: {EVIL: EVIL}}, "body": {EVIL: [EVIL, {EVIL: EVIL}]}},
    "turned": changed("about", title={"en": TURNED, "km": TURNED}, originator=TURNED),
    "long": changed("body", narrative={"en": "x" * 1_000_000}),
    "one long word": changed("about", title={"en": "W" * 200_000}),
    "relations": changed("about", relations=[{"kind": "corrects", "bulletin_id": ID}, 3, EVIL]),
    "itself": changed("about", relations=[{"kind": EVIL, "bulletin_id": ID}]),
    "no relations": changed("about", relations=EVIL, title=EVIL, summary=[1], grading=[]),
    "other ids": changed("about", relations=[{"kind": "corrects", "bulletin_id": "zz"}]),
    "numbers": {"about": {"title": 1, "handling": None, "grading": {"scheme": 2}}, "body": {}},
    "deep": {"about": {}, "body": {"persons": [[[[[[EVIL]]]]]], "place": [{"name": [EVIL]}]}},
    "people": changed("body", persons=[{"names": {"forms": EVIL}}, {"names": EVIL}, EVIL, None]),
}


def kept(content: Json, schema: str, name: str) -> Json:
    """An answer as a node would give it."""
    header = {
        "sender": "la.ospp",
        "recipients": ["kh.gpo"],
        "schema": schema,
        "marking": {"tlp": "amber", "codes": ["H1", EVIL]},
        "urgency": "routine",
        "exercise": True,
        "created": 1_752_624_000_000,
        "expires": 1_755_216_000_000,
        "answer_by": None,
        "retain_until": 2**20,
    }
    attached = [
        {
            "number": 1,
            "name": name,
            "media_type": "text/plain",
            "role": EVIL,
            "length": 3,
            "sha256": "00" * 32,
        }
    ]
    return {
        "id": ID,
        "header": header,
        "author": EVIL,
        "authors": [{"handle": EVIL}],
        "content": {"about": content["about"], "body": content["body"]},
        "attachments": attached,
        "languages": [EVIL],
    }


async def show(page: DeskPage, content: Json, schema: str = schema_of("drug_seizure")) -> str:
    def keep(desk: Desk) -> None:
        desk.store.remove(Shelf.OPENED, bytes.fromhex(ID))
        Inbox(desk).keep(kept(content, schema, "plan.txt"))

    await page.open.work(keep)
    status, shown = await page.get(f"/bulletins/{ID}")
    assert status == 200, shown
    return shown


@pytest.mark.parametrize("lang", ["en", "km"])
async def test_whatever_stands_in_a_bulletin_is_text(lang: str) -> None:
    async with desk_page(lang=lang) as page:
        for name, content in CONTENTS.items():
            shown = await show(page, content)
            _, paper = await page.post(f"/bulletins/{ID}/print")
            for found in (shown, paper):
                assert "<script>alert" not in found, name
                assert "<img" not in found, name
                assert not {"\u202e", "\u2066", "\u0007"} & set(found), name
        own = await show(page, CONTENTS["script"], "la.ospp/field_report/1")
        assert "&lt;script&gt;" in own


async def test_a_long_text_is_folded_and_whole() -> None:
    async with desk_page() as page:
        shown = await show(page, CONTENTS["long"])
        assert "<details" in shown
        assert "x" * 1_000_000 in shown
        word = await show(page, CONTENTS["one long word"])
        (heading,) = [line for line in word.splitlines() if "W" * 100 in line][1:2]
        assert heading.count("W") <= 1_000


async def test_on_paper_nothing_is_folded() -> None:
    told = "start " + "word " * 2_000 + "the-end"
    async with desk_page() as page:
        assert '<details class="fold"' in await show(page, changed("body", narrative={"en": told}))
        _, paper = await page.post(f"/bulletins/{ID}/print")
        assert told in re.sub(r"(?s)<details.*?</details>", "", paper)
        assert '<details class="fold"' not in paper
