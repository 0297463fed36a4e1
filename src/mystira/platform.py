"""Builds everything that a process of Mystira works with, once, and takes it down again.

    async with open_platform(settings, role="api") as platform:
        account = await read_account(platform.accounts, account_id)

Services, commands and tests receive a `Platform`; nobody else opens a store.
"""

import asyncio
import contextlib
import datetime as dt
import random
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
import structlog

from manystore.clock import Clock, SystemClock
from manystore.dual_write import CopyWriter, DualWrite
from manystore.errors import UnavailableError, UnknownKindError
from manystore.followers.reaction import Handler, Reaction
from manystore.followers.runner import Lag, SyncRunner, read_lag
from manystore.followers.sync import Track
from manystore.moves.actions import Mover
from manystore.moves.certificate import CertificateFolder
from manystore.moves.conditions import valid_certificate
from manystore.moves.retention import Retention
from manystore.moves.tasks import Task, TaskBoard
from manystore.moves.worker import MoveWorker
from manystore.moves.workflows import Workflows
from manystore.placement import Leases, Phase, Placement, State, read_state
from manystore.records import Kind
from manystore.repository import Repository
from manystore.shadow import ShadowReader
from manystore.specifications import Predicate
from manystore.stores.objects import ObjectStorage
from manystore.stores.postgres import PostgresStore
from manystore.stores.split import SplitStore
from manystore.stores.sqlite import SqliteStore
from manystore.stores.store import Store
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.accounts.model import Account
from mystira.domain.badges.kind import BADGES
from mystira.domain.badges.model import Badge
from mystira.domain.compass.kind import COMPASS_TRACKINGS
from mystira.domain.compass.model import CompassTracking
from mystira.domain.consents.kind import PARENTAL_CONSENTS
from mystira.domain.consents.model import ParentalConsent
from mystira.domain.consents.tracking import tracking_rule
from mystira.domain.profiles.kind import USER_PROFILES
from mystira.domain.profiles.model import UserProfile
from mystira.domain.records import Entity
from mystira.domain.scenarios.kind import SCENARIOS
from mystira.domain.scenarios.model import Scenario
from mystira.domain.scores.kind import PLAYER_SCENARIO_SCORES
from mystira.domain.scores.model import PlayerScenarioScore
from mystira.domain.sessions.ending import ENDED, follow_session
from mystira.domain.sessions.kind import GAME_SESSIONS
from mystira.domain.sessions.model import GameSession
from mystira.domain.sessions.play import Play
from mystira.domain.sessions.stories import Stories
from mystira.errors import SettingError
from mystira.placement import (
    PHASE_NAMES,
    PROFILES_SPLIT,
    SETTLED,
    ProfilesHome,
    StoreName,
    placement_table,
)
from mystira.schema.mappings import MAPPINGS
from mystira.servers.nodes import is_gone, name_node
from mystira.settings import Settings

log = structlog.get_logger(__name__)

E = TypeVar("E", bound=Entity)

_SWEEP_EVERY: Final = 3600.0
_READY_EVERY: Final = 0.5


class QueueCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many changes wait in each state."""

    retrying: int = 0
    parked: int = 0
    dead: int = 0


class KindStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where a kind stands just now; `lag_seconds` is what its follower last measured.

    `rogue_writes` says how many each store keeps of those that nobody has decided about.
    """

    kind: str
    phase: str
    engine_phase: str
    epoch: int
    draining_to: str | None
    truth: str
    copy: str | None
    following: bool
    lag_seconds: Lag
    queue: QueueCounts
    rogue_writes: dict[str, int]
    task: Task | None
    certificate: str | None


