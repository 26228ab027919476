"""Topics: told once however often they were published, and never without an end."""

from __future__ import annotations

from contextlib import ExitStack

from saphan.web.topics import ALL, STREAMS, TOLD, Topics


async def test_a_topic_is_told_once_however_often_it_changed() -> None:
    topics = Topics()
    with topics.listening() as one, topics.listening() as other:
        for topic in ("inbox", "line", "inbox", "inbox"):
            topics.publish(topic)
        assert await one.next() == ["inbox", "line"]
        topics.publish("sent")
        assert await one.next() == ["sent"]
        assert await other.next() == ["inbox", "line", "sent"]
    topics.publish("inbox")  # nobody is there


async def test_who_is_far_behind_looks_at_everything() -> None:
    topics = Topics()
    with topics.listening() as one:
        for number in range(TOLD + 1):
            topics.publish(f"topic {number}")
        found = await one.next()
        assert found[0] == ALL
        assert len(found) <= 2


async def test_of_too_many_the_oldest_ends() -> None:
    topics = Topics()
    with ExitStack() as stack:
        heard = [stack.enter_context(topics.listening()) for _ in range(STREAMS + 1)]
        assert [one.over for one in heard] == [True] + [False] * STREAMS
        assert await heard[0].next() == []
        topics.publish("inbox")
        assert await heard[1].next() == ["inbox"]
