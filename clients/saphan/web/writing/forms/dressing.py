"""Places put into words: all that a template needs of each field; it looks nothing up."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from saphan_schemas.codes import code_label, codes
from saphan_schemas.messages import text

from saphan.form.sheet import languages_from
from saphan.web.writing.forms.codes import shown
from saphan.web.writing.forms.kinds import FormKind
from saphan.web.writing.forms.walking import Boxes, Entries, Leaf, Part, Place, Texts
from saphan.web.writing.forms.widgets import Option, Widget, entry_names, widget_of

Form = Literal["field", "texts", "boxes", "entries", "part"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One place of the form.

    Args:
        form: which of the five it is.
        pointer: name of its control; id: of its element.
        name: what it is called; help: one sentence, or "".
        hint: what may be typed, or "".
        faults: sentences about it.
        there: false of a part or list that may be left out and was not begun.
        removable: a part that may be left out again, an entry that may go.
        up, down: an entry that may move.
        widget: of a field; lang: of a text in one language, else "".
        most: characters that a text may have, entries that a list may have; 0 without a bound.
        inside: of a part or list; of texts, one field for each language.
        others: of texts, (language, its name) of those that can be added.
        boxes: of boxes.
    """

    form: Form
    pointer: str
    id: str
    name: str
    help: str = ""
    hint: str = ""
    required: bool = False
    faults: tuple[str, ...] = ()
    there: bool = True
    removable: bool = False
    up: bool = False
    down: bool = False
    widget: Widget | None = None
    lang: str = ""
    most: int = 0
    inside: tuple[Node, ...] = ()
    others: tuple[tuple[str, str], ...] = ()
    boxes: tuple[Option, ...] = ()

    @property
    def open(self) -> tuple[Node, ...]:
        """What stands in a part."""
        return tuple(node for node in self.inside if node.there)

    @property
    def addable(self) -> tuple[Node, ...]:
        """What may be begun in a part."""
        return tuple(node for node in self.inside if not node.there)

    @property
    def described(self) -> str:
        """Ids of the sentences that tell of it."""
        told = (
            ("help", self.help or self.hint),
            ("beside", self.widget is not None and self.widget.beside),
            ("error", self.faults),
        )
        return " ".join(f"{self.id}-{part}" for part, says in told if says)

    @property
    def wrong(self) -> int:
        """How many faults it has, and what stands in it."""
        return len(self.faults) + sum(node.wrong for node in self.inside)

    @property
    def full(self) -> bool:
        """Whether a list takes no more entries."""
        return len(self.inside) >= self.most


