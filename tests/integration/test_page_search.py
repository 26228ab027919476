"""The page of search: what the desk may see is found, shown as it was written, and nothing else."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from saphan.desk.desk import Desk, number_name
from saphan.desk.drafts import Drafts
from saphan.desk.form_drafts import FormDrafts
from saphan.desk.inbox import Inbox
from saphan.desk.keeping import Keeping
from saphan.desk.kept import KeptDays
from saphan.desk.outbox import Outbox
from saphan.desk.store import Shelf
from saphan.folding.code_words import called, is_code
from saphan.form.question import Answers
from saphan.web.seeking.questions import MOST
from saphan_schemas.messages import LANGUAGES
from saphan_schemas.samples import wish
from support.bare_desk import row
from support.desk_letters import letter
from support.desk_page import DeskPage, desk_page

MARK = re.compile("<mark>(.*?)</mark>", re.DOTALL)
FACT = re.compile("<dt>(.*?)</dt><dd>(.*?)</dd>", re.DOTALL)
TAG = re.compile("<[^>]*>")
LINK = re.compile('<h3><a href="([^"]*)"')


@pytest.fixture
async def page() -> AsyncIterator[DeskPage]:
    async with desk_page() as made:
        yield made


def listed(desk: Desk, sample: str = "drug_seizure", **fields: Any) -> dict[str, Any]:
    """A row of the inbox, as the node told it."""
    seq = 1 + desk.store.count(Shelf.INBOX)
    made = row(seq, schema=f"saphan/{sample}/1", **fields)
    with desk.store.transaction():
        day = KeptDays(desk).day_of(bytes.fromhex(made["id"]), made["retain_until"])
        desk.store.put(Shelf.INBOX, number_name(seq), msgspec.json.encode(made), day)
    return made


def read(desk: Desk, sample: str = "drug_seizure", **fields: Any) -> str:
    """A bulletin that was opened here; its id."""
    title = fields.pop("title", None)
    said, header = wish(sample), listed(desk, sample, **fields)
    if title is not None:
        said["about"]["title"] = title
    Inbox(desk).keep({
        "id": header["id"], "header": header, "author": "bounmy", "attachments": [],
        "content": {"about": said["about"], "body": said["body"]},
    })  # fmt: skip
    return str(header["id"])


async def ask(page: DeskPage, query: str) -> tuple[list[str], str]:
    """Where the results lead, and the page; the index has everything."""
    await page.open.work(page.open.rows.load)
    while not await page.open.work(page.open.search.load):
        pass
    status, text = await page.get("/search?" + quote(query, safe="=&%"))
    assert status == 200
    return LINK.findall(text), text


async def test_a_person_is_found_in_any_spelling_and_shown_as_written(page: DeskPage) -> None:
    bulletin = await page.open.work(read)
    await page.open.work(lambda desk: read(desk, "case_statistics"))
    for asked in ("ສົມພອນ", "ສົມພອນ ຕົວຢາງ", "somphone TUAYANG", "ກຂ໐໐໐໐"):
        links, text = await ask(page, f"q={asked}")
        assert links == [f"/bulletins/{bulletin}"], asked
        assert MARK.findall(text), asked
    _, text = await ask(page, "q=ຕົວຢາງ")
    assert "ຕົວຢ່າງ" in MARK.findall(text)  # with the tone mark that was not typed


async def test_what_sounds_alike_comes_last_and_says_so(page: DeskPage) -> None:
    alike = await page.open.work(
        lambda desk: read(desk, "case_statistics", title={"en": "About Vongvichith"})
    )
    exact = await page.open.work(
        lambda desk: read(desk, "case_statistics", title={"en": "About Wongwichit"}, created=1)
    )
    links, text = await ask(page, "q=wongwichit")
    assert links == [f"/bulletins/{exact}", f"/bulletins/{alike}"]
    assert {"Wongwichit", "Vongvichith"} <= set(MARK.findall(text))
    assert text.count("Similar sound or number") == 1


async def test_drafts_and_what_was_sent_are_found(page: DeskPage) -> None:
    def write(desk: Desk) -> int:
        Outbox(desk).queue(letter("la.ospp"), {})
        with desk.store.transaction():
            Drafts(desk).add(letter("la.ospp"))
        answers: Answers = {
            "/about/title/en": "A questionnaire about Somphone",
            "/urgency": "nonsense",
        }
        return FormDrafts(desk).begin(
            "saphan/drug_seizure/1", ("la.ospp",), "en", answers=answers
        ).number  # fmt: skip

    number = await page.open.work(write)
    links, _ = await ask(page, "q=somphone")
    assert sorted(links) == ["/drafts", f"/drafts/{number}", "/sent"]
    assert (await ask(page, "q=somphone&where=sent"))[0] == ["/sent"]
    links, _ = await ask(page, "q=questionnaire&where=draft")
    assert links == [f"/drafts/{number}"]
    await page.open.work(lambda desk: FormDrafts(desk).remove(number))
    assert (await ask(page, "q=questionnaire&where=draft"))[0] == []


async def test_what_was_sent_is_found_by_its_id_and_not_while_nobody_may_read_it(
    page: DeskPage,
) -> None:
    bulletin = os.urandom(32)

    def send(desk: Desk) -> None:
        outbox = Outbox(desk)
        outbox._sent(outbox.queue(letter("la.ospp"), {}), bulletin)

    def told(desk: Desk, *, sealed: bool) -> None:
        copy = {"id": bulletin.hex(), "day": 30_000, "held": False, "sealed": sealed, "gone": False}
        Keeping(desk).told([copy], None)

    await page.open.work(send)
    link = [f"/bulletins/{bulletin.hex()}"]
    title = msgspec.json.decode(letter("la.ospp").data)["about"]["title"]["en"]
    assert (await ask(page, f"q={bulletin.hex()[:12]}"))[0] == link
    await page.open.work(lambda desk: told(desk, sealed=True))
    links, text = await ask(page, "q=somphone")
    assert links == []
    assert "Found: 0" in text
    assert 'id="found"' in text  # who looks at the results sees them change
    status, text = await page.get("/sent")
    assert (status, bulletin.hex() in text, title in text) == (200, True, False)
    await page.open.work(lambda desk: told(desk, sealed=False))
    assert title in (await page.get("/sent"))[1]
    assert (await ask(page, "q=somphone"))[0] == link
    page.place.clock.ahead = 86_400_000 * 40_000  # type: ignore[attr-defined]
    assert (await ask(page, "q=somphone"))[0] == []


async def test_what_was_never_opened_is_found_by_its_header_alone(page: DeskPage) -> None:
    made = await page.open.work(lambda desk: listed(desk, author="khamla"))
    link = [f"/bulletins/{made['id']}"]
    assert (await ask(page, "q=khamla"))[0] == link
    assert (await ask(page, f"q={made['id'][:12]}"))[0] == link
    assert (await ask(page, "q=seizure"))[0] == link  # the type's name in words
    assert (await ask(page, "q=somphone"))[0] == []


async def test_filters_narrow_and_work_alone(page: DeskPage) -> None:
    def fill(desk: Desk) -> tuple[str, str]:
        day = 1_790_000_000_000
        first = read(desk, created=day, urgency="immediate", sender="la.ospp")
        return first, read(desk, "case_statistics", created=day + 10 * 86_400_000, sender="kh.nacd")

    old, new = await page.open.work(fill)
    both = [f"/bulletins/{new}", f"/bulletins/{old}"]
    assert (await ask(page, "where=received"))[0] == both
    for one, query in [
        (old, "urgency=immediate"),
        (old, "type=saphan%2Fdrug_seizure%2F1"),
        (old, "corridor=la.ospp"),
        (old, "until=2026-09-22"),
        (new, "since=2026-09-25"),
    ]:
        assert (await ask(page, query))[0] == [f"/bulletins/{one}"], query
    assert (await ask(page, "since=nonsense&urgency=nonsense"))[0] == []
    assert (await ask(page, ""))[0] == []


async def test_a_code_is_found_by_its_name_in_every_language(page: DeskPage) -> None:
    bulletin = await page.open.work(read)
    await page.open.work(lambda desk: read(desk, "case_statistics"))
    assert is_code("methamphetamine_crystal")
    for lang in LANGUAGES:
        [name] = called("methamphetamine_crystal", lang)
        links, text = await ask(page, f"q={name.split()[0]}&type=saphan/drug_seizure/1")
        assert links == [f"/bulletins/{bulletin}"], name
        assert MARK.findall(text)
    assert (await ask(page, "q=ປືນ"))[0] == []


async def test_excerpts_say_which_field_they_are_of_and_nothing_twice(page: DeskPage) -> None:
    await page.open.work(read)
    _, text = await ask(page, "q=ຢາບ້າ")
    told = [(label, TAG.sub("", words)) for label, words in FACT.findall(text)]
    assert ("Name as reported", "ຢາບ້າ") in told
    assert len({words for _, words in told}) == len(told)
    number = await page.open.work(
        lambda desk: FormDrafts(desk).begin(
            "saphan/drug_seizure/1", (), "en", answers={"/about/summary/lo": "ພົບຢາບ້າ"}
        ).number
    )  # fmt: skip
    links, text = await ask(page, "q=ພົບຢາບ້າ")
    assert links == [f"/drafts/{number}"]
    assert [label for label, _ in FACT.findall(text)] == ["Summary"]


async def test_what_is_gone_sealed_or_suppressed_is_not_found(page: DeskPage) -> None:
    one, two, three, four = [await page.open.work(read) for _ in range(4)]

    def change(desk: Desk) -> None:
        Keeping(desk).erase([bytes.fromhex(one)])
        copy = {"id": two, "day": 21_000, "held": False, "sealed": True, "gone": False}
        Keeping(desk).told([copy], None)
        for name, value in desk.store.all(Shelf.INBOX):
            told = msgspec.json.decode(value)
            if told["id"] == three:
                told["suppressed"] = True
                desk.store.put(Shelf.INBOX, name, msgspec.json.encode(told), 21_000)

    assert len((await ask(page, "q=somphone"))[0]) == 4
    await page.open.work(change)
    links, text = await ask(page, "q=somphone")
    assert links == [f"/bulletins/{four}"]
    assert "Found: 1" in text
    page.place.clock.ahead = 86_400_000 * 4_000  # type: ignore[attr-defined]
    assert (await ask(page, "q=somphone"))[0] == []  # past its day by this machine's clock


async def test_what_is_missing_from_the_shelf_is_folded_again(page: DeskPage) -> None:
    bulletin = await page.open.work(read)

    await page.open.work(lambda desk: desk.store.remove(Shelf.SEARCH, bytes.fromhex(bulletin)))
    assert (await ask(page, "q=somphone"))[0] == [f"/bulletins/{bulletin}"]
    assert await page.open.work(lambda desk: desk.store.has(Shelf.SEARCH, bytes.fromhex(bulletin)))


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_what_is_written_in_a_bulletin_is_only_text(lang: str) -> None:
    async with desk_page(lang=lang) as page:
        evil = '<script>alert(1)</script> "onload=x <img src=y> somphone \u202egnp.exe'
        await page.open.work(lambda desk: read(desk, title={"en": evil, "lo": "ສະບາຍດີ"}))
        for query in ("q=script", "q=alert", "q=%3Cscript%3Ealert%281%29", "q=img&type=%22%3E"):
            _, text = await ask(page, query)
            inside = text.partition("<main")[2]
            assert "<script" not in inside
            assert "<img" not in inside
            assert "\u202e" not in inside
        _, text = await ask(page, "q=alert")
        assert "alert" in MARK.findall(text)
        assert "<script>" in unescape(re.sub("</?mark>", "", text))


async def test_results_come_in_pages(page: DeskPage) -> None:
    def fill(desk: Desk) -> None:
        for number in range(45):
            read(desk, "case_statistics", created=1_790_000_000_000 + number)

    await page.open.work(fill)
    first, text = await ask(page, "q=statistics")
    assert "Found: 45" in text
    assert 'href="/search?n=1&amp;page=2"' in text
    rest = [(await ask(page, f"n=1&page={number}"))[0] for number in (2, 3, 99, 0)]
    assert [len(first), *map(len, rest)] == [20, 20, 5, 5, 20]
    assert len({*first, *rest[0], *rest[1]}) == 45


async def test_no_address_has_what_somebody_looks_for(page: DeskPage) -> None:
    bulletin = await page.open.work(read)
    await ask(page, "")
    given = {"q": "ສົມພອນ", "where": "received", "unknown": "x"}
    assert await page.post("/search", given, follow=False) == (303, "/search?n=1")
    links, text = await ask(page, "n=1")
    assert links == [f"/bulletins/{bulletin}"]
    assert 'value="ສົມພອນ"' in text
    assert '<option value="received" selected>' in text
    for href in re.findall('href="([^"]*)"', text):
        assert "q=" not in href
    assert await page.post("/search", {"q": "x"}, follow=False) == (303, "/search?n=2")
    assert await page.post("/search", given, follow=False) == (303, "/search?n=1")
    for number in ("3", "0", "-1", "x", "9" * 30):
        assert (await ask(page, f"n={number}"))[0] == []


async def test_questions_are_kept_within_a_bound(page: DeskPage) -> None:
    for number in range(MOST + 5):
        await page.post("/search", {"q": f"word{number}"}, follow=False)
    assert 'value="word4"' not in (await ask(page, "n=5"))[1]
    assert 'value="word5"' in (await ask(page, "n=6"))[1]
    assert "word" not in repr(page.open.questions)


async def test_a_question_of_any_length_is_answered(page: DeskPage) -> None:
    await page.open.work(read)
    assert (await ask(page, f"q={'a' * 5_000}"))[0] == []
    assert (await ask(page, f"q={os.urandom(20).hex()}"))[0] == []
