"""Where the check of a bundle stands, what it has counted, and what it found missing."""

from __future__ import annotations

from saphan_schemas.errors import SaphanError

from saphan_protocol.bundle.report import BundleStep, Finding, Remark, StepSeen

_OF_FORM = "evidence_"
"""Codes of the reader begin so: whenever it is read that far, the finding belongs to V1."""


class Trail:
    """Whatever is refused next is refused at the step that was begun last."""

    def __init__(self) -> None:
        self._gaps: dict[tuple[object, ...], Remark] = {}
        self._step = BundleStep.FORM
        self._index: int | None = None
        self._counts = dict.fromkeys(BundleStep, 0)

    def at(self, step: BundleStep, index: int | None = None) -> None:
        """Begin a step on one thing; `index`: the leaf that it is about."""
        self._step, self._index = step, index
        self._counts[step] += 1

    def gap(self, name: str, /, **values: str | int) -> None:
        """Something that was meant to be shown and is not; the same one is noted once."""
        # A hostile file asks a million times: no list is searched.
        self._gaps.setdefault((name, *values.items()), Remark(name, values))

    @property
    def gaps(self) -> tuple[Remark, ...]:
        """What is missing, in the order in which it was found."""
        return tuple(self._gaps.values())

    def finding(self, error: SaphanError) -> Finding:
        """What is wrong, and where."""
        if error.code.startswith(_OF_FORM):
            return Finding(BundleStep.FORM, error.code, error.message, None, error.field)
        return Finding(self._step, error.code, error.message, self._index, error.field)

    def steps(self, finding: Finding | None) -> tuple[StepSeen, ...]:
        """Every step with how far it came."""
        return tuple(self._seen(step, finding) for step in BundleStep)

    def _seen(self, step: BundleStep, finding: Finding | None) -> StepSeen:
        count = self._counts[step]
        if finding is not None and step is finding.step:
            return StepSeen(step, "failed", count)
        if count:
            return StepSeen(step, "passed", count)
        return StepSeen(step, "not_needed" if finding is None else "not_reached", 0)
