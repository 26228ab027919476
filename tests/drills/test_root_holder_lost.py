"""docs/drills/root-holder-lost.md; and what the lost root is worth before and after."""

from __future__ import annotations

import time

from saphan.ceremony.concluding import conclude
from saphan.ceremony.draft import sign
from saphan.ceremony.holder import new_root, open_root_file
from saphan.ceremony.root_change import change_roots
from saphan.ceremony.roots import keep_halves
from saphan.office import Office
from saphan.operations import open_root
from saphan_protocol.directory import Directory, operation_leaf
from saphan_schemas.records import Role
from support.bridge import CHEAP, SECRET
from support.drill_pages import VIENTIANE, Open, Town, submitted

HOLDERS = ("director", "deputy", "archive")


def two_of_three(town: Town) -> None:
    """The agency's one root becomes three, two of which sign; each holder has the own key."""
    office = Office(town.folder(VIENTIANE) / "agency")
    made = [new_root(town.folder(name) / "root", name, SECRET, CHEAP) for name in HOLDERS]
    halves, now = tuple(one.half for one in made), int(time.time() * 1000)
    draft = change_roots(office, halves, [office.read_agency().root_ids[0].hex()], 2, now)
    for key in (
        open_root(office, SECRET),
        *(open_root_file(one.key_file, SECRET) for one in made),
    ):
        draft = sign(draft, key)
    keep_halves(office, halves)
    submitted(town, VIENTIANE, conclude(office, draft))


def test_the_page_puts_a_successor_in_the_place_of_the_deputy(open_town: Open) -> None:
    town = open_town(*HOLDERS, "successor")
    two_of_three(town)
    office = Office(town.folder(VIENTIANE) / "agency")
    town.walk("root-holder-lost.md")
    directory = Directory()
    for signed in office.history():
        directory.apply(operation_leaf(signed))
    version, _, threshold = directory.version("la.ospp")
    assert (version, threshold) == (3, 2)
    roots = {key.key_id for key in directory.keys("la.ospp", Role.ROOT)}
    keys = {
        name: open_root_file(town.folder(name) / f"root/{name}.key", SECRET)
        for name in (*HOLDERS, "successor")
    }
    assert roots == {key.key_id for name, key in keys.items() if name != "deputy"}
    assert "kh.gpo: Accepted" in town.terminals[VIENTIANE].shown
    # What the log has is what the office has: the node knows every operation in its name.
    known = town.node(VIENTIANE).get("/v1/operations")["operations"]
    assert [row["known"] for row in known] == ["made", "submitted", "submitted"]
