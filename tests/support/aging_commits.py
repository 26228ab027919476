"""Valid commits about what follows an outcome: destruction, holds, wrapping anew; for any store."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace
from saphan_broker.store.base import Commit, DeliveryRow, HoldRow, StanzaRow, Store

from support.store_commits import Story, digest


async def admitted(
    store: Store, story: Story, number: int, name: object = 0, recipient: str = "kh.gpo"
) -> tuple[Commit, list[DeliveryRow]]:
    """Bulletins that have their outcome."""
    commit = story.bulletins(number, recipient=recipient, name=name)
    await store.commit(commit)
    ended, rows = settled(story, commit.deliveries)
    await store.commit(ended)
    return commit, rows


def keys(rows: Sequence[DeliveryRow | StanzaRow]) -> list[tuple[bytes, str]]:
    return [(row.bulletin, row.recipient) for row in rows]


def settled(story: Story, rows: Sequence[DeliveryRow]) -> tuple[Commit, list[DeliveryRow]]:
    """One commit after which nothing waits for an outcome, and the rows after it."""
    return _logged(story, rows, "accepted", state="accepted", deadline=None)


def destruction(
    story: Story, rows: Sequence[DeliveryRow], bodiless: Sequence[bytes] | None = None
) -> tuple[Commit, list[DeliveryRow]]:
    """One commit that destroys deliveries, and the rows after it.

    Args:
        bodiless: bulletins whose ciphertext goes; those of the deliveries, unless said otherwise.
    """
    first = story.tree.size
    commit, _rows = _logged(story, rows, "destroyed")
    after = [replace(row, destroyed=first + at) for at, row in enumerate(rows)]
    gone = list(dict.fromkeys(row.bulletin for row in rows)) if bodiless is None else bodiless
    keys = [(row.bulletin, row.recipient) for row in rows]
    return replace(commit, deliveries=after, destroyed=keys, bodiless=list(gone)), after


def hold(
    story: Story, rows: Sequence[DeliveryRow], order: bytes, agency: str = "la.ospp"
) -> tuple[Commit, list[DeliveryRow]]:
    """One commit by which one order of an agency holds deliveries, and the rows after it."""
    first = story.tree.size
    commit, _rows = _logged(story, rows, "held", agency)
    after = [replace(row, holds=row.holds + 1) for row in rows]
    holds = [
        HoldRow(row.submitted, order, agency, row.bulletin, row.recipient, first + at, None)
        for at, row in enumerate(rows)
    ]
    return replace(commit, deliveries=after, holds=holds), after


def release(
    story: Story, rows: Sequence[DeliveryRow], held: Sequence[HoldRow]
) -> tuple[Commit, list[DeliveryRow]]:
    """One commit that ends one hold on each of the deliveries, and the rows after it."""
    first = story.tree.size
    commit, _rows = _logged(story, rows, "released", held[0].agency)
    after = [replace(row, holds=row.holds - 1) for row in rows]
    holds = [replace(row, released=first + at) for at, row in enumerate(held)]
    return replace(commit, deliveries=after, holds=holds), after


def wrapped_anew(story: Story, stanzas: Sequence[StanzaRow], day: int) -> Commit:
    """A commit without leaves by which stanzas are kept for a later day."""
    rows = [replace(row, due_day=day, sealed=b"anew " + row.sealed) for row in stanzas]
    return story.leaves([], stanzas=rows)


def copies(story: Story, commit: Commit, recipient: str) -> Commit:
    """A commit that admits every bulletin of `commit` for one more recipient."""
    first = story.tree.size
    rows = [
        story.delivery(row.id, row.sender, recipient, first + at)
        for at, row in enumerate(commit.bulletins)
    ]
    consigned, _after = _logged(story, rows, "submitted")
    stanzas = [StanzaRow(row.bulletin, recipient, row.due_day, b"another") for row in rows]
    return replace(consigned, deliveries=rows, stanzas=stanzas)


def _logged(
    story: Story,
    rows: Sequence[DeliveryRow],
    event: str,
    agency: str | None = None,
    state: str | None = None,
    deadline: int | None = 0,
) -> tuple[Commit, list[DeliveryRow]]:
    """One entry about each delivery: in its corridor, or in the agency's own.

    Args:
        state, deadline: of the rows afterwards; left as they are without a state.
    """
    first = story.tree.size
    pairs = [(row.sender, row.recipient) if agency is None else (agency, agency) for row in rows]
    entries = [
        story.entry(first + at, *pair, event, row.bulletin)
        for at, (pair, row) in enumerate(zip(pairs, rows, strict=True))
    ]
    after = list(rows)
    if state is not None:
        after = [
            replace(row, state=state, last=first + at, deadline=deadline)
            for at, row in enumerate(rows)
        ]
    said = [digest(event, row.bulletin, row.recipient, first + at) for at, row in enumerate(rows)]
    commit = story.leaves(
        [digest("leaf", identity) for identity in said],
        entries=entries,
        deliveries=[] if state is None else after,
        statements={
            (row.bulletin, identity, pair[1]): first + at
            for at, (row, identity, pair) in enumerate(zip(rows, said, pairs, strict=True))
        },
        corridors={pair: story.corridors[pair] for pair in pairs},
    )
    return commit, after
