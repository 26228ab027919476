"""A memorandum's life at the command line: page, countersigned, suspended, renewed, ended."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from saphan.agreements.terms import first_terms
from saphan_protocol.pins import format_pins
from support.agency_folders import PINS
from support.broker_command import running_broker
from support.command import Ran, saphan_here
from support.joining import Joining, line_of, running_node

BOTH = ("la.ospp", "kh.gpo")
FIGURES = Path(__file__).resolve().parents[2] / "demo" / "figures.json"


def agreement(joining: Joining, name: str, *words: str | Path, status: int = 0) -> Ran:
    """`saphan agreement` in an agency's folder, with its root's passphrase."""
    root: tuple[str | Path, ...] = ("--passphrase-file", joining.passphrase, "--yes")
    if words[0] in ("list", "show"):
        root = ()
    here = ("--dir", joining.agency(name), "--json")
    return saphan_here("agreement", *words, *here, *root, status=status)


def listed(joining: Joining, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = agreement(joining, name, "list").json["agreements"]
    return found


def conditions(joining: Joining, name: str) -> list[str]:
    return [one["condition"] for one in listed(joining, name)]


def send(joining: Joining, status: int = 0) -> Ran:
    return saphan_here(
        *("send", FIGURES, "--to", "kh.gpo", "--dir", joining.agency("la.ospp"), "--json"),
        *("--passphrase-file", joining.top / "desk.txt"),
        status=status,
    )


def code(ran: Ran) -> str:
    error = json.loads(ran.err.splitlines()[-1])["error"]
    assert error["hint"]
    return str(error["code"])


def test_a_memorandums_whole_life(joining: Joining) -> None:
    la, kh = joining.agency("la.ospp"), joining.agency("kh.gpo")
    with running_broker(joining.broker, tls=True) as broker:
        joining.invite(broker.url)
        for name in BOTH:
            joining.admit(name)
        with running_node(la), running_node(kh):
            concluded(joining)
            bulletin = send(joining).json["id"]
            suspended_by_the_order_key(joining)
            status = saphan_here("status", bulletin, "--dir", la, "--json").json
            assert [one["state"] for one in status["deliveries"]] == ["accepted"]
            renewed_and_ended(joining)


def concluded(joining: Joining) -> None:
    draft = joining.top / "draft.json"
    agreement(joining, "la.ospp", "propose", "--with", "kh.gpo", "--wait", "--out", draft)
    early = agreement(joining, "la.ospp", "countersign", draft, status=3)
    assert code(early) == "agreement_threshold"  # it is the other side's to conclude
    finished = agreement(joining, "kh.gpo", "countersign", draft).json
    assert Path(finished["agreement"]).parent == joining.agency("kh.gpo") / "agreements"
    assert agreement(joining, "kh.gpo", "countersign", draft).json == finished  # nobody is asked
    assert conditions(joining, "kh.gpo") == ["in_force"]
    # The side that signed first has no file of it; its node has the text from the log.
    while not listed(joining, "la.ospp"):
        pass
    shown = [agreement(joining, name, "show", finished["reference"]).json for name in BOTH]
    assert shown[0] == shown[1]
    assert shown[0]["identity"] == finished["identity"]


def suspended_by_the_order_key(joining: Joining) -> None:
    kh = joining.agency("kh.gpo")
    (known,) = listed(joining, "kh.gpo")
    named = known["reference"]
    missing = agreement(joining, "kh.gpo", "suspend", named, status=5)
    assert code(missing) == "order_key_missing"
    here = ("--dir", kh, "--passphrase-file", joining.passphrase)
    new = ("--new-passphrase-file", joining.passphrase, "--json")
    made = saphan_here("keys", "add", "order", *here, *new).json
    saphan_here("keys", "submit", made["operation"], "--dir", kh)
    assert code(agreement(joining, "kh.gpo", "suspend", "other", status=2)) == "agreement_unnamed"
    ordered = agreement(joining, "kh.gpo", "suspend", named, "--reason", "at midnight").json
    assert (ordered["logged"], ordered["number"]) == (True, 1)
    (one,) = listed(joining, "kh.gpo")
    assert (one["condition"], one["by"]) == ("suspended", ["kh.gpo"])
    assert one["orders"][0]["reason"] == "at midnight"
    again = agreement(joining, "kh.gpo", "suspend", one["identity"][:12], status=3)
    assert code(again) == "order_idle"
    assert eventually_refused(joining) == "agreement_suspended"
    brought = ("revoke", "import", ordered["file"], "--dir", joining.agency("la.ospp"))
    assert "The log shows it already" in saphan_here(*brought).out
    assert code(agreement(joining, "la.ospp", "resume", named, "--root", status=3)) == "order_idle"
    agreement(joining, "kh.gpo", "resume", named)


def eventually_refused(joining: Joining) -> str:
    """What a sender is told as soon as its node has heard; the order is in the log already."""
    while conditions(joining, "la.ospp") == ["in_force"]:
        pass
    return code(send(joining, status=3))


def renewed_and_ended(joining: Joining) -> None:
    renewal, (old,) = joining.top / "renewal.json", listed(joining, "la.ospp")
    renew = ("renew", old["reference"], "--until", "2099-01-01", "--out", renewal)
    draft = agreement(joining, "la.ospp", *renew).json
    assert draft["replaces"] == old["identity"]
    agreement(joining, "kh.gpo", "countersign", renewal)
    assert conditions(joining, "kh.gpo") == ["replaced", "in_force"]
    order = joining.top / "order.json"
    words = ("terminate", draft["reference"], "--out", order)
    assert agreement(joining, "kh.gpo", *words).json["signed"] == 1
    assert agreement(joining, "kh.gpo", "show", order).json["finished"] is False
    assert agreement(joining, "kh.gpo", "countersign", order).json["action"] == "terminate"
    assert conditions(joining, "kh.gpo") == ["replaced", "terminated"]


def test_an_order_binds_at_once_while_the_broker_is_away(joining: Joining) -> None:
    kh = joining.agency("kh.gpo")
    with running_broker(joining.broker, tls=True) as broker:
        joining.invite(broker.url)
        for name in BOTH:
            joining.admit(name)
        with running_node(joining.agency("la.ospp")), running_node(kh):
            concluded(joining)
    named = "kh.gpo-la.ospp-" + str(datetime.now(UTC).year)
    stopped = agreement(joining, "la.ospp", "suspend", named, "--root", status=4)
    assert code(stopped) == "node_unreachable"  # this side keeps no file of what it signed first
    with running_node(kh):
        assert line_of(kh, "broker_unreachable") == "broker_unreachable"
        (one,) = listed(joining, "kh.gpo")
        ordered = agreement(joining, "kh.gpo", "suspend", one["reference"], "--root").json
        assert not ordered["logged"]
        assert conditions(joining, "kh.gpo") == ["suspended"]
        again = agreement(joining, "kh.gpo", "suspend", one["reference"], "--root", status=3)
        assert code(again) == "order_idle"
        agreement(joining, "kh.gpo", "resume", one["reference"], "--root")
        (one,) = listed(joining, "kh.gpo")
        assert [(o["number"], o["logged"]) for o in one["orders"]] == [(1, False), (2, False)]
        assert one["condition"] == "in_force"


def test_several_roots_sign_where_there_is_no_network(folder: Path) -> None:
    """Each holder has the draft, their key and the broker's pins, and no agency's folder."""
    holders, passphrase = folder / "holders", ("--passphrase-file", folder / "root.txt")
    for name in ("chief", "deputy", "clerk"):
        saphan_here("root", "new", "--name", name, "--out", holders, *passphrase)
    roots = [
        word for name in ("chief", "deputy", "clerk") for word in ("--root", half(folder, name))
    ]
    saphan_here(
        *("agency", "init", "th.oncb", "--dir", folder / "th", "--officer", "dao", *roots),
        *("--threshold", "2", "--officer-passphrase-file", folder / "desk.txt"),
    )
    operation = next((folder / "th" / "drafts").iterdir())
    for name in ("chief", "deputy", "clerk"):
        signing = ("root", "sign", operation, "--key", key(folder, name), "--yes")
        saphan_here(*signing, *passphrase)
    saphan_here("root", "finish", operation, "--dir", folder / "th")
    (folder / "pins.json").write_bytes(format_pins(PINS))
    draft = folder / "draft.json"
    files = [folder / "th" / "agency.json", folder / "kh.gpo" / "agency.json"]
    parties = [word for file in files for word in ("--party", file)]
    pins = ("--pins", folder / "pins.json")
    over = folder / "over.json"
    over.write_bytes(first_terms(["kh.gpo", "th.oncb"], date(2001, 1, 1)))
    late = ("agreement", "propose", *parties, *pins, "--terms", over, "--out", draft)
    assert saphan_here(*late, status=2).code == "agreement_dates"
    saphan_here("agreement", "propose", *parties, *pins, "--out", draft)
    for name, count in (("clerk", 1), ("clerk", 1), ("chief", 2)):
        words = ("agreement", "sign", draft, "--key", key(folder, name), *pins, "--yes", "--json")
        signed = saphan_here(*words, *passphrase).json
        assert [p["signed"] for p in signed["parties"]] == [0, count]
    page = folder / "page.html"
    saphan_here("agreement", "show", draft, "--page", page, "--lang", "lo")
    assert "ຂໍ້ຕົກລົງ" in page.read_text(encoding="utf-8")
    elsewhere = saphan_here(
        *("agreement", "sign", draft, "--dir", folder / "th", *pins, "--yes"), status=5
    )
    assert elsewhere.code == "root_elsewhere"


def half(folder: Path, name: str) -> Path:
    return folder / "holders" / f"{name}.json"


def key(folder: Path, name: str) -> Path:
    return folder / "holders" / f"{name}.key"
