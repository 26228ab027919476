"""What one officer of this agency is shown and may send, at the moment at which it is asked.

The settings say it, and the directory says who is an officer: one whose keys are all revoked is
shown nothing, and one who was enrolled after a bulletin came is shown it by a rule of the past
only. Older and newer is told by places in the directory log, not by clocks. Numbered steps are
those of schemas/spec/officers.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from saphan_schemas.codec import decode
from saphan_schemas.errors import Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Header, Role

from saphan.node.bulletins import Bulletins, unknown
from saphan.node.logs import Logs
from saphan.node.policy.current import Current
from saphan.node.policy.rules import Rules


@dataclass(frozen=True, slots=True)
class Enrolled:
    """An officer with an active key; `since`: leaf of the directory log with their first one."""

    handle: str
    since: int


class Clearance:
    """Asked before anything is shown to an officer or taken from one; blocking."""

    def __init__(self, agency: str, logs: Logs, settings: Current, bulletins: Bulletins) -> None:
        self._agency = agency
        self._logs = logs
        self._settings = settings
        self._bulletins = bulletins

    def viewer(self, handle: str) -> Viewer:
        """What this officer is shown now; keep it for one question, not longer."""
        enrolled = next((one for one in self.enrolled() if one.handle == handle), None)
        return Viewer(self._agency, handle, enrolled, self._settings.now.shown, self._bulletins)

    def enrolled(self) -> list[Enrolled]:
        """Officers of this agency with an active key, by handle.

        A handle is a person's for good: who comes back, or has a new key after a theft, is shown
        what they were shown before.
        """
        with self._logs.lock:
            active = {key.handle for key in self._logs.directory.keys(self._agency, Role.OFFICER)}
            keys = self._logs.directory.all_keys(self._agency)
        since: dict[str, int] = {}
        for key in keys:
            if key.role is Role.OFFICER and key.handle is not None and key.handle in active:
                since.setdefault(key.handle, key.added)
        return [Enrolled(handle, since[handle]) for handle in sorted(since)]

    def shown_to(self, bulletin: bytes) -> list[str]:
        """Handles of the officers who are shown this bulletin, sorted."""
        rules = self._settings.now.shown
        viewers = (
            Viewer(self._agency, one.handle, one, rules, self._bulletins) for one in self.enrolled()
        )
        return [viewer.handle for viewer in viewers if viewer.shows(bulletin)]

    def warned_of(self, bulletin: bytes) -> list[str]:
        """Whom its deadlines concern: of one of our own its author, else all who are shown it."""
        found, shown = self._bulletins.known(bulletin), self.shown_to(bulletin)
        if found is None:
            return []
        own = decode(Header, found.header, LIMITS.header_bytes, "header").sender == self._agency
        return [found.author] if own and found.author in shown else shown

    def check_send(self, handle: str, header: Header) -> None:
        """S5: an officer may send a bulletin so marked, of this type, to these agencies.

        Raises:
            Refused: `above_clearance`, `section_foreign`.
        """
        rules = self._settings.now.shown
        if not rules.cleared(handle, header):
            officer = rules.officer(handle)
            until = "nothing" if officer is None else f"TLP:{officer.clearance.upper()}"
            raise Refused(
                "above_clearance",
                f"{handle} is cleared for {until}; this is marked TLP:{header.marking.tlp.upper()}",
                field="header.marking",
                hint="ask an officer who is cleared for it, or the keeper of the node's settings",
            )
        if not rules.sends(handle, header):
            raise Refused(
                "section_foreign",
                f"no section of {handle} sends {header.schema} to {', '.join(header.recipients)}",
                field="header.schema",
                hint="ask an officer of the section that does, or the keeper of the settings",
            )


@dataclass(frozen=True, slots=True)
class Viewer:
    """One officer under the settings of this moment; one who is not enrolled is shown nothing."""

    agency: str
    handle: str
    enrolled: Enrolled | None
    rules: Rules
    bulletins: Bulletins

    def shows(self, bulletin: bytes) -> bool:
        """Whether this officer is shown a bulletin (S1 and S4 here, S2 and S3 in the rules)."""
        found = self.bulletins.known(bulletin)
        if self.enrolled is None or found is None:
            return False
        header = decode(Header, found.header, LIMITS.header_bytes, "header")
        author = found.author if header.sender == self.agency else None
        past = found.judged_at is None or found.judged_at <= self.enrolled.since
        return self.rules.shows(self.handle, header, author, past=past)

    def check(self, bulletin: bytes) -> None:
        """The same for who asks for it: what is not shown does not exist.

        Raises:
            InvalidInput: `bulletin_unknown`.
        """
        if not self.shows(bulletin):
            raise unknown(bulletin)
