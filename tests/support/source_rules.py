"""What a source file may not do, found in its syntax tree. Every rule yields `line: sentence`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from support.rooms import MAY_IMPORT, PACKAGES

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

IMPURE_MODULES = frozenset(
    (
        "aiohttp",
        "asyncio",
        "concurrent",
        "fcntl",
        "getpass",
        "glob",
        "http",
        "importlib",
        "io",
        "logging",
        "mmap",
        "multiprocessing",
        "obstore",
        "os",
        "pathlib",
        "platform",
        "random",
        "redis",
        "sched",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "urllib",
        "uuid",
    )
)
PURE_PARTS = frozenset({"urllib.parse"})
"""Modules that compute only, of packages that do more."""
RESOURCES = "importlib.resources"
"""saphan_schemas reads its own package data through this, and nothing else reads anything."""

IMPURE_CALLS = frozenset({"open", "input", "print", "exec", "eval", "breakpoint", "__import__"})
IMPURE_METHODS = frozenset(
    {"now", "utcnow", "today", "generate", "generate_key", "write_text", "write_bytes", "unlink"}
)
"""Clocks of datetime, key generators of cryptography, and writing by any route."""
READING_METHODS = frozenset({"read_text", "read_bytes"})


def imported_modules(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything imported, also inside functions and by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) in {"import_module", "__import__"}:
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield node.lineno, argument.value


def wrong_directions(package: str, tree: ast.AST) -> Iterator[str]:
    """Imports against the one direction, or relative ones, which hide it."""
    for line, name in imported_modules(tree):
        top = name.split(".")[0]
        if not top:
            yield f"{line}: relative import {name}"
        elif top in PACKAGES and top not in MAY_IMPORT[package]:
            yield f"{line}: {package} imports {name}"
        elif top in {"tests", "support", "benchmarks", "demo"}:
            yield f"{line}: {package} imports {name}, which is not shipped"


def impurities(package: str, tree: ast.AST) -> Iterator[str]:
    """Clock, randomness or I/O in a package that must have none."""
    reads_own_data = False
    for line, name in imported_modules(tree):
        if name.startswith(RESOURCES) and package == "saphan_schemas":
            reads_own_data = True
        elif name.split(".")[0] in IMPURE_MODULES and not _is_pure_part(name):
            yield f"{line}: imports {name}"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = _called(node)
        method = isinstance(node.func, ast.Attribute)
        if not method and name in IMPURE_CALLS:
            yield f"{node.lineno}: calls {name}()"
        elif method and (
            name in IMPURE_METHODS or (name in READING_METHODS and not reads_own_data)
        ):
            yield f"{node.lineno}: calls .{name}()"


def oversized(text: str, tree: ast.AST) -> Iterator[str]:
    """A file or a function that has outgrown one concept."""
    lines = len(text.splitlines())
    if lines > MAX_FILE_LINES:
        yield f"1: file of {lines} lines, at most {MAX_FILE_LINES}"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield f"{node.lineno}: {node.name} has {length} lines, at most {MAX_FUNCTION_LINES}"


def not_an_export(tree: ast.Module) -> Iterator[str]:
    """Anything in an `__init__.py` besides a docstring and explicit re-exports."""
    for node in tree.body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        lazy = isinstance(node, ast.FunctionDef) and node.name in {"__getattr__", "__dir__"}
        guarded = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        constant = isinstance(node, ast.Assign | ast.AnnAssign)
        imports = isinstance(node, ast.Import | ast.ImportFrom)
        if not (docstring or lazy or guarded or constant or imports):
            yield f"{node.lineno}: {type(node).__name__} in __init__.py"


def imported_at_start(tree: ast.Module) -> Iterator[str]:
    """Modules imported while this one loads: not those in functions or under TYPE_CHECKING."""
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (name for _line, name in imported_modules(node))
        elif isinstance(node, ast.Try | ast.With):
            waiting += node.body
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            waiting += [*node.body, *node.orelse]


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _is_pure_part(name: str) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in PURE_PARTS)
