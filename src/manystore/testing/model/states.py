"""What a state of the model consists of.

Two stores hold two keys. A record is its history: the numbers of the writes that made it, the first one
first. Its version is the history's length, so a lost write is seen as a number that is missing, whatever
versions say. Sides are 0 (the store that the kind came from) and 1.
"""

import enum
from typing import Final, NamedTuple

KEYS: Final = (0, 1)
SIDES: Final = (0, 1)

History = tuple[int, ...]
"""Numbers of writes, in their order. Every write that deletes has an odd number."""

ORIGINAL: Final = 0
"""The number of the write that made the first key before the model begins; no log tells of it."""


class Safeguard(enum.Enum):
    """What the protocol rests on; each can be taken away to see what it is for."""

    FENCE = "a store that can refuses writes of another epoch, in the write's own step"
    LEASE = "a node writes only while its lease lives"
    LEASE_WAIT = "the coordinator waits until every node acknowledged or its lease ran out"
    HONEST_ACKNOWLEDGEMENT = "a node acknowledges an epoch only when its older writes are done"
    COMPARE_AND_SET = "a write replaces the version that was read, or nothing"
    VERSION_GUARD = "a copy takes what is newer, and nothing else"
    TOMBSTONE = "a deleted record keeps its version in the copy"
    CERTIFICATE = "the truth moves only where both stores agree, with no dead letter and no rogue write"
    APPLY_THEN_ADVANCE = "a position moves only after what lies before it is applied or queued"
    DEAD_LETTER = "a change that the copy refuses is kept in the queue"
    COMMIT_BY_COMPARE_AND_SET = "a commit replaces the very announcement that it belongs to"
    UNDO_BY_COMPARE_AND_SET = "an undo replaces the very announcement that was found abandoned"
    INSTALL_GUARD = "the new truth takes over only from a fence of a lower epoch"
    REGISTER_FIRST = "a node registers with the truth before its lease counts"
    ROGUE_WATCH = "a write that a store took past its fence is found and kept"


SAFEGUARDS: Final = tuple(Safeguard)


class World(NamedTuple):
    """How much can happen. `fenced`: stores check epochs in the write's own step; else leases alone fence."""

    fenced: bool = True
    writes: tuple[int, int] = (1, 1)
    """How many writes each of the two nodes makes."""
    moves: int = 1
    """Cut-overs that may be announced, there and back in turn."""
    undos: int = 1
    crashes: int = 1
    """Deaths of the follower, and coordinators that freeze: such a one may wake up at any time, or never."""
    lost_acknowledgements: int = 1
    """Of the coordinator's own compare-and-sets: the effect stands, and it does not know."""
    refusals: int = 1
    """Changes that a copy refuses for a reason of its own."""
    frozen: int = 1
    """Writes that were sent under a lease and land after it ran out."""
    without: frozenset[Safeguard] = frozenset()

    def has(self, safeguard: Safeguard) -> bool:
        """Whether a safeguard is in force."""
        return safeguard not in self.without


class Fence(NamedTuple):
    """What a store checks writes against, and whom it names the truth."""

    epoch: int
    admits: bool
    truth: int
    is_draining: bool


class Store(NamedTuple):
    """One side. `log` has key and version of each accepted write; `position` is that of the follower that
    brings the other side's changes here; `tops` are the highest versions that each key ever had here,
    `dead` the keys and versions that it refused.
    """

    fence: Fence | None
    records: tuple[History, ...]
    log: tuple[tuple[int, int], ...] = ()
    position: int = 0
    tops: tuple[int, ...] = (0, 0)
    dead: frozenset[tuple[int, int]] = frozenset()
    rogues: frozenset[int] = frozenset()


class Flight(NamedTuple):
    """A write on its way: to which side, under which epoch, over which history."""

    side: int
    epoch: int
    key: int
    base: History
    number: int


class Writer(NamedTuple):
    """A node. `epoch`, `side` and `may_write` are what it last read; 0 is an epoch that never was."""

    left: int
    epoch: int = 0
    side: int = 0
    may_write: bool = False
    has_lease: bool = False
    acknowledged: int = 0
    is_known: tuple[bool, bool] = (False, False)
    """At which stores it is registered."""
    flight: Flight | None = None


class Load(NamedTuple):
    """A record as it was read from a truth, on its way to the other side. `position` is None for the bulk
    copy's, else where the follower stands once this is dealt with.
    """

    source: int
    key: int
    history: History
    position: int | None
    is_applied: bool = False


class Step(enum.IntEnum):
    """How far the coordinator is."""

    IDLE = 0
    WAITING = 1
    CHECKING = 2
    COMMITTING = 3
    INSTALLING = 4


class Coordinator(NamedTuple):
    """Moves the truth away from `side`; `epoch` is the one that it announced."""

    step: Step = Step.IDLE
    side: int = 0
    epoch: int = 0


class Budget(NamedTuple):
    """What may still happen."""

    moves: int
    undos: int
    crashes: int
    lost: int
    refusals: int
    frozen: int


class State(NamedTuple):
    """Everything there is. `acknowledged` has key and number of each write that its caller was told of."""

    stores: tuple[Store, Store]
    writers: tuple[Writer, Writer]
    follower: Load | None
    copier: Load | None
    coordinator: Coordinator
    frozen: Coordinator
    """One that froze, and whose place another has taken."""
    budget: Budget
    acknowledged: frozenset[tuple[int, int]] = frozenset()


def initial(world: World) -> State:
    """Both stores are written, side 0 is the truth, and the first key was there before."""
    source = Store(
        fence=Fence(epoch=1, admits=True, truth=0, is_draining=False),
        records=((ORIGINAL,), ()),
        tops=(1, 0),
    )
    return State(
        stores=(source, Store(fence=Fence(1, admits=False, truth=0, is_draining=False), records=((), ()))),
        writers=(Writer(world.writes[0]), Writer(world.writes[1])),
        follower=None,
        copier=None,
        coordinator=Coordinator(),
        frozen=Coordinator(),
        budget=Budget(
            world.moves,
            world.undos,
            world.crashes,
            world.lost_acknowledgements,
            world.refusals,
            world.frozen,
        ),
    )


def is_deletion(history: History) -> bool:
    """Whether the record that this history ends in is a tombstone."""
    return bool(history) and history[-1] % 2 == 1


def truth_of(state: State) -> int | None:
    """The side that names itself the truth; None between the commit and the new truth's taking over."""
    for side in SIDES:
        fence = state.stores[side].fence
        if fence is not None and fence.truth == side:
            return side
    return None


def with_store(state: State, side: int, store: Store) -> State:
    """The same with another store on a side."""
    stores = (store, state.stores[1]) if side == 0 else (state.stores[0], store)
    return state._replace(stores=stores)


def with_writer(state: State, number: int, writer: Writer) -> State:
    """The same with another writer."""
    writers = (writer, state.writers[1]) if number == 0 else (state.writers[0], writer)
    return state._replace(writers=writers)


def registered(writer: Writer, side: int) -> Writer:
    """The writer, once the store of a side knows of it."""
    known = (True, writer.is_known[1]) if side == 0 else (writer.is_known[0], True)
    return writer._replace(is_known=known)


def placed(values: tuple[History, ...], key: int, history: History) -> tuple[History, ...]:
    """The records with another history of one key."""
    return (history, values[1]) if key == 0 else (values[0], history)


def raised(tops: tuple[int, ...], key: int, version: int) -> tuple[int, ...]:
    """The highest versions, once a key had this one."""
    top = max(tops[key], version)
    return (top, tops[1]) if key == 0 else (tops[0], top)
