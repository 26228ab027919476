"""A question that a person answers at the terminal itself: a pipe cannot have compared anything."""

from __future__ import annotations


def confirmed(question: str) -> bool:
    """Whether somebody at this terminal has answered yes; False where there is none."""
    answer = ""
    try:
        with open("/dev/tty", "r+b", buffering=0) as terminal:
            terminal.write(f"{question} ".encode())
            answer = terminal.readline(100).decode(errors="replace")
    except OSError:
        answer = ""
    return answer.strip().lower() == "yes"
