"""The table: every effect of every use case, what follows when it fails, and who must act.

A row stands for four runs, one for each fault. `running.py` runs them, and fails for an effect
that no row names; `page.py` writes the table down as `docs/fault-matrix.md`.
"""

from __future__ import annotations

from collections.abc import Iterator

from support.bridge import KH, LA

from matrix.effects import Effect
from matrix.rows import DELIVERED, Acts, Progress, Row
from matrix.seams import BROKER, DESK, FRESH


def _logged(use_case: str, story: str, what: str, log: str = "evidence") -> Iterator[Row]:
    """The broker's three durable steps of whatever is logged.

    Nodes bring evidence again by themselves; who brings an operation waits for its answer.
    """
    acts = Acts.AGAIN if log == "directory" and story != "hold" else Acts.NOBODY
    for step in (f"commits {what}", f"writes {log}.head {what}", f"keeps the note over {what}"):
        alike = story != DELIVERED
        yield Row(use_case, story, Effect(BROKER, step), Progress.SETTLED, acts, alike=alike)


def _told(use_case: str, story: str, what: str, *whose: str) -> Iterator[Row]:
    """The feed brings it, and nodes keep it."""
    effects = [Effect(BROKER, f"sends Feed {what}")]
    effects += [Effect(node, f"node/storing.py:store {what}") for node in whose]
    for effect in effects:
        yield Row(use_case, story, effect, Progress.FED_AGAIN, alike=story != DELIVERED)


def _says(use_case: str, story: str, node: str, what: str) -> Row:
    return Row(use_case, story, Effect(node, f"sends State {what}"), Progress.SENT_AGAIN)


def _asked(use_case: str, story: str, node: str, place: str) -> Row:
    """Whoever asks for it hears of it."""
    return Row(use_case, story, Effect(node, place), Progress.TOLD, Acts.ASKER)


def _looks(use_case: str, story: str, node: str, *places: str) -> Iterator[Row]:
    for place in places:
        yield Row(use_case, story, Effect(node, place), Progress.LOOKED)


def _delivery() -> Iterator[Row]:
    story = DELIVERED
    yield _asked("submit", story, LA, "node/outbox.py:Outbox._keep")
    yield Row("submit", story, Effect(LA, "sends Submit"), Progress.SENT_AGAIN)
    yield from _logged("submit", story, "submitted")
    yield Row("submit", story, Effect(BROKER, "sends Answer"), Progress.SENT_AGAIN)
    yield from _told("submit", story, "consignment")
    yield Row("submit", story, Effect(LA, "node/storing.py:store submitted"), Progress.FED_AGAIN)
    yield Row("submit", story, Effect(LA, "sends Ack"), Progress.FED_AGAIN)
    yield Row("hand over", story, Effect(KH, "node/storing.py:store submitted"), Progress.FED_AGAIN)
    yield Row("hand over", story, Effect(KH, "sends Ack"), Progress.FED_AGAIN)
    yield _says("hand over", story, KH, "handover")
    yield from _logged("hand over", story, "handover")
    yield from _told("release", story, "handover", KH, LA)
    yield _says("accept", story, KH, "accepted")
    yield from _logged("accept", story, "accepted")
    yield from _told("accept", story, "accepted", LA, KH)


