"""Claim: the App API answers at least 0.8 of the requests a second of the bare framework and driver.

One record by its key, from PostgreSQL's three tables, by one process each: `mystira serve api`, and Litestar
with asyncpg and the same statement. Both answer the same client in turn, as fast as they can. Who asks the
App API is a program of the platform, with a signed token, or an account that is signed in, which the service
looks up at every request, so that a sign-in can be ended at once; whoever asks the bare one is asked nothing.
"""

import contextlib
import os
import socket
import statistics
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from random import Random, SystemRandom

import msgspec

from benchmarks.asking import ask_all, call, spell
from benchmarks.bars import APP_API
from benchmarks.measuring import Benchmark, Claim, Effort, Measured, Round, clocked, in_turn
from manystore.moves.tasks import Action
from manystore.stores.postgres.kinds import MappedKind
from manystore.stores.sqlite import SqliteStore
from mystira.clients.service_key import keep_service_key
from mystira.clients.service_tokens import OPERATOR, sign_token
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.accounts.model import NewAccount, Role
from mystira.domain.accounts.use_cases import create_account
from mystira.domain.signing_in.kind import SIGN_INS
from mystira.domain.signing_in.model import SignIn
from mystira.domain.signing_in.sign_ins import Terms, open_sign_in
from mystira.gateways.outside import open_outside
from mystira.placement import PLACEMENT
from mystira.platform import Platform, open_platform
from mystira.schema.mappings import MAPPINGS
from mystira.schema.upgrades import upgrade
from mystira.serve.api import compose
from mystira.servers import embedded_servers
from mystira.servers.logs import Log
from mystira.servers.processes import Process, Program, start
from mystira.settings import Settings
from mystira.simulation.people import make_former_accounts
from mystira.supervisor.handover import SOCKET_VARIABLE

PROGRAM = Claim(
    bar=APP_API,
    case="asked by a program of the platform",
    unit="/s",
    missed="The bare handler hands on what the driver gave. The service checks a signed token, makes of the "
    "row the record exactly as it was written, holds that against the model, and answers with an ETag and a "
    "correlation id; the profile of `read` tells what each of these costs.",
)
SIGNED_IN = Claim(
    bar=APP_API,
    case="asked by an account that is signed in",
    unit="/s",
    missed="The service reads three records, its peer one: who signs in is looked up, and so is the account "
    "that asks, at every request. A sign-in that was ended, and a role that was taken away, count at once.",
)
FORMER, SIGNED_IN_ACCOUNTS, REQUESTS, CONNECTIONS = 2_000, 200, 3_000, 16
_TICKS = os.sysconf("SC_CLK_TCK")


class Served(msgspec.Struct):
    """A service of one process, its port, and what it has used of a processor, in seconds."""

    process: Process
    port: int

    def used(self) -> float:
        """In its own code and the system's."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


@contextlib.asynccontextmanager
async def _served(
    name: str, words: tuple[str, ...], folder: Path, environment: Mapping[str, str]
) -> AsyncIterator[Served]:
    """A service on a socket of ours: who asks before it is there waits. {fd} stands for the descriptor."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        descriptor = listener.fileno()
        program = Program(
            name=name,
            command=(sys.executable, "-m", *(word.format(fd=descriptor) for word in words)),
            environment={**environment, SOCKET_VARIABLE: str(descriptor)},
            descriptors=(descriptor,),
        )
        process = await start(program, Log(folder / f"{name}.log"))
        try:
            yield Served(process, listener.getsockname()[1])
        finally:
            await process.stop()


@contextlib.asynccontextmanager
async def _moved(folder: Path, size: int) -> AsyncIterator[tuple[Settings, Platform]]:
    """A platform whose accounts live in PostgreSQL."""
    async with embedded_servers(Settings(data_folder=folder / "data")) as running:
        assert running.postgres_url is not None
        await upgrade(running.postgres_url)
        async with open_platform(running, role="benchmark") as platform:
            assert isinstance(platform.documents, SqliteStore)
            await platform.documents.adopt(ACCOUNTS, make_former_accounts(Random(1), size))
            for entry in PLACEMENT:
                for action in (Action.START, Action.VERIFY, Action.CUT_OVER):
                    await platform.mover.carry_out(action, entry.kind.name)
            yield running, platform


