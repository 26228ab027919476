"""Commands and their node: what the client does with each kind of answer."""

from __future__ import annotations

import contextlib
import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from saphan import Node
from saphan.api_answer import ANSWER_BYTES
from saphan.local_api import LocalNode
from saphan_schemas.errors import InvalidInput, OperatorError, Refused, SaphanError, Unavailable

TOKEN = "token-of-the-node"
ANSWERS: dict[str, tuple[int, bytes]] = {
    "/fine": (200, b'{"indices": [3]}'),
    "/malformed": (400, b'{"code": "malformed", "message": "m", "field": "f", "hint": "h"}'),
    "/refused": (403, b'{"code": "operation_chain", "message": "m"}'),
    "/token": (401, b'{"code": "token_wrong", "message": "m"}'),
    "/later": (503, b'{"code": "broker_unreachable", "message": "m"}'),
    "/bug": (500, b'{"code": "internal", "message": "m"}'),
    "/page": (502, b"<html>"),
    "/list": (200, b"[1]"),
    "/deep": (200, b"[" * 100_000),
    "/huge": (200, b" " * (ANSWER_BYTES + 1)),
    "/empty": (500, b"{}"),
}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers from the table above, to whoever brings the token."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, body = ANSWERS[self.path]
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            status, body = ANSWERS["/token"]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):  # the client reads no more than it takes
            self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *args: object) -> None:
        """Nothing on the screen."""


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LocalNode]:
    write_token(tmp_path)
    server = Server(str(tmp_path / "api.sock"), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield LocalNode(tmp_path)
    server.shutdown()
    thread.join()
    server.server_close()


def write_token(folder: Path, mode: int = 0o600, text: bytes = TOKEN.encode()) -> None:
    (folder / "api.token").write_bytes(text + b"\n")
    (folder / "api.token").chmod(mode)


def refusal(node: LocalNode, path: str) -> SaphanError:
    with pytest.raises(SaphanError) as refused:
        node.post(path, {"operation": ""})
    return refused.value


def test_an_answer_is_a_json_object(node: LocalNode) -> None:
    assert node.post("/fine", {"operation": ""}) == {"indices": [3]}


@pytest.mark.parametrize(
    ("path", "family", "code"),
    (
        ("/malformed", InvalidInput, "malformed"),
        ("/refused", Refused, "operation_chain"),
        ("/token", Refused, "token_wrong"),
        ("/later", Unavailable, "broker_unreachable"),
        ("/bug", OperatorError, "internal"),
        ("/page", OperatorError, "node_answer"),
        ("/list", OperatorError, "node_answer"),
        ("/deep", OperatorError, "node_answer"),
        ("/huge", OperatorError, "node_answer"),
        ("/empty", OperatorError, "node_answer"),
    ),
)
def test_the_nodes_refusal_is_the_commands_refusal(
    node: LocalNode, path: str, family: type[SaphanError], code: str
) -> None:
    error = refusal(node, path)
    assert (type(error), error.code) == (family, code)


def test_field_and_hint_of_the_node_reach_the_person(node: LocalNode) -> None:
    error = refusal(node, "/malformed")
    known = json.loads(ANSWERS["/malformed"][1])
    assert (error.field, error.hint) == (known["field"], known["hint"])


def test_a_node_that_does_not_run_is_said_so(tmp_path: Path) -> None:
    assert refusal(LocalNode(tmp_path), "/fine").code == "node_unreachable"
    write_token(tmp_path)
    assert refusal(LocalNode(tmp_path), "/fine").code == "node_unreachable"


def test_a_token_that_others_can_read_is_not_sent(tmp_path: Path) -> None:
    write_token(tmp_path, 0o644)
    assert refusal(LocalNode(tmp_path), "/fine").code == "key_file_exposed"


@pytest.mark.parametrize(
    "kept", [b"a\r\nX-More: b", b"", b"two words", b"secret\xff", "ກຂຄ".encode()]
)
async def test_what_is_no_token_never_becomes_a_header(tmp_path: Path, kept: bytes) -> None:
    """Another file in its place may hold a secret of another kind: no error shows what it holds."""
    folder = tmp_path / "node"
    folder.mkdir()
    write_token(folder, text=kept)
    assert refusal(LocalNode(folder), "/fine").code == "file_unreadable"
    with pytest.raises(OperatorError, match="file_unreadable") as refused:
        await Node(tmp_path).__aenter__()
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("given", ["", "a\nb", "a b"])
async def test_a_program_without_its_token_does_not_become_the_keeper(
    tmp_path: Path, given: str
) -> None:
    """Its variable was unset, and the keeper's token lies beside the socket."""
    (tmp_path / "node").mkdir()
    write_token(tmp_path / "node")
    with pytest.raises(InvalidInput, match="token_malformed"):
        await Node(tmp_path, token=given).__aenter__()
