"""What readiness says of a process whose dependencies fail."""

import asyncio

import pytest

from manystore.errors import UnavailableError
from mystira.services.health import Probe, look


async def _up() -> None:
    return None


async def _down() -> None:
    raise UnavailableError(subject="postgres", reason="connect to 10.0.0.7 failed")


async def _silent() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("probes", "status"),
    [
        ({"a": Probe(ask=_up), "b": Probe(ask=_up, needed=False)}, "ready"),
        ({"a": Probe(ask=_up), "b": Probe(ask=_down, needed=False)}, "degraded"),
        ({"a": Probe(ask=_down), "b": Probe(ask=_up, needed=False)}, "unready"),
        ({"a": Probe(ask=_down), "b": Probe(ask=_down, needed=False)}, "unready"),
        ({"a": Probe(ask=_silent)}, "unready"),
        ({}, "ready"),
    ],
    ids=[
        "all up",
        "down, and can be spared",
        "down, and needed",
        "all down",
        "silent",
        "nothing to ask",
    ],
)
async def test_readiness_follows_from_what_is_needed(probes: dict[str, Probe], status: str) -> None:
    """Down is what fails and what does not answer; only what is needed makes a process unready."""
    assert (await look(probes, patience=0.05)).status == status


async def test_a_failure_is_told_by_its_sort_alone() -> None:
    """Whoever asks for health need not know addresses."""
    found = (await look({"postgres": Probe(ask=_down)})).dependencies["postgres"]
    assert (found.state, found.error) == ("down", "UnavailableError")
