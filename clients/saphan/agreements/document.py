"""An agreement as a page that two heads of office could sign on paper (HTML, A4, no script).

Everything that root keys sign stands on it, in words of the catalogue, in one language or several
after each other; fingerprints as words, so that paper and machine form can be held side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from html import escape
from typing import Final

from saphan_protocol.agreement import AGREEMENT_TYPE
from saphan_protocol.identity import identity, sha256
from saphan_protocol.words import word_lines
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import Agreement, CorridorRule, Party
from saphan_schemas.limits import DAY_MS
from saphan_schemas.messages import has_text, text, type_key

Say = Callable[..., str]
"""`messages.text` in one language."""

STYLE: Final = """
@page { size: A4; margin: 20mm 18mm; }
body { font: 11pt/1.45 "Noto Serif", "Noto Serif Lao", "Noto Serif Khmer", "Noto Sans Lao",
  "Noto Sans Khmer", "Phetsarath OT", "Khmer OS Siemreap", serif; max-width: 174mm; margin: auto;
  overflow-wrap: anywhere; }
article + article { break-before: page; }
h1 { font-size: 16pt; margin: 0 0 2mm; }
h2 { font-size: 11.5pt; margin: 5mm 0 1mm; break-after: avoid; }
h3 { font-size: 11pt; margin: 3mm 0 1mm; break-after: avoid; }
p, ul { margin: 1mm 0; }
table { border-collapse: collapse; width: 100%; break-inside: avoid; }
th, td { border: 0.3pt solid; padding: 1mm 2mm; text-align: left; vertical-align: top; }
.words { font-family: "Noto Sans Mono", monospace; white-space: pre; margin: 1mm 0 1mm 6mm; }
.sign { display: flex; gap: 10mm; flex-wrap: wrap; }
.sign section { flex: 1 1 70mm; break-inside: avoid; }
.sign p { display: flex; margin: 9mm 0 0; }
.sign p span { flex: 1; border-bottom: 0.4pt solid; margin-left: 2mm; }
.sign .seal { border: 0.4pt dashed; height: 32mm; width: 32mm; margin: 6mm 0 0; padding: 1mm; }
footer { font-size: 8pt; margin-top: 6mm; }
"""
_PAGE_OF_PAGES: Final = 'counter(page) " / " counter(pages)'
"""At the foot of each sheet, so that none can be exchanged before the one with the signatures."""


def document(agreement: Agreement, signed: bytes, languages: Sequence[str]) -> bytes:
    """The page, UTF-8.

    Args:
        signed: the agreement's exact text, whose identity is printed.
        languages: of `messages.LANGUAGES`, one article of the page for each.
    """
    sheet = f"{agreement.reference} · {identity(AGREEMENT_TYPE, signed).hex()} · "
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="{languages[0]}"><head><meta charset="utf-8">',
        f"<title>{escape(agreement.title)}</title><style>{STYLE}"
        f'@page {{ @bottom-center {{ content: "{sheet}" {_PAGE_OF_PAGES}; font-size: 7pt; }} }}'
        "</style></head><body>",
    ]
    for lang in languages:
        parts.append(f'<article lang="{lang}">')
        parts += _article(partial(text, lang=lang), lang, agreement, signed)
        parts.append("</article>")
    parts.append("</body></html>\n")
    return "\n".join(parts).encode()


def pins_digest(agreement: Agreement) -> bytes:
    """SHA-256 over both pinned logs: whose words two offices compare, 32 bytes."""
    return sha256(encode([agreement.directory, agreement.evidence]))


def day_text(millis: int) -> str:
    """The day that begins at this instant; an instant within a day is shown whole."""
    day, rest = divmod(millis, DAY_MS)
    shown = datetime.fromtimestamp(day * DAY_MS // 1_000, UTC)
    if not rest:
        return shown.date().isoformat()
    return (shown + timedelta(milliseconds=rest)).isoformat(timespec="milliseconds")


def _article(say: Say, lang: str, agreement: Agreement, signed: bytes) -> Iterator[str]:
    name = identity(AGREEMENT_TYPE, signed)
    yield f"<p>{_t(say('page.agreement'))}</p><h1>{_t(agreement.title)}</h1>"
    yield f"<p>{_t(say('page.reference'))}: {_t(agreement.reference)}<br>"
    yield f"{_t(say('page.instrument'))}: {_t(agreement.instrument)}</p>"
    yield from _section(say("page.identity"), [say("page.identity_why")])
    yield _words(name)
    if agreement.replaces is not None:
        yield f"<p>{_t(say('page.replaces'))}</p>{_words(agreement.replaces)}"
    yield from _section(say("page.parties"), [])
    for party in agreement.parties:
        yield from _party(say, party)
    yield from _section(say("page.exchange"), [])
    yield from _corridors(say, agreement.rules)
    yield from _conditions(say, lang, agreement)
    yield from _proof(say, agreement)
    yield from _signatures(say, agreement.parties)
    yield f"<footer>{_t(say('page.machine_form', identity=name.hex()))}</footer>"


def _party(say: Say, party: Party) -> Iterator[str]:
    yield f"<h3>{_t(party.agency)}</h3>"
    count = len(party.roots)
    yield f"<p>{_t(say('page.party_roots', count=count, threshold=party.threshold))}</p>"
    for root in party.roots:
        yield _words(root)


def _corridors(say: Say, rules: Iterable[CorridorRule]) -> Iterator[str]:
    """A table for each direction: type by type, its ceiling and its retention."""
    by_pair: dict[tuple[str, str], list[CorridorRule]] = {}
    for rule in rules:
        by_pair.setdefault((rule.sender, rule.recipient), []).append(rule)
    heads = "".join(f"<th>{_t(say(key))}</th>" for key in _COLUMNS)
    for (sender, recipient), found in by_pair.items():
        yield f"<h3>{_t(say('page.direction', sender=sender, recipient=recipient))}</h3>"
        yield f"<table><thead><tr>{heads}</tr></thead><tbody>"
        for rule in found:
            ceiling = f"TLP:{rule.tlp_ceiling.upper()} – {say(f'tlp.{rule.tlp_ceiling}')}"
            days = say("page.days", days=rule.retain_days)
            for name in rule.schemas:
                cells = (f"{_type(say, name)} ({name})", ceiling, days)
                yield "<tr>" + "".join(f"<td>{_t(cell)}</td>" for cell in cells) + "</tr>"
        yield "</tbody></table>"


_COLUMNS: Final = ("label.type", "page.ceiling", "page.kept")


def _conditions(say: Say, lang: str, agreement: Agreement) -> Iterator[str]:
    yield from _section(say("page.handling"), [])
    rows = (f"<li>{code}: {_t(say(f'handling.{code}'))}</li>" for code in agreement.handling)
    yield f"<ul>{''.join(rows)}</ul>"
    codes = ", ".join(agreement.default_handling)
    yield f"<p>{_t(say('page.default_handling', codes=codes))}</p>"
    yield from _section(say("page.onward"), [say(f"onward.{agreement.onward}")])
    names = (_language(say, lang, code) for code in agreement.languages)
    yield from _section(say("page.languages"), [", ".join(names)])
    start, end = day_text(agreement.valid_from), day_text(agreement.valid_until)
    yield from _section(say("page.validity"), [say("page.validity_text", start=start, end=end)])
    ending = [say("page.ending_text"), say(f"in_flight.{agreement.in_flight}")]
    yield from _section(say("page.ending"), ending)


def _proof(say: Say, agreement: Agreement) -> Iterator[str]:
    own = "note.witnesses_own" if agreement.witnesses.own_counts else "note.witnesses"
    logs = {"directory": agreement.directory.origin, "evidence": agreement.evidence.origin}
    said = [say(own, quorum=agreement.witnesses.quorum), say("page.logs", **logs)]
    yield from _section(say("page.proof"), said)
    yield _words(pins_digest(agreement))


def _signatures(say: Say, parties: Sequence[Party]) -> Iterator[str]:
    yield f'<h2>{_t(say("page.signatures"))}</h2><div class="sign">'
    for party in parties:
        yield f"<section><h3>{_t(say('page.for_party', agency=party.agency))}</h3>"
        for key in ("page.name", "page.office", "page.signature", "page.date"):
            yield f"<p>{_t(say(key))}<span></span></p>"
        yield f'<div class="seal">{_t(say("page.seal"))}</div></section>'
    yield "</div>"


def _section(title: str, paragraphs: Iterable[str]) -> Iterator[str]:
    yield f"<h2>{_t(title)}</h2>"
    for paragraph in paragraphs:
        yield f"<p>{_t(paragraph)}</p>"


def _words(digest: bytes) -> str:
    lines = "\n".join(word_lines(digest))
    return f'<div class="words">{_t(lines)}</div>'


def _type(say: Say, schema: str) -> str:
    """A body type in words; an agency's own, and one of a later release, has its name alone."""
    key = type_key(schema)
    return schema.split("/")[1] if key is None else say(key)


def _language(say: Say, lang: str, code: str) -> str:
    key = f"language.{code}"
    return say(key) if has_text(key, lang) else code


def _t(words: str) -> str:
    return escape(words)
