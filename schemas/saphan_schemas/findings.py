"""What a doctor has found: one line for each thing looked at, and the next step where one is due.

Both programs have a doctor (`saphan node doctor`, `saphan-broker doctor`); what they look at is
theirs, how it is said and what the exit status means is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.messages import error_hint, text
from saphan_schemas.width import fit

T = TypeVar("T")
Level = Literal["ok", "warn", "bad"]
LEVELS: Final[tuple[Level, ...]] = ("ok", "warn", "bad")
NAME_CELLS: Final = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        check: what it was, such as "disk"; stable, for programs. Its label is `check.<check>`.
        level: "warn" is for this week, "bad" for today.
        key: text of the catalogue that says what was found.
        values: its placeholders.
        next_key: text of the catalogue with the next step.
        error: in place of both keys, what looking there has raised.
    """

    check: str
    level: Level
    key: str = ""
    values: Mapping[str, object] = field(default_factory=dict)
    next_key: str | None = None
    error: SaphanError | None = None

    def message(self, lang: str = "en") -> str:
        """What was found."""
        if self.error is not None:
            return f"{self.error.message} ({self.error.code})"
        return text(self.key, lang, **self.values)

    def hint(self, lang: str = "en") -> str | None:
        """What to do, None if nothing is to be done."""
        if self.error is not None:
            return error_hint(self.error, lang)
        return None if self.next_key is None else text(self.next_key, lang, **self.values)


def examine(
    patient: T, checks: Iterable[tuple[str, Callable[[T], Iterable[Finding]]]]
) -> list[Finding]:
    """What every check finds; one that cannot look is a finding too, and stops no other.

    Args:
        checks: (name, look); the name stands for what looking there has raised.
    """
    found: list[Finding] = []
    for name, look in checks:
        try:
            found += look(patient)
        except SaphanError as error:
            found.append(Finding(name, "bad", error=error))
        except OSError as error:
            values = {"why": error.strerror or str(error), "path": error.filename or "-"}
            found.append(Finding(name, "bad", "doctor.unreadable", values))
    return found


def findings_value(findings: Sequence[Finding], lang: str = "en") -> dict[str, object]:
    """The report as one JSON object."""
    return {
        "worst": worst(findings),
        "findings": [
            {
                "check": one.check,
                "level": one.level,
                "message": one.message(lang),
                "hint": one.hint(lang),
            }
            for one in findings
        ],
    }


def findings_lines(findings: Sequence[Finding], lang: str = "en") -> Iterator[str]:
    """The report for a person: what was found, and under it what to do."""
    marks = {level: text(f"doctor.level_{level}", lang) for level in LEVELS}
    for one in findings:
        label = fit(text(f"check.{one.check}", lang), NAME_CELLS)
        yield f"{fit(marks[one.level], 6)}{label}{one.message(lang)}"
        hint = one.hint(lang)
        if hint and one.level != "ok":
            yield f"{'':{6 + NAME_CELLS}}{hint}"


def worst(findings: Sequence[Finding]) -> Level:
    """The gravest level; "ok" of nothing."""
    return max((one.level for one in findings), key=LEVELS.index, default="ok")


def exit_status(findings: Sequence[Finding]) -> int:
    """0, or that of an operator's error while anything is bad: a warning wakes nobody at night."""
    return OperatorError.exit_status if worst(findings) == "bad" else 0
