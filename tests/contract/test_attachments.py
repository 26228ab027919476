"""What attachments owe sessions, in files and in objects, through one process and through two."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from hashlib import sha256

import pytest
from saphan_broker.blobs.base import ORPHAN_MS
from saphan_schemas.errors import InvalidInput, OperatorError, Unavailable
from saphan_schemas.limits import KIB, LIMITS, MIB
from saphan_schemas.records import Blob
from support.attachment_places import (
    BLOBS,
    DATA,
    ID,
    PART,
    A,
    B,
    Place,
    bring,
    bring_all,
    check_final,
    lost,
    whole,
)

# --- one process ----------------------------------------------------------------------------------


async def test_what_is_brought_in_parts_is_given_in_parts(place: Place) -> None:
    store = place.process()
    assert await store.held(A, BLOBS) == (0, 0)
    await bring_all(store)
    assert await store.held(A, BLOBS) == tuple(blob.length for blob in BLOBS)
    assert await store.held(B, BLOBS) == (0, 0)
    await store.settle(A, ID, BLOBS)
    await check_final(store)
    assert await store.read(ID, 0, BLOBS[0].length - 2, 100) == DATA[0][-2:]
    assert await store.read(ID, 0, BLOBS[0].length, 100) == b""
    await store.forget(A, ID, BLOBS)
    assert await store.held(A, BLOBS) == (0, 0)
    await check_final(store)


async def test_small_parts_come_to_the_same(place: Place) -> None:
    store = place.process()
    data = DATA[0][: 40 * KIB]
    assert await bring(store, data, part=4 * KIB) == len(data)
    blob = Blob(len(data), sha256(data).digest())
    await store.settle(A, ID, (blob,))
    assert await whole(store, ID, 0, len(data)) == data


async def test_a_part_that_is_not_the_next_one_changes_nothing(place: Place) -> None:
    store = place.process()
    assert await store.append(A, BLOBS[0], 5, b"x" * 100) == 0
    assert await store.append(A, BLOBS[0], 0, DATA[0][:PART]) == PART
    assert await store.append(A, BLOBS[0], 0, b"x" * PART) == PART
    assert await store.append(A, BLOBS[0], PART + 1, b"x") == PART
    await bring(store, DATA[0])
    assert await store.append(A, BLOBS[0], 0, b"x") == BLOBS[0].length
    await store.settle(A, ID, BLOBS[:1])
    assert await whole(store, ID, 0, len(DATA[0])) == DATA[0]


async def test_more_than_was_declared_is_refused(place: Place) -> None:
    store = place.process()
    await store.append(A, BLOBS[1], 0, DATA[1][:100])
    with pytest.raises(InvalidInput) as error:
        await store.append(A, BLOBS[1], 100, DATA[1])
    assert error.value.code == "attachment_length"
    assert await bring(store, DATA[1]) == len(DATA[1]) - 100


async def test_other_bytes_than_declared_are_refused_and_brought_anew(place: Place) -> None:
    store = place.process()
    wrong = DATA[0][:-1] + b"!"
    with pytest.raises(InvalidInput) as error:
        await bring(store, wrong, BLOBS[0])
    assert error.value.code == "attachment_digest"
    assert await store.held(A, BLOBS[:1]) == (0,)
    with pytest.raises(Unavailable) as missing:
        await store.settle(A, ID, BLOBS[:1])
    assert missing.value.code == "attachment_missing"
    assert await bring(store, DATA[0]) == len(DATA[0])
    await store.settle(A, ID, BLOBS[:1])


async def test_what_was_not_brought_or_by_another_agency_is_missing(place: Place) -> None:
    store = place.process()
    await bring(store, DATA[0])
    await bring(store, DATA[1], agency=B)
    with pytest.raises(Unavailable) as missing:
        await store.settle(A, ID, BLOBS)
    assert (missing.value.code, missing.value.field) == ("attachment_missing", "attachments.1")
    assert await lost(store)
    await bring(store, DATA[1])
    await store.settle(A, ID, BLOBS)
    await check_final(store)


async def test_a_bulletin_may_come_again(place: Place) -> None:
    """Before it is logged, and after: its attachments are not asked for again."""
    store = place.process()
    await bring_all(store)
    await store.settle(A, ID, BLOBS)
    await store.settle(A, ID, BLOBS)
    await store.forget(A, ID, BLOBS)
    await store.settle(A, ID, BLOBS)
    place.ahead = 10 * ORPHAN_MS
    await store.settle(A, ID, BLOBS)
    await check_final(store)


async def test_a_large_attachment(place: Place) -> None:
    store = place.process()
    data = b"".join(bytes([at]) * MIB for at in range(6))
    await bring(store, data, part=MIB)
    blob = Blob(len(data), sha256(data).digest())
    await store.settle(A, ID, (blob,))
    for at in range(6):  # more than a part of a put in parts
        assert await store.read(ID, 0, at * MIB, MIB) == bytes([at]) * MIB


# --- bounds, ages, orphans ------------------------------------------------------------------------


async def test_older_attachments_make_room(place: Place) -> None:
    store = place.process(most=3 * 64 * KIB)
    texts = [bytes([at]) * 50 * KIB for at in range(5)]
    blobs = tuple(Blob(len(text), sha256(text).digest()) for text in texts)
    for text in texts:
        await bring(store, text)
        place.ahead += 1000
    held = await store.held(A, blobs)
    assert held[-1] == blobs[-1].length
    assert sum(have > 0 for have in held) == 3
    assert await store.held(B, blobs) == (0,) * 5


async def test_what_nobody_names_ages_out(place: Place) -> None:
    store = place.process()
    await bring_all(store)
    assert await store.age_out() == 0
    place.ahead = LIMITS.staged_ms - 60_000
    assert await store.age_out() == 0
    assert await store.held(A, BLOBS[1:]) == (BLOBS[1].length,)
    place.ahead = 2 * LIMITS.staged_ms
    assert await store.age_out() == 2
    assert await store.held(A, BLOBS) == (0, 0)


async def test_a_sweep_removes_what_was_not_logged(place: Place) -> None:
    store = place.process()
    await bring_all(store)
    other = b"\xcd" * 32
    await store.settle(A, ID, BLOBS)
    await store.settle(A, other, BLOBS)
    asked: list[bytes] = []

    async def logged(bulletins: list[bytes]) -> Collection[bytes]:
        asked.extend(bulletins)
        return [other]

    assert await store.sweep(logged) == 0
    assert asked == []  # too young to be asked for
    place.ahead = ORPHAN_MS + 60_000
    assert await store.sweep(logged) == 1
    assert sorted(asked) == [ID, other]
    assert await lost(store)
    await check_final(store, other)
    assert await store.sweep(logged) == 0
    assert sorted(asked) == [ID, other]  # a look is at what is in flight, not at all there is


async def test_what_is_never_logged_is_bounded(place: Place) -> None:
    store = place.process(most=3 * len(DATA[0]))
    await bring(store, DATA[0])
    for at in range(3):
        await store.settle(A, bytes([at]) * 32, BLOBS[:1])
    with pytest.raises(Unavailable) as error:
        await place.process(most=3 * len(DATA[0])).settle(A, ID, BLOBS[:1])
    assert error.value.code == "attachments_wait"
    await store.settle(A, bytes(32), BLOBS[:1])
    await store.forget(A, bytes(32), ())
    await store.settle(A, ID, BLOBS[:1])


# --- several processes ----------------------------------------------------------------------------


async def test_another_process_goes_on_with_what_is_kept(place: Place) -> None:
    """A node whose broker process died comes to another one, in the middle and at the end."""
    first, second = place.process(), place.process()
    held = 0
    for _ in range(2):
        held = await first.append(A, BLOBS[0], held, DATA[0][held : held + PART])
    assert await bring(second, DATA[0]) <= len(DATA[0]) - 2 * PART
    await bring(first, DATA[1])
    assert await second.held(A, BLOBS) == tuple(blob.length for blob in BLOBS)
    await second.settle(A, ID, BLOBS)
    await check_final(first)
    await first.settle(A, ID, BLOBS)
    await second.forget(A, ID, BLOBS)
    assert await first.held(A, BLOBS) == (0, 0)
    await first.settle(A, ID, BLOBS)
    await check_final(place.process())


@pytest.mark.parametrize("sizes", [(PART, PART), (PART, 50_000)])
async def test_two_processes_take_the_same_attachment_at_once(
    place: Place, sizes: tuple[int, int]
) -> None:
    first, second = place.process(), place.process()
    await asyncio.gather(
        *(bring(one, DATA[0], part=size) for one, size in zip((first, second), sizes, strict=True))
    )
    for store in (first, second):
        assert await store.held(A, BLOBS[:1]) == (BLOBS[0].length,)
    await asyncio.gather(*(store.settle(A, ID, BLOBS[:1]) for store in (first, second)))
    await asyncio.gather(*(store.forget(A, ID, BLOBS[:1]) for store in (first, second)))
    assert await whole(second, ID, 0, len(DATA[0])) == DATA[0]
    assert await first.held(A, BLOBS[:1]) == (0,)


async def test_one_brings_wrong_bytes_while_another_brings_the_right_ones(place: Place) -> None:
    """A damaged copy at one of an agency's nodes: the right one wins in the end."""
    first, second = place.process(), place.process()
    half = len(DATA[0]) // 2
    wrong = b"?" * half

    async def damaged() -> None:
        held = await first.append(A, BLOBS[0], 0, wrong[:PART])
        while 0 < held < half:
            held = await first.append(A, BLOBS[0], held, wrong[held : held + PART])

    await damaged()
    with suppress(InvalidInput):
        await bring(second, DATA[0])
    await bring(second, DATA[0])
    await second.settle(A, ID, BLOBS[:1])
    assert await whole(first, ID, 0, len(DATA[0])) == DATA[0]


