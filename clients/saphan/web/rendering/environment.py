"""Templates: everything is escaped, nothing is missing silently, no string steers a terminal or
turns a line around."""

from __future__ import annotations

import functools
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup, escape
from saphan_schemas.text import harmless

from saphan.web.rendering import numbers, times

FIRST: Final = (
    "locking/launched.html", "locking/unlock.html", "inbox/list.html", "bare.html", "base.html",
    "macros.html", "error.html",
)  # fmt: skip
"""What is shown first: a page that was launched waits for no other template."""
FILTERS: Final = {**times.FILTERS, **numbers.FILTERS}


@functools.cache
def environment() -> Environment:
    """The environment of every page, the first templates compiled; blocking when it is made."""
    sources = _sources(resources.files("saphan.web").joinpath("templates"), "")
    made = Environment(
        loader=DictLoader(sources),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    made.filters |= FILTERS | {"exact": exact}
    for name in FIRST:
        made.get_template(name)
    return made


def templates() -> list[str]:
    """Names of all templates; `environment().get_template(name)` compiles one that is not yet."""
    return environment().list_templates()


def _sources(folder: Traversable, prefix: str) -> dict[str, str]:
    """Every template by its name: no page reads a file while it is asked for."""
    found: dict[str, str] = {}
    for one in folder.iterdir():
        if one.is_dir():
            found |= _sources(one, f"{prefix}{one.name}/")
        elif one.name.endswith(".html"):
            found[f"{prefix}{one.name}"] = one.read_text(encoding="utf-8")
    return found


def exact(value: str) -> Markup:
    """Text for a field that the officer edits: escaped, but not one character replaced."""
    return escape(str(value))


def _shown(value: Any) -> Any:
    """What `{{ }}` shows: strings with U+FFFD for characters that have no business in content."""
    return harmless(value) if type(value) is str else value
