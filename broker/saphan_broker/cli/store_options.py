"""Options that say where a broker's store is; every command that opens one takes the same."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.messages import text

from saphan_broker.cli.options import Parser, count
from saphan_broker.objects.place import S3
from saphan_broker.opening import SQLITE, BlobPlace, StoreChoice

MOST_REPLICAS: Final = 16
_ONLY_REDIS: Final = (
    "redis_user",
    "redis_password_file",
    "redis_ca",
    "redis_cert",
    "redis_key",
    "redis_sentinel_user",
    "redis_sentinel_password_file",
    "replicas",
    "accept_loss",
)
_ONLY_TLS: Final = ("redis_ca", "redis_cert", "redis_key")
_ONLY_SENTINELS: Final = ("redis_sentinel_user", "redis_sentinel_password_file")
_ONLY_S3: Final = ("blobs_credentials", "blobs_endpoint", "blobs_region", "blobs_ca")


def add_store(parser: Parser) -> None:
    """`--redis URL` with its credentials, `--replicas N`, `--accept-loss`, `--blobs WHERE`."""
    group = parser.add_argument_group(text("help.broker_store_options"))
    group.add_argument("--redis", metavar="URL", help=text("help.broker_redis"))
    group.add_argument("--redis-user", metavar="NAME", help=text("help.broker_redis_user"))
    for name in ("password_file", "ca", "cert", "key"):
        group.add_argument(
            f"--redis-{name.replace('_', '-')}",
            type=Path,
            metavar="FILE",
            help=text(f"help.broker_redis_{name}"),
        )
    group.add_argument(
        "--redis-sentinel-user", metavar="NAME", help=text("help.broker_redis_sentinel_user")
    )
    group.add_argument(
        "--redis-sentinel-password-file",
        type=Path,
        metavar="FILE",
        help=text("help.broker_redis_sentinel_password_file"),
    )
    group.add_argument(
        "--replicas", type=count(0, MOST_REPLICAS), metavar="N", help=text("help.broker_replicas")
    )
    group.add_argument("--accept-loss", action="store_true", help=text("help.broker_accept_loss"))
    group.add_argument("--blobs", metavar="WHERE", help=text("help.broker_blobs"))
    for name, kind, shown in (
        ("credentials", Path, "FILE"),
        ("endpoint", str, "URL"),
        ("region", str, "NAME"),
        ("ca", Path, "FILE"),
    ):
        group.add_argument(
            f"--blobs-{name}", type=kind, metavar=shown, help=text(f"help.broker_blobs_{name}")
        )


def add_log(parser: Parser) -> None:
    """`--log N`: of a log that ended."""
    parser.add_argument(
        "--log", type=count(1, LIMITS.successions), metavar="N", help=text("help.broker_log")
    )


def store_choice(args: argparse.Namespace) -> StoreChoice:
    """What the options say; reads no file and asks no server.

    Raises:
        InvalidInput: `option_alone`. OperatorError: `redis_password_in_url`, `redis_url`.
    """
    blobs = _blobs(args)
    if args.redis is None:
        _refuse_alone(args, _ONLY_REDIS, "redis", "a server")
        return SQLITE if blobs is None else StoreChoice(blobs=blobs)
    from saphan_broker.store.redis.address import RedisAddress  # loads the client of the server

    address = RedisAddress(
        url=args.redis,
        user=args.redis_user,
        password_file=args.redis_password_file,
        ca_file=args.redis_ca,
        cert_file=args.redis_cert,
        key_file=args.redis_key,
        sentinel_user=args.redis_sentinel_user,
        sentinel_password_file=args.redis_sentinel_password_file,
        replicas=args.replicas or 0,
        accept_loss=args.accept_loss,
    )
    address.check()
    if not address.sealed:  # who names certificates believes the line to be sealed
        _refuse_alone(args, _ONLY_TLS, "redis", "TLS to the server", value="rediss://HOST:PORT")
    if args.redis_password_file is None:
        _refuse_alone(args, ["redis_user"], "redis-password-file", "a login", value="FILE")
    if args.redis_cert is None or args.redis_key is None:
        _refuse_alone(args, ["redis_key"], "redis-cert", "a certificate", value="FILE")
        _refuse_alone(args, ["redis_cert"], "redis-key", "a certificate's key", value="FILE")
    _check_sentinels(args, address.sentinels)
    return StoreChoice(redis=address, blobs=blobs)


def _check_sentinels(args: argparse.Namespace, sentinels: Sequence[object]) -> None:
    if not sentinels:
        value = "redis+sentinel://HOST:PORT,.../PRIMARY"
        _refuse_alone(args, _ONLY_SENTINELS, "redis", "sentinels", value=value)
    if args.redis_sentinel_password_file is None:
        main = "redis-sentinel-password-file"
        _refuse_alone(args, ["redis_sentinel_user"], main, "a login", value="FILE")


def _blobs(args: argparse.Namespace) -> BlobPlace | None:
    if args.blobs is None or not args.blobs.startswith(S3):
        _refuse_alone(args, _ONLY_S3, "blobs", "a bucket", value="s3://BUCKET/PREFIX")
    if args.blobs is None:
        return None
    return BlobPlace(
        args.blobs,
        credentials=args.blobs_credentials,
        endpoint=args.blobs_endpoint,
        region=args.blobs_region,
        ca_file=args.blobs_ca,
    )


def _refuse_alone(
    args: argparse.Namespace, names: Sequence[str], main: str, of: str, *, value: str = "URL"
) -> None:
    """Refuse an option that would say nothing without another one."""
    for name in names:
        if getattr(args, name) not in (None, False):
            option = name.replace("_", "-")
            raise InvalidInput(
                "option_alone",
                f"--{option} says something of {of}, and --{main} {value} is not there",
                field=option,
                hint=f"add --{main} {value}, or leave the option out",
            )
