"""Every type's form is light: what a browser fetches for it with styles and scripts, no fonts."""

from __future__ import annotations

from typing import Final

from saphan.desk.form_drafts import FormDrafts
from saphan.form.question import ASKS, Answers
from saphan.web.static_files import files
from saphan.web.writing.forms.model import form_of
from saphan_schemas.body_types import BUILT_IN, BodyType
from support.desk_page import DeskPage, desk_page
from support.web_forms import nodes, of_sample

WEIGHT: Final = 300_000
"""Bytes; as `tests/browser/test_looks.py` has it for other pages."""
STATIC: Final = (".css", ".js", ".svg")


async def weight(page: DeskPage, kind: BodyType, answers: Answers) -> tuple[int, int]:
    """(bytes of a draft's page as it is read, as it is sent), with faults, styles and scripts."""
    draft = await page.open.work(
        lambda desk: FormDrafts(desk).begin(kind.name, ("la.ospp",), "km", answers=answers)
    )
    path = page.url(f"/drafts/{draft.number}?check")
    async with page.http.get(path, headers=page.headers(), auto_decompress=False) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        sent = len(await answer.read())
    status, text = await page.get(f"/drafts/{draft.number}?check")
    assert status == 200
    beside = sum(len(data) for name, data in files().items() if name.endswith(STATIC))
    return len(text.encode()) + beside, sent + beside


def every_part(kind: BodyType) -> Answers:
    """A form in which every part and list that may be begun is begun, and those inside too."""
    answers: Answers = {}
    while True:
        places = nodes(form_of(kind, answers, "en", shown=False)).values()
        lists = [one for one in places if one.form == "entries" and not one.inside]
        parts = [one for one in places if one.form == "part" and not one.there]
        begun = [f"{one.pointer}/0" for one in lists] + [one.pointer for one in parts]
        if not begun:
            return answers
        answers |= {pointer + ASKS: True for pointer in begun}


async def test_forms_of_every_type_are_light() -> None:
    """In Khmer, whose letters take three bytes each."""
    heavy = {}
    async with desk_page(lang="km") as page:
        for kind in BUILT_IN:
            _, _, sample, _ = of_sample(kind.name.split("/")[1])
            read, _ = await weight(page, kind, sample)
            _, sent = await weight(page, kind, every_part(kind))
            heavy[kind.name] = (read, sent)
    assert {name: both for name, both in heavy.items() if max(both) >= WEIGHT} == {}
