"""How `saphan` speaks: one line for an error, one object for a program, no traceback ever."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from support.command import environment, saphan, saphan_command


@pytest.mark.parametrize(
    ("words", "code"),
    (
        (("agency", "show", "--dir", "{none}"), "not_an_agency_folder"),
        (("keys", "list", "--dir", "{none}"), "not_an_agency_folder"),
        (("words", "{none}"), "file_missing"),
        (("agency", "pin", "{none}", "--dir", "{none}"), "file_missing"),
        (("inbox", "--dir", "{none}"), "not_an_agency_folder"),
        (("status", "01234567", "--dir", "{none}"), "not_an_agency_folder"),
    ),
)
def test_a_wrong_folder_is_said_in_one_line(
    tmp_path: Path, words: tuple[str, ...], code: str
) -> None:
    none = str(tmp_path / "none")
    ran = saphan(*(word.replace("{none}", none) for word in words), status=5)
    assert ran.code == code
    assert ran.out == ""


def test_names_are_judged_before_a_passphrase_is_asked_for(folder: Path) -> None:
    """Without a terminal, asking would fail: what comes first is what the person hears first."""
    new = folder / "new"
    ran = saphan("agency", "init", "LA", "--officer", "desk", "--dir", new, status=2)
    assert ran.code == "agency_malformed"
    ran = saphan("agency", "init", "la.x", "--officer", "../desk", "--dir", new, status=2)
    assert ran.code == "handle_malformed"
    here = folder / "la.ospp"
    ran = saphan("agency", "init", "la.x", "--officer", "desk", "--dir", here, status=5)
    assert ran.code == "agency_folder_exists"
    assert not new.exists()


@pytest.mark.parametrize("url", ("ws://[::1", "ws://bridge:99999", "ws://", "ftp://bridge", "x"))
def test_what_is_no_address_is_said_before_a_node_starts(folder: Path, url: str) -> None:
    ran = saphan("node", "run", "--dir", folder / "la.ospp", "--broker", url, status=2)
    assert ran.code == "address_malformed"


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


def test_the_language_may_come_before_the_command(folder: Path) -> None:
    words = ("root", "show", "nothing.draft")
    assert saphan("--lang", "lo", *words, status=5).err == saphan(*words, "--lang=lo", status=5).err
    assert "invalid choice" in saphan("--lang", "xx", *words, status=2).err


def test_an_unknown_option_names_the_help_of_the_command_that_was_asked_for() -> None:
    ran = saphan("keys", "add", "order", "--passphrase=secret", status=2)
    assert "hint: saphan keys add --help" in ran.err
    assert "secret" not in ran.err


def test_a_terminal_that_lacks_letters_gets_marks_and_programs_get_utf8(tmp_path: Path) -> None:
    """The name of the file comes back in the message, in letters that ASCII lacks."""
    name = tmp_path / "ຈົດໝາຍ"
    ran = saphan("words", name, status=5, PYTHONIOENCODING="ascii")
    assert ran.code == "file_missing"
    assert "?????" in ran.err
    ran = saphan("words", name, "--json", status=5, PYTHONIOENCODING="ascii")
    assert name.name in json.loads(ran.err)["error"]["message"]
    script = (
        "import sys, saphan.cli.main as m, saphan.cli.words as w\n"
        "w.fingerprints = lambda what: [('ຈົດໝາຍ', bytes(32))]\n"
        "sys.exit(m.main(['words', 'x', *sys.argv[1:]]))\n"
    )
    for options in ([], ["--json"]):
        ended = subprocess.run(
            [saphan_command()[0], "-c", script, *options],
            capture_output=True,
            env=environment(PYTHONIOENCODING="ascii"),
            check=True,
        )
        assert ("ຈົດໝາຍ".encode() if options else b"??????\n") in ended.stdout
