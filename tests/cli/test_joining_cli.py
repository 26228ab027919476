"""Joining as an agency's people do it: the invitation, and an agreement by name."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from saphan.cli import waiting
from saphan_protocol.invitation import Invitation, format_invitation, parse_invitation
from saphan_protocol.words import fingerprint_words
from support.broker_command import running_broker
from support.command import Ran, saphan, saphan_here
from support.joining import Joining, line_of, running_node
from support.pin_files import pins

MADE = Invitation(address="bridge.example:8470", pins=pins(), tls=bytes(32))
OTHER_WORDS = fingerprint_words(bytes(20))


def begin(folder: Path, invitation: bytes, *options: str | Path, status: int = 0) -> Ran:
    """`saphan agency init` with an invitation, in a folder with the agencies' passphrases."""
    (folder / "invitation.json").write_bytes(invitation)
    # Of its own where it would ask: it must not find the terminal of whoever runs the tests.
    run = saphan_here if options else saphan
    return run(
        *("agency", "init", "th.oncb", "--dir", folder / "th.oncb", "--officer", "dao"),
        *("--passphrase-file", folder / "root.txt"),
        *("--officer-passphrase-file", folder / "desk.txt"),
        *("--invitation", folder / "invitation.json", "--json"),
        *options,
        status=status,
    )


def code(ran: Ran) -> str:
    error = json.loads(ran.err.splitlines()[-1])["error"]
    assert error["hint"]
    return str(error["code"])


def test_one_command_makes_the_keys_and_trusts_the_broker(folder: Path) -> None:
    made = begin(folder, format_invitation(MADE), "--words", MADE.words).json
    assert made["broker"] == MADE.url
    assert (folder / "th.oncb/enrol.saphan").exists()
    assert parse_invitation((folder / "th.oncb/node/invitation.json").read_bytes()) == MADE
    shown = saphan_here("words", folder / "invitation.json", "--json").json
    assert [row["words"] for row in shown["fingerprints"]] == [MADE.words]


