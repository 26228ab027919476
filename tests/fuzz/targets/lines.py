"""What comes over local lines: bodies of the node's API, its answers, pages' forms, packs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache, partial
from types import ModuleType
from typing import Any, Final

import msgspec
from saphan import local_api, sdk
from saphan.api_answer import object_of
from saphan.audit.packfile import split_pack
from saphan.base64_text import text_of
from saphan.desk import answers as desk_answers
from saphan.evidence.file import BUNDLE
from saphan.item_file import split_items
from saphan.node.api import (
    disclosures,
    holds,
    recalls,
    requests,
    retention,
    splits,
    subjects,
    tokens,
    trust,
)
from saphan.node.api.requests import SignedBody, parse_json, prepare_signed
from saphan.subjects.references import references_of
from saphan.web.writing.forms.taking import taken
from saphan_protocol.audit.delivered import DeliveriesKept
from saphan_protocol.audit.states import STATE_FORMAT, State, parse_piece, parse_state
from saphan_protocol.bundle.reading import parse_bundle_item
from saphan_protocol.bundle.verify import verify_bundle
from saphan_protocol.content import open_content
from saphan_protocol.pack import parse_pack_item
from saphan_schemas import strict_json
from saphan_schemas.body_types import BUILT_IN
from saphan_schemas.codec import decode, decode_content, encode, encode_content
from saphan_schemas.errors import InvalidInput, SaphanError
from saphan_schemas.limits import LIMITS, MIB
from saphan_schemas.records import Sealed
from saphan_schemas.samples import SAMPLES, sample
from support.agency import Agency
from support.audits import KH, LA, THERE
from support.bundled import Maker
from support.ceremony import NOW, build_directory
from support.logbook import TYPES, Logbook

from fuzz.samples import made, samples
from fuzz.target import ANY_OF_OURS, Form, Target

API: Final = (disclosures, holds, recalls, requests, retention, splits, subjects, tokens, trust)
"""Modules of the node's API; a body is a Struct in one of them whose name ends so."""
ZONE: Final = "Asia/Vientiane"


def _structs(modules: Iterable[ModuleType], ending: str) -> list[type[msgspec.Struct]]:
    found: dict[str, type[msgspec.Struct]] = {}
    for module in modules:
        for name, one in vars(module).items():
            struct = isinstance(one, type) and issubclass(one, msgspec.Struct)
            if struct and name.endswith(ending) and one.__module__ == module.__name__:
                found[name] = one
    return list(found.values())


def _json_of(kinds: Iterable[type[msgspec.Struct]]) -> list[bytes]:
    """JSON of an instance of each, and of a fuller one."""
    found = []
    for described in map(msgspec.inspect.type_info, kinds):
        for full in (False, True):
            # A name that a file may have is asked for by code, not by the type.
            with suppress(ValueError):
                found.append(msgspec.json.encode(made(described, full)))
    return found


BODIES: Final = tuple(_structs(API, "Body"))
ANSWERS: Final = tuple(_structs((desk_answers,), ""))


def _body(data: bytes) -> None:
    """As a body of every request there is."""
    errors: list[InvalidInput] = []
    for kind in BODIES:
        try:
            parse_json(data, kind)
        except InvalidInput as error:
            errors.append(error)
    if len(errors) == len(BODIES):
        raise errors[0]


def _answer(data: bytes) -> None:
    """As an answer of the node to a desk's every question."""
    try:
        value = strict_json.parse_json(dict, data)
    except ValueError:
        return
    for kind in ANSWERS:
        try:
            desk_answers.checked(kind, value)
        except SaphanError:
            continue


@cache
def _world() -> tuple[Agency, Any]:
    la, kh = Agency(LA, NOW), Agency(KH, NOW)
    return la, build_directory([la, kh])[0]


def _signed(data: bytes) -> None:
    body = parse_json(data, SignedBody)
    prepare_signed(body, LA, _world()[1], BUILT_IN)


def _signed_seeds() -> list[bytes]:
    la, _ = _world()
    bulletin = la.bulletin([KH], NOW)
    plain = open_content(bulletin.content_key, bulletin.header_id, bulletin.ciphertext)
    sealed = decode(Sealed, plain, LIMITS.ciphertext_bytes, "sealed")
    told = {
        "header": bulletin.header_bytes,
        "inner": sealed.inner,
        "signature": encode(sealed.signatures[0]),
        "content": sealed.content,
    }
    return [json.dumps({name: text_of(value) for name, value in told.items()}).encode()]


def _refusal(read: Callable[[int, bytes], object], data: bytes) -> None:
    """Of an answer that is none, or of an error: its words are a SaphanError."""
    found = read(400, data)
    if isinstance(found, SaphanError):
        str(found)
        raise found


