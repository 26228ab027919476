"""What a verdict means in plain sentences of one language: for the page and for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from saphan_protocol.bundle.facts import EventSeen, KeySeen, Proof
from saphan_protocol.bundle.report import Finding, Remark, Verdict
from saphan_protocol.pins import origin_number
from saphan_schemas.messages import has_text, text

from saphan.pages.saying import stamp

OBVIOUS: Final = ("no_answer",)
"""Codes that say no more than their event."""
KEY_DIGITS: Final = 16
"""Of a key id: enough to find it in a list; its words tell keys apart."""


def verdict_sentences(verdict: Verdict, lang: str) -> tuple[str, ...]:
    """The verdict explained; for an invalid bundle also where and why."""
    said = [text(f"verdict.{verdict.outcome.value}_says", lang)]
    if verdict.finding is not None:
        said += _finding(verdict.finding, lang)
    else:
        said.append(text(f"verdict.rests_on{'_pinned' if verdict.pinned else ''}", lang))
        said.append(text("verdict.meaning", lang))
        said += _which_log(verdict, lang)
    return tuple(said)


def _which_log(verdict: Verdict, lang: str) -> Iterator[str]:
    """Of a broker that has lost a log: which of its logs tells this story."""
    origin = verdict.pins[1].origin
    before = None
    for seen in verdict.successions:
        named = {"lost": seen.lost, "follows": seen.follows}
        before = before or (seen if seen.follows == origin else None)
        key = "log_followed" if seen.lost == origin else "log_follows"
        yield text(f"verdict.{key}", lang, **named)
    if before is None and origin_number(origin)[1] > 1:
        yield text("verdict.log_later", lang, origin=origin)


def paper_words(verdict: Verdict, lang: str) -> Iterator[tuple[str, bytes]]:
    """What a reader compares with paper: label and 32-byte digest, whose words are shown.

    The agreement's words cover the logs' keys and every party's roots.
    """
    if verdict.pins_digest is not None:
        directory, evidence = (pin.origin for pin in verdict.pins)
        named = {"directory": directory, "evidence": evidence}
        yield text("sheet.words_logs", lang, **named), verdict.pins_digest
    for agreement in verdict.agreements:
        names = ", ".join(party.agency for party in agreement.parties)
        named = {"reference": agreement.reference, "title": agreement.title, "names": names}
        yield text("sheet.words_agreement", lang, **named), agreement.name


def remark_sentence(remark: Remark, area: str, lang: str) -> str:
    """A gap (`area` "gap") or a thing unproven (`area` "unproven"), and what it is about."""
    key = f"{area}.{remark.code}"
    values = dict(_shown(name, value, lang) for name, value in remark.values.items())
    said = text(key, lang, **values) if has_text(key) else remark.code
    written = text(key, **{name: f"{{{name}}}" for name in values}) if has_text(key) else ""
    about = [
        text(f"remark.{name}", lang, **{name: value})
        for name, value in values.items()
        if f"{{{name}}}" not in written and has_text(f"remark.{name}")
    ]
    return f"{said} ({'; '.join(about)})" if about else said


def proven_sentences(verdict: Verdict, lang: str) -> Iterator[str]:
    """What whoever holds this bundle can show to anybody; nothing, if it is invalid."""
    if verdict.finding is not None:
        return
    for event in verdict.events:
        yield event_sentence(event, lang)
    yield from _witnessed(verdict, lang)
    if verdict.bulletin is not None and 0 in verdict.bulletin.shown:
        yield text("proven.bodies", lang)
    if verdict.disclosure is not None:
        shown = verdict.disclosure
        yield text("proven.disclosed", lang, agency=shown.agency, to=shown.to)
    if verdict.content is not None:
        yield text("proven.content", lang, authors=authors_text(verdict.content.authors, lang))
    for seen in verdict.successions:
        named = {"lost": seen.lost, "follows": seen.follows, "size": f"{seen.size:,}"}
        yield text("proven.succession", lang, **named)
    if verdict.pinned:
        yield text("proven.pinned", lang)


def _witnessed(verdict: Verdict, lang: str) -> Iterator[str]:
    """How many of the events are in the evidence log as witnesses have signed it, and who did."""
    bounded = [event for event in verdict.events if event.bound is not None]
    heads = [head for head in verdict.heads if head.log == "evidence"]
    names = ", ".join(sorted({seen.agency for head in heads for seen in head.witnesses}))
    if bounded:
        counts = {"count": len(bounded), "all": len(verdict.events)}
        yield text("proven.witnessed", lang, names=names, **counts)


def event_sentence(event: EventSeen, lang: str) -> str:
    """Who said what, and that it was logged."""
    key = f"proven.{event.event}"
    if has_text(f"{key}_{event.code}"):  # a reading by a system, an export that is no disclosure
        key = f"{key}_{event.code}"
    if event.proof is Proof.UNSIGNED:
        key = "proven.unsigned"
    return text(
        key,
        lang,
        sender=event.sender,
        recipient=event.recipient,
        issuer=issuer_text(event.issuer, lang),
        event=event_text(event.event, lang),
        code=_code(event.code, lang),
        time=stamp(event.time),
    )


def event_text(event: str, lang: str) -> str:
    """An event in words; one of a newer program as it is written."""
    key = f"event.{event}"
    return text(key, lang) if has_text(key) else event


def event_label(event: EventSeen, several: bool, lang: str) -> str:
    """An event in a few words: for whom, where there are several, and why, where a code says it."""
    if by_system(event):
        return text("sheet.read_system", lang)
    other = several and event.recipient != event.issuer
    about = f": {event.recipient}" if other else ""
    why = "" if event.code in (None, *OBVIOUS) else f" ({code_text(event.code or '', lang)})"
    return event_text(event.event, lang) + about + why


def code_text(code: str, lang: str) -> str:
    """A statement's code in words; one that has none as it is."""
    key = f"code.{code}"
    return text(key, lang) if has_text(key) else code


def issuer_text(issuer: str, lang: str) -> str:
    """An agency by its name, the broker in words."""
    return text("sheet.broker", lang) if issuer == "broker" else issuer


def authors_text(authors: tuple[KeySeen, ...], lang: str) -> str:
    """Who signed the content: handles, or the node where a machine wrote it."""
    return ", ".join(
        f"{key.handle} ({key.agency})"
        if key.handle
        else text("sheet.node", lang, agency=key.agency)
        for key in authors
    )


def by_system(event: EventSeen) -> bool:
    """Whether a machine took it in, and no officer read it."""
    return (event.event, event.code) == ("read", "system")


def _code(code: str | None, lang: str) -> str:
    """In words, and exactly."""
    said = "-" if code is None else code_text(code, lang)
    return said if said in ("-", code) else f"{said}; {code}"


def _finding(finding: Finding, lang: str) -> Iterator[str]:
    what = text(f"evidence_step.{finding.step.value}", lang)
    yield text("verdict.failed_at", lang, step=finding.step.value, what=what)
    yield text("verdict.failed_why", lang, message=finding.message, code=finding.code)


def _shown(name: str, value: str | int, lang: str) -> tuple[str, str | int]:
    """A remark's value as the catalogue's texts name it; of a key's id the beginning."""
    if name == "key":
        return "key_id", str(value)[:KEY_DIGITS]
    return name, event_text(str(value), lang) if name == "code" else value
