"""The application: gate first, then the rooms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web
from saphan_schemas.limits import LIMITS
from saphan_schemas.messages import LANGUAGES, known_keys
from saphan_schemas.text import harmless

from saphan.web import events, static_files
from saphan.web.approving import routes as approving
from saphan.web.compressing import compressed
from saphan.web.faults import faults
from saphan.web.figures import routes as figures
from saphan.web.gate import gate, secure
from saphan.web.helping import routes as helping
from saphan.web.inbox import routes as inbox
from saphan.web.locking import routes as locking
from saphan.web.owed import routes as owed
from saphan.web.reading import routes as reading
from saphan.web.rendering.environment import environment, templates
from saphan.web.rendering.zones import read_zones
from saphan.web.seeking import routes as seeking
from saphan.web.sending import routes as sending
from saphan.web.settings import routes as settings
from saphan.web.workplace import WORKPLACE, Workplace
from saphan.web.writing import routes as writing

ROOMS: Final = (
    locking, inbox, owed, reading, writing, sending, approving, seeking, figures, settings, helping,
    events, static_files,
)  # fmt: skip
COMPILE_AFTER_S: Final = 2.0
"""The first page is there by then; one that is asked for sooner compiles its own template."""


def make_app(place: Workplace) -> web.Application:
    """The page of one workplace; whoever serves it sets `place.open` to nothing at the end."""
    app = web.Application(
        middlewares=(compressed, gate, events.numbered, faults),
        client_max_size=LIMITS.page_body_bytes,
    )
    app[WORKPLACE] = place
    for room in ROOMS:
        app.add_routes(room.ROUTES)
    app.on_startup.append(_prepare)
    app.cleanup_ctx.append(_compiling)
    app.on_response_prepare.append(secure)
    return app


async def _prepare(_: web.Application) -> None:
    """Read what pages are made of, once, beside the event loop."""
    await asyncio.to_thread(read_all)


async def _compiling(_: web.Application) -> AsyncIterator[None]:
    """The templates of other pages, while the officer looks at the first one."""
    task = asyncio.create_task(_compile())
    yield
    task.cancel()
    await asyncio.wait((task,))


async def _compile() -> None:
    await asyncio.sleep(COMPILE_AFTER_S)
    for name in templates():
        await asyncio.to_thread(environment().get_template, name)


def read_all() -> None:
    """What every page needs, read once; blocking."""
    environment()
    static_files.files()
    for lang in LANGUAGES:
        known_keys(lang)
    harmless("\n")  # its tables
    read_zones()