def _judged(data: bytes) -> None:
    local_api._judge(200, data)
    _refusal(local_api._judge, data)


def _references(data: bytes) -> None:
    content = decode_content(data, LIMITS.content_bytes)
    for name in ("saphan/subject_notice/1", "la.ospp/field_report/1"):
        references_of(name, content)


def _contents() -> list[bytes]:
    return [encode_content(sample(name)) for name in SAMPLES]


def _form(data: bytes) -> None:
    """What a browser has posted: names and values of controls."""
    try:
        posted = strict_json.parse_json(dict[str, str], data)
    except ValueError:
        return
    taken(posted, {}, BUILT_IN.get("saphan/training_notice/1"), ZONE)


def _posted() -> list[bytes]:
    told = {"/about/title/en": "Patrol", "/body/topic": "rivers", "do": "add /about/title"}
    zone = {"/about/local_time_zone": ZONE, "/body/dates/from": "2026-11-22 06:40"}
    return [json.dumps(told | zone).encode(), b'{"/marking/codes=H1": "on", "/to/0": "kh.gpo"}']


@cache
def bundle() -> list[bytes]:
    """The items of a good bundle."""
    book = Logbook([Agency(LA, NOW), Agency(KH, NOW)])
    bulletin, _ = book.submit(LA, KH)
    maker = Maker(book, bulletin, LA)
    maker.sign()
    return [encode(item) for item in maker.items()]


@cache
def pack() -> list[bytes]:
    book = Logbook([Agency(LA, NOW), Agency(KH, NOW)])
    book.deliver(*THERE)
    book.sign()
    return [encode(item) for item in book.pack()]


def _state(data: bytes) -> None:
    parse_state(data, bytes(32))


def _states() -> list[bytes]:
    described = msgspec.inspect.type_info(State)
    fit = {"format": STATE_FORMAT, "bound": bytes(32)}
    found = (msgspec.structs.replace(made(described, full), **fit) for full in (False, True))
    return [encode(one) for one in found]


def _in_pieces(data: bytes) -> list[bytes]:
    """As a file is read: piece by piece, of lengths that fit nothing."""
    return [data[at : at + 1000] for at in range(0, len(data), 1000)]


def _pack(data: bytes) -> None:
    for _ in split_pack(_in_pieces(data)):
        pass


def _bundle(data: bytes) -> None:
    for _ in split_items(_in_pieces(data), BUNDLE):
        pass


def _verdict(data: bytes) -> None:
    """A whole bundle, judged as a stranger judges it."""
    verify_bundle(split_items(_in_pieces(data), BUNDLE), TYPES, None, None)


def _row(
    name: str,
    parse: Callable[[bytes], object],
    seeds: Callable[[], list[bytes]],
    longest: int = 64 * 1024,
    form: Form = "json",
    *,
    slow: bool = False,
    seeds_refused: bool = False,
) -> Target:
    return Target(
        name=name,
        parse=parse,
        seeds=seeds,
        form=form,
        errors=ANY_OF_OURS,
        longest=longest,
        slow=slow,
        seeds_refused=seeds_refused,
    )


REFUSAL: Final = b'{"code": "refused", "message": "no", "field": "x", "hint": "ask"}'

TARGETS: Final = (
    _row("api-bodies", _body, lambda: _json_of(BODIES), LIMITS.api_body_bytes),
    _row("api-signed", _signed, _signed_seeds, LIMITS.api_body_bytes, slow=True),
    _row("desk-answers", _answer, lambda: _json_of(ANSWERS), LIMITS.desk_answer_bytes, slow=True),
    _row("node-answer", _judged, lambda: [b'{"id": "00"}', REFUSAL], MIB, seeds_refused=True),
    _row("sdk-answer", object_of, lambda: [b'{"id": "00"}'], MIB),
    _row("sdk-refusal", partial(_refusal, sdk._error), lambda: [REFUSAL], MIB, seeds_refused=True),
    _row("references", _references, _contents, LIMITS.content_bytes, "msgpack"),
    _row("page-form", _form, _posted, slow=True),
    _row("audit-state", _state, _states, MIB, "msgpack"),
    _row("audit-piece", parse_piece, lambda: samples(DeliveriesKept), MIB, "msgpack"),
    _row("pack-item", parse_pack_item, pack, MIB, "msgpack"),
    _row("evidence-item", parse_bundle_item, bundle, MIB, "msgpack"),
    _row("pack", _pack, lambda: [b"".join(pack())], MIB, "bytes"),
    _row("evidence-bundle", _bundle, lambda: [b"".join(bundle())], MIB, "bytes"),
    _row("evidence-verdict", _verdict, lambda: [b"".join(bundle())], MIB, "bytes", slow=True),
)
