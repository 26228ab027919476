"""Every error that leaves a public function, in one tree, by who must act.

    SaphanError
    ├── InvalidInput    the peer: what it sent is malformed; the same bytes will never be taken
    ├── Refused         policy: well-formed, but not allowed (agreement, key, state)
    ├── Unavailable     nobody: try again later (line down, queue full, quota used up)
    └── OperatorError   the person who runs this machine: disk, key files, clock, configuration

`code` is stable and part of the wire protocol; the message and the hint are for people and may be
translated through the message catalogue under `error.<code>` and `hint.<code>`.
A wrong call order inside the program is a bug and raises RuntimeError, never one of these.
"""

from __future__ import annotations

from typing import ClassVar

from saphan_schemas.faults import Fault


class SaphanError(Exception):
    """Base of all errors.

    Args:
        code: stable, lower-case, words joined by underscores; never translated.
        message: one plain sentence that names the field and the offending value (never a secret).
        field: path of the offending field, such as "header.recipients" or "/cells/0/value".
        hint: what to do next, a sentence or a command.
    """

    http_status: ClassVar[int] = 500
    exit_status: ClassVar[int] = 1
    fault: Fault | None = None

    def __init__(
        self, code: str, message: str, *, field: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.hint = hint

    def __str__(self) -> str:
        where = f" [{self.field}]" if self.field else ""
        return f"{self.message}{where} ({self.code})"

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.code, self.message), vars(self))


class InvalidInput(SaphanError):
    """The peer must change what it sends: malformed, oversized, not canonical, wrongly signed.

    Args:
        fault: of content that its type refuses: the broken rule and what would be right.
    """

    http_status = 400
    exit_status = 2

    def __init__(
        self,
        code: str,
        message: str,
        *,
        field: str | None = None,
        hint: str | None = None,
        fault: Fault | None = None,
    ) -> None:
        super().__init__(code, message, field=field, hint=hint)
        self.fault = fault


class Refused(SaphanError):
    """Well-formed, but not allowed: no agreement, revoked key, expired, replayed."""

    http_status = 403
    exit_status = 3


class Unavailable(SaphanError):
    """Nothing is wrong with the request: try the same bytes again after `retry_after_ms`."""

    http_status = 503
    exit_status = 4

    def __init__(
        self,
        code: str,
        message: str,
        *,
        field: str | None = None,
        hint: str | None = None,
        retry_after_ms: int = 1_000,
    ) -> None:
        super().__init__(code, message, field=field, hint=hint)
        self.retry_after_ms = retry_after_ms


class OperatorError(SaphanError):
    """The person who runs this machine must act: disk, key files, clock, ports, configuration."""

    http_status = 500
    exit_status = 5


FAMILIES: tuple[type[SaphanError], ...] = (InvalidInput, Refused, Unavailable, OperatorError)
