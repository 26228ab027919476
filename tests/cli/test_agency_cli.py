"""The ceremony at the command line: real processes, real key files, real parameters."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from saphan_protocol.directory import Directory, agreement_leaf, operation_leaf
from saphan_protocol.operation import parse_agreement_package
from saphan_protocol.pins import format_pins
from saphan_protocol.words import fingerprint_words
from support.command import environment, saphan, saphan_command
from support.pin_files import pins

ROOT = "the root passphrase of la"
DESK = "the desk passphrase of la"
PINS = pins()


def secret(path: Path, text: str) -> Path:
    path.write_text(text + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two agencies, passphrase files and a pin file; tests work on copies."""
    folder = tmp_path_factory.mktemp("ceremony")
    secret(folder / "root.txt", ROOT)
    secret(folder / "desk.txt", DESK)
    (folder / "pins.json").write_bytes(format_pins(PINS))
    for name in ("la.ospp", "kh.gpo"):
        ran = saphan(
            *("agency", "init", name, "--dir", folder / name, "--officer", "bounmy"),
            *("--passphrase-file", folder / "root.txt"),
            *("--officer-passphrase-file", folder / "desk.txt"),
        )
        assert "Compare these words aloud" in ran.out
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "work"))


def pinned(folder: Path, *agencies: str) -> None:
    words = fingerprint_words(PINS.digest)
    for name in agencies:
        saphan("agency", "pin", folder / "pins.json", "--words", words, "--dir", folder / name)


def proposed(folder: Path) -> Path:
    parties = [
        word
        for name in ("la.ospp", "kh.gpo")
        for word in ("--party", folder / name / "agency.json")
    ]
    saphan("agreement", "terms", *parties, "--out", folder / "terms.json")
    saphan(
        *("agreement", "propose", *parties, "--terms", folder / "terms.json"),
        *("--pins", folder / "pins.json", "--out", folder / "draft.json"),
    )
    return folder / "draft.json"


def sign(folder: Path, name: str, status: int = 0) -> str:
    ran = saphan(
        *("agreement", "sign", folder / "draft.json", "--yes", "--dir", folder / name),
        *("--passphrase-file", folder / "root.txt"),
        status=status,
    )
    return ran.out if status == 0 else ran.code


# --- the ceremony ----------------------------------------------------------------------------


def test_init_says_in_json_what_it_made(folder: Path) -> None:
    shown = saphan("agency", "show", "--dir", folder / "la.ospp", "--json").json
    (root,) = shown["roots"]
    assert shown["agency"] == "la.ospp"
    assert root["words"] == fingerprint_words(bytes.fromhex(root["key_id"]))
    # The broker's operator sees the same words in the file that is carried to them.
    carried = saphan("words", folder / "la.ospp" / "enrol.saphan", "--json").json
    assert [each["words"] for each in carried["fingerprints"]] == [root["words"]]
    saphan("words", folder / "la.ospp" / "enrol.saphan", "--compare", root["words"])


def test_words_of_another_agency_are_not_taken_for_the_same(folder: Path) -> None:
    words = saphan("agency", "show", "--dir", folder / "kh.gpo", "--json").json["roots"][0]["words"]
    ran = saphan("words", folder / "la.ospp" / "agency.json", "--compare", words, status=3)
    assert ran.code == "words_differ"


def test_init_never_writes_into_an_agency(folder: Path) -> None:
    ran = saphan(
        *("agency", "init", "la.ospp", "--dir", folder / "la.ospp", "--officer", "khamla"),
        *("--passphrase-file", folder / "root.txt"),
        *("--officer-passphrase-file", folder / "desk.txt"),
        status=5,
    )
    assert ran.code == "agency_folder_exists"


def test_keys_are_added_listed_and_revoked(folder: Path) -> None:
    here = ("--dir", folder / "la.ospp", "--passphrase-file", folder / "root.txt")
    added = saphan(
        *("keys", "add", "officer", "--handle", "khamla", *here),
        *("--new-passphrase-file", folder / "desk.txt", "--json"),
    ).json
    assert added["version"] == 2
    revoked = saphan("keys", "revoke", added["key_id"][:12], "--yes", *here, "--json").json
    assert revoked["version"] == 3
    keys = saphan("keys", "list", *here[:2], "--json").json["keys"]
    assert [(k["handle"], k["revoked_by"]) for k in keys if k["role"] == "officer"] == [
        ("bounmy", None),
        ("khamla", 3),
    ]
    directory = Directory()
    for operation in ("0001", "0002", "0003"):
        data = (folder / "la.ospp" / "operations" / f"{operation}.saphan").read_bytes()
        directory.apply(operation_leaf(data))


