"""Agencies' own types at a desk: brought with the line, so that one writes in them without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from saphan_schemas.body_types import BUILT_IN, BodyTypes
from saphan_schemas.desk_frames import AskType
from saphan_schemas.errors import SaphanError

from saphan.base64_text import bytes_of
from saphan.desk.answers import TypeTold, checked
from saphan.desk.desk import Desk
from saphan.desk.in_thread import in_thread
from saphan.desk.inbox import Inbox
from saphan.desk.line import LINE_ENDED, DeskLine
from saphan.desk.store import Shelf
from saphan.own_types.told import is_own, with_told


@dataclass(frozen=True, slots=True)
class DeskTypes:
    """The types of one desk: ours, and the agencies' own that its node has told."""

    desk: Desk

    def all(self) -> BodyTypes:
        """Everything that can be written in here; blocking.

        Raises:
            OperatorError: `desk_store_damaged`.
        """
        types = BUILT_IN
        for name, bundle in self.desk.store.each(Shelf.TYPES):
            types = types.with_own(name.decode(), bundle)
        return types

    async def bring(self, line: DeskLine, *more: str) -> BodyTypes:
        """Ask the node for own types that agreements name and that are not here; then as `all`.

        One that the node cannot give yet is asked for again with the next line.

        Args:
            more: names beside those.

        Raises:
            SaphanError: of the line, the disk; OperatorError: `node_answer`.
        """
        for name in await in_thread(self._lacking, more):
            try:
                told = checked(TypeTold, await line.ask(AskType(line.number(), name)))
            except SaphanError as error:
                if error.code in LINE_ENDED:
                    raise
                continue
            with_told(BUILT_IN, name, told)
            keep = bytes_of(told["exact"])
            await in_thread(self.desk.store.put, Shelf.TYPES, name.encode(), keep)
        return await in_thread(self.all)

    def _lacking(self, more: Sequence[str]) -> list[str]:
        store, corridors = self.desk.store, Inbox(self.desk).corridors()
        named = {
            name
            for agreement in corridors.get("agreements", [])
            for rule in agreement["rules"]
            for name in rule["schemas"]
        }
        return sorted(
            name
            for name in named.union(more)
            if is_own(name) and not store.has(Shelf.TYPES, name.encode())
        )