async def test_a_process_that_forgets_leaves_none_that_is_misled(place: Place) -> None:
    """What one has counted as held goes through another: the node is told to go back."""
    first, second = place.process(), place.process()
    assert await first.append(A, BLOBS[0], 0, DATA[0][: 2 * PART]) == 2 * PART
    await second.forget(A, ID, BLOBS)
    await bring(first, DATA[0])
    await first.settle(A, ID, BLOBS[:1])
    assert await whole(second, ID, 0, len(DATA[0])) == DATA[0]


async def test_a_sweep_takes_nothing_that_is_submitted_meanwhile(place: Place) -> None:
    """An orphan of yesterday comes again while a sweep has it on its list already."""
    holder, other = place.process(), place.process()
    await bring_all(other)
    await other.settle(A, ID, BLOBS)
    place.ahead = 24 * ORPHAN_MS

    async def none_yet(bulletins: list[bytes]) -> Collection[bytes]:
        assert bulletins == [ID]
        await other.settle(A, ID, BLOBS)
        return ()

    await holder.sweep(none_yet)
    await check_final(holder)
    await other.forget(A, ID, BLOBS)
    await check_final(place.process())


async def test_a_shared_place_is_never_swept_whatever_its_age(place: Place) -> None:
    """Another process may be about to submit what was made final a moment ago."""
    store = place.process()
    await bring_all(store)
    await store.settle(A, ID, BLOBS)

    async def none(_: list[bytes]) -> Collection[bytes]:
        return ()

    assert await place.process().sweep(none, any_age=True) == 0
    await check_final(store)


