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


def decided(question: str, again: str) -> bool:
    """Whether somebody at this terminal says yes; asked until it is yes or no.

    False where there is no terminal, or it is closed.

    Args:
        again: what is said to any other answer.
    """
    try:
        with open("/dev/tty", "r+b", buffering=0) as terminal:
            terminal.write(f"{question} ".encode())
            while line := terminal.readline(100):
                answer = line.decode(errors="replace").strip().lower()
                if answer in ("yes", "no"):
                    return answer == "yes"
                terminal.write(f"{again} ".encode())
    except OSError:
        pass
    return False
