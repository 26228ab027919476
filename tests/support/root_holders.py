"""Root holders of one agency, their keys in memory, and its folder: cheap, for many tests."""

from __future__ import annotations

from pathlib import Path

from saphan.agency import init
from saphan.ceremony.concluding import conclude
from saphan.ceremony.draft import OperationDraft, sign
from saphan.ceremony.draft_file import format_draft, parse_draft
from saphan.ceremony.holder import RootHalf
from saphan.ceremony.roots import Roots
from saphan.keyring import add_key
from saphan.keys.keyfiles import SecretKey, new_key
from saphan.keys.passphrase import Passphrase
from saphan.office import Office
from saphan_schemas.records import Role

from support.cheap import CHEAP

DESK = Passphrase("desk of an officer")
NOW = 1_752_624_000_000


class Holders:
    """Holders of roots, by name; each has a key of their own.

    Args:
        names: one root is made for each.
        now: when they work, ms UTC.
    """

    def __init__(self, *names: str, now: int = NOW) -> None:
        self.now = now
        self.keys: dict[str, SecretKey] = {name: new_key(Role.ROOT, name) for name in names}

    def half(self, name: str) -> RootHalf:
        return RootHalf(name, self.keys[name].public)

    def sign(self, draft: OperationDraft, *names: str) -> OperationDraft:
        """Signed by these holders, one after the other, each from the file of the one before."""
        for name in names:
            draft = sign(parse_draft(format_draft(draft)), self.keys[name].signing())
        return draft

    def found(self, folder: Path, threshold: int, agency: str = "la.ospp") -> Office:
        """A new agency of these holders, its first operation drafted."""
        roots = Roots(tuple(self.half(name) for name in self.keys), threshold)
        return init(folder, agency, roots, {"bounmy": DESK}, now=self.now, cost=CHEAP)

    def enrolled(self, folder: Path, threshold: int, agency: str = "la.ospp") -> Office:
        """The same with its first operation signed by all and finished."""
        office = self.found(folder, threshold, agency)
        conclude(office, self.sign(waiting(office), *self.keys))
        return office


def waiting(office: Office) -> OperationDraft:
    """The one draft that waits in the agency's folder."""
    (path,) = (office.folder / "drafts").glob("*.draft")
    return parse_draft(path.read_bytes())


def drafted_officer(office: Office, handle: str = "khamla") -> Path:
    """The draft with which an officer waits to be enrolled."""
    made = add_key(office, Role.OFFICER, None, now=NOW, handle=handle, passphrase=DESK, cost=CHEAP)
    assert made.waits
    return made.operation
