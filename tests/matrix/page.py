"""`docs/fault-matrix.md` from the table: `python -m matrix.page` in `tests/` writes it anew."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from matrix.effects import Fault
from matrix.rows import Row
from matrix.table import ROWS

PAGE = Path(__file__).parents[2] / "docs" / "fault-matrix.md"

_HEAD = """\
# The fault matrix

Made from `tests/matrix/table.py` by `python -m matrix.page` in `tests/`; a test compares.

Whatever a party leaves outside its own memory is an **effect**: a transaction of its store, a file
put in place of another, a frame on the wire. Each effect below is made to fail in each of {faults}
ways, while everything else runs as it is:

| fault | what is done | what happens then |
| --- | --- | --- |
| not done | nothing is kept or sent, and an error says so | as the row says |
| done, reported failed | it is kept or sent, and an error says that it is not | as the row says |
| crash before | from here on it keeps and sends nothing | started anew, as the row says |
| crash after | this one is the last | the same |

After every fault the use case comes to its end, and at the end of each story the oracle
(`tests/support/oracle/`) holds what was promised against exported logs and the record packs of both
agencies: nothing acknowledged is missing, nothing is shown twice, no corridor has a gap, each
delivery has one outcome, no size of a log has two roots, every signature and inclusion verifies.
What is shown is seen by a case system at each node, which looks all the time and keeps its place,
and by the officer at the desk. Roots are those of every head that the broker has signed or sent,
held against the log's leaves. A bulletin that a log has and nobody was told of is a request done
twice. `tests/matrix/test_oracle.py` breaks each promise and sees the oracle object, with the
product's own audit and without it.

"Who must act" is checked too: nobody else is told an error, and whoever the row names is told. "If
told" is an upper bound: who asks there does what a look of the node's own does as well, and hears
of it only if they come first. After a crash it is whoever runs the party, who starts it again; who
asks meanwhile is told that it does not answer.

Effects are not counted by hand. A run without a fault shows them; one that is in no row fails the
test, and so does a row without its effect. A transaction of a node has the name of the function
that opens it.

`make test` makes each row fail in one of the four ways, in turn; of the steps that are a delivery's
with another event it takes every third, and leaves out what does not happen in every run;
destruction, attachments and the end of a hold, which tests of their own kill step by step, it
leaves to `make long`.
`make matrix` makes every row fail in all of them, and the broker's once more on a Valkey, which
`make test` leaves to it and to `make long`.

What this does not show:

- A crash here ends no process: from its effect on nothing more of that party reaches disk or wire,
  its parts are thrown away and it is opened anew in the same test. Processes that really die are
  the matter of `faults/test_node_kill.py`, `faults/test_broker_kill.py`,
  `faults/test_processes_killed.py` and `make chaos`; copies and backups are really killed here.
- What is marked "where it happens" fails in those runs in which it happens; "no fault is made here"
  is known to happen, and too seldom to be met.
- The making of a successor log is killed at every step by `faults/test_succession_killed.py`.
- One fault at a time. Several at once, under load, are `make chaos`.
- An effect fails as a whole. What a disk does to half of a write is shown for system calls of the
  broker's commit in `faults/`, not here.
"""

_COLUMNS = "| whose | effect | how it goes on | who must act |\n| --- | --- | --- | --- |\n"


def page() -> str:
    """The whole page."""
    parts = [_HEAD.format(faults=len(Fault))]
    for use_case, rows in groupby(ROWS, key=lambda row: row.use_case):
        parts.append(f"\n## {use_case.capitalize()}\n\n")
        parts.append(
            "| whose | effect | how it goes on | who must act |\n| --- | --- | --- | --- |\n"
        )
        parts += [_line(row) for row in rows]
    return "".join(parts)


def _line(row: Row) -> str:
    where = "" if row.sure else " (where it happens)"
    where = " (no fault is made here)" if row.seldom else where
    return f"| {row.effect.whose} | `{row.effect.what}`{where} | {row.progress} | {row.acts} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
