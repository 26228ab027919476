"""Forms at a desk: half-filled, wrong, in two windows, queued, refused, forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from saphan.attaching import measure
from saphan.desk.desk import Desk
from saphan.desk.drafts import Drafts, Written
from saphan.desk.files import AttachedFile, Files, upload_name
from saphan.desk.form_drafts import Answers, Follows, FormDraft, FormDrafts
from saphan.desk.form_files import FormFiles
from saphan.desk.keeping import Keeping
from saphan.desk.outbox import Outbox
from saphan.desk.store import Shelf
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS
from support.bare_desk import bare_desk
from support.bridge import LA
from support.desk_letters import letter

SCHEMA = "saphan/case_statistics/1"
WRONG: Answers = {"/body/period/from": "yesterday", "/about/personal_data/minors": None}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with bare_desk(tmp_path) as found:
        yield found


@pytest.fixture
def forms(desk: Desk) -> FormDrafts:
    return FormDrafts(desk)


def begun(forms: FormDrafts, answers: Answers | None = None) -> FormDraft:
    return forms.begin(SCHEMA, (LA,), "km", answers=answers)


def file_of(desk: Desk, path: Path, text: str = "what was seen") -> AttachedFile:
    path.write_text(text)
    (kept,) = Files(desk).attach([measure(path, "photo")])
    return kept


def queued_form(desk: Desk, forms: FormDrafts) -> tuple[FormDraft, Written]:
    form = begun(forms, {"/urgency": "routine"})
    written = letter(LA)
    Outbox(desk).queue(written, {}, form=form)
    return form, written


def test_wrong_and_unfinished_answers_are_kept_as_they_are(tmp_path: Path) -> None:
    follows = Follows("corrects", "ab" * 32)
    with bare_desk(tmp_path) as desk:
        made = FormDrafts(desk).begin(SCHEMA, (), "lo", answers=WRONG, follows=follows)
        kept = FormDrafts(desk).get(made.number)
    assert kept == made
    assert (kept.version, kept.answers, kept.follows, kept.to) == (1, WRONG, follows, ())
    assert list(kept.answers) == list(WRONG)


def test_what_is_typed_is_sealed_on_the_disk(desk: Desk, forms: FormDrafts, tmp_path: Path) -> None:
    begun(forms, {"/body/note/lo": "ຊື່ທີ່ບໍ່ມີໃຜຄວນເຫັນ"})
    desk.store.close()
    bytes_there = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert "ຊື່ທີ່ບໍ່ມີໃຜຄວນເຫັນ".encode() not in bytes_there


def test_each_change_makes_a_version_and_saving_the_same_does_not(forms: FormDrafts) -> None:
    one = begun(forms)
    two = forms.save(one.number, 1, WRONG)
    assert (two.version, two.answers) == (2, WRONG)
    # A second window that shows the same has lost nothing: it goes on.
    assert forms.save(one.number, 1, WRONG) == two
    assert forms.save(one.number, 2, WRONG, answer_by=5).answer_by == 5


def test_a_later_save_of_an_older_window_is_refused_and_nothing_is_lost(forms: FormDrafts) -> None:
    number = begun(forms).number
    mine: Answers = {"/body/note/km": "ពីបង្អួចទីពីរ"}
    newer = forms.save(number, 1, WRONG)
    with pytest.raises(Refused, match="form_draft_changed"):
        forms.save(number, 1, mine)
    assert forms.get(number) == newer
    branch = forms.branch(number, mine, (LA,), None)
    assert (branch.answers, branch.to, branch.schema) == (mine, (LA,), SCHEMA)
    assert [one.number for one in forms.all()] == [number, branch.number]


def test_the_order_of_answers_counts(forms: FormDrafts) -> None:
    """The form is walked in the order of answering: another order is another form."""
    one = forms.save(begun(forms).number, 1, {"/a": "1", "/b": "2"})
    assert forms.save(one.number, 2, {"/b": "2", "/a": "1"}).version == 3


def test_what_no_store_holds_is_refused_and_the_last_good_stays(forms: FormDrafts) -> None:
    one = begun(forms, WRONG)
    for answers, code in (
        ({"/a": "x" * LIMITS.form_draft_bytes}, "too_large"),
        ({f"/{n}": 1 for n in range(LIMITS.form_answers + 1)}, "too_large"),
        ({"/a": "\ud800"}, "malformed"),
        ({"/a": 2**70}, "malformed"),
    ):
        with pytest.raises(InvalidInput, match=code):
            forms.save(one.number, 1, cast("Answers", answers))
    assert forms.get(one.number) == one


def test_files_are_kept_while_a_form_needs_them(
    desk: Desk, forms: FormDrafts, tmp_path: Path
) -> None:
    file = file_of(desk, tmp_path / "note.txt")
    one, two = begun(forms), begun(forms)
    for form in (one, two):
        assert FormFiles(forms.desk).attach(form.number, (file,)).attachments == (file,)
        assert (
            FormFiles(forms.desk).attach(form.number, (file,)).version == 1
        )  # once, and windows go on
    name, before = upload_name(file.blob), forms.get(one.number)
    assert (
        FormFiles(forms.desk)
        .set_role(one.number, file.blob.digest, "statement")
        .attachments[0]
        .role
        == "statement"
    )
    assert forms.get(one.number).digest != before.digest
    FormFiles(forms.desk).detach(one.number, file.blob.digest)
    Outbox(desk).drop_files(before.attachments)
    assert Files(desk).has(name, file.blob)
    Outbox(desk).remove_form(two.number)
    assert desk.store.parts(name) == 0
    assert FormFiles(forms.desk).lacking(before) == [file]
    assert FormFiles(forms.desk).lacking(one) == []


def test_files_of_one_name_are_told_apart(desk: Desk, forms: FormDrafts, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    files = (
        file_of(desk, tmp_path / "note.txt"),
        file_of(desk, tmp_path / "a" / "Note.txt", "another one"),
    )
    kept = FormFiles(forms.desk).attach(begun(forms).number, files).attachments
    assert [one.name for one in kept] == ["note.txt", "Note-2.txt"]


def test_too_many_files_are_refused_and_none_is_added(
    desk: Desk, forms: FormDrafts, tmp_path: Path
) -> None:
    files = tuple(
        file_of(desk, tmp_path / f"{n}.txt", str(n)) for n in range(LIMITS.attachments + 1)
    )
    form = begun(forms)
    with pytest.raises(InvalidInput, match="attachments_too_large"):
        FormFiles(forms.desk).attach(form.number, files)
    assert forms.get(form.number) == form


def test_drafts_of_both_kinds_are_counted_together(
    desk: Desk, forms: FormDrafts, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(LIMITS, desk_drafts=2)
    monkeypatch.setattr("saphan.desk.form_drafts.LIMITS", few)
    with desk.store.transaction():
        Drafts(desk).add(letter(LA))
    begun(forms)
    with pytest.raises(InvalidInput, match="drafts_full"):
        begun(forms)


# --- the outbox -----------------------------------------------------------------------------------


def test_a_queued_form_has_the_number_of_its_bulletin_and_nobody_writes_in_it(
    desk: Desk, forms: FormDrafts
) -> None:
    form, written = queued_form(desk, forms)
    assert [one.number for one in Outbox(desk).waiting()] == [form.number]
    assert forms.all() == []
    changes: tuple[Callable[[], object], ...] = (
        lambda: forms.save(form.number, 1, WRONG),
        lambda: FormFiles(forms.desk).detach(form.number, bytes(32)),
        lambda: Outbox(desk).remove_form(form.number),
        lambda: Outbox(desk).queue(written, {}, form=form),
    )
    for change in changes:
        with pytest.raises(Refused, match="draft_queued"):
            change()
    assert forms.get(form.number) == form


def test_what_was_changed_after_it_was_shown_is_not_signed(desk: Desk, forms: FormDrafts) -> None:
    shown = begun(forms)
    forms.save(shown.number, 1, WRONG)
    with pytest.raises(Refused, match="form_draft_changed"):
        Outbox(desk).queue(letter(LA), {}, form=shown)
    assert Outbox(desk).all() == []


def test_withdrawn_it_is_a_form_again(desk: Desk, forms: FormDrafts) -> None:
    form, _ = queued_form(desk, forms)
    back = Outbox(desk).withdraw(form.number)
    assert isinstance(back, FormDraft)
    assert (back.number, back.answers, back.code) == (form.number, form.answers, None)
    assert [one.number for one in forms.all()] == [form.number]
    assert Drafts(desk).all() == []
    # Signed and queued again, it has its number still.
    assert Outbox(desk).queue(letter(LA), {}, form=back).number == form.number


def test_refused_it_is_a_form_with_the_place_of_the_fault(desk: Desk, forms: FormDrafts) -> None:
    form, _ = queued_form(desk, forms)
    (one,) = Outbox(desk).waiting()
    error = Refused("relation_unknown", "this node has no bulletin", field="/about/relations/0")
    Outbox(desk)._to_draft(one, error)
    back = forms.get(form.number)
    assert (back.code, back.field) == ("relation_unknown", "/about/relations/0")
    assert (back.message, back.version) == ("this node has no bulletin", 2)
    assert Outbox(desk).all() == []


def test_a_refusal_stands_until_its_field_is_answered_anew(desk: Desk, forms: FormDrafts) -> None:
    form, _ = queued_form(desk, forms)
    (one,) = Outbox(desk).waiting()
    error = Refused("relation_unknown", "this node has no bulletin", field="/about/relations/0")
    Outbox(desk)._to_draft(one, error)
    there: Answers = {"/about/relations/0/bulletin_id": "ab"}
    elsewhere = forms.save(form.number, 2, {"/about/relations/01": "x"})
    assert elsewhere.code == "relation_unknown"
    mended = forms.save(form.number, 3, there)
    assert (mended.code, mended.message, mended.field) == (None, None, None)


def test_sent_it_goes(desk: Desk, forms: FormDrafts) -> None:
    form, _ = queued_form(desk, forms)
    (one,) = Outbox(desk).waiting()
    Outbox(desk)._sent(one, bytes(32))
    assert forms.find(form.number) is None
    with pytest.raises(InvalidInput, match="draft_unknown"):
        forms.get(form.number)


def test_a_form_that_nobody_touches_goes_with_its_files(
    desk: Desk, forms: FormDrafts, tmp_path: Path
) -> None:
    file = file_of(desk, tmp_path / "note.txt")
    old = begun(forms)
    FormFiles(forms.desk).attach(old.number, (file,))
    saved = forms.get(old.number).saved
    Keeping(desk)._drop_drafts(saved + LIMITS.desk_draft_ms - 1)
    assert forms.find(old.number) is not None
    Keeping(desk)._drop_drafts(saved + LIMITS.desk_draft_ms)
    assert forms.find(old.number) is None
    assert desk.store.count(Shelf.FORMS) == 0
    assert desk.store.parts(upload_name(file.blob)) == 0