async def _sign_in(platform: Platform, count: int) -> dict[str, str]:
    """So many accounts, each with the token of somebody who is signed in with it."""
    tokens = {}
    for number in range(count):
        new = NewAccount(email=f"family.{number}@families.example", display_name="Ada")
        account = (await create_account(platform.accounts, new, clock=platform.clock, role=Role.USER)).value
        opened = await open_sign_in(
            platform.repository(SignIn, SIGN_INS),
            account,
            clock=platform.clock,
            randomness=SystemRandom(),
            terms=Terms(),
        )
        tokens[account.id] = opened.token
    return tokens


class Race:
    """Requests for the same accounts, in the same order, to whoever is to answer them."""

    def __init__(self, tokens: Mapping[str, str], count: int) -> None:
        self._tokens, self._asked = tokens, Random(1).choices([*tokens], k=count)
        self._used: defaultdict[str, list[float]] = defaultdict(list)

    def run(self, name: str, served: Served, show: Callable[[str], str]) -> Round:
        """Requests a second; `show` says what somebody shows who asks for an account."""

        async def ask() -> None:
            # Spelled anew every time, because what a program shows holds for a minute.
            shown = {each: f"Bearer {show(each)}" for each in self._tokens}
            requests = [spell(f"/api/v1/accounts/{each}", Authorization=shown[each]) for each in self._asked]
            before = served.used()
            await ask_all(served.port, requests, connections=CONNECTIONS)
            self._used[name].append(served.used() - before)

        return clocked(ask, of=len(self._asked))

    def cost(self, name: str) -> float:
        """Microseconds of a processor a request; in the first round a service still loads what it needs."""
        return 1e6 * statistics.mean(self._used[name][1:]) / len(self._asked)


async def measure(effort: Effort) -> Measured:
    """The service asked in both ways, and its peer, in turn."""
    statement = MappedKind(next(each for each in MAPPINGS if each.kind is ACCOUNTS), "postgres").reading.get
    former, signed_in, count = effort.of((FORMER, SIGNED_IN_ACCOUNTS, REQUESTS), (50, 5, 100))
    async with _moved(effort.folder, former) as (settings, platform):
        key, environment = keep_service_key(settings), settings.as_environment()
        tokens = await _sign_in(platform, signed_in)
        race = Race(tokens, count)
        bare = ("benchmarks.bare_api", "{fd}", statement)
        async with (
            _served("api", ("mystira", "serve", "api"), effort.folder, environment) as ours,
            _served("bare", bare, effort.folder, environment) as peer,
        ):

            def sign(_: str) -> str:
                return sign_token(key, issuer=OPERATOR, audience="appApi", now=platform.clock.now())

            rates = await in_turn(
                effort,
                program=race.run("program", ours, sign),
                account=race.run("account", ours, tokens.__getitem__),
                bare=race.run("bare", peer, tokens.__getitem__),
            )
    figures = [
        claim.figure(
            rates[name],
            rates["bare"],
            note=f"{race.cost(name):.0f} µs of a processor a request, bare {race.cost('bare'):.0f} µs",
        )
        for claim, name in ((PROGRAM, "program"), (SIGNED_IN, "account"))
    ]
    return Measured(figures)


async def profile_read(effort: Effort) -> None:
    """Accounts read by those who are signed in with them, in one process and without a socket."""
    signed_in, count = effort.of((SIGNED_IN_ACCOUNTS, REQUESTS), (5, 100))
    async with (
        _moved(effort.folder, 50) as (settings, platform),
        open_outside(settings, platform.clock) as outside,
    ):
        tokens, application = await _sign_in(platform, signed_in), compose(platform, outside, {})
        asked = Random(1).choices([*tokens], k=count)

        async def read(accounts: Iterable[str]) -> None:
            for each in accounts:
                path, shown = f"/api/v1/accounts/{each}", f"Bearer {tokens[each]}"
                await call(application, "GET", path, authorization=shown)

        await read(tokens)
        with effort.profiled():
            await read(asked)


BENCHMARK = Benchmark(
    name="app_api", claims=(PROGRAM, SIGNED_IN), measure=measure, profiles={"read": profile_read}
)
