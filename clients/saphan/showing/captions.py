"""What a group of values is about, in one line: a person's name, a place's, a plate, a number."""

from __future__ import annotations

from typing import Any, Final

from saphan.showing.texts import Text, ordered, told

Json = dict[str, Any]
WAYS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "person": (("names", "forms", "*", "full"),),
    "person_name": (("forms", "*", "full"),),
    "organisation": (("names", "forms", "*", "full"), ("names", "*", "full")),
    "party": (("person", "names", "forms", "*", "full"), ("organisation", "names", "*", "full")),
    "place": (("name",), ("village",), ("district",), ("checkpoint",), ("unlocode",)),
    "route_place": (("place", "name"), ("place", "checkpoint")),
    "document": (("number",),),
    "identifier": (("value",),),
    "vehicle": (("plate", "text"),),
    "vessel": (("names", "*", "full"), ("registration_no",)),
}
"""Ways to a shared type's caption, the best first; `*`: the entries of a list, by language."""
CHARS: Final = 120


def caption(shared: str, value: Json, read: tuple[str, ...]) -> Text | None:
    """The caption of an object; None where its type has none, or it says nothing of the kind.

    Args:
        shared: the shared type, such as "person"; read: languages, those read best first.
    """
    for way in WAYS.get(shared, ()):
        found = [one for one in _at(value, way) if one.text]
        if found:
            best = ordered([one.lang for one in found], read)[0]
            one = next(one for one in found if one.lang == best)
            return Text(one.text[:CHARS], one.lang)
    return None


def _at(value: Any, way: tuple[str, ...]) -> list[Text]:
    if not way:
        if isinstance(value, dict):  # one text in several languages
            return [Text(one, lang) for lang, one in value.items() if isinstance(one, str)]
        return [told(value)] if isinstance(value, str) else []
    step, rest = way[0], way[1:]
    if step == "*":
        return [one for entry in _listed(value) for one in _at(entry, rest)]
    return _at(value[step], rest) if isinstance(value, dict) and step in value else []


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
