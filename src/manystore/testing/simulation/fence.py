"""The fence around a simulation: whoever reaches for the world outside gets an error that names him.

Behind it are threads, sockets, other processes, the clocks of the machine, and randomness that no seed
decides. It stands for the thread that runs the simulation, for as long as it runs. Two things it cannot see,
since Python has no way to hold them: `datetime.now`, and names that were bound by `from random import …`.
"""

import contextlib
import os
import random
import secrets
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final

from manystore.testing.simulation.loop import FenceError

_HELD: Final[tuple[tuple[Any, str, str], ...]] = (
    (threading.Thread, "start", "starts a thread"),
    (socket.socket, "__init__", "opens a socket"),
    (subprocess.Popen, "__init__", "starts a process"),
    (os, "fork", "starts a process"),
    *((time, name, "reads the machine's clock") for name in ("time", "monotonic", "perf_counter")),
    *((time, name, "reads the machine's clock") for name in ("time_ns", "monotonic_ns", "perf_counter_ns")),
    (time, "sleep", "holds up the loop"),
    *(
        (random, name, "draws without a seed")
        for name in ("random", "uniform", "randint", "randrange", "choice", "choices", "shuffle", "sample")
    ),
    *(
        (random, name, "draws without a seed")
        for name in ("gauss", "getrandbits", "expovariate", "betavariate")
    ),
    *((secrets, name, "draws without a seed") for name in ("token_bytes", "token_hex", "token_urlsafe")),
    *((secrets, name, "draws without a seed") for name in ("randbelow", "choice", "randbits")),
    (os, "urandom", "draws without a seed"),
    *((uuid, name, "draws without a seed") for name in ("uuid1", "uuid4")),
)

_originals: Final = [getattr(where, name) for where, name, _ in _HELD]
_seed: Final = random.Random.seed
_OWN: Final = (__file__, random.__file__, secrets.__file__, uuid.__file__)


def _post(where: Any, name: str, deed: str, original: Callable[..., Any], thread: int) -> Callable[..., Any]:
    what = f"{getattr(where, '__name__', where)}.{name}"

    def guarded(*args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() != thread:
            return original(*args, **kwargs)
        raise FenceError(f"{_caller()} {deed} by {what}")

    return guarded


def _caller() -> str:
    frame = sys._getframe(2)
    while frame.f_code.co_filename in _OWN and frame.f_back is not None:
        frame = frame.f_back
    return f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"


def _seeding(thread: int) -> Callable[..., None]:
    def seed(self: random.Random, a: Any = None, *args: Any, **kwargs: Any) -> None:
        if a is None and threading.get_ident() == thread and not isinstance(self, random.SystemRandom):
            raise FenceError(f"{_caller()} makes a random.Random without a seed")
        _seed(self, a, *args, **kwargs)

    return seed


class _Fence:
    """The posts, made once for a thread: a run of some milliseconds puts them up and takes them down."""

    def __init__(self) -> None:
        thread = threading.get_ident()
        self.thread = thread
        self._posts = [
            _post(where, name, deed, original, thread)
            for (where, name, deed), original in zip(_HELD, _originals, strict=True)
        ]
        self._seeding = _seeding(thread)

    def put_up(self) -> None:
        for (where, name, _), post in zip(_HELD, self._posts, strict=True):
            setattr(where, name, post)
        random.Random.seed = self._seeding  # type: ignore[method-assign]

    @staticmethod
    def take_down() -> None:
        for (where, name, _), original in zip(_HELD, _originals, strict=True):
            setattr(where, name, original)
        random.Random.seed = _seed  # type: ignore[method-assign]


_made: dict[int, _Fence] = {}


@contextlib.contextmanager
def fenced() -> Iterator[None]:
    """Refuse this thread the world outside, for the length of the block. Not to be entered twice."""
    fence = _made.setdefault(threading.get_ident(), _Fence())
    fence.put_up()
    try:
        yield
    finally:
        fence.take_down()