def _after() -> Iterator[Row]:
    yield _asked("read", "read", KH, "node/officers/readings.py:Readings._note")
    yield _says("read", "read", KH, "read")
    yield from _logged("read", "read", "read")
    yield from _told("read", "read", "read", KH, LA)
    one = "consign anew"
    yield _says(one, "anew", KH, "unopened")
    yield from _logged(one, "anew", "unopened")
    yield from _told(one, "anew", "unopened", KH, LA)
    yield from _looks(one, "anew", LA, "node/outbox.py:Outbox._keep_anew")
    yield from _logged(one, "anew", "consigned")
    for node in (KH, LA):
        yield Row(one, "anew", Effect(node, "node/storing.py:store consigned"), Progress.FED_AGAIN)
    yield _asked("recall", "recall", LA, "node/recall/ordering.py:Ordering._keep")
    yield _says("recall", "recall", LA, "recalled")
    for what in ("recalled", "obeyed", "erased"):
        yield from _logged("recall", "recall", what)
        yield from _told("recall", "recall", what, KH, LA)
    yield from _looks(
        "recall",
        "recall",
        KH,
        "node/recall/answering.py:Answering._say",
        "node/retention/erasing.py:Erasing._destroy",
        "node/retention/erasing.py:Erasing._finish",
        "destroys attachments",
    )
    yield _says("recall", "recall", KH, "obeyed")
    yield _says("recall", "recall", KH, "erased")
    for what in ("_close", "look"):
        place = Effect(LA, f"node/recall/ordering.py:Ordering.{what}")
        yield Row("recall", "recall", place, Progress.LOOKED, Acts.PERHAPS)
    yield _asked("hold", "hold", KH, "node/holding/orders.py:HoldOrders.take")
    yield from _logged("hold", "hold", "hold", "directory")
    sorting = Effect(KH, "node/holding/sorting.py:Sorting.look")
    yield Row("hold", "hold", sorting, Progress.LOOKED, Acts.PERHAPS)
    yield from _looks("hold", "hold", KH, "node/holding/saying.py:Saying._say_held")
    yield _says("hold", "hold", KH, "held")
    yield from _logged("hold", "hold", "held")
    yield from _told("hold", "hold", "held", KH)


def _directory() -> Iterator[Row]:
    yield _asked("rotate", "rotate", KH, "create_file N.key")
    kept = Effect(KH, "create_file N.saphan")
    yield Row("rotate", "rotate", kept, Progress.TOLD, Acts.KEPT)
    yield from _logged("rotate", "rotate", "operation", "directory")
    again = Progress.TOLD, Acts.AGAIN
    yield Row("register", "register", Effect(KH, "sends Register"), *again)
    yield from _logged("register", "register", "agreement", "directory")
    yield Row("register", "register", Effect(BROKER, "sends DirectoryLeaves"), Progress.FED_AGAIN)
    for node in (KH, LA):
        place = "node/logs.py:Logs._persist_directory"
        yield Row("register", "register", Effect(node, place), Progress.FED_AGAIN)
    yield from _logged("register", "register", "anchor")
    yield Row("revoke", "revoke", Effect(KH, "sends Register"), *again)
    yield from _logged("revoke", "revoke", "operation", "directory")


def _time() -> Iterator[Row]:
    yield from _logged("expire", "expire", "expired")
    yield from _told("expire", "expire", "expired", LA)
    for log in ("directory", "evidence"):
        step = f"writes {log}.head {FRESH}"
        yield Row("cosign", "cosign", Effect(BROKER, step), Progress.SETTLED)
    step = f"keeps the note over {FRESH}"
    yield Row("cosign", "cosign", Effect(BROKER, step), Progress.SETTLED)
    yield Row("cosign", "cosign", Effect(BROKER, "sends Feed"), Progress.FED_AGAIN)
    for node in (KH, LA):
        yield Row("cosign", "cosign", Effect(node, "node/storing.py:store"), Progress.FED_AGAIN)
        for what in ("replace_file witness.json", "sends Cosign"):
            yield Row("cosign", "cosign", Effect(node, what), Progress.SENT_AGAIN)
    yield from _logged("destroy", "destroy", "destroyed")
    yield from _told("destroy", "destroy", "destroyed", KH, LA)
    for file in ("days.seed", "retention.json"):
        yield Row("destroy", "destroy", Effect(BROKER, f"writes {file}"), Progress.LOOKED)
    what = "destroys attachments"
    yield Row("destroy", "destroy", Effect(BROKER, what), Progress.LOOKED)
    for node in (KH, LA):
        yield Row("destroy", "destroy", Effect(node, what), Progress.LOOKED)
        yield from _looks(
            "destroy",
            "destroy",
            node,
            "node/retention/erasing.py:Erasing._destroy",
            "node/retention/erasing.py:Erasing._finish",
            "destroy_file N",
        )
        yield _says("destroy", "destroy", node, "erased")