class Platform:
    """Everything that one process works with."""

    def __init__(
        self, settings: Settings, documents: Store, tables: Store, *, node: str, clock: Clock
    ) -> None:
        self.settings: Final = settings
        self.documents: Final = documents
        self.tables: Final = tables
        self.node: Final = node
        self.clock: Final = clock
        self.family: Final = place(documents, tables, settings.profiles_home)
        self.leases: Final = Leases(
            [*self.family.values(), *settle(documents, tables)],
            node=node,
            clock=clock,
            lease=settings.lease_seconds,
        )
        self._repositories: dict[str, Repository[Any]] = {}
        self._random = random.Random(secrets.randbits(64))  # noqa: S311 - jitter, not secrets
        self.accounts: Final = self.repository(Account, ACCOUNTS)
        self.profiles: Final = self.repository(UserProfile, USER_PROFILES)
        self.play: Final = self._play()
        self.reactions: Final = (
            self._reaction("play", GAME_SESSIONS, partial(follow_session, self.play), ENDED),
        )
        self.objects: Final = ObjectStorage.in_folder(settings.objects_path)
        self.certificates: Final = CertificateFolder(settings.objects_path / "certificates")
        self.mover: Final = Mover(
            self.family,
            self.certificates,
            clock=clock,
            randomness=self._random,
            lease=settings.lease_seconds,
            objects=self.objects,
        )

    def _play(self) -> Play:
        return Play(
            sessions=self.repository(GameSession, GAME_SESSIONS),
            scores=self.repository(PlayerScenarioScore, PLAYER_SCENARIO_SCORES),
            accounts=self.accounts,
            profiles=self.profiles,
            badges=self.repository(Badge, BADGES),
            trackings=self.repository(CompassTracking, COMPASS_TRACKINGS),
            stories=Stories(self.repository(Scenario, SCENARIOS), self.clock),
            may_track=tracking_rule(
                self.repository(ParentalConsent, PARENTAL_CONSENTS), self.profiles, self.clock
            ),
            clock=self.clock,
            dice=random.SystemRandom(),
        )

    def _reaction(self, name: str, kind: Kind, handle: Handler, where: Predicate) -> Reaction:
        """What is done after each change of a kind by which `where` holds, by one worker at a time."""
        return Reaction(
            name,
            self.family[kind.name],
            handle,
            self.leases,
            owner=self.node,
            clock=self.clock,
            randomness=self._random,
            where=where,
            is_dead=is_gone,
        )

    def repository(self, model: type[E], kind: Kind) -> Repository[E]:
        """The records of a kind; the same repository whoever asks. Raises UnknownKindError."""
        found: Repository[E] | None = self._repositories.get(kind.name)
        if found is None:
            make = self._moving if kind.name in self.family else self._settled
            found = self._repositories[kind.name] = make(model, kind)
        return found

    def _settled(self, model: type[E], kind: Kind) -> Repository[E]:
        return Repository(model, kind, self.leases, self.clock)

    def _moving(self, model: type[E], kind: Kind) -> Repository[E]:
        """With a copy, which is kept and compared as the settings say."""
        settings, placement = self.settings, self.family[kind.name]
        dual_write = DualWrite(
            secondary=settings.secondary,
            compensation=settings.compensation,
            timeout=settings.dual_write_timeout,
        )
        copying = CopyWriter(placement, dual_write, clock=self.clock, randomness=self._random)
        share = settings.shadow_share
        shadow = ShadowReader(placement, share=share, randomness=self._random) if share else None
        return Repository(model, kind, self.leases, self.clock, copying=copying, shadow=shadow)

    def placement(self, kind: str) -> Placement:
        """Where a kind can live. Raises UnknownKindError."""
        if kind not in self.family:
            raise UnknownKindError(kind=kind)
        return self.family[kind]

    def board(self, kind: str) -> TaskBoard:
        """The tasks of a kind's move. Raises UnknownKindError."""
        return TaskBoard(self.placement(kind), self.clock)

    async def track(self, kind: str, state: State | None = None) -> Track:
        """The direction in which a kind's changes flow, now or in a given state. Raises UnknownKindError."""
        placement = self.placement(kind)
        state = state or await read_state(placement)
        return Track(placement, state, clock=self.clock, randomness=self._random)

    async def status(self, kind: str) -> KindStatus:
        """Where a kind stands just now. Raises UnknownKindError and UnavailableError."""
        placement = self.placement(kind)
        state = await read_state(placement)
        track = await self.track(kind, state)
        entries = await track.queue.entries()
        certificate, _ = valid_certificate(self.certificates, placement, state)
        return KindStatus(
            kind=kind,
            phase=PHASE_NAMES[state.phase],
            engine_phase=state.phase.value,
            epoch=state.epoch,
            draining_to=PHASE_NAMES[state.draining_to] if state.draining_to else None,
            truth=track.truth.name,
            copy=track.copy.name if state.phase.has_copy else None,
            following=state.phase.has_copy,
            lag_seconds=await read_lag(track.copy, kind),
            queue=QueueCounts(
                retrying=sum(entry.state == "retrying" for entry in entries),
                parked=sum(entry.state == "parked" for entry in entries),
                dead=sum(entry.state == "dead" for entry in entries),
            ),
            rogue_writes={
                store.name: len(await store.rogue_writes(placement.kind))
                for store in (placement.source, placement.target)
            },
            task=await self.board(kind).task(),
            certificate=None if certificate is None else certificate.name,
        )

    async def keep_ready(self) -> None:
        """Have PostgreSQL's connections open before a kind's truth may move there. Returns once they are."""
        while isinstance(self.tables, PostgresStore):
            try:
                states = [await self.leases.state(kind) for kind in self.family]
                if any(state.phase is not Phase.SOURCE_ONLY for state in states):
                    await self.tables.warm()
                    return
            except UnavailableError as error:
                log.warning("platform.not_ready", reason=str(error))
            await self.clock.sleep(_READY_EVERY)

    async def work(self, workflows: Workflows | None = None) -> None:
        """Follow every kind's changes and carry out what is asked of its move, until cancelled.

        Without `workflows` this process carries out whole tasks by itself.
        """
        placements = list(self.family.values())
        runner = SyncRunner(
            placements,
            self.leases,
            owner=self.node,
            clock=self.clock,
            randomness=self._random,
            is_dead=is_gone,
        )
        worker = MoveWorker(placements, self.mover, owner=self.node, clock=self.clock, workflows=workflows)
        retention = Retention(
            [*placements, *settle(self.documents, self.tables)],
            self.certificates,
            owner=self.node,
            clock=self.clock,
            keep=dt.timedelta(days=self.settings.log_days),
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(retention.run(), name="retention")
            group.create_task(runner.run(), name="followers")
            for reaction in self.reactions:
                group.create_task(reaction.run(), name=reaction.name)
            group.create_task(worker.run(), name="moves")
            for placement in placements:
                if isinstance(placement.target, SplitStore):
                    group.create_task(self._keep_swept(placement.target, placement.kind), name="sweep")

    async def _keep_swept(self, store: SplitStore, kind: Kind) -> None:
        """Clean up what died writers left, and tell of parts that somebody else changed or removed."""
        while True:
            await self.clock.sleep(_SWEEP_EVERY)
            try:
                swept = await store.sweep(kind)
            except UnavailableError as error:
                log.warning("split.not_swept", kind=kind.name, reason=str(error))
                continue
            if swept.lost_count or swept.altered_count:
                log.error("split.unsound", kind=kind.name, **msgspec.to_builtins(swept))


def place(
    documents: Store, tables: Store, profiles_home: ProfilesHome = "relational"
) -> Mapping[str, Placement]:
    """The table of `mystira.placement` over two open stores, by the kinds' names."""
    table = placement_table(profiles_home)
    kinds = {entry.kind.name: entry.kind for entry in table}
    stores: dict[StoreName, Store] = {
        "documents": documents,
        "relational": tables,
        "split": SplitStore(tables, documents, [PROFILES_SPLIT]),
    }
    return {
        entry.kind.name: Placement(
            kind=entry.kind,
            source=stores[entry.source],
            target=stores[entry.target],
            initial=entry.phase,
            parents=tuple(kinds[parent.kind] for parent in entry.kind.parents),
        )
        for entry in table
    }


def settle(documents: Store, tables: Store) -> list[Placement]:
    """The kinds that never move, each in its one store."""
    stores: dict[StoreName, Store] = {"documents": documents, "relational": tables}
    return [Placement.settled(kind, stores[name]) for name, kinds in SETTLED.items() for kind in kinds]


def document_store(settings: Settings) -> Store:
    """Azure Cosmos DB where its URL is set, else the embedded store. Raises SettingError."""
    if settings.cosmos_url is None:
        settings.documents_path.parent.mkdir(parents=True, exist_ok=True)
        return SqliteStore(settings.documents_path)
    if settings.cosmos_key is None:
        raise SettingError(
            source="MYSTIRA_COSMOS_KEY", problem="is missing: it is needed where cosmos_url is set"
        )
    # Its client is the heaviest import of all, and most platforms have the embedded store.
    from manystore.stores.cosmos import CosmosStore  # noqa: PLC0415

    return CosmosStore(settings.cosmos_url, settings.cosmos_key, database="mystira")


def relational_store(settings: Settings) -> PostgresStore:
    """PostgreSQL at the URL of the settings, embedded or not. Raises SettingError where there is none."""
    if settings.postgres_url is None:
        problem = "is missing, and no PostgreSQL is running for this data folder"
        raise SettingError(source="MYSTIRA_POSTGRES_URL", problem=problem)
    return PostgresStore(
        settings.postgres_url,
        MAPPINGS,
        keeps_statements=settings.postgres_keeps_statements,
        direct_url=settings.postgres_direct_url,
    )


@contextlib.asynccontextmanager
async def open_platform(
    settings: Settings, *, role: str, clock: Clock | None = None
) -> AsyncIterator[Platform]:
    """A platform over the stores that the settings name, with its leases kept, until the block ends.

    `role` becomes part of the node's name. Raises SettingError and UnavailableError.
    """
    documents, tables = document_store(settings), relational_store(settings)
    node = name_node(role)
    async with _opened([documents, tables]):
        platform = Platform(settings, documents, tables, node=node, clock=clock or SystemClock())
        keeping = asyncio.create_task(platform.leases.keep(), name="leases")
        try:
            yield platform
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await platform.leases.leave()


@contextlib.asynccontextmanager
async def _opened(stores: Sequence[Store]) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        for store in stores:
            stack.push_async_callback(store.close)
            await store.open()
        yield
