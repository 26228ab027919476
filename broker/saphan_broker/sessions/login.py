"""Who opens a session, and whether its logs continue ours (bytes.md, Session, Signer)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from saphan_protocol.batch import verify_one
from saphan_protocol.directory import Directory
from saphan_protocol.keys import VerifyingKey
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput, OperatorError, Refused, Unavailable
from saphan_schemas.frames import PROTOCOL, Challenge, Login, session_context
from saphan_schemas.limits import LIMITS
from saphan_schemas.proof_frames import ShownHead
from saphan_schemas.records import HeadRef, Role

from saphan_broker.state import State

SESSION_TYPE: Final = "saphan/session/1"


@dataclass(frozen=True, slots=True)
class Peer:
    """An authenticated node: what it may be fed from."""

    agency: str
    key: bytes
    """The node key that it has proven to hold."""
    after: int | None
    directory: int
    """Size of the directory head it knows; 0: none."""
    leaves: int
    """Directory leaves that it holds: more than that if a line was cut in the middle of them."""
    evidence: int
    """Size of the evidence head it knows; 0: none."""


class Behind(Refused):
    """This broker's logs do not continue what a node has verified; `shown` is what they are."""

    def __init__(self, code: str, message: str, shown: tuple[ShownHead, ...], hint: str) -> None:
        super().__init__(code, message, hint=hint)
        self.shown = shown


def challenge(state: State) -> Challenge:
    """A fresh challenge; it is good for one login."""
    return Challenge(
        protocol=PROTOCOL,
        directory=state.registry.origin,
        evidence=state.evidence.origin,
        nonce=os.urandom(32),
        clock=state.clock(),
    )


async def check_login(
    state: State, asked: Challenge, login: Login, tls: bytes | None = None
) -> Peer:
    """Judge the answer to a challenge; afterwards the signers have heard this node.

    Args:
        tls: SHA-256 of the certificate of the line, None without TLS.

    Raises:
        Refused: `tls_differs`, `agency_unknown`, `key_*`, `clock_skew`, `store_behind_node`;
            InvalidInput: `signature_*`, `heads_malformed`; Unavailable: `sessions_full`.
    """
    heads = heads_by_origin(login)
    check_certificate(login, tls)
    await _check_signature(state, asked, login, tls, heads.get(asked.evidence))
    check_clock(state.clock(), login)
    _check_room(state, login.agency)
    await _check_knowledge(state, login, heads)
    await _let_sign(state, login)
    return Peer(
        login.agency,
        login.key,
        login.after,
        directory=_size(heads.get(asked.directory)),
        leaves=login.leaves,
        evidence=_size(heads.get(asked.evidence)),
    )


def heads_by_origin(login: Login) -> dict[str, HeadRef]:
    """The heads that it names, one of each log at most.

    Raises:
        InvalidInput: `heads_malformed`.
    """
    heads = {ref.origin: ref for ref in login.heads}
    if len(heads) != len(login.heads):
        raise InvalidInput("heads_malformed", "two heads of one log", field="login.heads")
    return heads


def check_certificate(login: Login, tls: bytes | None) -> None:
    """Name what differs; who relays and rewrites this field fails at the signature instead.

    Raises:
        Refused: `tls_differs`.
    """
    if login.tls != tls:
        raise Refused(
            "tls_differs",
            f"{login.agency}'s node sees another TLS certificate ({_named(login.tls)}) than this "
            f"broker shows ({_named(tls)})",
            field="login.tls",
            hint="somebody stands in the line: tell the broker's operator; behind a proxy of the "
            "operator's own, the broker is run with --plain --tls-cert and the proxy's "
            "certificate, and started again whenever that is renewed",
        )


def _named(tls: bytes | None) -> str:
    return "none" if tls is None else f"{tls.hex()[:16]}…"


async def _check_signature(
    state: State, asked: Challenge, login: Login, tls: bytes | None, head: HeadRef | None
) -> None:
    directory = state.directory
    if not directory.version(login.agency)[0]:
        await state.catch_up()  # it may have been admitted by another process, just now
    if not directory.version(login.agency)[0]:
        raise Refused(
            "agency_unknown",
            f"{login.agency} is not in this broker's directory",
            field="login.agency",
            hint="carry enrol.saphan to the broker's operator, who admits it: saphan-broker admit",
        )
    verifying = claimed_key(directory, login)
    await asyncio.get_running_loop().run_in_executor(
        state.verifying, lambda: check_signed(asked, login, tls, head, verifying)
    )


def claimed_key(directory: Directory, login: Login) -> VerifyingKey:
    """The node key that a login names, if it is its agency's.

    Raises:
        Refused: `key_*`.
    """
    key = directory.key(login.key, Role.NODE)
    if key.agency != login.agency:
        raise Refused(
            "key_foreign", f"the key is not a node key of {login.agency}", field="login.key"
        )
    return directory.verifying(key.key_id)