@dataclass(slots=True)
class Dresser:
    """Puts words on one form.

    Args:
        lang: of the officer.
        zone: in which times are shown.
        given: the answers, nested.
        files: names of the attachments.
        faults: sentences by pointer.
    """

    kind: FormKind
    lang: str
    zone: str
    given: dict[str, Any]
    files: Sequence[str]
    faults: Mapping[str, tuple[str, ...]]

    def node(self, place: Place) -> Node:
        """A place, and what stands in it, in words."""
        match place:
            case Leaf():
                return self._field(place)
            case Texts():
                return self._texts(place)
            case Boxes():
                return self._boxes(place)
            case Entries():
                return self._entries(place)
            case Part():
                return self._part(place)

    def _said(self, pointer: str) -> tuple[str, str, str, tuple[str, ...]]:
        """(id, name, help, faults) of a place."""
        name, helped = self.kind.words(pointer, self.lang)
        if _LATER.search(pointer):
            helped = ""  # the first entry of a list has said it
        return id_of(pointer), name, helped, self.faults.get(pointer, ())

    def _field(self, leaf: Leaf, entry: str = "") -> Node:
        identity, name, helped, faults = self._said(leaf.pointer)
        into = self.kind.list_meant(leaf.pointer)
        entries = None if into is None else self._entry_names(into)
        widget = widget_of(leaf, self.lang, self.zone, entries, self.files)
        helped = _help(leaf, widget, helped)
        return Node(
            form="field",
            pointer=leaf.pointer,
            id=identity,
            name=entry or _of_clock(name, leaf),
            help=helped,
            hint=self._hint(leaf, widget, helped),
            required=leaf.required,
            faults=faults,
            widget=widget,
            most=leaf.field.node.get("maxLength", 0),
        )

    def _entry_names(self, into: str) -> list[str]:
        at: Any = self.given
        for step in into.split("/")[1:]:
            if isinstance(at, list):
                at = at[int(step)] if step.isdigit() and int(step) < len(at) else None
            else:
                at = at.get(step) if isinstance(at, dict) else None
        return entry_names(self.kind.words(into, self.lang)[0], at)

    def _hint(self, leaf: Leaf, widget: Widget, helped: str) -> str:
        """What may be typed, where the label does not say it."""
        if widget.control == "time":
            return text("page.writing.hint.time", self.lang, zone=self.zone)
        plain = widget.control not in ("line", "number", "date") or leaf.field.shared in _PLAIN
        known = helped and widget.control != "date" and leaf.field.shared != "clock"
        if plain or known or "pattern" not in leaf.field.node:
            return ""
        return self.kind.hint(leaf.pointer, leaf.field, self.lang)

    def _texts(self, place: Texts) -> Node:
        identity, name, helped, faults = self._said(place.pointer)
        shown_here = [
            lang
            for lang in dict.fromkeys((*languages_from(self.lang), *place.answers))
            if lang == self.lang or lang in place.answers
        ]
        others = [one for one in self._tongues() if one not in shown_here]
        return Node(
            form="texts",
            pointer=place.pointer,
            id=identity,
            name=name,
            help=helped,
            required=place.required,
            faults=faults,
            inside=tuple(self._text(place, lang) for lang in shown_here),
            others=tuple((one, language_name(one, self.lang)) for one in others),
        )

    def _tongues(self) -> list[str]:
        """Languages that texts of this form may have: the page's own, those that it names."""
        about = self.given.get("about", {})
        named = [about.get("source_language")]
        named += [one.get("lang") for one in about.get("translations", ()) if isinstance(one, dict)]
        said = [one for one in named if isinstance(one, str) and _TAG.fullmatch(one)]
        return list(dict.fromkeys((*languages_from(self.lang), *said)))

    def _text(self, place: Texts, lang: str) -> Node:
        pointer = f"{place.pointer}/{lang}"
        leaf = Leaf(pointer, place.text, None, False, place.answers.get(lang))
        return Node(
            form="field",
            pointer=pointer,
            id=id_of(pointer),
            name=language_name(lang, self.lang),
            faults=self.faults.get(pointer, ()),
            widget=widget_of(leaf, self.lang, self.zone, None, ()),
            lang=lang,
            most=place.text.node.get("maxLength", 0),
        )

    def _boxes(self, place: Boxes) -> Node:
        identity, name, helped, faults = self._said(place.pointer)
        listed = [*place.choice.codes, *(a for a in place.answers if a not in place.choice.codes)]
        within = [at for at in self.faults if at.rpartition("/")[0] == place.pointer]
        return Node(
            form="boxes",
            pointer=place.pointer,
            id=identity,
            name=name,
            help=helped,
            required=place.required,
            faults=(*faults, *(one for at in within for one in self.faults[at])),
            boxes=tuple(
                Option(code, shown(place.choice, code, self.lang), code in place.answers)
                for code in listed
            ),
        )

    def _entries(self, place: Entries) -> Node:
        identity, name, helped, faults = self._said(place.pointer)
        last = len(place.inside) - 1
        inside = [
            self._entry(one, f"{name} {at + 1}", at, last) for at, one in enumerate(place.inside)
        ]
        return Node(
            form="entries",
            pointer=place.pointer,
            id=identity,
            name=name,
            help=helped,
            required=place.required,
            faults=faults,
            there=bool(place.inside) or place.required,
            most=place.most,
            inside=tuple(inside),
        )

    def _entry(self, place: Place, name: str, at: int, last: int) -> Node:
        node = self._field(place, name) if isinstance(place, Leaf) else self.node(place)
        return replace(
            node, name=name, help="", required=False, removable=True, up=at > 0, down=at < last
        )

    def _part(self, place: Part) -> Node:
        identity, name, helped, faults = self._said(place.pointer)
        return Node(
            form="part",
            pointer=place.pointer,
            id=identity,
            name=name,
            help=helped,
            required=place.required,
            faults=faults,
            there=place.there,
            removable=place.there and not place.required,
            inside=tuple(self.node(one) for one in place.inside),
        )


_AS_CODES: Final = frozenset({"country", "subdivision"})
_LATER: Final = re.compile("/[1-9][0-9]*/", re.ASCII)
_TAG: Final = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?")
_PLAIN: Final = frozenset({"line", "short", "prose"})


def _of_clock(name: str, leaf: Leaf) -> str:
    """The name of a field; its label says that times are signed in UTC, the page shows clocks."""
    return name.removesuffix("(UTC)").rstrip() if leaf.field.shared == "time" else name


def _help(leaf: Leaf, widget: Widget, helped: str) -> str:
    """The label's sentence, unless it tells of a form that people do not type here."""
    chosen = widget.control in ("entry", "attachment") or leaf.field.shared in _AS_CODES
    return "" if chosen or (widget.control == "time" and "UTC" in helped) else helped


@functools.lru_cache(maxsize=16_384)
def id_of(pointer: str) -> str:
    """The id of a place's element: short, as each stands in the page up to six times."""
    return "f" + hashlib.blake2s(pointer.encode(), digest_size=5).hexdigest()


def language_name(lang: str, of: str) -> str:
    """A language in words, or its tag where no list has it."""
    return code_label("language", lang, of) if lang in codes("language") else lang
