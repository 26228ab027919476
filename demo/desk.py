"""Officers' own machines: one in the office, one in the province, far from the node."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import bulletins
import secrecy
from houses import Bridge
from pictures import Screen
from stage import CAMBODIA, DESK, LAOS, DemoFailed

OFFICER: Final = "dara"
INVITATION: Final = "invitation-of-the-node.json"


class OfficersDesk:
    """One officer's own machine, in a house of its own.

    Args:
        bridge: with the agency's node running and serving desks.
        house: where the machine stands; typed: its officer's passphrase.
    """

    def __init__(self, bridge: Bridge, house: str, agency: str, officer: str, typed: str) -> None:
        self._bridge = bridge
        self._stage = bridge.stage
        self._house = bridge.stage.house(house)
        self.house, self.agency, self.officer, self.typed = house, agency, officer, typed

    @property
    def folder(self) -> Path:
        """The desk's folder."""
        return self._house / "desk"

    def make(self) -> str:
        """The ceremony: an invitation there, a request back, words compared both ways; the words
        of the new key."""
        stage, office, agency = self._stage, self._stage.house(self.agency), self.agency
        stage.secret(self.house, "passphrase", self.typed)
        invited = self._bridge.saphan(
            agency, "desk", "invite", "--out", office / INVITATION,
            "--address", f"127.0.0.1:{self._bridge.desk_ports[agency]}",
        )  # fmt: skip
        invitation = stage.carry(office / INVITATION, self.house)
        made = self.saphan(
            "desk", "init", self.folder, "--invitation", invitation,
            "--handle", self.officer, "--words", invited["words"],
        )  # fmt: skip
        request = stage.carry(Path(made["request"]), agency)
        added = self._bridge.saphan(
            agency, "keys", "add", "officer", "--request", request, "--words", made["words"],
            "--passphrase-file", self._bridge.passphrase(agency),
        )  # fmt: skip
        self._bridge.saphan(agency, "keys", "submit", added["operation"])
        words: str = made["words"]
        return words

    def saphan(self, *words: str | Path) -> dict[str, Any]:
        """Run `saphan ...` at the desk, as its officer."""
        secret = self._house / "passphrase"
        return self._stage.run(self.house, "saphan", *words, "--passphrase-file", secret)

    def read(self, bulletin: str) -> dict[str, Any]:
        """Content of a bulletin."""
        found = self.saphan("read", bulletin, "--desk", self.folder)
        content: dict[str, Any] = found["content"]
        return content


class Province(OfficersDesk):
    """dara's desk in Battambang, of the node in Phnom Penh; its line breaks.

    Args:
        bridge: with kh.gpo's node running and serving desks.
    """

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge, DESK, CAMBODIA, OFFICER, "river market cloud eleven bells")

    def begin(self, screen: Screen) -> None:
        """Make the desk."""
        words = " ".join(self.make().split()[:5])
        screen.good(
            f"{OFFICER} works in Battambang, 290 km from the node of {CAMBODIA}. The key was made "
            f"there and never leaves; the office compared its words, “{words} …”, and signed."
        )

    def answer_without_a_line(self, screen: Screen, question: str) -> str:
        """The node is gone; the desk reads again, writes, signs; then the line comes back.

        Raises:
            DemoFailed: when anything is lost, sent twice, or found in clear.
        """
        self._bridge.nodes[CAMBODIA].kill()
        screen.refused(f"The line to Battambang is dead: the node of {CAMBODIA} lost its power.")
        if not self.read(question)["body"]["cells"]:
            raise DemoFailed("the desk does not show what it had opened")
        file = self._house / "training_notice.json"
        bulletins.write("training_notice", file, question)
        queued = self.saphan("send", file, "--to", LAOS, "--desk", self.folder)
        file.unlink()  # what was written stands, sealed, in the desk's own outbox
        if queued["state"] != "waiting":
            raise DemoFailed(f"a bulletin was {queued['state']} without a line")
        screen.say(
            f"{OFFICER} reads the figures again, writes the answer, signs it: all without a line."
        )
        self._bridge.start_cambodia()
        done: list[dict[str, Any]] = []
        self._stage.until("the node in Phnom Penh", self._bridge.node_answers)
        done += self.saphan("desk", "sync", self.folder)["sent"]
        again = self.saphan("desk", "sync", self.folder)["sent"]
        if len(done) != 1 or again:
            raise DemoFailed(f"{len(done)} were sent, then {len(again)} more")
        sent: str = done[0]["id"]
        screen.good(f"The line is back: {sent[:12]}… goes out once, and only once.")
        return sent

    def search(self, screen: Screen) -> None:
        """Whoever steals this computer finds no word of what was read and written on it."""
        words = [word.encode() for word in bulletins.CANARIES]
        found = secrecy.holding(self.folder, words)
        if found:
            raise DemoFailed(f"words of the text were found in {len(found)} files of the desk")
        count = len(list(secrecy.files(self.folder)))
        screen.good(
            f"Searched all {count} files of the desk for words of the texts: none has them. "
            "They rest under a key that only the officer's passphrase opens."
        )
