"""Whoever takes over the machine, or its memory, while the desk is locked finds no key there.

The page becomes a locked one by exec (docs/adr/0044-locking-is-exec.md). Everything that the
process may write is searched, before and after, for the passphrase, the officer's key and the
key of the store.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from saphan.desk.store import store_key
from saphan.keys.keyfiles import read_key
from saphan.keys.passphrase import Passphrase
from saphan_schemas.records import Role
from support.desk_page import desk_folder
from support.page_process import PASSPHRASE, PageProcess, page_process


def secrets_of(desk: Path) -> dict[str, bytes]:
    """What must not be found, by name."""
    secret = read_key(desk / "officer.key", Role.OFFICER, Passphrase(PASSPHRASE))
    return {
        "passphrase": PASSPHRASE.encode(),
        "ed25519": secret.seed[:32],
        "mldsa": secret.seed[32:],
        "store": store_key(secret.seed, secret.key_id),
    }


def found_in(page: PageProcess, secrets: dict[str, bytes]) -> set[str]:
    memory = page.memory()
    return {name for name, secret in secrets.items() if secret in memory}


def test_no_key_is_left_in_memory(tmp_path: Path) -> None:
    folder = desk_folder(tmp_path / "desk")
    secrets = secrets_of(folder.folder)
    with page_process(folder.folder) as page:
        assert page.enter().status == 200
        assert found_in(page, secrets) == set()
        assert page.unlock().where == "/inbox"
        assert page.ask("GET", "/settings").status == 200
        open_now = found_in(page, secrets)
        # The search finds what is there: else it would prove nothing.
        assert {"ed25519", "mldsa", "store"} & open_now == {"ed25519", "mldsa", "store"}

        assert page.ask("POST", "/lock", {"next": "/settings"}).where == "/settings"
        assert page.ask("GET", "/settings").where == "/unlock?next=/settings"
        assert found_in(page, secrets) == set()

        # Once more, and by a signal: as a screen saver or a suspend hook would.
        assert page.unlock().status == 303
        assert found_in(page, secrets)
        os.kill(page.process.pid, signal.SIGUSR1)
        assert page.locked()
        assert found_in(page, secrets) == set()


def test_no_key_is_left_when_the_store_cannot_be_opened(tmp_path: Path) -> None:
    """The passphrase was right, the page stays locked: it must not keep what it has opened."""
    folder = desk_folder(tmp_path / "desk")
    secrets = secrets_of(folder.folder)
    store = folder.folder / "desk.db"
    store.touch(0o600)
    store.write_bytes(b"what a broken disk gives" * 400)
    with page_process(folder.folder) as page:
        page.enter()
        answer = page.unlock()
        assert answer.status == 403
        assert "desk_store_damaged" in answer.text
        assert page.locked()
        assert found_in(page, secrets) == set()


def test_what_a_locked_page_inherits_opens_nothing(tmp_path: Path) -> None:
    """Neither its arguments nor its environment nor its open files hold more than digests."""
    folder = desk_folder(tmp_path / "desk")
    password = tmp_path / "passphrase"
    password.touch(0o600)
    password.write_text(PASSPHRASE)
    with page_process(folder.folder, "--passphrase-file", str(password)) as page:
        page.enter()
        assert page.ask("GET", "/settings").status == 200
        page.ask("POST", "/lock")
        assert page.ask("GET", "/settings").where.startswith("/unlock")
        proc = Path(f"/proc/{page.process.pid}")
        told = (proc / "cmdline").read_bytes() + (proc / "environ").read_bytes()
        for secret in (PASSPHRASE, page.cookie, str(password)):
            assert secret.encode() not in told
        # The file of the passphrase is not read again: a person must unlock.
        assert page.ask("GET", "/unlock").status == 200
        kept = [os.readlink(one) for one in (proc / "fd").iterdir()]
        assert not [one for one in kept if "desk.db" in one or "passphrase" in one]
