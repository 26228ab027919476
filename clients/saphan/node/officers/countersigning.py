"""Four eyes: a bulletin of the marked kinds leaves when a second officer has signed the same.

Kept and asked for again (F2, F3), shown to those who may sign (F4), signed (F5, F7) or ended (F8);
that nothing leaves with one signature is the outbox's (F1). Numbered steps are those of
schemas/spec/officers.md. That it was signed is written in the transaction that keeps the bulletin:
a crash leaves it waiting, or sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from saphan_protocol.admission import Facts
from saphan_protocol.admission_steps import check_agreements, check_schema, check_times
from saphan_protocol.batch import verify_one
from saphan_protocol.opening import check_authors
from saphan_schemas.codec import decode, decode_content
from saphan_schemas.errors import Refused, SaphanError, Unavailable
from saphan_schemas.frames import Submission
from saphan_schemas.limits import LIMITS
from saphan_schemas.officer_records import REFUSAL_TYPE, OfficerRefusal
from saphan_schemas.records import Header, Inner, Role, Signature, StanzaRef

from saphan.compose import Attached, Draft
from saphan.node.drafts_kept import (
    EXPIRED,
    REFUSED,
    SIGNED,
    WAITING,
    WITHDRAWN,
    Decision,
    DraftsKept,
    Kept,
    KeptDraft,
    unknown,
)
from saphan.node.logs import Logs
from saphan.node.officers.clearance import Clearance
from saphan.node.outbox import Outbox
from saphan.node.policy.current import Current
from saphan.node.policy.four_eyes import FourEyes
from saphan.node.portions import Portion
from saphan.node.prepared import Prepared, Waiting

RECORD_BYTES: Final = 4096
SIGNATURE_BYTES: Final = 8192


@dataclass(frozen=True, slots=True)
class Left:
    """A bulletin that two officers have signed, and what to send of it."""

    bulletin: bytes
    portion: Portion[Submission] | None


class Countersigning:
    """What waits at one node; blocking.

    Args:
        read: whether an officer has signed that they read a draft; clock: ms UTC.
    """

    def __init__(
        self,
        agency: str,
        logs: Logs,
        settings: Current,
        clearance: Clearance,
        drafts: DraftsKept,
        outbox: Outbox,
        read: Callable[[str, bytes], bool],
        clock: Callable[[], int],
    ) -> None:
        self._agency = agency
        self._logs = logs
        self._settings = settings
        self._clearance = clearance
        self._drafts = drafts
        self._outbox = outbox
        self._read = read
        self._clock = clock

    @property
    def kinds(self) -> FourEyes:
        """As the settings have them now."""
        return self._settings.now.two

    # --- the first officer ------------------------------------------------------------------------

    def judge(self, prepared: Prepared) -> Waiting | None:
        """F2, F3: keep what needs a second officer; None: it is sent, or was sealed before.

        What was taken before gets its first answer, whatever its author is cleared for by now: a
        refusal would tell them to write it again.

        Raises:
            Refused: `countersign_refused`, `countersign_withdrawn`, `countersign_expired`: what
                became of the same bulletin; `above_clearance`, `section_foreign`, what admission
                refuses. InvalidInput: `attachment_*`.
            Unavailable: `countersign_full`; OperatorError: the disk.
        """
        header = prepared.draft.header
        found = self._drafts.find(prepared.draft.header_id)
        if found is not None:
            return self._again(found, prepared)
        if self._drafts.has_left(header.nonce, self._agency):
            return None
        if prepared.author is not None:
            self._clearance.check_send(prepared.author, header)
        if not self.kinds.needed(header):
            return None
        if len(self.waiting()) >= LIMITS.countersigning:
            raise Unavailable(
                "countersign_full",
                f"{LIMITS.countersigning} bulletins wait for a second officer",
                hint="sign or refuse what waits: saphan countersign list",
            )
        self._check_admitted(header)
        self._outbox.threads.check(prepared.draft)
        self._drafts.keep(prepared)
        return Waiting(prepared.draft.header_id, new=True)

    def _check_admitted(self, header: Header) -> None:
        """What the seal would be refused for is said to the author, not to who signs second."""
        to = [StanzaRef(agency, bytes(32), bytes(32)) for agency in header.recipients]
        with self._logs.lock:
            facts = Facts(self._logs.directory, self._clock())
            check_times(header, facts.now)
            check_agreements(header, to, facts)
            check_schema(header, facts)

    def _again(self, found: KeptDraft, prepared: Prepared) -> Waiting | None:
        """The author asks again, or never heard the answer."""
        if found.state == WAITING and not self._ended_by_time(found):
            if self._drafts.open(found.id).inner != prepared.inner:
                raise Refused(
                    "replay", "another bulletin under the same header waits here", field="header"
                )
            return Waiting(found.id)
        if found.state == SIGNED:
            return None  # the outbox knows it, and says under which id
        raise self._ended(self._drafts.get(found.id))

    def _ended(self, one: KeptDraft) -> Refused:
        decision = self._drafts.decision(one.id)
        if one.state == EXPIRED or decision is None:
            return Refused(
                "countersign_expired",
                "no second officer signed it before its own deadline",
                hint="send it anew, with a later deadline",
            )
        reason = f": {decision.reason}" if decision.reason else ""
        if one.state == WITHDRAWN:
            return Refused("countersign_withdrawn", f"its author has taken it back{reason}")
        return Refused(
            "countersign_refused",
            f"{decision.handle} did not sign it{reason}",
            hint="talk to them; what is changed is signed and sent anew",
        )

    # --- the second officer -----------------------------------------------------------------------

    def waiting(self) -> list[KeptDraft]:
        """What waits, oldest first; what is past its own deadline goes."""
        return [one for one in self._drafts.waiting() if not self._ended_by_time(one)]

    def listed(self, handle: str) -> list[tuple[KeptDraft, str, bool]]:
        """What one officer is shown of that: (draft, author, whether they may sign it second)."""
        if handle not in self._officers():
            return []
        found = []
        for one in self.waiting():
            may = self._may(handle, one)
            if one.author is not None and (may or self._own(handle, one)):
                found.append((one, one.author, may))
        return found

    def to_sign(self, handle: str) -> int:
        """How many wait for this officer's signature."""
        return sum(may for _, _, may in self.listed(handle))

    def concerns(self, handle: str, one: KeptDraft) -> bool:
        """Whether an officer is shown it: while it waits its author and F4; then who signed it."""
        if one.state != WAITING:
            decision = self._drafts.decision(one.id)
            return decision is not None and decision.handle == handle
        return handle in self._officers() and (self._own(handle, one) or self._may(handle, one))

    def signers(self, one: KeptDraft) -> list[str]:
        """Handles of those who may sign it second, sorted."""
        return [name for name in self._officers() if self._may(name, one)]

    def _officers(self) -> list[str]:
        return [one.handle for one in self._clearance.enrolled()]

    def _own(self, handle: str, one: KeptDraft) -> bool:
        """Clearance binds authors too."""
        return handle == one.author and self._settings.now.shown.cleared(handle, one.header)

    def _may(self, handle: str, one: KeptDraft) -> bool:
        """F4: whether this officer, who is enrolled, may sign second; its author must be known."""
        rules, header = self._settings.now.shown, one.header
        return (
            one.author not in (None, handle)
            and rules.cleared(handle, header)
            and rules.sends(handle, header)
            and self.kinds.may(handle, header)
        )

    def open_for(self, handle: str, draft: bytes) -> tuple[KeptDraft, Kept]:
        """What waits, for its author or somebody who may sign it second.

        Raises:
            InvalidInput: `countersign_unknown`, also for everybody else.
        """
        one = self._drafts.find(draft)
        if one is None or one.state != WAITING or self._ended_by_time(one):
            raise unknown()
        if not self.concerns(handle, one):
            raise unknown()
        return one, self._drafts.open(draft)

    def sign(self, draft: bytes, signature: bytes) -> Left:
        """F7: seal and keep it with the second signature; durable when it returns.

        Raises:
            InvalidInput: `countersign_unknown`, `signature_invalid`, codec codes.
            Refused: `countersign_self`, `countersign_unread`, `above_clearance`,
                `section_foreign` (of the author, by now), `author_*`, and what sealing refuses.
            OperatorError: the disk.
        """
        second = decode(Signature, signature, SIGNATURE_BYTES, "signature")
        handle = self._holder(second.item.key)
        before = self._drafts.find(draft)
        if before is not None and before.bulletin is not None and self.concerns(handle, before):
            return Left(before.bulletin, None)  # whoever signed never heard the answer
        one, kept = self.open_for(handle, draft)
        if handle == one.author:
            raise Refused(
                "countersign_self",
                f"{handle} wrote it: the second signature is somebody else's",
                field="signature",
                hint="ask a colleague to sign it",
            )
        self.require_read(handle, draft)
        assert one.author is not None  # or it would have been shown to nobody
        self._clearance.check_send(one.author, one.header)
        submitted = self._outbox.submit([self._prepared(one, kept, second, Decision(handle))])
        (outcome,) = submitted.outcomes
        if isinstance(outcome, SaphanError):
            raise outcome
        self._drafts.clear(draft)
        return Left(outcome, submitted.portion)

    def require_read(self, handle: str, draft: bytes) -> None:
        """F5: an officer has signed that they read it.

        Raises:
            Refused: `countersign_unread`.
        """
        if not self._read(handle, draft):
            raise Refused(
                "countersign_unread",
                f"{handle} has not opened it",
                field="signature",
                hint=f"open it first: saphan countersign show {draft.hex()[:16]}",
            )

    def refuse(self, draft: bytes, record: bytes, signature: bytes) -> str:
        """F8: end it without sending it; the state that it has then, for good.

        Raises:
            InvalidInput: `countersign_unknown`, `signature_invalid`, codec codes.
            Refused: `read_mismatch`, `read_time`, `key_*`.
        """
        said = decode(OfficerRefusal, record, RECORD_BYTES, "record")
        signed = decode(Signature, signature, SIGNATURE_BYTES, "signature")
        if (said.draft, said.agency) != (draft, self._agency):
            raise Refused(
                "read_mismatch", "the signed refusal is of another bulletin", field="record"
            )
        if abs(said.time - self._clock()) > LIMITS.skew_ms:
            raise Refused(
                "read_time",
                "the signed refusal is not of this minute",
                field="record.time",
                hint="set this computer's clock, and do it again",
            )
        handle = self._holder(said.key)
        if handle != said.handle:
            raise Refused("key_foreign", f"this key is not {said.handle}'s", field="record")
        with self._logs.lock:
            key = self._logs.directory.verifying(said.key)
        verify_one(signed, key, REFUSAL_TYPE, record)
        one, _ = self.open_for(handle, draft)
        state = WITHDRAWN if handle == one.author else REFUSED
        self._drafts.end(one, state, Decision(handle, said.reason, record, signature))
        return state

    # --- inside -----------------------------------------------------------------------------------

    def _holder(self, key: bytes) -> str:
        """Handle of the officer of this agency whose active key it is."""
        with self._logs.lock:
            info = self._logs.directory.key(key, Role.OFFICER)
        if info.agency != self._agency or info.handle is None:
            raise Refused("key_foreign", f"this is no officer's key of {self._agency}")
        return info.handle

    def _ended_by_time(self, one: KeptDraft) -> bool:
        if self._clock() < one.header.expires:
            return False
        self._drafts.end(one, EXPIRED, None)
        return True

    def _prepared(
        self, one: KeptDraft, kept: Kept, second: Signature, signed: Decision
    ) -> Prepared:
        inner = decode(Inner, kept.inner, LIMITS.statement_bytes, "inner")
        with self._logs.lock:
            check_authors(
                inner,
                kept.inner,
                (kept.signature, second),
                self._agency,
                self._logs.directory,
                None,
            )
        described = decode_content(kept.content, LIMITS.content_bytes)["attachments"]
        attached = (
            Attached(**each, blob=blob)
            for each, blob in zip(described, inner.attachments, strict=True)
        )
        draft = Draft(
            header=one.header,
            header_bytes=one.header_bytes,
            header_id=one.id,
            content=kept.content,
            attachments=tuple(attached),
        )
        return Prepared(
            draft=draft,
            author=one.author,
            inner=kept.inner,
            signatures=(kept.signature, second),
            presealed=self._drafts.presealed(one, kept, signed),
        )
