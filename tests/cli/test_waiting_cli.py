"""`--wait`: patience has an end, and it ends with a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from saphan.cli import waiting
from saphan.local_api import LocalNode
from saphan_broker.cli import status
from saphan_broker.cli.main import main as broker
from saphan_schemas.errors import Refused, Unavailable


def test_waiting_for_a_node_that_never_runs_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.0)
    monkeypatch.setattr(waiting, "STEP_S", 0.001)
    with pytest.raises(Unavailable) as refusal:
        waiting.ready_for(LocalNode(tmp_path), {"la.ospp"})
    assert refusal.value.code == "waited_in_vain"
    assert refusal.value.hint


def test_waiting_for_a_broker_that_never_runs_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(status, "PATIENCE_S", 0.01)
    monkeypatch.setattr(status, "STEP_S", 0.001)
    assert broker(["status", "--data", str(tmp_path), "--wait"]) == 5
    said = capsys.readouterr().err
    assert "broker_not_running" in said
    assert "hint: " in said


def test_an_order_that_the_log_does_not_show_in_time_binds_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody who suspends at midnight is told that it failed, and to start a node that runs."""

    class Silent(LocalNode):
        """The line is open, and nobody answers what is offered."""

        def get(self, path: str, **_: Any) -> dict[str, Any]:
            if path == "/v1/bound":
                return {"bound": [taken]}
            return {"line": {"state": "open"}}

    taken = {"identity": "00", "logged": False, "broker": None}
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.01)
    monkeypatch.setattr(waiting, "STEP_S", 0.001)
    assert waiting.order_logged(Silent(tmp_path), taken) == taken
    taken["broker"] = "agreement_unknown"
    with pytest.raises(Refused, match="binds this node all the same"):
        waiting.order_logged(Silent(tmp_path), taken)