async def test_what_is_destroyed_goes_with_its_marker_and_everything_staged(place: Place) -> None:
    store = place.process()
    await bring_all(store)
    await store.settle(A, ID, BLOBS)
    await store.forget(A, ID, BLOBS)
    for _ in range(2):
        await store.doom(A, ID)
        await store.destroy(A, ID, BLOBS)
    with pytest.raises(OperatorError):
        await store.read(ID, 0, 0, 10)
    assert await store.held(A, BLOBS) == (0, 0)
    place.ahead += 2 * ORPHAN_MS
    assert await place.process().sweep(nobody) == 0


async def test_what_is_doomed_goes_only_once_it_is_not_known(place: Place) -> None:
    """The process ends between the mark and the commit, or between the commit and the files."""
    store = place.process()
    await bring_all(store)
    await store.settle(A, ID, BLOBS)
    await store.forget(A, ID, BLOBS)
    await store.doom(A, ID)
    place.ahead += 2 * ORPHAN_MS
    assert await place.process().sweep(everybody) == 0
    assert await store.read(ID, 1, 0, 6) == b"report"
    place.ahead += 2 * ORPHAN_MS
    assert await place.process().sweep(nobody) == 0  # the mark went: it is logged for good
    assert await store.read(ID, 1, 0, 6) == b"report"

    await store.doom(A, ID)
    place.ahead += 2 * ORPHAN_MS
    assert await place.process().sweep(nobody) == 1
    with pytest.raises(OperatorError):
        await place.process().read(ID, 0, 0, 10)


async def nobody(_bulletins: list[bytes]) -> Collection[bytes]:
    return ()


async def everybody(bulletins: list[bytes]) -> Collection[bytes]:
    return bulletins
