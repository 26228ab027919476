"""How a TLS server is known: by the key that an invitation pins, or by an ordinary authority.

A pinned certificate may say any name, but its key is the one, and it holds now. An authority's is
judged by this machine's list of authorities (SSL_CERT_FILE names another), for the server's name.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Callable
from typing import Any

import aiohttp
from saphan_protocol.tls import CertificateFacts, read_certificate
from saphan_schemas.errors import InvalidInput, Refused, SaphanError, Unavailable
from saphan_schemas.limits import LIMITS

_EXPIRED = 10
_EARLY = 9
"""OpenSSL's numbers for a certificate's dates (X509_V_ERR_CERT_HAS_EXPIRED, _NOT_YET_VALID)."""


class CertificateRefused(aiohttp.ServerFingerprintMismatch):
    """Why a connection was closed before anything was said on it; `why` is for people."""

    def __init__(self, why: SaphanError) -> None:
        super().__init__(b"", b"", "", 0)
        self.why = why


class KeyPin(aiohttp.Fingerprint):
    """Takes a server whose certificate has the pinned key and holds now, and no other.

    Args:
        pin: SHA-256 of the public key (SubjectPublicKeyInfo, DER).
        clock: ms UTC; None: whoever opens the line judges the dates later.
    """

    def __init__(self, pin: bytes, clock: Callable[[], int] | None) -> None:
        super().__init__(pin)
        self._pin = pin
        self._clock = clock

    def check(self, transport: asyncio.Transport) -> None:
        """Judge the certificate of an open connection; raises CertificateRefused."""
        found = transport.get_extra_info("ssl_object")
        der = found.getpeercert(binary_form=True) if found is not None else None
        try:
            facts = check_key(der or b"", self._pin)
            if self._clock is not None:
                check_dates(facts, self._clock())
        except SaphanError as why:
            raise CertificateRefused(why) from None


def check_key(der: bytes, pin: bytes) -> CertificateFacts:
    """Whether a server that shows this certificate is the one of the invitation.

    Args:
        der: its certificate; pin: SHA-256 of the key.

    Raises:
        Refused: `tls_pin_differs`.
    """
    try:
        facts = read_certificate(der)
    except InvalidInput:
        facts = None
    if facts is None or facts.pin != pin:
        raise Refused(
            "tls_pin_differs",
            "the server's TLS key is not the one of the invitation",
            field="invitation.tls",
            hint="nothing was sent: somebody may stand in the line; ask whoever keeps the server "
            "whether the key was changed; if so, take the new invitation: saphan agency pin FILE "
            "and start the node again, or at a desk: saphan desk init DESK --invitation FILE",
        )
    return facts


def check_dates(facts: CertificateFacts, now: int) -> None:
    """Whether a certificate holds at `now`, ms UTC.

    Raises:
        Refused: `certificate_expired`, `certificate_early`.
    """
    match facts.validity(now):
        case "expired":
            raise _expired()
        case "early":
            raise _early()
        case "valid":
            return


def client(
    pin: bytes | None, clock: Callable[[], int] | None, **options: Any
) -> aiohttp.ClientSession:
    """An HTTP session with one server, which goes nowhere else; on the running event loop.

    Args:
        pin: SHA-256 of the server's TLS key; None: ordinary authorities.
        clock: ms UTC, see `KeyPin`; authorities' certificates are judged by the machine's own.
        options: of aiohttp's session.
    """
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    connecting = aiohttp.TCPConnector(ssl=True if pin is None else KeyPin(pin, clock))
    return aiohttp.ClientSession(connector=connecting, trace_configs=[trace], **options)


async def _refuse_redirect(
    _session: object, _context: object, asked: aiohttp.TraceRequestRedirectParams
) -> None:
    """Another address may be one without TLS, or another server with its own good certificate."""
    asked.response.close()
    raise Refused(
        "line_redirected",
        f"{asked.url} sends to another address, which no invitation names",
        field="address",
        hint="ask whoever keeps the server; a proxy before it must pass the line on by itself",
    )


def line_error(error: Exception, url: str) -> SaphanError:
    """What a failed connection means, with the next step."""
    if isinstance(error, CertificateRefused):
        return error.why
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _not_trusted(error.certificate_error, url)
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return Unavailable(
            "tls_failed",
            f"{url} does not speak TLS as this program does: {error.os_error.strerror}",
            hint="check address and port; a broker speaks TLS unless it was run with --plain",
        )
    return Unavailable(
        "broker_unreachable",
        f"{url} does not answer: {type(error).__name__}",
        hint="check the address, the network and that the broker runs",
        retry_after_ms=LIMITS.backoff_min_ms,  # nobody asked us to wait; whoever fails again does
    )


def fingerprint_of(found: object) -> bytes | None:
    """SHA-256 of the certificate at the other end of an `ssl_object`; None on a line without."""
    if not isinstance(found, ssl.SSLObject):
        return None
    certificate = found.getpeercert(binary_form=True)
    return None if certificate is None else hashlib.sha256(certificate).digest()


def _not_trusted(error: Exception, url: str) -> SaphanError:
    code = getattr(error, "verify_code", None)
    if code == _EXPIRED:
        return _expired()
    if code == _EARLY:
        return _early()
    why = getattr(error, "verify_message", type(error).__name__)
    return Refused(
        "certificate_untrusted",
        f"the certificate of {url} is not taken: {why}",
        field="invitation.tls",
        hint="no authority that this machine knows vouches for that name; SSL_CERT_FILE names "
        "another list of authorities, or ask the operator for an invitation that pins the key",
    )


def _expired() -> Refused:
    return Refused(
        "certificate_expired",
        "the server's TLS certificate has expired",
        field="certificate",
        hint="check this machine's clock; then the operator renews it: saphan-broker tls renew; a "
        "node's own, for desks, is made anew when the node starts",
    )


def _early() -> Refused:
    return Refused(
        "certificate_early",
        "the server's TLS certificate is not valid yet",
        field="certificate",
        hint="check this machine's clock, then ask the operator about theirs",
    )
