"""An Ed25519 key on a PKCS#11 token: made there, used there, never read.

Everything that knows python-pkcs11 is here. Steps of docs/adr/0018-half-a-key-on-a-token.md.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

import pkcs11
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pkcs11 import exceptions as told
from pkcs11.types import SignMixin
from saphan_schemas.errors import OperatorError

from saphan.keys.token_errors import (
    PIN_WRONG,
    exposed,
    failed,
    key_differs,
    key_missing,
    library_missing,
    library_unusable,
    no_ed25519,
    token_ambiguous,
    token_missing,
    token_named,
)
from saphan.keys.token_place import Half, TokenAccess, TokenPlace

ED25519: Final = bytes.fromhex("06032b6570")
"""CKA_EC_PARAMS: the object identifier 1.3.101.112 (RFC 8410) in DER."""
MAKE: Final = pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN
KEY_BYTES: Final = 16
POINT_BYTES: Final = 32
_GUARDED: Final = {
    pkcs11.Attribute.SENSITIVE: True,
    pkcs11.Attribute.EXTRACTABLE: False,
}
_PROVEN: Final = _GUARDED | {
    pkcs11.Attribute.ALWAYS_SENSITIVE: True,
    pkcs11.Attribute.NEVER_EXTRACTABLE: True,
    pkcs11.Attribute.LOCAL: True,
}
"""What the token itself says of a key that never existed outside."""


class TokenHalf:
    """The Ed25519 half of a key, as `SigningKey.with_signer` takes it.

    Threads take turns. The PIN is asked for once, at `open` or the first signature, and is not
    kept: after the token was pulled it is asked for again. A wrong one is not tried again, whatever
    calls: a few of them lock the token for good.
    """

    def __init__(self, place: TokenPlace, public: bytes, access: TokenAccess) -> None:
        self._place = place
        self._public = Ed25519PublicKey.from_public_bytes(public)
        self._access = access
        self._lock = threading.Lock()
        self._session: pkcs11.Session | None = None
        self._key: SignMixin | None = None
        self._refused: OperatorError | None = None

    def __repr__(self) -> str:
        return f"<TokenHalf {self._place.label} {self._place.key.hex()}>"

    def open(self) -> None:
        """Find the token, log in and find the key; nothing if that is done already.

        Raises:
            OperatorError: `pkcs11_library`, `pkcs11_token_missing`, `pkcs11_token_ambiguous`,
                `pkcs11_pin_wrong`, `pkcs11_pin_locked`, `pkcs11_pin_unset`, `pkcs11_key_missing`,
                `pkcs11_failed`, and what reading the PIN raises.
        """
        with self._lock:
            self._opened()

    def sign(self, data: bytes, /) -> bytes:
        """64 bytes over `data`; checked, so that a wrong half is never sent to anybody.

        Raises:
            OperatorError: what `open` raises; `pkcs11_key_differs`; `pkcs11_token_missing` when the
                token was pulled in between.
        """
        with self._lock:
            key = self._opened()
            try:
                signature = key.sign(data, mechanism=pkcs11.Mechanism.EDDSA)
            except told.PKCS11Error as error:
                # Its handles are dead, whatever it was; what the person can do comes first.
                self._drop()
                _find(_library(self._library()), self._place)
                raise failed(self._place.label, error) from None
            try:
                self._public.verify(signature, data)
            except InvalidSignature:
                self._drop()
                raise key_differs(self._place.label) from None
            return signature

    def close(self) -> None:
        """Log out; idempotent, and silent where the token is gone already."""
        with self._lock:
            self._drop()

    def discard(self) -> None:
        """Remove the key that was made in this session; one that stays in spite harms nobody."""
        with self._lock:
            if self._session is None:
                return
            try:
                for found in list(
                    self._session.get_objects({pkcs11.Attribute.ID: self._place.key})
                ):
                    found.destroy()
            except told.PKCS11Error:
                return
            finally:
                self._drop()

    def adopt(self, session: pkcs11.Session, key: SignMixin) -> None:
        """Go on in the session that the key was made in, so that no PIN is asked for twice."""
        with self._lock:
            self._session, self._key = session, key

    def _opened(self) -> SignMixin:
        if self._refused is not None:
            raise self._refused
        if self._key is None:
            token = _find(_library(self._library()), self._place)
            try:
                session = _log_in(token, self._access)
            except OperatorError as error:
                if error.code == PIN_WRONG:
                    self._refused = error
                raise
            self._session = session
            try:
                self._key = _private_key(session, self._place)
            except OperatorError:
                self._drop()
                raise
        return self._key

    def _drop(self) -> None:
        session, self._session, self._key = self._session, None, None
        if session is not None:
            _close(session)

    def _library(self) -> Path:
        return self._access.library or self._place.library


def make(access: TokenAccess, label: str) -> Half:
    """Make a key on the token that `access` names; it stays logged in for the first signatures.

    Raises:
        OperatorError: `pkcs11_token_named`, `pkcs11_no_ed25519`, `pkcs11_key_exposed`, and what
            `TokenHalf.open` raises.
    """
    if access.library is None or access.token is None:
        raise token_named()
    library = access.library.absolute()
    token = _find(_library(library), access.token)
    session = _log_in(token, access, writing=True)
    place = TokenPlace(
        library=library, label=token.label, serial=token.serial, key=os.urandom(KEY_BYTES)
    )
    try:
        public, private = _generate(session, place.key, label)
    except told.MechanismInvalid:
        _close(session)
        raise no_ed25519(token.label) from None
    except told.PKCS11Error as error:
        _close(session)
        raise failed(token.label, error) from None
    half = TokenHalf(place, public, access)
    half.adopt(session, private)
    return Half(place, public, half)


def _generate(session: pkcs11.Session, key: bytes, label: str) -> tuple[bytes, SignMixin]:
    """A new key that the token says it will never give away: its public half (32 bytes), itself."""
    curve = session.create_domain_parameters(
        pkcs11.KeyType.EC_EDWARDS, {pkcs11.Attribute.EC_PARAMS: ED25519}, local=True
    )
    public, private = curve.generate_keypair(
        mechanism=MAKE,
        store=True,
        id=key,
        label=label,
        private_template=dict(_GUARDED),
    )
    guarded = all(private[attribute] is wanted for attribute, wanted in _PROVEN.items())
    if not guarded or not isinstance(private, SignMixin):
        private.destroy()
        public.destroy()
        _close(session)
        raise exposed(session.token.label)
    # A DER OCTET STRING by the standard; some tokens give the bare point.
    point = bytes(public[pkcs11.Attribute.EC_POINT])
    return point[-POINT_BYTES:], private


def _library(path: Path) -> pkcs11._pkcs11.lib:
    if not path.is_file():
        raise library_missing(path)
    try:
        # Absolute: a bare name would be looked for where the system keeps its libraries.
        return pkcs11.lib(str(path.absolute()))
    except told.PKCS11Error as error:
        raise library_unusable(path, error) from None


def _find(library: pkcs11._pkcs11.lib, wanted: TokenPlace | str) -> pkcs11.Token:
    """The one token of this place, or with this label or serial."""
    found: list[pkcs11.Token] = []
    try:
        for slot in library.get_slots(token_present=True):
            try:
                token = slot.get_token()
            except (told.TokenNotPresent, told.TokenNotRecognised, told.DeviceRemoved):
                continue
            if pkcs11.TokenFlag.TOKEN_INITIALIZED in token.flags and _is(token, wanted):
                found.append(token)
    except told.PKCS11Error as error:
        raise failed(_name(wanted), error) from None
    if not found:
        raise token_missing(_name(wanted))
    if len(found) > 1:
        raise token_ambiguous(_name(wanted), [_serial(token) for token in found])
    return found[0]


def _is(token: pkcs11.Token, wanted: TokenPlace | str) -> bool:
    if isinstance(wanted, TokenPlace):
        return token.serial == wanted.serial and token.label == wanted.label
    return wanted in (token.label, _serial(token))


def _serial(token: pkcs11.Token) -> str:
    return token.serial.decode("ascii", "replace")


def _name(wanted: TokenPlace | str) -> str:
    return wanted if isinstance(wanted, str) else wanted.label


def _log_in(token: pkcs11.Token, access: TokenAccess, *, writing: bool = False) -> pkcs11.Session:
    pin = access.pin.read(token.label)
    try:
        try:
            return token.open(rw=writing, user_pin=pin)
        except told.UserAlreadyLoggedIn:  # by this process, for another key of the same token
            return token.open(rw=writing)
    except told.PKCS11Error as error:
        raise failed(token.label, error, last_try=_last_try(token)) from None


def _last_try(token: pkcs11.Token) -> bool:
    try:
        return pkcs11.TokenFlag.USER_PIN_FINAL_TRY in token.slot.get_token().flags
    except told.PKCS11Error:
        return False


def _private_key(session: pkcs11.Session, place: TokenPlace) -> SignMixin:
    try:
        key = session.get_key(
            pkcs11.ObjectClass.PRIVATE_KEY, pkcs11.KeyType.EC_EDWARDS, id=place.key
        )
    except (told.NoSuchKey, told.MultipleObjectsReturned):
        raise key_missing(place.label) from None
    except told.PKCS11Error as error:
        raise failed(place.label, error) from None
    if not isinstance(key, SignMixin):
        raise key_missing(place.label)
    return key


def _close(session: pkcs11.Session) -> None:
    try:
        session.close()
    except told.PKCS11Error:
        return  # the token is gone, and its session with it