def check_signed(
    asked: Challenge, login: Login, tls: bytes | None, head: HeadRef | None, key: VerifyingKey
) -> None:
    """The login's signature; costs milliseconds of a processor.

    Raises:
        InvalidInput: `signature_*`.
    """
    context = session_context(asked.evidence, asked.nonce, login.nonce, tls, head)
    verify_one(login.signature, key, SESSION_TYPE, encode(context))


def check_clock(ours: int, login: Login) -> None:
    """A node whose clock is too far from this one's would be admitted little.

    Raises:
        Refused: `clock_skew`.
    """
    if abs(login.clock - ours) > LIMITS.skew_ms:
        raise Refused(
            "clock_skew",
            f"{login.agency}'s clock shows {login.clock} ms, the broker's {ours} ms: more than "
            f"{LIMITS.skew_ms // 1000} s apart",
            field="login.clock",
            hint="set the clock that is wrong (NTP)",
        )


def _check_room(state: State, agency: str) -> None:
    if (
        state.listeners.total() >= LIMITS.sessions
        or state.listeners.count(agency) >= LIMITS.sessions_per_agency
    ):
        raise Unavailable(
            "sessions_full",
            f"{state.listeners.count(agency)} sessions of {agency} are open, "
            f"{state.listeners.total()} in all",
            hint="end sessions that are not needed; two nodes must not share one directory",
            retry_after_ms=5_000,
        )


async def _check_knowledge(state: State, login: Login, heads: Mapping[str, HeadRef]) -> None:
    """What the node has verified is what we have published: or we have lost something."""
    why = await _lacking(state, login, heads)
    if why is not None:
        await state.catch_up()  # another process may have published it to the node just now
        why = await _lacking(state, login, heads)
    if why is None:
        return
    if await _committed(state, login, heads):
        raise Unavailable(
            "busy",
            "what the node has verified is kept and signed, and not published by this process yet",
            hint="the node comes again by itself",
            retry_after_ms=LIMITS.store_settle_ms,
        )
    raise _behind(state, login.agency, why, await _shown(state, login))


async def _committed(state: State, login: Login, heads: Mapping[str, HeadRef]) -> bool:
    """Whether the store has all the same what the node has verified.

    Another process shows a signed head as soon as it reads it; the one that has written it waits
    until its write is safe, and that may be while replicas change their primary.
    """
    for ref in heads.values():
        book = state.head_of(ref)
        if book is not None and not await book.holds(ref.size, ref.root):
            return False
    return login.after is None or login.after < state.evidence.tree.size


async def _lacking(state: State, login: Login, heads: Mapping[str, HeadRef]) -> str | None:
    for ref in heads.values():
        book = state.head_of(ref)
        if book is None:
            continue  # of an older origin: what it proves stands, and nothing here follows from it
        published = book.published
        if (
            published is None
            or ref.size > published.size
            or not await book.holds(ref.size, ref.root)
        ):
            return f"it has verified {ref.size} leaves of {ref.origin}"
    published = state.evidence.published
    if login.after is not None and (published is None or login.after >= published.size):
        return f"it has everything up to index {login.after}"
    return None


async def _shown(state: State, login: Login) -> tuple[ShownHead, ...]:
    """What is published here where the node has verified something else.

    An honest broker was put back to an old copy then; one that is not is found out by it.
    """
    found = []
    for ref in login.heads:
        book = state.head_of(ref)
        head = None if book is None else book.published
        if book is None or head is None or not ref.size or await book.holds(ref.size, ref.root):
            continue
        path: tuple[bytes, ...] = ()
        if ref.size < head.size:
            path = await book.source.prove(partial(head.history, ref.size))
        found.append(ShownHead(head.note, ref.size, path))
    return tuple(found)


def _behind(state: State, agency: str, why: str, shown: tuple[ShownHead, ...]) -> Behind:
    if not all(signer.released for signer in state.signers.values()):
        # Another node, which has missed as much as this store, must not set the signers free.
        state.held = True
    state.alarms.sound(
        "store_behind_node",
        f"{agency}'s node knows more of the logs than this store, or something else: {why}; "
        "the store may be an old copy: stop the broker and compare before anything is signed",
    )
    return Behind(
        "store_behind_node",
        f"the broker's logs do not continue what {agency} has verified: {why}",
        shown,
        hint="the broker's operator must look; keep this node's data as it is",
    )


async def _let_sign(state: State, login: Login) -> None:
    """The signers have heard a node: from here on they may sign.

    Not after a node has shown that something is lost: then only the operator's override does.
    """
    if state.held:
        raise Unavailable(
            "signer_held",
            "since its start a node has shown this broker that it has lost something",
            hint="the broker's operator must look before anything is signed",
            retry_after_ms=LIMITS.backoff_max_ms,
        )
    state.hear(login.heads)
    for log, signer in state.signers.items():
        if not signer.released:
            try:
                await asyncio.to_thread(signer.heard, login.heads)
            except OperatorError as error:
                state.alarms.sound_error(error, stops=True)
                why, shown = f"the {log} signer: {error.message}", await _shown(state, login)
                raise _behind(state, login.agency, why, shown) from None


def _size(ref: HeadRef | None) -> int:
    return 0 if ref is None else ref.size
