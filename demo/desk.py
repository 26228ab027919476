"""The desk in the province: an officer's own machine, far from the node; the line breaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import bulletins
import secrecy
from houses import Bridge
from pictures import Screen
from stage import CAMBODIA, DESK, LAOS, DemoFailed

OFFICER: Final = "dara"
TYPED: Final = "river market cloud eleven bells"
"""The passphrase."""
INVITATION: Final = "invitation-of-the-node.json"


class Province:
    """dara's desk in Battambang, of the node in Phnom Penh.

    Args:
        bridge: with kh.gpo's node running and serving desks.
    """

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._stage = bridge.stage
        self._house = bridge.stage.house(DESK)

    @property
    def folder(self) -> Path:
        """The desk's folder."""
        return self._house / "desk"

    def make(self, screen: Screen) -> None:
        """The ceremony: an invitation there, a request back, words compared both ways."""
        stage, office = self._stage, self._stage.house(CAMBODIA)
        stage.secret(DESK, "passphrase", TYPED)
        invited = self._bridge.saphan(
            CAMBODIA, "desk", "invite", "--out", office / INVITATION,
            "--address", f"127.0.0.1:{self._bridge.desk_port}",
        )  # fmt: skip
        made = self.saphan(
            "desk", "init", self.folder, "--invitation", stage.carry(office / INVITATION, DESK),
            "--handle", OFFICER, "--words", invited["words"],
        )  # fmt: skip
        request = stage.carry(Path(made["request"]), CAMBODIA)
        added = self._bridge.saphan(
            CAMBODIA, "keys", "add", "officer", "--request", request, "--words", made["words"],
            "--passphrase-file", self._bridge.passphrase(CAMBODIA),
        )  # fmt: skip
        self._bridge.saphan(CAMBODIA, "keys", "submit", added["operation"])
        words = " ".join(made["words"].split()[:5])
        screen.good(
            f"{OFFICER} works in Battambang, 290 km from the node of {CAMBODIA}. The key was made "
            f"there and never leaves; the office compared its words, “{words} …”, and signed."
        )

    def saphan(self, *words: str | Path) -> dict[str, Any]:
        """Run `saphan ...` at the desk, as its officer."""
        secret = self._house / "passphrase"
        return self._stage.run(DESK, "saphan", *words, "--passphrase-file", secret)

    def read(self, bulletin: str) -> dict[str, Any]:
        """Content of a bulletin."""
        found = self.saphan("read", bulletin, "--desk", self.folder)
        content: dict[str, Any] = found["content"]
        return content

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
