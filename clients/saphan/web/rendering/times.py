"""Times as officers read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from saphan.pages import saying


def stamp(millis: int) -> Markup:
    """A <time> of ms UTC."""
    shown = saying.stamp(millis)
    return Markup('<time datetime="{}Z">{} UTC</time>').format(shown.replace(" ", "T"), shown)


def day(millis: int) -> Markup:
    """The day of ms UTC."""
    return Markup("<time>{}</time>").format(saying.day_of(millis))


@pass_context
def duration(context: Context, millis: int) -> str:
    """How long something takes, in the largest unit that it has a whole one of."""
    return saying.duration(millis, context["lang"])


@pass_context
def left(context: Context, millis: int) -> str:
    """Time until ms UTC."""
    return saying.duration(max(0, millis - context["now"]), context["lang"])


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "stamp": stamp,
    "day": day,
    "duration": duration,
    "left": left,
}
