"""Processes of one machine see of each other whether they are gone; of others they say nothing."""

import asyncio
import sys

from mystira.servers.nodes import is_gone, name_node

NAMED = "from mystira.servers.nodes import name_node; print(name_node('worker'), flush=True); input()"


async def test_a_process_is_gone_once_it_has_ended() -> None:
    """Not while it runs, and at once when it was killed."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", NAMED, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    node = (await process.stdout.readline()).decode().strip()
    assert f"-{process.pid}-" in node
    assert not is_gone(node)
    process.kill()
    await process.wait()
    assert is_gone(node)


async def test_nothing_is_said_of_another_machine() -> None:
    """The same number of a process elsewhere is another process, and so it is after a new start."""
    ended = await asyncio.create_subprocess_exec(sys.executable, "-c", "pass")
    await ended.wait()
    role, _, rest = name_node("worker").partition("-")
    # A host's name may have hyphens in it.
    machine, _, chance = rest.rsplit("-", 2)
    assert is_gone(f"{role}-{machine}-{ended.pid}-{chance}")
    host, _, _ = machine.rpartition(".")
    assert not is_gone(f"{role}-{host}.00000000-{ended.pid}-{chance}")
    assert not is_gone(f"{role}-{host}-{ended.pid}-{chance}")


def test_names_that_somebody_else_gave_say_nothing() -> None:
    """An owner in a store may be called anything."""
    assert not any(is_gone(name) for name in ("", "one", "worker-1", "a-b-c-d", "worker-host-x-1f"))


def test_two_names_of_one_process_differ() -> None:
    """So that a process which has the number of a dead one is not taken for it."""
    assert name_node("api") != name_node("api")
