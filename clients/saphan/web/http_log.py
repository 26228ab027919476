"""Where the server says what went wrong below the pages: never with words of a request in it."""

from __future__ import annotations

import logging
from typing import Final

HTTP_LOG: Final = logging.getLogger("saphan.web.http")
"""For `web.AppRunner`."""


def _names_only(record: logging.LogRecord) -> bool:
    """Keep the kind of an error, not its text: a request's bytes may stand there."""
    if record.exc_info and record.exc_info[0] is not None:
        what = str(record.msg).partition(" from %s")[0]
        record.msg, record.args = "%s: %s", (what, record.exc_info[0].__name__)
        record.exc_info = None
    return True


HTTP_LOG.addFilter(_names_only)
