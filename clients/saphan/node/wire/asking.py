"""Questions of a session that somebody waits for, each answered by one frame."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from saphan_schemas.errors import InvalidInput, Unavailable
from saphan_schemas.frames import Answer, Register, Result, State, StatementItem, Submission, Submit
from saphan_schemas.limits import KIB
from saphan_schemas.proof_frames import AskProofs, Proofs
from saphan_schemas.records import BatchSignature, HeadRef
from saphan_schemas.schema_frames import AskSchema, SchemaBundle

Send = Callable[[object], Awaitable[None]]

ANSWER_S: Final = 30.0
"""A directory operation is answered after its head is signed; the broker may be busy."""
SLOW_LINE: Final = 4 * KIB
"""Bytes that a line carries in a second at the least: a schema may be long."""


class Asking:
    """The questions of one session; they end with it.

    Args:
        send: writes one frame; number: gives a request number that the session has not used.
    """

    def __init__(self, send: Send, number: Callable[[], int]) -> None:
        self._send = send
        self._number = number
        self._asked: dict[int, asyncio.Future[Any]] = {}

    async def register(
        self,
        operation: bytes | None,
        agreement: bytes | None,
        order: bytes | None,
        schema: bytes | None = None,
        hold: bytes | None = None,
    ) -> Result:
        """Send one directory operation, agreement, order, own schema or hold order, and wait.

        Raises:
            Unavailable: `line_down`, `no_answer`.
        """
        number = self._number()
        asked = Register(number, operation, agreement, order, schema, hold)
        long = 0 if schema is None else len(schema)
        answer: Answer = await self._ask(number, asked, ANSWER_S + long / SLOW_LINE)
        return answer.results[0]

    async def send_again(
        self, item: Submission | StatementItem, signature: BatchSignature
    ) -> Result:
        """Send what the log shows already; what the broker answers, which nobody has checked yet.

        Raises:
            Unavailable: `line_down`, `no_answer`.
        """
        number = self._number()
        if isinstance(item, Submission):
            frame: Submit | State = Submit(number, (item,), (signature,))
        else:
            frame = State(number, (item,), (signature,))
        answer: Answer = await self._ask(number, frame)
        return answer.results[0]

    async def prove(
        self,
        head: HeadRef,
        indices: Sequence[int] = (),
        sizes: Sequence[int] = (),
        *,
        fresh: int = 0,
    ) -> Proofs:
        """Ask for paths that lead to a head; nothing of the answer is checked yet.

        Raises:
            Unavailable: `line_down`, `no_answer`.
        """
        number = self._number()
        asked = AskProofs(number, head, tuple(indices), tuple(sizes), fresh)
        found: Proofs = await self._ask(number, asked)
        return found

    async def schema(self, name: str, offset: int, length: int) -> SchemaBundle:
        """Ask for bytes of a registered bundle; more than were asked for is no answer.

        Raises:
            Unavailable: `line_down`, `no_answer`. InvalidInput: `part_length`.
        """
        number = self._number()
        found: SchemaBundle = await self._ask(number, AskSchema(number, name, offset, length))
        if found.data is not None and len(found.data) > length:
            raise InvalidInput(
                "part_length",
                f"{length} bytes of a schema were asked for, {len(found.data)} came",
                hint="the broker is at fault; they are asked for again",
            )
        return found

    async def _ask(self, number: int, frame: object, wait_s: float = ANSWER_S) -> Any:
        future = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send(frame)
            # Not `wait_for`: in Python 3.11 it forgets a cancellation that the answer meets.
            async with asyncio.timeout(wait_s):
                return await future
        except TimeoutError:
            raise Unavailable("no_answer", "the broker has not answered yet; try again") from None
        finally:
            self._asked.pop(number, None)

    def answered(self, frame: Answer | Proofs | SchemaBundle) -> bool:
        """Give an answer to whoever waits for it; False if the question was not asked here."""
        future = self._asked.get(frame.request)
        if future is None:
            return False
        empty = isinstance(frame, Answer) and not frame.results
        if not (empty or future.done()):
            future.set_result(frame)
        return True

    def close(self) -> None:
        """The session is over: nothing is answered any more."""
        for future in self._asked.values():
            if not future.done():
                future.set_exception(Unavailable("line_down", "the line went down meanwhile"))