def test_both_parties_sign_and_the_agreement_is_finished(folder: Path) -> None:
    draft = proposed(folder)
    pinned(folder, "la.ospp", "kh.gpo")
    assert "kh.gpo" in sign(folder, "la.ospp")
    finish = ("agreement", "finish", draft, "--out", folder / "mou.saphan")
    early = saphan(*finish, status=3)
    assert early.code == "agreement_threshold"
    sign(folder, "kh.gpo")
    saphan(*finish)
    # Its salt is for the parties and the broker: nobody else may read the file.
    assert (folder / "mou.saphan").stat().st_mode & 0o077 == 0
    package = parse_agreement_package((folder / "mou.saphan").read_bytes())
    directory = Directory()
    for name in ("la.ospp", "kh.gpo"):
        directory.apply(operation_leaf((folder / name / "enrol.saphan").read_bytes()))
    directory.apply(agreement_leaf(package.salt, package.agreement))
    directory.add_agreement((folder / "mou.saphan").read_bytes())
    shown = saphan("agreement", "show", folder / "mou.saphan", "--json").json
    assert shown["finished"] is True
    assert [party["signed"] for party in shown["parties"]] == [1, 1]


def test_the_page_shows_every_fingerprint_as_words(folder: Path) -> None:
    draft = proposed(folder)
    page = saphan("agreement", "show", draft).out
    for name in ("la.ospp", "kh.gpo"):
        ran = saphan("agency", "show", "--dir", folder / name, "--json")
        words = ran.json["roots"][0]["words"]
        assert words in " ".join(page.split())
    assert fingerprint_words(PINS.digest) in " ".join(page.split())


def test_an_agreement_changed_between_two_signatures_is_refused(folder: Path) -> None:
    """la.ospp signs; the file is exchanged on its way for one with longer retention."""
    draft = proposed(folder)
    pinned(folder, "la.ospp", "kh.gpo")
    sign(folder, "la.ospp")
    terms = (folder / "terms.json").read_text()
    (folder / "terms.json").write_text(terms.replace("3650", "36500"))
    parties = [
        word
        for name in ("la.ospp", "kh.gpo")
        for word in ("--party", folder / name / "agency.json")
    ]
    saphan(
        *("agreement", "propose", *parties, "--terms", folder / "terms.json"),
        *("--pins", folder / "pins.json", "--out", folder / "other.json"),
    )
    signed, other = json.loads(draft.read_text()), json.loads((folder / "other.json").read_text())
    draft.write_text(json.dumps(other | {"signatures": signed["signatures"]}))
    before = draft.read_bytes()
    assert sign(folder, "kh.gpo", status=2) == "signature_invalid"
    assert draft.read_bytes() == before


def test_an_agreement_that_pins_another_broker_is_not_signed(folder: Path) -> None:
    proposed(folder)
    assert sign(folder, "la.ospp", status=5) == "pins_missing"
    other = pins(key="other")
    (folder / "other.json").write_bytes(format_pins(other))
    words = fingerprint_words(other.digest)
    here = ("--dir", folder / "la.ospp")
    wrong = saphan("agency", "pin", folder / "pins.json", "--words", words, *here, status=3)
    assert wrong.code == "words_differ"
    saphan("agency", "pin", folder / "other.json", "--words", words, *here)
    assert sign(folder, "la.ospp", status=3) == "pins_differ"


# --- passphrases and key files ---------------------------------------------------------------


def test_a_key_file_that_others_can_read_is_refused_with_the_way_out(folder: Path) -> None:
    key = folder / "la.ospp" / "root" / "root.key"
    key.chmod(0o644)
    ran = saphan(
        *("keys", "add", "mailbox", "--dir", folder / "la.ospp"),
        *("--passphrase-file", folder / "root.txt"),
        status=5,
    )
    assert ran.code == "key_file_exposed"
    assert f"chmod 600 {key}" in ran.err


def test_a_wrong_passphrase_is_said_and_not_repeated(folder: Path) -> None:
    ran = saphan(
        *("keys", "add", "mailbox", "--dir", folder / "la.ospp"),
        *("--passphrase-file", folder / "desk.txt"),
        status=5,
    )
    assert ran.code == "passphrase_wrong"
    assert DESK not in ran.err
    assert "hint: " in ran.err


def test_a_passphrase_is_never_taken_from_an_argument(folder: Path) -> None:
    ran = saphan(
        *("keys", "add", "mailbox", "--dir", folder / "la.ospp", "--passphrase", ROOT), status=2
    )
    assert "unrecognized arguments" in ran.err
    assert ROOT not in ran.err  # nor shown again to whoever looks over the shoulder


def test_a_passphrase_is_never_taken_from_the_environment_or_standard_input(folder: Path) -> None:
    ran = saphan(
        *("keys", "add", "mailbox", "--dir", folder / "la.ospp"),
        status=5,
        stdin=ROOT + "\n",
        PASSPHRASE=ROOT,
        SAPHAN_PASSPHRASE=ROOT,
        SAPHAN_ROOT_PASSPHRASE=ROOT,
    )
    assert ran.code == "passphrase_unavailable"


