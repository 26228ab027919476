"""docs/token.md: its commands parse, its codes exist, and a key is made as it says, by hand."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from saphan.cli.main import _parser as saphan_parser
from saphan_schemas import messages
from support.agency_folders import DESK_PASSPHRASE, ROOT_PASSPHRASE
from support.command import saphan_here, typed
from support.rooms import ROOT
from support.softhsm import PIN, SO_PIN, drawer
from support.terminals import Terminal

PAGE = (ROOT / "docs/token.md").read_text(encoding="utf-8")
LINES = [
    line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()
]
COMMANDS = [line for line in LINES if line.startswith("saphan ")]
ANSWERS = {
    r"SO PIN: ": SO_PIN,
    r"user PIN: ": PIN,
    r"PIN of the token desk: ": PIN,
    r"root key[^\n]*: ": ROOT_PASSPHRASE,
    r"key of khamla[^\n]*: ": DESK_PASSPHRASE,
}


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_page_parses(line: str) -> None:
    _program, *words = shlex.split(line)
    assert callable(saphan_parser(words).parse_strictly(words).run)


def test_every_code_that_the_page_explains_exists_and_the_other_way_round() -> None:
    explained = set(re.findall(r"^\| `(pkcs11_\w+)` \|", PAGE, re.MULTILINE))
    known = {
        key.partition(".")[2]
        for key in messages.known_keys()
        if key.startswith("error.pkcs11_")
        # What is wrong with a command's words is said completely by its hint.
        and not key.endswith(("_named", "_ambiguous", "_officers_only"))
    }
    assert explained == known


def test_a_token_is_set_up_and_a_key_made_on_it_by_hand(folder: Path, tmp_path: Path) -> None:
    """At a terminal that asks for passphrases and PIN; the library is where this machine has it."""
    tokens = drawer(tmp_path / "drawer")
    (make,) = [line for line in LINES if line.startswith("softhsm2-util")]
    (add,) = [line for line in COMMANDS if "keys add officer" in line]
    terminal = Terminal(folder, typed(tmp_path / "bin", **tokens.variables), ANSWERS)
    try:
        terminal.type(f"{make} </dev/tty")  # the shell's own input is the script
        shown = terminal.type(add.replace("/usr/lib/softhsm/libsofthsm2.so", str(tokens.library)))
    finally:
        terminal.close()
    assert shown.count("PIN of the token desk") == 1
    assert not any(secret in shown for secret in (PIN, ROOT_PASSPHRASE, DESK_PASSPHRASE))
    key = json.loads((folder / "la.ospp/officers/khamla.key").read_text())
    assert (key["saphan"], key["pkcs11"]["label"]) == ("key/2", "desk")
    listed = saphan_here("keys", "list", "--dir", folder / "la.ospp", "--json").json["keys"]
    assert (listed[-1]["handle"], listed[-1]["key_id"]) == ("khamla", key["key_id"])
