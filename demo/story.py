"""The story, scene by scene: bulletins, a disturbed line, a question, a power cut, an audit."""

from __future__ import annotations

from typing import Any, Final

import bulletins
import secrecy
from audit import audit
from desk import OFFICER, OfficersDesk, Province
from houses import OFFICERS, Bridge, agree, enrol, make_houses
from outage import power_cut
from packs import broker_header
from pages import show_pages
from pictures import Screen, clock, day
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Header
from saphan_schemas.samples import sample
from stage import AUDITOR, BROKER, CAMBODIA, DESK_LAOS, LAOS, DemoFailed, Stage

NAMES: Final = {
    LAOS: "Office of the Supreme People's Prosecutor, Vientiane",
    CAMBODIA: "General Prosecution Office, Phnom Penh",
    BROKER: "the broker in the middle: carries, orders, proves; cannot read",
    AUDITOR: "checks everything afterwards; holds no key",
}


class Story:
    """One performance.

    Args:
        stage: a fresh stage; screen: where it is told; stay: open the desks' pages at the end
            and wait.
    """

    def __init__(self, stage: Stage, screen: Screen, stay: bool = False) -> None:
        self._stage = stage
        self._stay = stay
        self._screen = screen

    def play(self) -> None:
        """All scenes in order.

        Raises:
            DemoFailed: whatever is not as it should be.
        """
        bridge = self._houses()
        province = Province(bridge)
        province.begin(self._screen)
        office = OfficersDesk(bridge, DESK_LAOS, LAOS, "noy", "river stone paper six gardens")
        office.make()
        first = self._figures(bridge, province)
        self._blindness(bridge, first)
        self._answer(bridge, province, first)
        seizure = self._flipped_bit(bridge)
        self._question(bridge)
        self._correction(bridge, seizure)
        power_cut(bridge, self._screen)
        audit(bridge, self._screen)
        show_pages(bridge, [office, province], self._screen, self._stay)

    # --- scenes -----------------------------------------------------------------------------------

    def _houses(self) -> Bridge:
        screen = self._screen
        screen.scene("Four houses with nothing in common")
        screen.table([(name, NAMES[name]) for name in (LAOS, CAMBODIA, BROKER, AUDITOR)])
        screen.say(
            "Here they are four folders with programs of their own; in real use, four machines. "
            "Each makes its own keys; no private key ever leaves its house. Between them only "
            "files are carried that a courier may see."
        )
        bridge = make_houses(self._stage)
        enrol(bridge)
        for agency in OFFICERS:
            words = " ".join(bridge.root_words[agency].split()[:5])
            screen.good(
                f"{agency} is enrolled: the bridge compared its key with it as words, “{words} …”"
            )
        terms = agree(bridge)
        signed = " and ".join(party["agency"] for party in terms["parties"] if party["signed"])
        screen.good(
            f"The memorandum is signed by {signed}: who may send what to whom, until "
            f"{terms['valid_until']}. Without it the bridge carries nothing."
        )
        return bridge

    def _figures(self, bridge: Bridge, province: Province) -> str:
        screen = self._screen
        screen.scene("The figures go from Vientiane to Phnom Penh")
        screen.say(
            "As the Lao News Agency reported on 16 July 2025 from the first meeting of the two "
            "offices, these drug cases were recorded in Laos. They are the only public figures "
            "here; everything else is made up and marked EXERCISE."
        )
        screen.table(bulletins.FIGURES)
        sent = self._send(bridge, LAOS, CAMBODIA, "case_statistics")
        self._accepted(bridge, CAMBODIA, sent)
        content = province.read(sent)
        values = [cell["value"] for cell in content["body"]["cells"]]
        if values != [figure.replace(",", "") for _, figure, _ in bulletins.FIGURES]:
            raise DemoFailed(f"the figures arrived as {values}")
        screen.good(f"{OFFICER} in Battambang has read {values[0]} and {values[1]}.")
        self._timeline(bridge, LAOS, sent, "read")
        return sent

    def _blindness(self, bridge: Bridge, sent: str) -> None:
        screen = self._screen
        screen.scene("What the bridge could see of it")
        screen.say("Everything that the bridge can read of this bulletin, out of its own records:")
        header = broker_header(bridge, sent)
        screen.table(list(_header_rows(header)))
        self._search()

    def _search(self) -> None:
        """No file of the bridge has a word of the text; the sender's own folder does have them."""
        house, words = self._stage.house(BROKER), [word.encode() for word in bulletins.CANARIES]
        found = secrecy.holding(house, words)
        if found or not secrecy.holding(self._stage.house(LAOS), words):
            raise DemoFailed(f"words of the text were found in {len(found)} files of the bridge")
        count, kilobytes = len(list(secrecy.files(house))), secrecy.size(house) // 1024
        self._screen.good(
            f"Searched all {count} files of the bridge ({kilobytes:,} KiB) for words of the text: "
            "none has them. The same search finds them in the sender's folder."
        )

    def _answer(self, bridge: Bridge, province: Province, question: str) -> None:
        screen = self._screen
        screen.scene("Battambang answers with an invitation to a course")
        sent = province.answer_without_a_line(screen, question)
        self._accepted(bridge, LAOS, sent)
        content = self._read(bridge, LAOS, sent)
        for lang, text in content["about"]["summary"].items():
            screen.quote(lang, text)
        self._timeline(bridge, CAMBODIA, sent, "read")
        province.search(screen)

    def _flipped_bit(self, bridge: Bridge) -> str:
        screen = self._screen
        screen.scene("A seizure is reported, and one bit is flipped on its way")
        # Well past the header and inside the sealed text, which follows it in the frame.
        bridge.wire.flip_once(b"saphan/drug_seizure/1", 1_500)
        sent = self._send(bridge, LAOS, CAMBODIA, "drug_seizure")
        self._stage.until("the disturbance", bridge.wire.flipped.is_set)
        code = self._refusal_of(bridge)
        screen.refused(
            "On the line itself TLS would notice. So it was where TLS ends, at the bridge, that "
            f"one bit of the sealed text was changed. The node of {CAMBODIA} refused it ({code}), "
            "told nobody that it had arrived, and asked again."
        )
        self._accepted(bridge, CAMBODIA, sent)
        content = self._read(bridge, CAMBODIA, sent)
        screen.good("The second time it arrived whole. It reads:")
        for lang, text in content["about"]["summary"].items():
            screen.quote(lang, text)
        self._timeline(bridge, LAOS, sent, "read")
        self._search()
        return sent

    def _question(self, bridge: Bridge) -> None:
        screen = self._screen
        screen.scene("Phnom Penh asks two questions; who owes what, by when")
        asked = self._send(bridge, CAMBODIA, LAOS, "info_request")
        owed = self._owed(bridge, asked, "waiting")
        screen.say(
            f"It is urgent, and {LAOS} can look it up itself: eight hours, which run since its "
            f"node has signed “accepted”, until {clock(owed['due'])[:5]} UTC on "
            f"{day(owed['due'] // DAY_MS)}."
        )
        self._send(bridge, LAOS, CAMBODIA, "info_reply", asked)
        owed = self._owed(bridge, asked, "interim")
        screen.good(f"{CAMBODIA} sees at its request how each question stands:")
        screen.table([(f"question {one['no']}", one["state"]) for one in owed["questions"]])
        screen.say(
            "The second one waits for a judge: a delay is announced with its reason and its end, "
            f"{day(owed['expected'] // DAY_MS)}, which both nodes watch from now on."
        )

    def _owed(self, bridge: Bridge, asked: str, state: str) -> dict[str, Any]:
        """What the asking node says is owed, once it stands so."""
        found: list[dict[str, Any]] = []

        def stands() -> bool:
            found[:] = bridge.status(CAMBODIA, asked)["owed"]
            return bool(found) and found[0]["state"] == state and found[0]["due"] is not None

        self._stage.until(f"{state} at {CAMBODIA}", stands)
        return found[0]

    def _correction(self, bridge: Bridge, seizure: str) -> None:
        screen = self._screen
        screen.scene("A weight is corrected")
        sent = self._send(bridge, LAOS, CAMBODIA, "drug_seizure_correction", seizure)
        screen.quote("en", sample("drug_seizure_correction")["about"]["summary"]["en"])
        self._stage.until(
            f"the correction at {CAMBODIA}",
            lambda: bridge.status(CAMBODIA, seizure)["replaced_by"] == [sent],
        )
        screen.good(
            f"{CAMBODIA} has it, and its copy of the seizure says that another one has taken its "
            "place. A correction that leaves out a recipient of the original is not sent."
        )

    # --- what scenes are made of ------------------------------------------------------------------

    def _send(
        self, bridge: Bridge, sender: str, to: str, name: str, about: str | None = None
    ) -> str:
        file = self._stage.house(sender) / f"{name}.json"
        bulletins.write(name, file, about)
        secret = bridge.passphrase(sender)
        answer = bridge.saphan(sender, "send", file, "--to", to, "--passphrase-file", secret)
        sent: str = answer["id"]
        self._screen.good(f"{OFFICERS[sender]} of {sender} signs and sends {name} {sent[:12]}…")
        return sent

    def _accepted(self, bridge: Bridge, recipient: str, sent: str) -> None:
        inbox = bridge.node(recipient).get
        self._stage.until(
            f"{sent[:12]} in the inbox of {recipient}",
            lambda: any(row["id"] == sent for row in inbox("/v1/inbox?limit=500")["bulletins"]),
        )

    def _read(self, bridge: Bridge, recipient: str, sent: str) -> dict[str, Any]:
        secret = bridge.passphrase(recipient)
        answer = bridge.saphan(recipient, "read", sent, "--passphrase-file", secret)
        content: dict[str, Any] = answer["content"]
        return content

    def _timeline(self, bridge: Bridge, agency: str, sent: str, last: str) -> None:
        """The sender's own view, once the last event has come back to it."""
        events: list[str] = []

        def complete() -> bool:
            events[:] = [row["event"] for row in bridge.status(agency, sent)["timeline"]]
            return last in events

        self._stage.until(f"{last} at {agency}", complete)
        self._screen.timeline(bridge.status(agency, sent))
        self._screen.good(f"{agency} holds a signed receipt: accepted.")

    def _refusal_of(self, bridge: Bridge) -> str:
        lines: list[str] = []

        def refused() -> bool:
            said = bridge.nodes[CAMBODIA].said().splitlines()
            lines[:] = [line for line in said if "line down" in line]
            return bool(lines)

        self._stage.until("the refusal", refused)
        return lines[-1].rpartition("(")[2].partition(")")[0]


def _header_rows(header: Header) -> list[tuple[str, str]]:
    return [
        ("from, to", f"{header.sender}, {' '.join(header.recipients)}"),
        ("type", header.schema),
        ("marking", f"TLP {header.marking.tlp}, {' '.join(header.marking.codes)}"),
        ("urgency", f"{header.urgency}, {'exercise' if header.exercise else 'real'}"),
        ("keep until", day(header.retain_until)),
    ]
