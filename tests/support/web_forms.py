"""A browser's side of a form without a browser: what it would post as the form stands."""

from __future__ import annotations

from typing import Any

from saphan.form.asking import pointers_of
from saphan.form.question import Answers
from saphan.web.writing.forms.dressing import Node
from saphan.web.writing.forms.model import Form, FormFault
from saphan.web.writing.forms.taking import taken
from saphan.web.writing.forms.widgets import Widget
from saphan_schemas.body_types import BUILT_IN, BodyType
from saphan_schemas.samples import wish

ZONE = "Asia/Vientiane"


def of_sample(name: str) -> tuple[BodyType, dict[str, Any], Answers, list[dict[str, str]]]:
    """(type, the wish without its files, its answers, its files as a form is told of them)."""
    found = wish(name)
    described: list[dict[str, str]] = [
        {key: one[key] for key in ("media_type", "name", "role")}
        for one in found.pop("attachments", ())
    ]
    answers: Answers = dict(
        pointers_of({name: value for name, value in found.items() if name != "schema"})
    )
    return BUILT_IN.get(found["schema"]), found, answers, described


def nodes(form: Form) -> dict[str, Node]:
    """Every place of a form by its pointer."""
    found: dict[str, Node] = {}
    waiting = [node for section in form.sections for node in section.inside]
    while waiting:
        node = waiting.pop()
        found[node.pointer] = node
        waiting += node.inside
    return found


def posted(form: Form) -> dict[str, str]:
    """Names and values of its controls, as a browser posts them."""
    found: dict[str, str] = {}
    for node in nodes(form).values():
        if node.form == "field" and node.widget is not None:
            if node.widget.control != "yes_no" or node.widget.value:
                found[node.pointer] = node.widget.value.replace("\n", "\r\n")
        elif node.form == "boxes":
            found[f"{node.pointer}="] = ""
            found |= {f"{node.pointer}={one.value}": "on" for one in node.boxes if one.chosen}
    return found


def typed(kind: BodyType, answers: Answers, **controls: str) -> Answers:
    """The answers after some controls were typed in; "__" stands for "/" in their names."""
    given = {"/" + name.replace("__", "/"): text for name, text in controls.items()}
    return taken(given, answers, kind, ZONE)


def ordered(kind: BodyType, answers: Answers, order: str) -> Answers:
    """The answers after one button."""
    return taken({"do": order}, answers, kind, ZONE)


def at(form: Form, pointer: str) -> tuple[str, ...]:
    """What is said to be wrong at a field."""
    return nodes(form)[pointer].faults


def widget(form: Form, pointer: str) -> Widget:
    """The control of a field."""
    found = nodes(form)[pointer].widget
    assert found is not None, pointer
    return found


def leads_to(form: Form, fault: FormFault) -> bool:
    """Whether a fault of the list leads to an element that stands in the form."""
    ids = {node.id for node in nodes(form).values()} | {one.id for one in form.sections}
    return fault.id in ids
