"""docker/compose.yaml: its form, its confinement, and that its parts name each other rightly.

No container engine is needed. That the commands run is in test_compose_commands.py.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.composed import FOLDER, read, services
from support.rooms import ROOT

SERVICES = tuple(services())
BROKERS = ("broker-a", "broker-b")
STORES = ("store-a", "store-b")


@pytest.mark.parametrize("name", ("compose.yaml", "compose.swapped.yaml"))
def test_it_is_a_compose_file(name: str) -> None:
    checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    ended = subprocess.run(
        [*checker, str(FOLDER / name)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    command = [str(linter), "--config", f"{FOLDER}/hadolint.yaml", f"{FOLDER}/Dockerfile"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_confined(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges"]
    assert {"cpus", "memory", "pids"} == set(service["deploy"]["resources"]["limits"])
    assert service["ulimits"]["core"] == 0
    loosened = {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices", "environment"}
    assert not loosened & set(service)


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_watched_and_started_again(name: str) -> None:
    service = services()[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


def test_only_the_proxy_is_reached_from_outside() -> None:
    ports = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert ports == {"proxy": ["8470:8470"], "prometheus": ["127.0.0.1:9090:9090"]}
    networks = {name: set(service["networks"]) for name, service in services().items()}
    assert {name for name, of in networks.items() if "store" in of} == {*BROKERS, *STORES}
    assert all(networks[name] == {"store"} for name in STORES)
    assert read("compose.yaml")["networks"]["store"] == {"internal": True}


def test_what_is_mounted_is_there_and_what_is_declared_is_used() -> None:
    whole, mounted = read("compose.yaml"), set()
    for service in services().values():
        for mount in service["volumes"]:
            source, target, *mode = mount.split(":")
            if source.startswith("."):
                # `post` is the operator's letter box; the engine makes the folder.
                assert (FOLDER / source).is_file() or source == "./post"
                assert mode == ["ro"]
            else:
                mounted.add(source)
            assert target.startswith("/")
    assert mounted == set(whole["volumes"])
    assert {n for s in services().values() for n in s["networks"]} == set(whole["networks"])
    assert {n for s in services().values() for n in s.get("secrets", ())} == set(whole["secrets"])


def test_keys_go_to_the_brokers_and_to_nobody_else() -> None:
    holders = {
        name
        for name, service in services().items()
        for mount in service["volumes"]
        if mount.startswith("keys:")
    }
    assert holders == set(BROKERS)
    passwords = {
        name for name, one in services().items() if "broker-password" in one.get("secrets", ())
    }
    assert passwords == set(BROKERS)


def test_both_brokers_run_the_same_command_on_volumes_that_the_image_has() -> None:
    first, second = (services()[name] for name in BROKERS)
    assert first["command"] == second["command"]
    dockerfile = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    for word in first["command"]:
        path = word.partition("=")[2]
        if path.startswith("/var/lib/saphan"):
            assert re.search(rf"[ ]{re.escape(path)}[ \n]", dockerfile)
            assert any(mount.endswith(f":{path}") for mount in first["volumes"])


def test_secrets_are_made_once_each_for_its_reader(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make = ["sh", str(FOLDER / "make-secrets"), str(folder)]
    subprocess.run(make, check=True, capture_output=True)
    whole = read("compose.yaml")
    assert {path.name for path in folder.iterdir()} == set(whole["secrets"])
    assert {Path(one["file"]).name for one in whole["secrets"].values()} == set(whole["secrets"])
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    before = {path: path.read_bytes() for path in folder.iterdir()}
    password = before[folder / "broker-password"]
    assert len(password) == 64
    assert sum(password in data for data in before.values()) == 1
    assert subprocess.run(make, check=False, capture_output=True).returncode != 0
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    if os.getuid() == 0:
        owners = {path.name: str(path.stat().st_uid) for path in folder.iterdir()}
        valkey = services()["store-a"]["user"].partition(":")[0]
        broker = re.search(r"USER (\d+)", (FOLDER / "Dockerfile").read_text(encoding="utf-8"))
        assert broker is not None
        assert owners.pop("broker-password") == broker[1]
        assert set(owners.values()) == {valkey}


def test_the_proxy_sends_to_the_brokers_where_they_listen() -> None:
    text = (FOLDER / "haproxy.cfg").read_text(encoding="utf-8")
    servers = dict(re.findall(r"^ +server (\S+) (\S+)$", text, re.MULTILINE))
    options = dict(
        word[2:].split("=", 1) for word in services()["broker-a"]["command"] if "=" in word
    )
    port = options["listen"].rpartition(":")[2]
    assert servers == {name: f"{name}:{port}" for name in BROKERS}
    assert f"check port {options['metrics-listen'].rpartition(':')[2]} " in text
    assert f"bind :{services()['proxy']['ports'][0].rpartition(':')[2]}\n" in text
    assert "ssl" not in text  # the brokers' own key is what nodes know: the bytes pass through


def test_the_proxy_reads_its_configuration() -> None:
    program = shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")
    if program is None:
        pytest.skip("haproxy is not installed (Debian: apt-get install haproxy)")
    command = [program, "-c", "-f", str(FOLDER / "haproxy.cfg")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_prometheus_asks_the_brokers_where_they_tell() -> None:
    (job,) = read("prometheus.yml")["scrape_configs"]
    (options,) = {
        word.partition(":")[2]
        for word in services()["broker-a"]["command"]
        if word.startswith("--metrics-listen=")
    }
    assert job["static_configs"] == [{"targets": [f"{name}:{options}" for name in BROKERS]}]
    mounted = {mount.split(":")[1] for mount in services()["prometheus"]["volumes"]}
    assert "--config.file=/etc/prometheus/prometheus.yml" in services()["prometheus"]["command"]
    assert {"/etc/prometheus/prometheus.yml"} <= mounted
    assert {f"/etc/prometheus/{name}" for name in read("prometheus.yml")["rule_files"]} <= mounted
