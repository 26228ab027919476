"""What waits in an outbox of years: nothing that was sent is opened for it a second time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from saphan.desk.desk import Desk
from saphan.desk.outbox import Outbox
from saphan.desk.queue_seen import QueueSeen
from saphan.desk.store import DeskStore
from support.bare_desk import bare_desk
from support.bridge import LA
from support.desk_letters import letter


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with bare_desk(tmp_path) as made:
        yield made


def test_what_waits_is_known_and_what_was_sent_is_not_opened_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox, seen = Outbox(desk), QueueSeen()
    assert seen.refresh(desk.store) == []
    queued = [outbox.queue(letter(LA), {}) for _ in range(3)]
    numbers = [one.number for one in queued]
    assert seen.refresh(desk.store) == numbers
    outbox._sent(queued[0], bytes(32))
    outbox.withdraw(numbers[1])
    assert seen.refresh(desk.store) == numbers[2:]
    monkeypatch.setattr(DeskStore, "_open", None)
    assert seen.refresh(desk.store) == numbers[2:]
