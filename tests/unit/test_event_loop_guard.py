"""The guard that watches every async test: it catches ours and leaves the tests' own alone."""

from __future__ import annotations

import asyncio
import os
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.event_loop import PRODUCT, BlockingError

READ = "def read(path):\n    with open(path, 'rb') as file:\n        return file.read()\n"


def product_function(source: str, name: str) -> Callable[..., Any]:
    """Compile a function as if it stood in a file of the broker."""
    module = types.ModuleType("seeded")
    file_name = next(room for room in PRODUCT if "/broker/" in room) + "saphan_broker/seeded.py"
    exec(compile(source, file_name, "exec"), module.__dict__)  # noqa: S102 - seeded violation
    function: Callable[..., Any] = module.__dict__[name]
    return function


@pytest.mark.parametrize(
    "statement",
    (
        "time.sleep(0)",
        "with open(path, 'rb') as file: file.read()",
        "os.fsync(1)",
        "os.rename(path, path)",
        "with closing(sqlite3.connect(':memory:')) as store: store.execute('select 1')",
    ),
)
async def test_blocking_call_in_a_coroutine_of_ours_fails(statement: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    imports = "import os, sqlite3, time\nfrom contextlib import closing\n"
    work = product_function(f"{imports}async def work(path):\n    {statement}\n", "work")
    with pytest.raises(BlockingError):
        await work(str(path))


async def test_the_same_call_in_a_thread_passes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    assert await asyncio.to_thread(product_function(READ, "read"), str(path)) == b"x"


async def test_blocking_callback_of_the_loop_fails() -> None:
    nap = product_function("import time\ndef nap():\n    time.sleep(0)\n", "nap")
    loop = asyncio.get_running_loop()
    caught: list[object] = []
    loop.set_exception_handler(lambda _loop, context: caught.append(context.get("exception")))
    loop.call_soon(nap)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [type(error) for error in caught] == [BlockingError]


async def test_the_test_itself_may_touch_files(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    time.sleep(0)  # noqa: ASYNC251 - that this passes is what is tested
    assert os.listdir(tmp_path) == ["file"]
    assert product_function(READ, "read")(str(tmp_path / "file")) == b"x"
