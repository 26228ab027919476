"""Whatever a browser posts: the form takes it, shows it again as it is, and says what is wrong."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from saphan.web.writing.forms.model import form_of
from saphan.web.writing.forms.taking import taken
from saphan.web.writing.forms.wish import wish_of
from saphan_schemas.messages import LANGUAGES
from saphan_schemas.samples import SAMPLES
from support.web_forms import ZONE, leads_to, nodes, of_sample, posted

TEXTS = st.one_of(
    st.sampled_from(
        ["", " ", "-1", "007", "true", "LA", "unknown", "2025-02-30", "2025-10-14 06:40", "1962",
         "ກຂ", "៣", "x" * 5_000, "\u202e", "\ud800", "H3", "named", "DOMESTIC", "99999999999999999"]
    ),
    st.text(max_size=12),
)  # fmt: skip
STRAYS = st.sampled_from(
    ["/", "//", "/body", "/body/", "/about/title/zz-", "/body/x/9999999/y", "/to/0", "body",
     "/body/=", "/about/purposes=", "/about/purposes=zz", "/marking/codes=H9", "/body?",
     "/about/title?"]
)  # fmt: skip
ORDERS = ("add", "remove", "up", "down", "save", "")


@settings(max_examples=12, deadline=None)
@given(name=st.sampled_from(SAMPLES), lang=st.sampled_from(LANGUAGES), data=st.data())
def test_any_post_is_taken_and_shown_again(name: str, lang: str, data: st.DataObject) -> None:
    kind, _, answers, files = of_sample(name)
    for _ in range(data.draw(st.integers(1, 4))):
        form = form_of(kind, answers, lang, shown=False, attachments=files)
        controls: dict[str, Any] = posted(form)
        names = st.sampled_from(sorted(controls))
        controls |= data.draw(st.dictionaries(names, TEXTS, max_size=6))
        controls |= data.draw(st.dictionaries(STRAYS, TEXTS, max_size=3))
        place = data.draw(st.sampled_from(sorted(nodes(form))))
        controls["do"] = f"{data.draw(st.sampled_from(ORDERS))} {place}"
        before = dict(answers)
        taken_now = taken(controls, answers, kind, ZONE)
        assert answers == before
        answers = taken_now
    form = form_of(kind, answers, lang, shown=True, attachments=files)
    assert all(leads_to(form, fault) and fault.sentence for fault in form.faults)
    assert wish_of(kind, answers)["schema"] == kind.name
    again = taken(posted(form), answers, kind, ZONE)
    assert wish_of(kind, again) == wish_of(kind, answers)