def _attachments() -> Iterator[Row]:
    sent, fetched, story = "submit with attachments", "hand over with attachments", "attach"
    on = Progress.WHERE_IT_STOPPED
    yield _asked(sent, story, LA, "places what it has sealed")
    for whose, what in (
        (LA, "sends Offer"),
        (LA, "sends Part"),
        (BROKER, "stages a part"),
        (BROKER, "sends Held"),
        (LA, "node/wire/uploading.py:Uploading._mark"),
    ):
        yield Row(sent, story, Effect(whose, what), on)
    yield Row(sent, story, Effect(BROKER, "places attachments"), Progress.SENT_AGAIN)
    for whose, what in (
        (KH, "sends FetchPart"),
        (BROKER, "sends PartFetched"),
        (KH, "has a part whole"),
        (KH, "node/wire/fetching.py:Fetching._keep"),
        (KH, "node/recovery.py:Recovery._state_handovers"),
    ):
        yield Row(fetched, story, Effect(whose, what), on)


def _more() -> Iterator[Row]:
    one = "four eyes"
    yield _asked(one, one, LA, "node/drafts_kept.py:DraftsKept._insert")
    yield _asked(one, one, LA, "node/officers/showings.py:Showings.read")
    yield _asked(one, one, LA, "node/outbox.py:Outbox._keep")
    one = "release a hold"
    yield _asked(one, one, KH, "node/holding/orders.py:HoldOrders.take")
    yield from _looks(
        one,
        one,
        KH,
        "node/holding/orders.py:HoldOrders.hear",
        "node/holding/saying.py:Saying._release_some",
    )
    yield _says(one, one, KH, "released")
    yield from _logged(one, one, "released")
    yield from _told(one, one, "released", KH)
    one = "register an own type"
    yield _asked(one, "own type", KH, "node/own_schemas.py:OwnSchemas.handed_in")
    yield from _logged(one, "own type", "schema", "directory")
    yield _asked(one, "own type", KH, "node/own_schemas.py:OwnSchemas.keep")


def _beside() -> Iterator[Row]:
    """What belongs to no use case, or happens in some runs only: it fails where it happens."""
    for what in ("sends Challenge", "sends Welcome", "sends Witnessed"):
        yield Row("beside", "destroy", Effect(BROKER, what), Progress.SENT_AGAIN, sure=False)
    for what in ("sends Proofs", "keeps a cosignature"):
        yield Row("beside", "cosign", Effect(BROKER, what), Progress.SENT_AGAIN, sure=False)
    for what in ("sends DeskClosing", "sends DeskNews"):
        yield Row("beside", "desk sends", Effect(KH, what), Progress.DESK, Acts.OFFICER, sure=False)
    for what in ("replace_file N", "desk/keeping.py:Keeping._adopt"):
        effect = Effect(DESK, what)
        yield Row("beside", "desk sends", effect, Progress.DESK, Acts.OFFICER, sure=False)
    for story, places in BESIDE.items():
        for whose in (KH, LA):
            for place in places:
                effect = Effect(whose, place)
                yield Row("beside", story, effect, Progress.LOOKED, sure=False)
    for whose in (KH, LA):
        for place in SELDOM:
            effect = Effect(whose, place)
            yield Row("seldom", "destroy", effect, Progress.LOOKED, sure=False, seldom=True)
    together = Effect(DESK, "desk/store.py:DeskStore._together")
    yield Row("seldom", "desk sends", together, Progress.DESK, Acts.OFFICER, False, seldom=True)


