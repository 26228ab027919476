"""Until which day the broker may destroy now: witnessed time, armed rule, no leap (spec, Time)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from saphan_schemas.limits import DAY_MS, LIMITS

from saphan_broker.alarms import Alarms
from saphan_broker.clock import day_of
from saphan_broker.retention.armed import Armed
from saphan_broker.witnessed import WitnessedTime

UNARMED: Final = "retention_unarmed"
LEAP: Final = "retention_leap"


class Guard:
    """Asked before every batch; owned by the event loop."""

    def __init__(self, armed: Armed, witnessed: WitnessedTime, alarms: Alarms) -> None:
        self._armed = armed
        self._witnessed = witnessed
        self._alarms = alarms

    def leaps(self) -> bool:
        """Whether witnessed time has gone on further than a pause of the broker explains.

        What time says of bulletins goes on; what cannot be undone waits for a person.
        """
        acted, now = self._armed.acted, self._witnessed.now
        return bool(acted) and now - acted > LIMITS.retention_leap_ms

    def day(self) -> int | None:
        """The day up to which what is due is destroyed, days since 1970-01-01; None: nothing is.

        Sounds and ends the alarms `retention_unarmed` and `retention_leap`.
        """
        now = self._witnessed.now
        self._say(UNARMED, not self._armed.armed, _unarmed)
        leaps = self.leaps()
        self._say(LEAP, leaps, lambda: _leap(now - self._armed.acted))
        return day_of(now) if now and self._armed.armed and not leaps else None

    def quiet(self) -> None:
        """Another process sequences from now on, and says it."""
        for code in (UNARMED, LEAP):
            self._alarms.clear(code)

    def _say(self, code: str, holds: bool, message: Callable[[], str]) -> None:
        if holds:
            self._alarms.sound(code, message())
        else:
            self._alarms.clear(code)


def _unarmed() -> str:
    return (
        "what is due is kept: nobody has armed the rule of this program; run "
        "`saphan-broker retention plan`, read it, then `saphan-broker retention arm`"
    )


def _leap(ms: int) -> str:
    return (
        f"witnessed time has gone on by {ms // DAY_MS} days at once: nothing is destroyed before "
        "a person has compared the clocks and said `saphan-broker retention confirm`"
    )
