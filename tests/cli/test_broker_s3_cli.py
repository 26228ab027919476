"""A broker whose objects lie in an S3 bucket, as its operator meets it, on real services."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator

import pytest
from support.broker_command import running_broker, saphan_broker_here
from support.s3_server import BUCKET, SECRET_KEY, S3Server, write_credentials
from support.served import Served, short_place
from support.servers import Server


@pytest.fixture
def served(s3: S3Server) -> Iterator[Served]:
    with short_place() as place:
        server = Server(place / "server").start()
        credentials = place / "credentials"
        write_credentials(credentials, SECRET_KEY)
        yield Served(
            place,
            server,
            (
                *("--redis", f"unix://{server.socket}"),
                *("--blobs", f"s3://{BUCKET}/{place.name}", "--blobs-credentials", credentials),
                *("--blobs-endpoint", s3.https_endpoint, "--blobs-ca", s3.ca_file),
            ),
        )
        server.free()


def test_a_broker_on_a_bucket_begins_runs_and_is_refused_with_wrong_keys(served: Served) -> None:
    served.init()
    credentials = served.place / "credentials"
    with running_broker(served.place, *served.options) as broker:
        with urllib.request.urlopen(f"{broker.url}/readyz", timeout=30) as answer:  # noqa: S310
            assert json.load(answer)["ready"]
        assert broker.stop() == 0
    saphan_broker_here(
        "log", "export", "--data", served.data, *served.options, "--out", served.place / "logs"
    )
    write_credentials(credentials, "not-the-key")
    refused = served.run_once(status=5)
    assert refused.code == "blobs_unusable"
    assert "403 Forbidden" in refused.err
    assert "not-the-key" not in refused.err
