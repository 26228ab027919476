"""A commit as the arguments of its script: few commands, each for many rows."""

from __future__ import annotations

from collections.abc import Mapping

from saphan_broker.store.base import Commit, EntryRow
from saphan_broker.store.redis import packing, retained
from saphan_broker.store.redis.before import NOTHING, Before, newest
from saphan_broker.store.redis.keys import WIDTH, Keys
from saphan_broker.store.redis.line import Argument
from saphan_broker.store.redis.words import Words, add, add_pairs, add_some


def new_keys(keys: Keys, commit: Commit) -> list[bytes]:
    """Keys that nothing admitted may be stored under yet: of each bulletin, and of its nonce."""
    found: dict[bytes, None] = {}
    for row in commit.bulletins:
        for key in (keys.bulletin(row.id), keys.nonce(row.sender, row.nonce)):
            if key in found:
                raise RuntimeError("commit: a bulletin or its nonce comes twice")
            found[key] = None
    return list(found)


def operations(
    keys: Keys, commit: Commit, in_objects: Mapping[bytes, str], before: Before = NOTHING
) -> Words:
    """Everything but the head, as counted words.

    Args:
        in_objects: names of the objects that hold the ciphertexts of some bulletins.
        before: of the deliveries that are moved, destroyed or held.
    """
    words: Words = []
    _log(words, keys, commit)
    if commit.log == "evidence":
        _bulletins(words, keys, commit, in_objects)
        touched = _known_bulletins(words, keys, commit)
        touched |= retained.operations(words, keys, commit, before)
        for id_ in touched:
            add(words, "touch", keys.bulletin(id_), id_)
        _mailboxes(words, keys, commit)
    return words


def _log(words: Words, keys: Keys, commit: Commit) -> None:
    entries: dict[int, EntryRow] = {row.index: row for row in commit.entries}
    blocks: dict[int, Words] = {}
    for index, leaf in enumerate(commit.leaves, commit.expected.size):
        block = blocks.setdefault(index // WIDTH, [])
        block += (index % WIDTH, packing.pack_leaf(leaf, entries.get(index)))
    for n, pairs in blocks.items():
        add(words, "HSET", keys.block(n), *pairs)
    tiles = {b"%d/%d" % key: data for key, data in commit.tiles.items()}
    add_pairs(words, "HSET", keys.tiles, tiles.items())
    add_pairs(words, "HSET", keys.packages, commit.packages.items())
    anchors = [(row.index, packing.pack_anchor(row)) for row in commit.anchors]
    add_pairs(words, "ZADD", keys.anchors, anchors)
    touched = {row.index // WIDTH for row in commit.entries}
    for n in touched:
        for row in commit.signatures:
            field = packing.signature_field(packing.signature_key(row))
            add(words, "HSETNX", keys.signatures(n), field, row.signature)


def _bulletins(words: Words, keys: Keys, commit: Commit, in_objects: Mapping[bytes, str]) -> None:
    """New ones: each with all that this commit says about it in one command."""
    rows: dict[bytes, Words] = {}
    for row in commit.bulletins:
        fields: Words = [packing.FACTS, packing.pack_facts(row), packing.HEADER, row.header]
        if row.id in in_objects:
            fields += (packing.OBJECT, in_objects[row.id])
            add(words, "ZREM", keys.bodies, in_objects[row.id])
        else:
            fields += (packing.CIPHERTEXT, row.ciphertext)
        rows[row.id] = fields
        add(words, "SET", keys.nonce(row.sender, row.nonce), row.id)
    waiting = dict.fromkeys(rows, 0)
    due: list[tuple[Argument, Argument]] = []
    for delivery in newest(commit).values():
        if delivery.bulletin in rows:
            packed = packing.pack_delivery(delivery)
            rows[delivery.bulletin] += (packing.delivery_field(delivery.recipient), packed)
            if delivery.deadline is not None:
                waiting[delivery.bulletin] += 1
                due.append((delivery.deadline, packing.due_member(delivery)))
    for stanza in commit.stanzas:
        if stanza.bulletin in rows:
            field = packing.stanza_field(stanza.recipient)
            rows[stanza.bulletin] += (field, packing.pack_stanza(stanza))
    for (id_, identity, recipient), index in commit.statements.items():
        if id_ in rows:
            rows[id_] += (packing.statement_field(identity, recipient), index)
    for id_, fields in rows.items():
        add(words, "HSET", keys.bulletin(id_), packing.WAITING, waiting[id_], *fields)
    add_pairs(words, "ZADD", keys.due, due)
    retained.admitted(words, keys, commit)
    # Refused before, so it was finished.
    add_some(words, "ZREM", keys.done, [id_ for id_, number in waiting.items() if number])
    done = [(commit.head.size, id_) for id_, number in waiting.items() if not number]
    add_pairs(words, "ZADD", keys.done, done)


def _known_bulletins(words: Words, keys: Keys, commit: Commit) -> dict[bytes, None]:
    """What happened to bulletins that were there before, or are in the archive; gives which."""
    new = {row.id for row in commit.bulletins}
    fields: dict[bytes, Words] = {}
    for delivery in newest(commit).values():
        if delivery.bulletin not in new:
            field = packing.delivery_field(delivery.recipient)
            pairs = fields.setdefault(delivery.bulletin, [])
            pairs += (field, packing.pack_delivery(delivery))
            deadline = "" if delivery.deadline is None else delivery.deadline
            key, member = keys.bulletin(delivery.bulletin), packing.due_member(delivery)
            add(words, "deliver", key, member, deadline)
    for stanza in commit.stanzas:
        if stanza.bulletin not in new:
            field = packing.stanza_field(stanza.recipient)
            fields.setdefault(stanza.bulletin, []).extend((field, packing.pack_stanza(stanza)))
    for id_, pairs in fields.items():
        add(words, "HSET", keys.bulletin(id_), *pairs)
    for (id_, identity, recipient), index in commit.statements.items():
        if id_ not in new:
            # The first index stays: it is the first answer that is given again.
            field = packing.statement_field(identity, recipient)
            add(words, "HSETNX", keys.bulletin(id_), field, index)
            fields.setdefault(id_, [])
    return dict.fromkeys(fields)


def _mailboxes(words: Words, keys: Keys, commit: Commit) -> None:
    for row in commit.entries:
        for agency in {row.sender, row.recipient}:
            add(words, "XADD", keys.box(agency), b"%d-0" % (row.index + 1), b"", b"")
    ends = [
        (packing.corridor_field(pair), packing.encode(end))
        for pair, end in commit.corridors.items()
    ]
    add_pairs(words, "HSET", keys.corridors, ends)
