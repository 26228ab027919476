"""TLS of `saphan-broker`: what it shows, what it refuses to show, and how it is renewed."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from saphan_protocol import tls
from saphan_protocol.invitation import parse_invitation
from saphan_schemas.limits import DAY_MS
from support import certificates
from support.broker_command import running_broker, saphan_broker_here
from support.certificates import KEY
from support.joining import Joining, line_of, running_node


def run_once(place: Path, *options: str | Path, status: int) -> str:
    """A broker that refuses to start; gives the code. The hint says what to do."""
    words = ("run", "--data", place / "data", "--keys", place / "keys", "--listen", "127.0.0.1:0")
    ran = saphan_broker_here(*words, *options, status=status)
    assert ran.hint
    return ran.code


def facts(path: Path) -> tls.CertificateFacts:
    return tls.read_certificate(tls.first_certificate(path.read_bytes()))


def served(url: str) -> tls.CertificateFacts:
    """The certificate that somebody who connects is shown."""
    host, _, port = url.removeprefix("https://").rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((host, int(port)), 30) as line,
        context.wrap_socket(line) as secured,
    ):
        assert secured.version() == "TLSv1.3"
        der = secured.getpeercert(binary_form=True)
    assert der is not None
    return tls.read_certificate(der)


def test_tls_is_what_a_broker_speaks_and_a_renewed_certificate_keeps_the_key(place: Path) -> None:
    own = place / "keys/tls.crt"
    before = facts(own)
    with running_broker(place, tls=True) as broker:
        assert served(broker.url).fingerprint == before.fingerprint
    renewed = saphan_broker_here("tls", "renew", "--keys", place / "keys", "--json").json
    assert renewed["key"] == before.pin.hex()
    after = facts(own)
    assert (after.pin, after.names) == (before.pin, before.names)
    assert after.fingerprint != before.fingerprint
    with running_broker(place, tls=True) as broker:
        assert served(broker.url).fingerprint == after.fingerprint


def test_a_new_key_needs_a_new_invitation(place: Path) -> None:
    before = parse_invitation((place / "data/invitation.json").read_bytes())
    saphan_broker_here("tls", "renew", "--keys", place / "keys", "--new-key")
    words = ("--keys", place / "keys", "--out", place / "new.json")
    saphan_broker_here("invitation", "--address", "192.0.2.7:8470", *words)
    after = parse_invitation((place / "new.json").read_bytes())
    assert after.pins == before.pins
    assert after.tls == facts(place / "keys/tls.crt").pin != before.tls
    assert after.words != before.words


def test_a_certificate_that_every_node_would_refuse_is_not_shown(place: Path) -> None:
    assert run_once(place, "--plain", "--listen", "0.0.0.0:0", status=2) == "not_loopback"
    assert run_once(place, "--tls-cert", place / "keys/tls.crt", status=2) == "tls_halves"
    key = tls.parse_key_pem((place / "keys/tls.key").read_bytes())
    begins, ends = (certificates.now() + day * DAY_MS for day in (-3, -1))
    der = tls.make_certificate(key, ["x"], not_before=begins, not_after=ends, serial=1)
    (place / "keys/tls.crt").write_bytes(tls.certificate_pem(der))
    assert run_once(place, status=5) == "certificate_expired"


def test_an_ordinary_authoritys_certificate_works_too(joining: Joining) -> None:
    """Nodes whose machine knows the authority come in; the others say what is missing."""
    vouching = certificates.authority()
    certificates.listening(joining.top, vouching.chain("127.0.0.1", KEY), KEY)
    files = ("--tls-cert", joining.top / "test.crt", "--tls-key", joining.top / "test.key")
    trusted = vouching.write(joining.top / "ca.pem")
    with running_broker(joining.broker, *files, tls=True) as broker:
        joining.invite(broker.url, "--authority")
        joining.admit("la.ospp")
        with running_node(joining.agency("la.ospp"), SSL_CERT_FILE=str(trusted)):
            assert line_of(joining.agency("la.ospp"), "open") == "open"
        with running_node(joining.agency("la.ospp")):
            wanted = "certificate_untrusted"
            assert line_of(joining.agency("la.ospp"), wanted) == wanted


def test_behind_a_proxy_sessions_are_bound_to_the_proxys_certificate(joining: Joining) -> None:
    """A node that comes past the proxy, on the same machine, is not taken for one behind it."""
    certificates.own(joining.top)
    options = ("--plain", "--tls-cert", joining.top / "test.crt")
    with running_broker(joining.broker, *options, tls=True) as broker:
        assert broker.url.startswith("http://")
        joining.invite(broker.url)
        joining.admit("la.ospp")
        url = broker.url.replace("http://", "ws://")
        with running_node(joining.agency("la.ospp"), "--broker", url):
            assert line_of(joining.agency("la.ospp"), "tls_differs") == "tls_differs"
