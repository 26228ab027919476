"""Log lines of the running broker on stderr: one line each, as text or as JSON; never a secret."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

from saphan_schemas.terminal import plain

_LEVELS: Final = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warning",
    logging.ERROR: "error",
    logging.CRITICAL: "critical",
}


class OneLine(logging.Formatter):
    """`2026-07-16T04:00:00.000Z info saphan.broker: text`, or the same as a JSON object.

    A bug's place is named by its last call; the whole trace would fill a screen and says no more.
    """

    def __init__(self, *, as_json: bool, seat: int | None = None) -> None:
        super().__init__()
        self._as_json = as_json
        self._seat = seat

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        message = plain(record.getMessage() + _place(record))
        level = _LEVELS.get(record.levelno, str(record.levelno))
        time = time.replace("+00:00", "Z")
        if self._as_json:
            row = {"time": time, "level": level, "logger": record.name, "message": message}
            process = {} if self._seat is None else {"process": self._seat}
            return json.dumps(row | process, ensure_ascii=False)
        seat = "" if self._seat is None else f"[{self._seat}]"
        return f"{time} {level} {record.name}{seat}: {message}"


def log_to_stderr(*, as_json: bool, seat: int | None = None) -> None:
    """Send the log of everything from level info on to stderr.

    Args:
        seat: number of this process among those that share stderr.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(as_json=as_json, seat=seat))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("saphan").setLevel(logging.INFO)
    logging.getLogger("saphan_broker").setLevel(logging.INFO)


def _place(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return ""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = ""
    if trace is not None:
        code = trace.tb_frame.f_code
        where = f" at {code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} in {code.co_name}"
    return f": {type(error).__name__}: {error}{where}"
