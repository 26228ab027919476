"""The paper record of a ceremony: what a page says of a root, an agency's roots, or an operation.

What stands on it is public. On paper it outlasts every disk: years later it shows which keys they
were, to people who compare words, or to a telephone that reads the code.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from saphan_protocol.words import fingerprint_words, word_lines
from saphan_schemas.errors import InvalidInput, SaphanError

from saphan.agency_file import parse_agency
from saphan.ceremony.describing import describe
from saphan.ceremony.draft_file import parse_draft
from saphan.ceremony.holder import parse_root_half
from saphan.ceremony.operation_draft import OperationDraft
from saphan.ceremony.qr import qr_lines

Say = Callable[..., str]
CODE_START: Final = "SAPHAN:"
ROOT_CODE: Final = CODE_START + "ROOT:"
OPERATION_CODE: Final = CODE_START + "OPERATION:"
_CODES: Final = (ROOT_CODE, OPERATION_CODE)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A key or operation as words and as a QR code.

    Args:
        name: holder or agency, as a person knows it.
        digest: 32 bytes.
        code: what the QR code says; capital letters and digits make it small.
        marks: keys of the catalogue that say what is special about it.
    """

    name: str
    digest: bytes
    code: str
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Paper:
    """A record to be printed.

    Args:
        title: key of the catalogue.
        facts: (key of the catalogue, value).
        changes: of an operation: (key of the action, key of the role, whose, key id).
        fingerprints: in the order in which they are compared.
        signers: names of those who sign the page by hand; "" leaves the name to be written.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    fingerprints: tuple[Fingerprint, ...]
    changes: tuple[tuple[str, str, str, str], ...] = ()
    signers: tuple[str, ...] = ("",)

    def value(self) -> dict[str, Any]:
        """The record as JSON."""
        return {
            "fingerprints": [
                {
                    "of": each.name,
                    "digest": each.digest.hex(),
                    "words": fingerprint_words(each.digest),
                    "code": each.code,
                }
                for each in self.fingerprints
            ],
        }

    def lines(self, say: Say) -> Iterator[str]:
        """The record on a terminal, QR codes included."""
        yield say(self.title)
        yield from (f"{say(label)}: {value}" for label, value in self.facts)
        for action, role, whose, key_id in self.changes:
            yield " ".join(f"{say(action)} {say(role)} {whose} {key_id[:16]}".split())
        for each in self.fingerprints:
            yield ""
            yield " ".join((each.name, *(f"({say(mark)})" for mark in each.marks)))
            yield from (f"    {line}" for line in word_lines(each.digest))
            yield from qr_lines(each.code)
        yield ""
        yield say("paper.keep")


def paper_of(data: bytes) -> Paper:
    """The record of what a file holds: a root's public half, an agency's roots, or a draft.

    Raises:
        InvalidInput: `paper_unknown`; a draft's own errors, if it is one.
    """
    if b'"operation-draft/' in data[:256]:
        return _of_draft(parse_draft(data))
    for read in (_of_root, _of_agency):
        try:
            return read(data)
        except SaphanError:
            continue  # another kind of file; the last resort below says what is taken
    raise InvalidInput(
        "paper_unknown",
        "the file is no root's public half, agency file or draft",
        field="file",
        hint="give HOLDER.json, agency.json, or the draft of an operation",
    )


def parse_code(text: str) -> bytes | None:
    """The digest in a code of such a page, as a reader of QR codes gives it; None for others."""
    for start in _CODES:
        digits = text.strip().upper().removeprefix(start)
        if len(digits) == 64 and all(digit in string.hexdigits for digit in digits):
            return bytes.fromhex(digits)
    return None


def _of_root(data: bytes) -> Paper:
    half = parse_root_half(data)
    return Paper(
        "paper.title_root",
        (("paper.holder", half.holder),),
        (_root(half.holder, half.key_id),),
        signers=(half.holder,),
    )


def _of_agency(data: bytes) -> Paper:
    agency = parse_agency(data)
    many = f"{agency.threshold} / {len(agency.roots)}"
    return Paper(
        "paper.title_agency",
        (("paper.agency", agency.agency), ("paper.threshold", many)),
        tuple(_root(agency.agency, name) for name in agency.root_ids),
        signers=("",) * agency.threshold,
    )


def _of_draft(draft: OperationDraft) -> Paper:
    value = describe(draft)
    before, after = draft.present_threshold, draft.operation.threshold
    facts = [
        ("paper.agency", value["agency"]),
        ("paper.operation", str(value["version"])),
        ("paper.threshold", f"{after} / {len(draft.future)}"),
    ]
    if before and draft.changes_roots:
        facts.insert(2, ("paper.threshold_before", f"{before} / {len(draft.present)}"))
    name = f"{value['agency']} {value['version']}"
    code = OPERATION_CODE + value["identity"].upper()
    roots = value["roots"]
    return Paper(
        "paper.title_operation",
        tuple(facts),
        (Fingerprint(name, draft.identity, code), *map(_root_of_draft, roots)),
        tuple(
            (
                "paper.adds" if change["action"] == "add" else "paper.revokes",
                f"role.{change['role']}",
                change["handle"] or "",
                change["key_id"],
            )
            for change in value["changes"]
        ),
        tuple(root["holder"] or "" for root in roots if root["signed"]) or ("",),
    )


def _root_of_draft(root: dict[str, Any]) -> Fingerprint:
    marks = ["paper.signed" if root["signed"] else "paper.not_signed"]
    if root["state"] != "stays":
        marks.append(f"paper.root_{root['state']}")
    return _root(root["holder"] or "", bytes.fromhex(root["key_id"]), tuple(marks))


def _root(name: str, key_id: bytes, marks: tuple[str, ...] = ()) -> Fingerprint:
    return Fingerprint(name, key_id, ROOT_CODE + key_id.hex().upper(), marks)
