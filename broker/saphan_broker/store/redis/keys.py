"""Names of the keys: one hash tag, so one slot of a cluster, for each log; nothing outside them."""

from __future__ import annotations

from saphan_broker.store.base import LOGS, Log

WIDTH = 256
"""Leaves in a block: those of one full tile."""


class Keys:
    """The keys of one log of one broker.

    head           hash    format, store (random id), size, root, time, commit (id of the last one),
                           epoch (of the lease), note_size, note, bulletins (how many),
                           forgotten (entries, from the log's beginning)
    blocks:<n>     hash    index in the block -> leaf and entry
    sigs:<n>       hash    batch signatures that entries of that block name
    tiles          hash    <level>/<n> -> hashes
    cosignatures   hash    agency -> its newest one
    cosigned       hash    agency -> size and time of that one
    packages       hash    index -> agreement package (directory)
    anchors        zset    packed row, by index
    corridors      hash    sender, 0, recipient -> number, index
    box:<agency>   stream  id <index + 1>-0; the fields say nothing
    b:<id>         hash    a bulletin, see `packing`
    n:<sender>:<nonce>     -> bulletin id
    due            zset    submitted, id, recipient; by deadline
    done           zset    bulletin id, by the log's size when its last deadline went
    bodies         zset    objects that no row names yet, by epoch (`long_bodies`)
    destroyable    zset    submitted, id, recipient of what nothing will keep; by due day
    held           zset    the same, of what a hold keeps; by the day its stanza is wrapped under
    holds          hash    target, order -> hold
    days           zset    packs with something destroyable in them, by due day (`archive.waking`)
    wiped          set     archived bulletins of which something was destroyed since
    looked         set     those of them whose packs are looked at
    dirty          set     packs of bodies in which something is not needed any more
    notes          zset    objects of packs that no index names yet, by epoch
    refs:<object>  set     packs whose bulletins have bodies in that object
    ages, said     zset    packs, by the last record day, or the last index, that they speak of
    gone           set     objects whose bulletins are destroyed or forgotten
    aged           zset    bulletins whose entries are forgotten, by record day
    old            zset    those of them that something keeps, by record day
    removed        string  counts what was removed
    rewritten      string  that count, when the server's own file was last written anew, and the
                           server's run id: a promoted replica has another file
    lease          string  who sequences (evidence)
    barrier        string  counts openings
    archive, x:<bucket>, packs:<n>, boxes:<agency>: what has left the memory, see `archive.index`
    """

    def __init__(self, name: str, log: Log) -> None:
        self.prefix = f"saphan:{{{name}/{log}}}:".encode()
        for key in ("head", "tiles", "cosignatures", "packages", "anchors", "corridors"):
            setattr(self, key, self.prefix + key.encode())
        for key in ("cosigned", "due", "done", "bodies", "lease", "barrier"):
            setattr(self, key, self.prefix + key.encode())
        for key in ("destroyable", "held", "holds", "days", "wiped", "gone", "aged", "old"):
            setattr(self, key, self.prefix + key.encode())
        for key in ("looked", "dirty", "notes", "ages", "said", "removed", "rewritten"):
            setattr(self, key, self.prefix + key.encode())

    head: bytes
    tiles: bytes
    cosignatures: bytes
    cosigned: bytes
    packages: bytes
    anchors: bytes
    corridors: bytes
    due: bytes
    done: bytes
    bodies: bytes
    destroyable: bytes
    held: bytes
    holds: bytes
    days: bytes
    wiped: bytes
    looked: bytes
    dirty: bytes
    notes: bytes
    ages: bytes
    said: bytes
    gone: bytes
    aged: bytes
    old: bytes
    removed: bytes
    rewritten: bytes
    lease: bytes
    barrier: bytes

    def block(self, n: int) -> bytes:
        return b"%sblocks:%d" % (self.prefix, n)

    def signatures(self, n: int) -> bytes:
        return b"%ssigs:%d" % (self.prefix, n)

    def box(self, agency: str) -> bytes:
        return b"%sbox:%s" % (self.prefix, agency.encode())

    def bulletin(self, id_: bytes) -> bytes:
        return b"%sb:%s" % (self.prefix, id_)

    def refs(self, name: str) -> bytes:
        """Of an object of the archive, by its name in there."""
        return b"%srefs:%s" % (self.prefix, name.encode())

    def nonce(self, sender: str, nonce: bytes) -> bytes:
        return b"%sn:%s:%s" % (self.prefix, sender.encode(), nonce)


def all_keys(name: str) -> dict[Log, Keys]:
    """The keys of both logs."""
    return {log: Keys(name, log) for log in LOGS}


def aging_keys(keys: Keys) -> tuple[bytes, ...]:
    """What `lua/aging.lua` is given."""
    return keys.head, keys.prefix + b"archive", keys.done, keys.ages
