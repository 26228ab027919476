"""A frame's worth of what waits to be sent: read from the store, or handed on as it was stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from saphan_schemas.records import BatchSignature

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Portion(Generic[T]):
    """Items to send in one frame, with the rows they rest in and the signatures they need."""

    rows: list[int]
    items: tuple[T, ...]
    signatures: tuple[BatchSignature, ...]
