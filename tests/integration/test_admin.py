"""The operator's socket of a running broker: who is let in, and by whose words."""

from __future__ import annotations

import asyncio
import base64
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from saphan_broker.admin import administered
from saphan_broker.enrolment import check_fingerprints, read_enrolment
from saphan_broker.socket_places import SOCKET_NAME
from saphan_protocol.identity import identity
from saphan_protocol.keys import SigningKey
from saphan_protocol.operation import OPERATION_TYPE, sign_operation
from saphan_protocol.words import fingerprint_words
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import Change, Operation, SignedOperation
from saphan_schemas.errors import InvalidInput, OperatorError, Refused
from saphan_schemas.records import Role
from support.agency import Agency, seed
from support.brokers import World
from support.session import Line

A, B = "la.ospp", "kh.gpo"
NOW = 1_790_000_000_000


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A running broker with its socket, no agency in it."""
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running(), administered(world.broker, world.data):
        yield world


async def ask(world: World, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    connector = aiohttp.UnixConnector(str(world.data / SOCKET_NAME))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.request(method, f"http://broker{path}", json=body) as response,
    ):
        return response.status, await response.json()


async def admit(world: World, signed: bytes, *words: str) -> tuple[int, Any]:
    body = {"operation": base64.b64encode(signed).decode(), "fingerprints": list(words)}
    status, answer = await ask(world, "POST", "/admit", body)
    return status, answer.get("error", {}).get("code", answer)


def words_of(agency: Agency) -> str:
    return fingerprint_words(agency.root.key_id)


async def test_the_socket_is_the_owners_alone_and_goes_with_the_broker(tmp_path: Path) -> None:
    world = World(tmp_path, A)
    await world.init()
    async with world.running():
        async with administered(world.broker, world.data):
            found = (world.data / SOCKET_NAME).stat()
            assert stat.S_ISSOCK(found.st_mode)
            assert stat.S_IMODE(found.st_mode) == 0o600
        assert not (world.data / SOCKET_NAME).exists()


async def test_a_file_in_the_sockets_place_is_not_removed(tmp_path: Path) -> None:
    world = World(tmp_path, A)
    await world.init()
    async with world.running():
        (world.data / SOCKET_NAME).write_text("mine")
        with pytest.raises(OperatorError) as caught:
            async with administered(world.broker, world.data):
                raise AssertionError("it must not come so far")
        assert caught.value.code == "socket_unusable"
        assert (world.data / SOCKET_NAME).read_text() == "mine"


async def test_an_agency_is_admitted_by_the_words_of_its_root(world: World) -> None:
    agency = world.agencies[A]
    status, answer = await admit(world, agency.enrolment(), words_of(agency))
    assert status == 200
    assert (answer["agency"], answer["version"], answer["index"]) == (A, 1, 1)
    published = world.broker.state.registry.published
    assert published is not None
    assert answer["head"]["root"] == published.root.hex()
    assert world.broker.state.directory.agencies() == [A]
    line = await world.line(A)  # its node is let in by what was admitted
    await line.until(lambda: len(line.leaves) == 2)


async def test_admitting_again_gives_the_same_answer(world: World) -> None:
    agency = world.agencies[A]
    signed = agency.enrolment()
    await admit(world, signed, words_of(agency))
    status, answer = await admit(world, signed, words_of(agency))
    assert (status, answer["known_before"]) == (200, True)
    assert world.broker.state.registry.tree.size == 2


async def test_the_broker_itself_compares_the_words(world: World) -> None:
    agency, other = world.agencies[A], world.agencies[B]
    signed = agency.enrolment()
    for words in ((), (words_of(other),), (words_of(agency), words_of(other))):
        assert await admit(world, signed, *words) == (403, "fingerprint_differs")
    assert await admit(world, signed, "absent") == (400, "words_malformed")
    assert world.broker.state.registry.tree.size == 1


async def test_a_forged_operation_is_refused_though_its_words_are_right(world: World) -> None:
    agency = world.agencies[A]
    signed = decode(SignedOperation, agency.enrolment(), 65_535, "operation")
    stolen = SignedOperation(signed.operation, signed.roots, signed.keys[1:], signed.witnesses)
    assert await admit(world, encode(stolen), words_of(agency)) == (400, "operation_possession")
    assert world.broker.state.directory.agencies() == []


async def test_a_second_beginning_of_an_agency_is_refused(world: World) -> None:
    agency = world.agencies[A]
    await admit(world, agency.enrolment(), words_of(agency))
    thief = Agency(A, world.clock())
    thief.root = SigningKey(Role.ROOT, seed("thief", 64))
    status, code = await admit(world, thief.enrolment(), words_of(thief))
    assert (status, code) == (403, "agency_exists")
    assert world.broker.state.registry.tree.size == 2


async def test_a_later_operation_needs_no_words_but_its_roots(world: World) -> None:
    """When an agency has lost its node's key it has no session: its root still speaks for it."""
    agency = world.agencies[A]
    first = agency.enrolment()
    await admit(world, first, words_of(agency))
    body = decode(SignedOperation, first, 65_535, "operation").operation
    node = SigningKey(Role.NODE, seed("new node", 64))
    change = Change("add", Role.NODE, node.public, None, None, None)
    later = agency.operation(2, identity(OPERATION_TYPE, body), [change], [node])
    status, answer = await admit(world, later)
    assert (status, answer["version"], answer["index"]) == (200, 2, 2)
    stranger = Agency(B, world.clock())
    record = Operation(A, 3, identity(OPERATION_TYPE, body), 1, world.clock(), (change,))
    salts = [stranger.random(), stranger.random()]
    forged = sign_operation(record, [stranger.root], [node], [], salts)
    status, _ = await admit(world, forged)
    assert status in (400, 403)
    assert world.broker.state.registry.tree.size == 3


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"operation": "AA=="},
        {"operation": "not base64!", "fingerprints": []},
        {"operation": "ສະບາຍດີ", "fingerprints": []},
        {"operation": "AA==", "fingerprints": [], "yes": True},
        {"operation": 7, "fingerprints": []},
    ],
)
async def test_malformed_requests_are_refused(world: World, body: Any) -> None:
    status, answer = await ask(world, "POST", "/admit", body)
    assert (status, answer["error"]["code"]) == (400, "malformed")


