"""Where the server is, who we are there, and what it must promise before a commit counts."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
from saphan_schemas.errors import OperatorError

from saphan_broker import private_files

DIRECT: Final = ("redis", "rediss", "unix")
BY_SENTINELS: Final = ("redis+sentinel", "rediss+sentinel")
SEALED: Final = ("rediss", "rediss+sentinel")
DEFAULT_PORT: Final = 6379
SENTINEL_PORT: Final = 26379
MOST_SENTINELS: Final = 16
NAME_BYTES: Final = 100

Place = tuple[str, int]
"""Host and port."""


class RedisAddress(msgspec.Struct, frozen=True, kw_only=True):
    """One server and one broker's place in it; holds no secret, only the files that do.

    Args:
        url: `redis://host[:port][/db]`, `rediss://...` (TLS) or `unix:///path`; or the sentinels
            that know where the primary is: `redis+sentinel://host[:port],.../primary[/db]`,
            `rediss+sentinel://...` (TLS to sentinels and servers). No password in it.
        name: of the broker's keys in that server, all under `saphan:{name/...}:`.
        user: of the server's access list; None: the default user.
        password_file: private file whose first line is the password; None: none is asked.
        ca_file: PEM certificates that the server's own must lead to; None: the system's.
        cert_file: our certificate where the server wants one, with `key_file`.
        sentinel_user: the same for the sentinels, whose access list is their own.
        sentinel_password_file: None: the sentinels ask for none.
        replicas: how many replicas must hold a commit before it is answered.
        wait_ms: how long they may take.
        accept_loss: open a server that is set up to lose data, and say so.
    """

    url: str
    name: str = "saphan"
    user: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    sentinel_user: str | None = None
    sentinel_password_file: Path | None = None
    replicas: int = 0
    wait_ms: int = 5_000
    accept_loss: bool = False

    @property
    def parts(self) -> SplitResult:
        """The URL taken apart.

        Raises:
            OperatorError: `redis_url`, `redis_password_in_url`.
        """
        try:
            parts = urlsplit(self.url)
            if parts.scheme not in BY_SENTINELS:
                _ = parts.port
        except ValueError:
            raise _bad_url("it cannot be read") from None
        if parts.password is not None or parts.username is not None:
            raise OperatorError(
                "redis_password_in_url",
                "the URL of the Redis server holds a user or password, where others can read it",
                field="redis",
                hint="name the user with --redis-user, and a file with --redis-password-file",
            )
        if parts.scheme not in DIRECT + BY_SENTINELS:
            schemes = (f"{scheme}://" for scheme in DIRECT + BY_SENTINELS)
            raise _bad_url("it begins with none of " + ", ".join(schemes))
        if parts.scheme == "unix" and (parts.netloc or not parts.path.startswith("/")):
            raise _bad_url("a socket is named as unix:///its/path")
        if parts.scheme in ("redis", "rediss") and not parts.hostname:
            raise _bad_url("it names no host")
        if not (0 < len(self.name.encode()) <= NAME_BYTES) or set(self.name) & set("{}:/"):
            raise OperatorError(
                "redis_name",
                f"{self.name!r} cannot name a broker's keys",
                field="redis",
                hint=f"use 1 to {NAME_BYTES} bytes without braces, colons and slashes",
            )
        return parts

    def check(self) -> None:
        """Refuse a mistyped URL before anything is begun.

        Raises:
            OperatorError: as `parts`.
        """
        _ = self.parts, self.database, self.sentinels

    @property
    def sealed(self) -> bool:
        """Whether the line is under TLS."""
        return self.parts.scheme in SEALED

    @property
    def sentinels(self) -> tuple[Place, ...]:
        """Where the sentinels are; empty: the server is named itself.

        Raises:
            OperatorError: `redis_url`.
        """
        parts = self.parts
        if parts.scheme not in BY_SENTINELS:
            return ()
        if not self.primary_name:
            raise _bad_url("behind the sentinels it names no primary")
        found = tuple(_sentinel(given) for given in parts.netloc.split(","))
        if len(set(found)) < len(found) or len(found) > MOST_SENTINELS:
            raise _bad_url(f"it names a sentinel twice, or more than {MOST_SENTINELS}")
        return found

    @property
    def primary_name(self) -> str:
        """What the sentinels call the primary that they watch."""
        parts = self.parts
        return unquote(parts.path.split("/")[1]) if "/" in parts.path else ""

    @property
    def socket(self) -> str | None:
        """Path of the server's socket, None when it is reached by host and port."""
        parts = self.parts
        return unquote(parts.path) if parts.scheme == "unix" else None

    @property
    def server(self) -> Place:
        """Host and port of a server that is named itself, and is on no socket."""
        parts = self.parts
        return parts.hostname or "", parts.port or DEFAULT_PORT

    @property
    def database(self) -> int:
        """Number of the server's database.

        Raises:
            OperatorError: `redis_url`.
        """
        parts = self.parts
        named = "" if parts.scheme == "unix" else parts.path.removeprefix("/")
        if parts.scheme in BY_SENTINELS:
            named = named.partition("/")[2]
        if named and not (named.isascii() and named.isdecimal() and len(named) <= 9):
            raise _bad_url(f"{named[:40]!r} is no number of a database")
        return int(named or 0)

    @property
    def place(self) -> str:
        """For messages: where the server is."""
        if self.sentinels:
            asked = ",".join(f"{host}:{port}" for host, port in self.sentinels)
            return f"{self.primary_name} (by the sentinels {asked})"
        return self.socket or "{}:{}".format(*self.server)

    def password(self) -> str | None:
        """The server's password; reads a file.

        Raises:
            OperatorError: `key_file_missing`, `key_file_exposed`, `key_file_malformed`.
        """
        return _password(self.password_file)

    def sentinel_password(self) -> str | None:
        """The sentinels' password; reads a file, and raises as `password`."""
        return _password(self.sentinel_password_file)

    def tls(self) -> ssl.SSLContext | None:
        """What the server's certificate is judged by, None for a line without TLS; reads files.

        Raises:
            OperatorError: `redis_tls`, `key_file_missing`, `key_file_exposed`.
        """
        if not self.sealed:
            return None
        if self.key_file is not None:
            private_files.check_private(self.key_file)
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file)
        except (OSError, ssl.SSLError) as error:
            raise OperatorError(
                "redis_tls",
                f"the certificates for the Redis server cannot be used: {error.strerror or error}",
                field="redis",
                hint="check --redis-ca, --redis-cert and --redis-key, all PEM files",
            ) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def _password(file: Path | None) -> str | None:
    if file is None:
        return None
    text = private_files.read(file).partition(b"\n")[0].rstrip(b"\r")
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise private_files.malformed(file, "it is not UTF-8") from None


def _sentinel(given: str) -> Place:
    try:
        parts = urlsplit(f"//{given}")
        port = parts.port
    except ValueError:
        raise _bad_url(f"{given!r} is no host and port") from None
    if not parts.hostname:
        raise _bad_url("between two commas it names no host")
    return parts.hostname, SENTINEL_PORT if port is None else port


def _bad_url(why: str) -> OperatorError:
    return OperatorError(
        "redis_url",
        f"the URL of the Redis server cannot be used: {why}",
        field="redis",
        hint="name it as redis://host:port, rediss://host:port, unix:///path/of/socket, or by its "
        "sentinels as redis+sentinel://host:port,host:port,host:port/primary",
    )
