"""Whether a process lives, and whether it can do its work: what each thing it depends on answers.

    /health/live     the process answers at all; restart it if not
    /health/ready    requests can be served; send them elsewhere if not (503)

A dependency that is not `needed` for most requests leaves the process ready when it is down, `degraded`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from manystore.errors import ManystoreError
from mystira.http.callers import ANYONE
from mystira.http.operations import Answer, Call, Operation, show
from mystira.http.queries import Nothing
from mystira.http.service import Service

PATIENCE: Final = 1.0
"""Seconds after which a dependency that has not answered counts as down."""


class Probe(Struct, frozen=True, kw_only=True):
    """How to ask one dependency; `ask` raises where it cannot be used."""

    ask: Callable[[], Awaitable[object]]
    needed: bool = True


class Dependency(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a dependency answered, after how many milliseconds; `error` is the sort of failure."""

    state: Literal["up", "down"]
    milliseconds: float
    error: str | None = None


class Liveness(Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Readiness(Struct, frozen=True, kw_only=True):
    """Whether requests can be served, and by the state of what."""

    status: Literal["ready", "degraded", "unready"]
    dependencies: dict[str, Dependency]


def health(probes: Mapping[str, Probe]) -> Service:
    """The service over what a process depends on."""

    async def live(call: Call[Nothing]) -> Answer:
        return show(Liveness())

    async def ready(call: Call[Nothing]) -> Answer:
        readiness = await look(probes)
        return show(readiness, status=503 if readiness.status == "unready" else 200)

    def operation(
        path: str, handle: Callable[[Call[Nothing]], Awaitable[Answer]], form: Any
    ) -> Operation[Any]:
        return Operation(
            method="GET",
            path=path,
            name=form.__name__,
            summary=form.__doc__,
            takes=Nothing,
            handle=handle,
            answers={200: form},
            allows=ANYONE,
        )

    return Service(
        name="health",
        prefix="/health",
        title="Health",
        description="Whether this process lives and can do its work.",
        operations=(operation("/live", live, Liveness), operation("/ready", ready, Readiness)),
    )


async def look(probes: Mapping[str, Probe], *, patience: float = PATIENCE) -> Readiness:
    """Ask all dependencies at once."""
    answers = await asyncio.gather(*(_ask(probe, patience) for probe in probes.values()))
    found = dict(zip(probes, answers, strict=True))
    down = [probes[name] for name, dependency in found.items() if dependency.state == "down"]
    if not down:
        return Readiness(status="ready", dependencies=found)
    is_unready = any(probe.needed for probe in down)
    return Readiness(status="unready" if is_unready else "degraded", dependencies=found)


async def _ask(probe: Probe, patience: float) -> Dependency:
    began = time.perf_counter()
    error: str | None = None
    try:
        async with asyncio.timeout(patience):
            await probe.ask()
    except (ManystoreError, TimeoutError, OSError) as failure:
        # The text would name addresses, and whoever asks for health need not know them.
        error = type(failure).__name__
    milliseconds = round((time.perf_counter() - began) * 1000, 2)
    return Dependency(state="down" if error else "up", milliseconds=milliseconds, error=error)