@pytest.mark.parametrize(
    ("cut", "options", "expected", "status"),
    (
        (len(format_invitation(MADE)) // 2, ("--words", MADE.words), "invitation_cut_off", 2),
        (None, ("--words", OTHER_WORDS), "words_differ", 3),
        (None, ("--words", "half a word"), "words_malformed", 2),
        (None, (), "not_confirmed", 5),  # there is no terminal to ask
    ),
)
def test_nothing_is_made_from_half_a_file_or_under_other_words(
    folder: Path, cut: int | None, options: tuple[str, ...], expected: str, status: int
) -> None:
    ran = begin(folder, format_invitation(MADE)[:cut], *options, status=status)
    assert code(ran) == expected
    assert not (folder / "th.oncb").exists()


def test_an_invitation_that_was_changed_on_its_way_is_not_used(folder: Path) -> None:
    text = format_invitation(MADE).replace(b"bridge.example:8470", b"bridge.example:8471")
    assert code(begin(folder, text, "--yes", status=2)) == "invitation_damaged"


def test_a_later_invitation_may_move_the_broker_but_not_exchange_its_logs(folder: Path) -> None:
    here: tuple[str | Path, ...] = ("--dir", folder / "la.ospp", "--yes")
    for number, invitation in enumerate(
        (
            MADE,
            Invitation(address="bridge.example:9", pins=MADE.pins, tls=None),
            Invitation(address="bridge.example:9", pins=pins(key="other"), tls=None),
        )
    ):
        (folder / f"{number}.json").write_bytes(format_invitation(invitation))
    for number in (0, 1):
        saphan_here("agency", "pin", folder / f"{number}.json", *here)
    assert saphan_here("agency", "pin", folder / "2.json", *here, status=3).code == "pins_differ"
    stored = parse_invitation((folder / "la.ospp/node/invitation.json").read_bytes())
    assert (stored.address, stored.tls) == ("bridge.example:9", None)


def test_a_node_without_an_address_says_where_it_comes_from(folder: Path) -> None:
    ran = saphan_here("node", "run", "--dir", folder / "la.ospp", status=5)
    assert ran.code == "invitation_missing"
    ran = saphan_here(
        "node", "run", "--dir", folder / "la.ospp", "--broker", "ws://192.0.2.7:8470", status=2
    )
    assert ran.code == "line_in_clear"


def propose(joining: Joining, *options: str | Path, status: int = 0) -> Ran:
    return saphan_here(
        *("agreement", "propose", *options, "--dir", joining.agency("la.ospp")),
        *("--out", joining.top / "draft.json", "--passphrase-file", joining.passphrase),
        status=status,
    )


def sign(joining: Joining, *options: str, status: int = 0) -> Ran:
    return saphan_here(
        *("agreement", "countersign", joining.top / "draft.json", "--yes"),
        *options,
        *("--dir", joining.agency("kh.gpo"), "--passphrase-file", joining.passphrase),
        status=status,
    )


@contextmanager
def started_while_waiting(monkeypatch: pytest.MonkeyPatch, agency: Path) -> Iterator[None]:
    """The node starts when a command has asked for it in vain and waits."""
    with ExitStack() as running, monkeypatch.context() as patched:

        def wait(seconds: float) -> None:
            if not started:
                started.append(running.enter_context(running_node(agency)))
            time.sleep(seconds)

        started: list[None] = []
        slow = SimpleNamespace(monotonic=time.monotonic, sleep=wait)
        patched.setattr(waiting, "time", slow)
        yield
        assert started, "nobody waited"


def agreements(agency: Path) -> list[str]:
    """References of those that its node knows to be in force."""
    found = saphan_here("node", "status", "--dir", agency, "--json").json["agreements"]
    return [one["reference"] for one in found]


def test_an_agreement_by_name_and_what_may_be_missing_on_the_way(
    monkeypatch: pytest.MonkeyPatch, joining: Joining
) -> None:
    la, kh = joining.agency("la.ospp"), joining.agency("kh.gpo")
    assert propose(joining, status=2).code == "parties_needed"
    with running_broker(joining.broker, tls=True) as broker:
        joining.invite(broker.url)
        assert propose(joining, "--with", "kh.gpo", "--yes", status=4).code == "node_unreachable"
        joining.admit("la.ospp")
        with running_node(la):
            assert line_of(la, "open") == "open"
            refused = propose(joining, "--with", "kh.gpo", "--yes", status=3)
            assert refused.code == "agency_unknown"
            assert "admitted" in refused.err
            for name in ("kh gpo", "ຂະແມ", "kh.gpo&agency=la.ospp", "la.ospp#"):
                unknown = propose(joining, "--with", name, "--yes", status=3)
                assert unknown.code == "agency_unknown", name
            joining.admit("kh.gpo")
            wrong = ("--with", "kh.gpo", "--wait", "--words", OTHER_WORDS)
            assert propose(joining, *wrong, status=3).code == "words_differ"
            assert not (joining.top / "draft.json").exists()
            propose(joining, "--with", "kh.gpo", "--words", joining.words("kh.gpo"))
            # Its own node does not run: the signatures are kept, and the way on is named.
            told = sign(joining, status=4)
            assert told.err.splitlines()[-2].endswith("(node_unreachable)")
            with started_while_waiting(monkeypatch, kh):
                # Again: it changes nothing, and now it comes to the broker.
                sign(joining, "--wait")
                assert saphan_here("read", "--dir", kh, status=4).code == "nothing_unread"
                (reference,) = agreements(kh)
                # Other terms under the same reference: in force too, and neither file is replaced.
                (joining.top / "draft.json").unlink()
                terms = joining.top / "terms.json"
                saphan_here(
                    *("agreement", "terms", "--with", "kh.gpo", "--dir", la, "--out", terms)
                )
                terms.write_text(terms.read_text().replace('"red"', '"green"'))
                propose(joining, "--with", "kh.gpo", "--terms", terms, "--yes")
                before = [path.read_bytes() for path in (kh / "agreements").iterdir()]
                sign(joining)
                assert agreements(kh) == [reference, reference]
    kept = {path.stem: path.read_bytes() for path in (kh / "agreements").iterdir()}
    assert len(kept) == 2
    assert [kept[reference]] == before
    assert {path.stat().st_mode & 0o077 for path in (kh / "agreements").iterdir()} == {0}
