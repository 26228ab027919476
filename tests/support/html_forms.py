"""A form of a page as a browser would send it: every control with what stands in it."""

from __future__ import annotations

from html.parser import HTMLParser

Fields = list[tuple[str, str]]


class _Reader(HTMLParser):
    def __init__(self, wanted: str) -> None:
        super().__init__()
        self.found: Fields = []
        self._wanted, self._inside = wanted, False
        self._area: str | None = None
        self._select: str | None = None
        self._text = ""

    def handle_starttag(self, tag: str, given: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in given}
        if tag == "form":
            self._inside = self._wanted in (attributes.get("id"), attributes.get("action"))
        name = attributes.get("name", "")
        if not self._inside:
            return
        if tag == "input" and name:
            kind = attributes.get("type", "text")
            if kind in ("checkbox", "radio"):
                if "checked" in attributes:
                    self.found.append((name, attributes.get("value", "on")))
            elif kind != "file":
                self.found.append((name, attributes.get("value", "")))
        elif tag == "textarea":
            self._area, self._text = name, ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select is not None and "selected" in attributes:
            self.found.append((self._select, attributes.get("value", "")))

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "select":
            self._select = None
        elif tag == "textarea" and self._area is not None and self._inside:
            # The first line break after the tag is no part of the text.
            self.found.append((self._area, self._text.removeprefix("\n")))
            self._area = None


def fields_of(page: str, form: str) -> Fields:
    """Names and values of a form's controls.

    Args:
        form: its id or its action.
    """
    reader = _Reader(form)
    reader.feed(page)
    assert reader.found or f'"{form}"' in page, f"there is no form {form}"
    return reader.found


def changed(fields: Fields, **changes: str) -> Fields:
    """The same with other values; "__" stands for "/" in a pointer's name."""
    wanted = {
        ("/" + name.replace("__", "/") if "__" in name else name): value
        for name, value in changes.items()
    }
    return [one for one in fields if one[0] not in wanted] + list(wanted.items())
