"""Numbers that every page shows: right whoever has changed something, and free when nobody has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from saphan.desk.desk import Desk
from saphan.desk.drafts import Drafts
from saphan.desk.outbox import Outbox
from saphan.desk.store import DeskStore
from saphan.keys.keyfiles import SecretKey, new_key
from saphan.web.standing import Standing
from saphan_schemas.records import Role
from support.bare_desk import bare_desk
from support.bridge import KH, LA
from support.desk_letters import letter
from support.open_requests import SINCE, keep_open, open_request, owed_by


@pytest.fixture
def key() -> SecretKey:
    return new_key(Role.OFFICER, "dao")


@pytest.fixture
def desk(tmp_path: Path, key: SecretKey) -> Iterator[Desk]:
    with bare_desk(tmp_path, key) as made:
        yield made


def test_what_another_program_has_changed_counts_at_the_next_page(
    desk: Desk, tmp_path: Path, key: SecretKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    standing = Standing()
    standing.load(desk)
    assert (standing.queued, standing.drafts) == (0, 0)
    with bare_desk(tmp_path, key) as other:
        one = Outbox(other).queue(letter(LA), {})
        Drafts(other).add(letter(LA))
        standing.count(desk)
        assert (standing.queued, standing.drafts) == (1, 1)
        Outbox(other)._sent(one, bytes(32))  # no row more, none less
        standing.count(desk)
        assert standing.queued == 0
    monkeypatch.setattr(DeskStore, "count", None)
    standing.count(desk)  # nobody wrote anything: nothing is looked at


def test_this_agency_owes_what_it_was_asked_for_and_has_accepted(desk: Desk) -> None:
    ours, theirs, coming = (
        open_request(1, owed_by(KH, SINCE + 1), owed_by("vn.vks", SINCE)),
        open_request(2, owed_by(LA, SINCE), sender=KH),
        open_request(3, owed_by(KH, None, state="undelivered")),
    )
    keep_open(desk, ours, theirs, coming)
    standing = Standing()
    standing.load(desk)
    assert len(standing.owed) == 3
    assert standing.owes(KH) == {ours["id"]: SINCE + 1}
