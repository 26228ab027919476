"""An officer who writes at the page: drafts begun, filled in with a sample, looked at."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from saphan.desk.desk import Desk
from saphan.desk.form_drafts import FormDraft, FormDrafts
from saphan.web.writing.beginning import answers_of
from saphan_schemas.samples import sample

from support.bridge import LA
from support.desk_page import DeskPage
from support.desks import ready_bridge
from support.reading_page import Reader, reading

SEIZURE = "saphan/drug_seizure/1"


@asynccontextmanager
async def writing() -> AsyncIterator[Reader]:
    """kh.gpo's dao before the page; the node has told what may be written to whom."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("saphan.node.desks.session.NEWS_PAUSE_S", 0.05)
        async with ready_bridge() as bridge, reading(bridge) as found:
            await found.shows(f"/write?type={SEIZURE}", f'value="{LA}"')
            yield found


async def begun(page: DeskPage, schema: str = SEIZURE, **more: str) -> int:
    """A new draft by the page; its number."""
    _, where = await page.post("/write", {"type": schema, "to": LA, **more}, follow=False)
    found = re.fullmatch(r"/drafts/(\d+)", where)
    assert found, where
    return int(found[1])


async def filled(page: DeskPage, number: int, name: str = "drug_seizure") -> FormDraft:
    """The draft with a whole sample's answers."""
    content = sample(name)

    def fill(desk: Desk) -> FormDraft:
        forms = FormDrafts(desk)
        form = forms.get(number)
        told = answers_of({"about": content["about"], "body": content["body"]})
        kept = {at: value for at, value in form.answers.items() if at.startswith("/marking")}
        relations = {at: value for at, value in form.answers.items() if "/relations" in at}
        answers = {"/urgency": "routine", "/exercise": True, **kept, **told, **relations}
        return forms.save(number, form.version, answers)

    return await page.open.work(fill)


async def kept(page: DeskPage, number: int) -> FormDraft:
    return await page.open.work(lambda desk: FormDrafts(desk).get(number))
