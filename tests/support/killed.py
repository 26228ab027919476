"""A call at which the process is killed, in a child that a test forks."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying(really: Callable[..., object], calls: int, *, after: bool) -> Callable[..., object]:
    """The call, at whose so-manieth the process is killed."""
    left = [calls]

    def call(*args: object, **options: object) -> object:
        left[0] -= 1
        if left[0] == 0 and not after:
            die()
        found = really(*args, **options)
        if left[0] == 0:
            die()
        return found

    return call


def killed(owner: type, name: str, calls: int, do: Callable[[], object], *, after: bool) -> None:
    """Do something in a child that is killed at a call of a method; it really was killed there."""
    child = os.fork()
    if child == 0:  # nothing of pytest may run here
        try:
            setattr(owner, name, dying(getattr(owner, name), calls, after=after))
            do()
        finally:
            os._exit(7)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "it was not killed where it was meant to be"