async def test_many_admissions_at_once_all_enter(world: World) -> None:
    agencies = [Agency(f"la.office{number}", world.clock()) for number in range(4)]
    answers = await asyncio.gather(
        *(admit(world, one.enrolment(), words_of(one)) for one in agencies)
    )
    assert {status for status, _ in answers} == {200}
    assert sorted(answer["index"] for _, answer in answers) == [1, 2, 3, 4]


async def test_the_override_sets_a_broker_free_that_a_node_has_held(world: World) -> None:
    """Timeline: a restart; the first node claims a later head, so nothing is signed; the operator
    has looked, and decides."""
    await world.enrol()
    line = await world.line(A)
    await line.until(lambda: len(line.heads) == 2)
    await world.broker.stop()
    async with world.running() as broker, administered(broker, world.data):
        real = line.heads[world.pins.evidence.origin]
        ahead = Line(world.agencies[A], world.pins, world.clock, True)
        ahead.heads = {real.origin: replace(real, size=real.size + 1)}
        await ahead.connect(world.url)
        await ahead.close()
        status, answer = await ask(world, "GET", "/status")
        assert answer["ready"] is False
        assert "store_behind_node" in [alarm["code"] for alarm in answer["alarms"]]
        held = await world.line(B)
        assert held.closing is not None
        assert held.closing.code == "signer_held"
        status, answer = await ask(world, "POST", "/allow-unheard", {"reason": "a liar"})
        assert (status, answer["heard_before"]) == (200, False)
        assert (await world.line(B)).closing is None
        assert (await ask(world, "GET", "/status"))[1]["ready"] is True


async def test_status_tells_what_an_operator_asks(world: World) -> None:
    status, answer = await ask(world, "GET", "/status")
    assert status == 200
    assert answer["name"] == "bridge.example"
    assert answer["words"] == fingerprint_words(world.pins.digest)
    assert answer["ready"] is True
    assert answer["agencies"] == []
    assert answer["logs"]["evidence"]["signed"] == 1


def test_every_root_is_compared_and_nothing_else() -> None:
    first, second = (SigningKey(Role.ROOT, seed(name, 64)) for name in ("one", "two"))
    changes = tuple(
        Change("add", Role.ROOT, key.public, None, None, None) for key in (first, second)
    )
    record = Operation("la.ospp", 1, None, 2, NOW, changes)
    salts = [bytes([n]) * 32 for n in range(4)]
    enrolment = read_enrolment(sign_operation(record, [first, second], [first, second], [], salts))
    assert (enrolment.agency, enrolment.version, enrolment.threshold) == ("la.ospp", 1, 2)
    words = [fingerprint_words(key.key_id) for key in (first, second)]
    check_fingerprints(enrolment, words)
    check_fingerprints(enrolment, [words[1].upper(), words[0].replace(" ", ", ")])
    for given, left_out in (
        ([words[0]], True),
        ([words[0], words[0]], True),
        ([], True),
        ([*words, words[0]], False),
        ([fingerprint_words(bytes(32))], False),
    ):
        with pytest.raises(Refused) as caught:
            check_fingerprints(enrolment, given)
        assert caught.value.code == "fingerprint_differs"
        # Who left one out is not told that the file is somebody else's.
        assert ("once for each" in (caught.value.hint or "")) is left_out
    with pytest.raises(InvalidInput):
        check_fingerprints(enrolment, ["too few words"])
