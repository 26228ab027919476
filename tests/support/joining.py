"""A broker and two agencies as folders, joined step by step by the commands that people use."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from saphan.local_api import LocalNode
from saphan.office import Office
from saphan_protocol.invitation import Invitation, parse_invitation
from saphan_protocol.words import fingerprint_words

from support.broker_command import saphan_broker_here
from support.command import environment, saphan_command, saphan_here

PATIENCE_S = 60


@dataclass(frozen=True, slots=True)
class Joining:
    """Copies of what `saphan-broker init` and `saphan agency init` make, under a short name."""

    top: Path

    @property
    def broker(self) -> Path:
        """With data/ and keys/."""
        return self.top / "b"

    @property
    def invitation(self) -> Path:
        """The newest that was made."""
        return self.top / "invitation.json"

    @property
    def passphrase(self) -> Path:
        """Of both agencies' roots."""
        return self.top / "root.txt"

    def agency(self, name: str) -> Path:
        """Its folder."""
        return self.top / name

    def invite(self, url: str, *options: str) -> Invitation:
        """Both agencies pin a fresh invitation to a broker that listens at `url`."""
        address = url.partition("://")[2]
        words = ("--keys", self.broker / "keys", "--address", address, "--out", self.invitation)
        saphan_broker_here("invitation", *words, *options)
        for name in ("la.ospp", "kh.gpo"):
            saphan_here("agency", "pin", self.invitation, "--yes", "--dir", self.agency(name))
        return parse_invitation(self.invitation.read_bytes())

    def admit(self, name: str) -> None:
        """The running broker's operator lets an agency in."""
        file = self.agency(name) / "enrol.saphan"
        data = self.broker / "data"
        saphan_broker_here("admit", file, "--data", data, "--fingerprint", self.words(name))

    def words(self, name: str) -> str:
        """Those of an agency's root."""
        (root,) = Office(self.agency(name)).read_agency().root_ids
        return fingerprint_words(root)


def copied(top: Path, made_broker: Path, agencies: Path) -> Joining:
    """Copies of both in `top`, which exists and has a short name."""
    shutil.copytree(made_broker, top / "b")
    shutil.copytree(agencies, top, dirs_exist_ok=True)
    return Joining(top)


@contextmanager
def running_node(folder: Path, *options: str, **variables: str) -> Iterator[None]:
    """`saphan node run`, from when it has said that it runs until the block ends."""
    with (folder / "node.log").open("a") as log:
        process = subprocess.Popen(
            saphan_command("node", "run", "--dir", folder, "--json", *options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment(**variables),
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline(), (folder / "node.log").read_text()
            yield
        finally:
            process.kill()
            process.communicate()


def line_of(folder: Path, wanted: str) -> str:
    """The line's state, or the code for which it is down, as soon as it is `wanted`."""
    end = time.monotonic() + PATIENCE_S
    while True:
        line = LocalNode(folder / "node").get("/v1/identity")["line"]
        found = str(line["code"] or line["state"])
        if found == wanted or time.monotonic() > end:
            return found
        time.sleep(0.02)