def test_a_passphrase_comes_through_an_open_descriptor(folder: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, ROOT.encode() + b"\n")
    os.close(writer)
    try:
        saphan(
            *("keys", "add", "mailbox", "--dir", folder / "la.ospp"),
            *("--passphrase-fd", str(reader)),
            pass_fds=[reader],
        )
    finally:
        os.close(reader)


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    master, slave = os.openpty()
    yield master, slave
    os.close(master)


def test_at_a_terminal_the_passphrase_is_asked_for_and_not_shown(
    folder: Path, terminal: tuple[int, int]
) -> None:
    master, slave = terminal
    process = subprocess.Popen(
        saphan_command("keys", "add", "mailbox", "--dir", folder / "la.ospp"),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment(),
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    shown = b""
    while b"root key: " not in shown:
        shown += os.read(master, 1024)
    os.write(master, ROOT.encode() + b"\n")
    while True:
        try:
            shown += os.read(master, 1024)
        except OSError:  # the other end of the terminal was closed: the command is done
            break
    assert process.wait(timeout=30) == 0, shown
    assert ROOT.encode() not in shown
    assert b"Operation 2" in shown


# --- manners ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code"),
    (
        (("agency", "show", "--dir", "{none}"), "not_an_agency_folder"),
        (("keys", "list", "--dir", "{none}"), "not_an_agency_folder"),
        (("words", "{none}"), "file_missing"),
        (("agency", "pin", "{none}", "--dir", "{none}"), "file_missing"),
    ),
)
def test_a_wrong_folder_is_said_in_one_line(
    tmp_path: Path, words: tuple[str, ...], code: str
) -> None:
    none = str(tmp_path / "none")
    ran = saphan(*(word.replace("{none}", none) for word in words), status=5)
    assert ran.code == code
    assert ran.out == ""


def test_errors_for_programs_are_one_json_object(tmp_path: Path) -> None:
    ran = saphan("keys", "list", "--json", "--dir", tmp_path, status=5)
    error = json.loads(ran.err)["error"]
    assert error["code"] == "not_an_agency_folder"
    assert error["hint"]


def test_a_submission_without_a_running_node_can_be_tried_again(folder: Path) -> None:
    here = folder / "la.ospp"
    ran = saphan("keys", "submit", here / "enrol.saphan", "--dir", here, status=4)
    assert ran.code == "node_unreachable"
    ran = saphan("keys", "submit", here / "agency.json", "--dir", here, status=2)
    assert ran.code == "submission_malformed"


def test_a_damaged_operations_folder_is_named(folder: Path) -> None:
    office = folder / "la.ospp"
    (office / "operations" / "0002.saphan").mkdir()
    ran = saphan("keys", "list", "--dir", office, status=5)
    assert ran.code == "operations_damaged"
    assert "0002.saphan" in ran.err


def test_a_bug_is_one_sentence_and_its_trace_a_private_file(tmp_path: Path) -> None:
    script = (
        "import sys, saphan.cli.words as w, saphan.cli.main as m\n"
        "def broken(what): raise ZeroDivisionError('not foreseen')\n"
        "w.fingerprints = broken\n"
        f"sys.exit(m.main(['words', 'x', '--dir', {str(tmp_path)!r}]))\n"
    )
    command = [saphan_command()[0], "-c", script]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ended.stderr.startswith("saphan: something unforeseen")
    log = tmp_path / "saphan-error.log"
    assert "not foreseen" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_reader_that_goes_away_is_no_error_message(folder: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        saphan_command("keys", "list", "--dir", folder / "la.ospp"),
        stdout=writer,
        stderr=subprocess.PIPE,
        env=environment(),
        check=False,
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_a_full_disk_behind_the_output_is_not_called_success(folder: Path) -> None:
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(
            saphan_command("keys", "list", "--dir", folder / "la.ospp"),
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
            check=False,
            cwd=folder,
        )
    assert ended.returncode == 5
    assert b"Traceback" not in ended.stderr


def test_help_is_quick_because_it_loads_no_cryptography() -> None:
    script = (
        "import sys, saphan.cli.main as m\n"
        "try: m.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'cryptography', 'aiohttp', 'jsonschema_rs', 'saphan.agency'} & set(sys.modules)\n"
        "sys.exit(f'{heavy}' if heavy else 0)\n"
    )
    command = [saphan_command()[0], "-c", script]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    for name in ("agency", "keys", "agreement", "words"):
        assert f"    {name}" in ended.stdout


def test_the_language_follows_the_option_and_falls_back_to_english() -> None:
    assert "usage: saphan" in saphan("words", "--lang", "lo", "--help").out
    assert "usage: saphan" in saphan("--help", LC_ALL="km_KH.UTF-8").out
