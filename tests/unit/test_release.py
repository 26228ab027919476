"""What overtakes a bulletin between its admission and its handover."""

from __future__ import annotations

from typing import Any

import pytest
from saphan_protocol.admission import Facts
from saphan_protocol.release import check_release
from saphan_schemas.errors import Refused
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Role
from support.accords import Accord
from support.ceremony import NOW, revoke


def release(accord: Accord, at: int | None = None, now: int = NOW, **header: Any) -> str | None:
    """Code that refuses the handover of a bulletin from la.ospp to kh.gpo; None: it is released."""
    la, kh = accord.la, accord.kh
    facts = Facts(accord.directory, now, at)
    try:
        check_release(
            la.header(["kh.gpo"], NOW, **header), "kh.gpo", la.node.key_id, kh.mailbox.key_id, facts
        )
    except Refused as error:
        return error.code
    return None


def test_nothing_has_changed() -> None:
    assert release(Accord(in_flight="stop")) is None


@pytest.mark.parametrize(
    ("agency", "role", "code"),
    [
        ("la.ospp", Role.NODE, "consignment_revoked"),
        ("kh.gpo", Role.MAILBOX, "mailbox_revoked"),
        ("kh.gpo", Role.NODE, None),  # another node of the agency may take it
    ],
)
def test_a_revocation_before_the_handover(agency: str, role: Role, code: str | None) -> None:
    accord = Accord()
    party = accord.la if agency == "la.ospp" else accord.kh
    key = party.mailbox.key_id if role is Role.MAILBOX else party.node.key_id
    before = accord.directory.size
    accord.directory.apply(b"\x21" + accord.ceremonies[agency].operate([revoke(role, key)]))
    assert release(accord) == code
    assert release(accord, at=before) is None


@pytest.mark.parametrize(("in_flight", "code"), [("deliver", None), ("stop", "agreement_stopped")])
@pytest.mark.parametrize("action", ["suspend", "terminate"])
def test_what_is_in_flight_is_treated_as_the_agreement_says(
    in_flight: str, code: str | None, action: str
) -> None:
    accord = Accord(in_flight=in_flight)
    before = accord.directory.size
    accord.log(accord.order(action, keys=[accord.kh.root]))
    assert release(accord) == code
    assert release(accord, at=before) is None


def test_after_the_resumption_it_is_released() -> None:
    accord = Accord(in_flight="stop")
    accord.log(accord.order("suspend"))
    accord.log(accord.order("resume", number=2))
    assert release(accord) is None


@pytest.mark.parametrize(("in_flight", "code"), [("deliver", None), ("stop", "agreement_stopped")])
def test_an_agreement_that_ends_by_its_date_is_no_other(in_flight: str, code: str | None) -> None:
    accord = Accord(in_flight=in_flight, valid_until=NOW + DAY_MS)
    assert release(accord, now=NOW + DAY_MS - 1) is None
    assert release(accord, now=NOW + DAY_MS) == code


def test_another_agreement_in_force_lets_it_go_on() -> None:
    accord = Accord(in_flight="stop")
    accord.agree(reference="exercise-2", in_flight="stop")
    accord.log(accord.order("suspend"))
    assert release(accord) is None


def test_another_agreement_that_does_not_cover_it_does_not() -> None:
    accord = Accord(in_flight="stop")
    accord.agree(reference="exercise-2", handling=("H1",), default_handling=("H1",))
    accord.log(accord.order("suspend"))
    assert release(accord) == "agreement_stopped"  # the bulletin is marked H0


@pytest.mark.parametrize("in_flight", ["deliver", "stop"])
def test_another_agreement_that_has_not_begun_does_not(in_flight: str) -> None:
    accord = Accord(in_flight="stop")
    accord.agree(reference="exercise-2", in_flight=in_flight, valid_from=NOW + DAY_MS)
    accord.log(accord.order("suspend"))
    assert release(accord) == "agreement_stopped"
    assert release(accord, now=NOW + DAY_MS) is None


def test_the_renewal_decides_not_what_it_replaced() -> None:
    accord = Accord(in_flight="deliver")
    new = accord.agree(reference="exercise-2", in_flight="stop", replaces=accord.name)
    assert release(accord) is None
    accord.log(accord.order("suspend", name=new))
    assert release(accord) == "agreement_stopped"


def test_a_suspension_by_hand_stops_at_once() -> None:
    accord = Accord(in_flight="stop")
    accord.directory.bind_order(accord.order("suspend"))
    assert release(accord) == "agreement_stopped"
    assert release(accord, at=accord.directory.size) is None
