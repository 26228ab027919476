"""docs/drills/passphrase-lost.md: an officer whose key nobody opens any more."""

from __future__ import annotations

from saphan.office import Office
from saphan_schemas.records import Role
from support.drill_pages import PASSPHRASE, PHNOM_PENH, VIENTIANE, YES, Open

NEW = "lotus ladder copper nine boats"
"""What the officer types: it does not open the old key."""
ANSWERS = {
    r"root key[^\n]*: ": PASSPHRASE,
    r"sokha[^\n]*: ": NEW,
    r"bounmy[^\n]*: ": PASSPHRASE,
} | YES


def test_the_page_gives_the_officer_a_new_key(open_town: Open) -> None:
    town = open_town(answers=ANSWERS)
    town.terminals[VIENTIANE].type("saphan send figures.json --to kh.gpo --dir agency --wait")
    town.walk("passphrase-lost.md")
    shown = town.terminals[PHNOM_PENH].shown
    assert "(passphrase_wrong)" in shown
    assert shown.index("it does not open") < shown.index("value: 5012")
    office = Office(town.folder(PHNOM_PENH) / "agency")
    keys = [key for key in office.replay().all_keys("kh.gpo") if key.role is Role.OFFICER]
    assert [(key.handle, key.revoked is None) for key in keys] == [
        ("sokha", False),
        ("sokha", True),
    ]
    found = town.node(PHNOM_PENH).get("/v1/showings")["showings"]
    assert [row["officer"] for row in found if row["kind"] == "read"] == ["sokha"]
