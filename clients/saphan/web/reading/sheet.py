"""What the page and the paper of one bulletin show, put into words once."""

from __future__ import annotations

from typing import Any, Final

from saphan_protocol.words import word_lines
from saphan_schemas.limits import DAY_MS
from saphan_schemas.messages import has_text, text

from saphan.desk.desk import Desk
from saphan.showing.comparing import changes, left_out
from saphan.showing.document import document
from saphan.showing.items import Document
from saphan.web.inbox.rows import Rows
from saphan.web.reading.found import Found, look, relations
from saphan.web.reading.happened import drawing, event_text, happened, reason, why
from saphan.web.reading.threaded import owing, thread
from saphan.web.seeking.words import type_words

Json = dict[str, Any]
REPLACING: Final = ("corrects", "supersedes")
SAME: Final = ("sender", "schema", "exercise")
"""Of the headers of both: as `saphan.threads.rules.may_replace` has it, within one version."""
STANDING: Final = frozenset({"holds", "misses"})
"""Of a relation, as the node tells it: `misses` stands here, though others have not got it."""


def sheet(desk: Desk, found: Found, rows: Rows, lang: str) -> Json:
    """Values for `reading/page.html` and `reading/paper.html`; blocking, in the desk's thread."""
    doc = _document(found, found.content, lang)
    life = found.life
    before = _before(desk, found)
    earlier = None if before is None else _document(*before, lang)
    return {
        "found": found,
        "header": found.header,
        "doc": doc,
        "was": changes(earlier, doc),
        "gone": left_out(earlier, doc),
        "type_words": type_words(found.header["schema"], lang),
        "titles": () if doc is None else doc.title,
        "notices": _notices(found, lang),
        "replaced_by": found.standing.get("replaced_by", ()),
        "thread": thread(desk, found, rows.get, lang),
        "owing": owing(found, lang),
        "deliveries": _deliveries(found, lang),
        "events": () if life is None else happened(life, lang),
        "drawing": None if life is None else drawing(life, lang),
        "sealed": () if life is None else life["attachments"],
        "fingerprint": word_lines(bytes.fromhex(found.id)),
        "retain_ms": found.header["retain_until"] * DAY_MS,
        "stands": stands(found),
        "handed": life is not None and any(e["event"] == "handover" for e in life["timeline"]),
        "recallable": found.own and not found.standing.get("recalled"),
    }


def stands(found: Found) -> bool:
    """Whether neither its sender has taken it back nor another one took its place."""
    said = found.standing
    return not (said.get("recalled") or said.get("replaced_by") or said.get("erased"))


def _document(found: Found, content: Json | None, lang: str) -> Document | None:
    if content is None:
        return None
    schema = found.header["schema"]
    return document(schema, found.bundle, content, lang, (lang, *found.languages))


def _before(desk: Desk, found: Found) -> tuple[Found, Json] | None:
    """The bulletin whose place this one rightly takes, if it was opened here."""
    named = (one for kind, one in relations(found.content) if kind in REPLACING)
    for bulletin in (one for one in named if one not in _in_vain(found)):
        earlier = look(desk, bulletin, None)
        if earlier is None or earlier.content is None:
            continue
        # Only its own sender replaces a bulletin, whatever the content of another one names (T3).
        if all(earlier.header[name] == found.header[name] for name in SAME):
            return earlier, earlier.content
    return None


def _in_vain(found: Found) -> frozenset[str]:
    """Bulletins that the node says this one does not take the place of."""
    named = (found.life or {}).get("relations", ())
    return frozenset(one["id"] for one in named if one["stands"] not in STANDING)


def _notices(found: Found, lang: str) -> list[tuple[str, str]]:
    """What an officer has to know before they use it: (tone, sentence)."""
    said, notices = found.standing, list[tuple[str, str]]()

    def say(name: str, tone: str, **values: object) -> None:
        notices.append((tone, text(f"page.reading.{name}", lang, **values)))

    if said.get("recalled"):
        say("recalled", "bad", why=why(_code(said["recalled"]), lang))
    if said.get("erased"):
        say("erased", "bad", why=why(_code(said["erased"]), lang))
    if said.get("suppressed"):
        say("suppressed", "warn")
    office = _other_office(found)
    if office is not None:
        say("other_office", "warn", office=office, sender=found.header["sender"])
    return notices


def _code(said: Any) -> str:
    return said if isinstance(said, str) else ""


def _other_office(found: Found) -> str | None:
    """The sender is proven; whatever office the content names is only said, and may be another."""
    about = {} if found.content is None else found.content["about"]
    office, stated = found.header["sender"].upper().replace(".", "-"), about.get("originator")
    if isinstance(stated, str) and not f"{stated}-".startswith(f"{office}-"):
        return stated
    return None


def _deliveries(found: Found, lang: str) -> list[tuple[str, str, str]]:
    """(recipient, state in words, why) of each."""
    rows = []
    for one in (found.life or {}).get("deliveries", ()):
        key, state = f"state.{one['state']}", one["state"]
        handed = "handover" if state == "handed_over" else state
        words = text(key, lang) if has_text(key) else event_text(handed, lang, one["code"])
        rows.append((one["recipient"], words, reason(handed, one["code"], lang)))
    return rows
