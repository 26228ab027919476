"""An S3 bucket as a store of objects: its address, and who the broker is there.

Keys come from a file in the form of the AWS tools, 0600, read again from time to time so that
they can be changed under a running broker; never from arguments or the environment.
"""

from __future__ import annotations

import configparser
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict
from urllib.parse import urlsplit

from obstore.store import S3Store
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS

from saphan_broker import private_files
from saphan_broker.objects.base import NAME_CHARS, check_name
from saphan_broker.objects.remote import RemoteObjects

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config, S3Credential

SCHEME: Final = "s3://"
REGION: Final = "us-east-1"
"""What services other than Amazon's expect when they know no regions."""
PROFILE: Final = "default"
STANDARD_FILE: Final = Path(".aws/credentials")
READ_AGAIN: Final = timedelta(minutes=5)
"""obstore asks anew some minutes before this has passed."""
RETRIES: Final = 6
"""Of one request, in some 5 s."""
PREFIX_CHARS: Final = 256
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_HOST: Final = re.compile(r"[A-Za-z0-9.\[\]:-]+")


class _Keys(TypedDict):
    access_key_id: str
    secret_access_key: str
    token: str | None


class FileCredentials:
    """Reads the keys of one profile whenever obstore asks, on its threads; holds the path only."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> S3Credential:
        """The keys as they stand in the file now."""
        return read_credentials(self._path)


def open_s3(
    place: str,
    *,
    credentials: Path | None = None,
    endpoint: str | None = None,
    region: str | None = None,
    ca_file: Path | None = None,
) -> RemoteObjects:
    """Objects under `s3://bucket/prefix`; nothing is asked of the service yet.

    Args:
        credentials: a file such as ~/.aws/credentials, which it is if not given.
        endpoint: `https://host[:port]`, or `http://` in a network of one's own; Amazon's if not
            given.
        ca_file: PEM certificates that the endpoint's may be signed by, besides the system's.

    Raises:
        OperatorError: `s3_place`, `s3_credentials`, `key_file_exposed`, `s3_ca`.
    """
    bucket, prefix = _parse(place)
    path = credentials or Path.home() / STANDARD_FILE
    read_credentials(path)
    config: S3Config = {"region": region or REGION, "skip_signature": False}
    if endpoint is not None:
        _check_endpoint(endpoint)
        config["endpoint"] = endpoint
        config["aws_endpoint_url_s3"] = endpoint
    options = _client(endpoint, ca_file)
    try:
        store = S3Store(
            bucket,
            prefix=prefix or None,
            config=config,
            client_options=options,
            retry_config={
                "max_retries": RETRIES,
                "retry_timeout": timedelta(milliseconds=LIMITS.object_retry_ms),
                "backoff": {"max_backoff": timedelta(seconds=2)},
            },
            credential_provider=FileCredentials(path),
        )
    except ValueError:
        if ca_file is None:
            raise
        raise _certificates(f"{ca_file} holds no PEM certificates") from None
    return RemoteObjects(store, f"the bucket {bucket}")


def read_credentials(path: Path) -> S3Credential:
    """The keys of the profile `default` in a file.

    Raises:
        OperatorError: `s3_credentials` (missing, or no such keys in it), `key_file_exposed`.
    """
    if not path.exists():
        raise _credentials(f"{path} is missing")
    keys = _profile(private_files.read(path))
    if keys is None:
        raise _credentials(f"{path} has no keys under [{PROFILE}]")
    return {**keys, "expires_at": datetime.now(UTC) + READ_AGAIN}


def _profile(text: bytes) -> _Keys | None:
    """The keys; None if there are none: the parser's own errors would quote the file."""
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(text.decode())
        profile = parser[PROFILE]
        return {
            "access_key_id": profile["aws_access_key_id"],
            "secret_access_key": profile["aws_secret_access_key"],
            "token": profile.get("aws_session_token"),
        }
    except (configparser.Error, KeyError, UnicodeDecodeError):
        return None


def _parse(place: str) -> tuple[str, str]:
    bucket, _, prefix = place.removeprefix(SCHEME).partition("/")
    prefix = prefix.rstrip("/")
    try:
        if not place.startswith(SCHEME) or not _BUCKET.fullmatch(bucket):
            raise ValueError(bucket)
        if prefix and len(check_name(prefix)) > NAME_CHARS - PREFIX_CHARS:
            raise ValueError(prefix)
    except ValueError:
        raise _place(f"{place} is not the address of a bucket") from None
    return bucket, prefix


def _check_endpoint(endpoint: str) -> None:
    parts = urlsplit(endpoint)
    fit = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc)
    if not fit or parts.path.strip("/") or parts.query or parts.fragment:
        # A name and password in it would be in a list of processes by now: not quoted again.
        raise _place("the endpoint is not https://host[:port]")


def _client(endpoint: str | None, ca_file: Path | None) -> ClientConfig:
    options: ClientConfig = {
        "connect_timeout": timedelta(seconds=3),
        "timeout": timedelta(milliseconds=LIMITS.object_ms),
        "allow_http": endpoint is not None and endpoint.startswith("http://"),
    }
    if ca_file is not None:
        try:
            options["root_certificate"] = ca_file.read_bytes()
        except OSError as error:
            raise _certificates(f"{ca_file} cannot be read: {error.strerror}") from None
    return options


def _place(why: str) -> OperatorError:
    return OperatorError(
        "s3_place",
        why,
        field="blobs",
        hint="write s3://bucket/prefix, and the endpoint as https://host[:port]",
    )


def _credentials(why: str) -> OperatorError:
    return OperatorError(
        "s3_credentials",
        why,
        field="blobs",
        hint="write [default], aws_access_key_id = ... and aws_secret_access_key = ... into it",
    )


def _certificates(why: str) -> OperatorError:
    return OperatorError("s3_ca", why, field="blobs", hint="name a file of PEM certificates")