def _desk() -> Iterator[Row]:
    """An officer's machine, and the node's side of its line."""
    for use_case, story, at_desk, at_node in (
        ("submit at a desk", "desk sends", DESK_SENDS, NODE_TAKES),
        ("read at a desk", "desk reads", DESK_READS, NODE_SHOWS),
    ):
        for whose, effects in ((DESK, at_desk), (KH, at_node)):
            for what in effects:
                acts = Acts.DESK if what in DESKS_DISK else Acts.OFFICER
                acts = Acts.ASKER if what in NODE_SHOWS else acts
                yield Row(use_case, story, Effect(whose, what), Progress.DESK, acts)
        if story == "desk sends":  # the other way round than in a delivery's story
            yield Row(use_case, story, Effect(KH, "sends Submit"), Progress.SENT_AGAIN)
            for what in ("handover", "accepted"):
                yield _says(use_case, story, LA, what)


DESKS_DISK = (
    "desk/inbox.py:Inbox._keep_corridors",
    "desk/inbox.py:Inbox._keep_page",
    "desk/inbox.py:Inbox.keep",
    "desk/keeping.py:Keeping.told",
    "desk/outbox.py:Outbox._sent",
    "desk/outbox.py:Outbox.queue",
    "desk/store.py:DeskStore.end_days",
)
DESK_READS = ("desk/inbox.py:Inbox.keep", "sends AskRead")
DESK_SENDS = (
    *(what for what in DESKS_DISK if what not in DESK_READS),
    "desk/outbox.py:Outbox._change",
    "sends AskIdentity",
    "sends AskInbox",
    "sends AskKeeping",
    "sends AskSend",
)
NODE_TAKES = (
    "node/exports/copies.py:DeskCopies.given",
    "node/outbox.py:Outbox._keep",
    "sends DeskAnswer",
    "sends DeskChallenge",
    "sends DeskWelcome",
)
NODE_SHOWS = ("node/officers/showings.py:Showings.note",)


def _commands() -> Iterator[Row]:
    """What runs once, from a shell."""
    made = "makes durable the"
    for use_case, story, whose, files in (
        ("copy", "broker copy", BROKER, COPIED),
        ("copy", "broker copy back", BROKER, COPIED_BACK),
        ("back up", "broker backup", BROKER, BACKED_UP),
        ("back up", "node backup", LA, NODES_BACKUP),
    ):
        for file in files:
            effect = Effect(whose, f"{made} {file}")
            yield Row(use_case, story, effect, Progress.RUN_AGAIN, Acts.COMMAND)


COPIED = ("file N", "file store.moved.part", "folder of its own")
COPIED_BACK = ("file broker.db.new", *COPIED)
BACKED_UP = (
    "file broker.db.new",
    "file N",
    "file pins.json.part",
    "file invitation.json.part",
    "file backup.json.part",
    "folder of its own",
)
NODES_BACKUP = ("file .a.data.part", "file .backup.json.N.new", "folder of its own")
BESIDE = {
    "deliver": ("node/retaining/reckoner.py:Reckoner.step",),
    "cosign": ("sends AskProofs",),
    "expire": ("node/telling/warnings.py:Warnings._tell",),
    "destroy": (
        "node/budget.py:Budget.save",
        "node/logs.py:Logs.take_witnessed",
        "node/proving/proofs.py:WitnessedProofs._keep",
        "node/retaining/reviews.py:Reviews._tell",
        "node/retaining/reviews.py:Reviews.ask",
        "node/retaining/sweeping.py:Sweeping._note",
        "node/subjects/index.py:SubjectIndex.settle",
        "node/subjects/indexing.py:Indexing._keep",
        "node/telling/notices.py:Notices._forget",
        "node/telling/warnings.py:Warnings._add",
    ),
}
SELDOM = (
    "node/seen_heads.py:SeenHeads._mark",
    "node/proving/gaps.py:Gaps.keep",
    "node/proving/notes_kept.py:NotesKept.look",
    "node/retaining/armed.py:Armed._write",
    "node/retaining/reckoner.py:Reckoner.begin",
    "node/subjects/index.py:SubjectIndex._adopt",
    "replace_file N",
    "replace_file subject.key",
)

ROWS = (
    *_delivery(),
    *_attachments(),
    *_after(),
    *_more(),
    *_directory(),
    *_time(),
    *_desk(),
    *_commands(),
    *_beside(),
)
