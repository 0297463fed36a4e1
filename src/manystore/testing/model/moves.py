"""The coordinator of a cut-over, which may die or be late anywhere, and whoever puts right what it left."""

from collections.abc import Iterator

from manystore.testing.model.states import (
    KEYS,
    Coordinator,
    Fence,
    Safeguard,
    State,
    Step,
    World,
    truth_of,
    with_store,
)
from manystore.testing.model.writers import Move


def steps_of_moves(state: State, world: World) -> Iterator[Move]:
    """Everything that coordinators and those who clean up after them can do next."""
    if state.coordinator.step is Step.IDLE:
        yield from _announce(state)
    else:
        yield from _go_on(state, world, state.coordinator, "the coordinator")
        if state.budget.crashes and state.frozen.step is Step.IDLE:
            budget = state.budget._replace(crashes=state.budget.crashes - 1)
            left = state._replace(coordinator=Coordinator(), frozen=state.coordinator, budget=budget)
            yield "the coordinator freezes, or dies", left
    if state.frozen.step is not Step.IDLE:
        for told, after in _go_on(_woken(state), world, state.frozen, "the frozen coordinator"):
            yield told, after._replace(coordinator=state.coordinator, frozen=after.coordinator)
    yield from _undo(state, world)
    yield from _finish(state, world)


def _woken(state: State) -> State:
    return state._replace(coordinator=state.frozen)


def _go_on(state: State, world: World, at: Coordinator, who: str) -> Iterator[Move]:
    if at.step is Step.WAITING:
        yield from _wait(state, world, at, who)
    elif at.step is Step.CHECKING:
        yield from _check(state, world, at, who)
    elif at.step is Step.COMMITTING:
        yield from _commit(state, world, at, who)
    else:
        for told, after in _install(state, world, 1 - at.side, at.epoch + 1, who):
            yield told, after._replace(coordinator=Coordinator())


def _announce(state: State) -> Iterator[Move]:
    side = truth_of(state)
    if side is None or not state.budget.moves:
        return
    fence = state.stores[side].fence
    if fence is None or fence.truth != side or fence.is_draining:
        return
    new = Fence(fence.epoch + 1, admits=False, truth=side, is_draining=True)
    budget = state.budget._replace(moves=state.budget.moves - 1)
    announced = _fenced(state, side, new)._replace(budget=budget)
    told = f"the coordinator announces epoch {new.epoch}: store {side} takes no more writes"
    yield told, announced._replace(coordinator=Coordinator(Step.WAITING, side, new.epoch))


def _wait(state: State, world: World, at: Coordinator, who: str) -> Iterator[Move]:
    if not world.fenced and world.has(Safeguard.LEASE_WAIT):
        for writer in state.writers:
            if writer.is_known[at.side] and writer.has_lease and writer.acknowledged < at.epoch:
                return
    told = f"{who} sees that no node can write under an older epoch"
    yield told, state._replace(coordinator=at._replace(step=Step.CHECKING))


def _check(state: State, world: World, at: Coordinator, who: str) -> Iterator[Move]:
    truth, copy = state.stores[at.side], state.stores[1 - at.side]
    agrees = all(truth.records[key] == copy.records[key] for key in KEYS)
    is_clean = not (copy.dead or truth.rogues or copy.rogues)
    if (agrees and is_clean) or not world.has(Safeguard.CERTIFICATE):
        told = f"{who} finds that both stores agree"
        yield told, state._replace(coordinator=at._replace(step=Step.COMMITTING))


def _commit(state: State, world: World, at: Coordinator, who: str) -> Iterator[Move]:
    fence = state.stores[at.side].fence
    idle = state._replace(coordinator=Coordinator())
    stands = fence is not None and fence.epoch == at.epoch and fence.is_draining
    if world.has(Safeguard.COMMIT_BY_COMPARE_AND_SET) and not stands:
        yield f"{who} finds its announcement undone, and gives up", idle
        return
    new = Fence(at.epoch + 1, admits=False, truth=1 - at.side, is_draining=False)
    committed = _fenced(state, at.side, new)
    told = f"{who} commits epoch {new.epoch}: store {at.side} names store {1 - at.side}"
    yield told, committed._replace(coordinator=at._replace(step=Step.INSTALLING))
    if state.budget.lost:
        budget = state.budget._replace(lost=state.budget.lost - 1)
        yield f"{told}, and never hears of it", committed._replace(coordinator=Coordinator(), budget=budget)


def _install(state: State, world: World, side: int, epoch: int, who: str) -> Iterator[Move]:
    fence = state.stores[side].fence
    if fence is None or fence.epoch < epoch or not world.has(Safeguard.INSTALL_GUARD):
        after = _fenced(state, side, Fence(epoch, admits=True, truth=side, is_draining=False))
        yield f"{who} opens store {side} under epoch {epoch}", after
    else:
        yield f"{who} finds store {side} under epoch {fence.epoch} already", state


def _undo(state: State, world: World) -> Iterator[Move]:
    """Any node that finds an announcement which nobody decides, after a while."""
    if not state.budget.undos:
        return
    budget = state.budget._replace(undos=state.budget.undos - 1)
    for side, store in enumerate(state.stores):
        fence = store.fence
        if fence is None:
            continue
        is_abandoned = fence.is_draining and fence.truth == side
        # Without compare-and-set, who decided to undo may do so after the commit.
        if is_abandoned or (not world.has(Safeguard.UNDO_BY_COMPARE_AND_SET) and _was_announced(state, side)):
            new = Fence(fence.epoch + 1, admits=True, truth=side, is_draining=False)
            told = f"a node undoes the announcement: store {side} takes writes again, under epoch {new.epoch}"
            yield told, _fenced(state, side, new)._replace(budget=budget)


def _was_announced(state: State, side: int) -> bool:
    """Whether somebody may have seen an announcement of this side that has been committed since."""
    return any(at.step is Step.INSTALLING and at.side == side for at in (state.coordinator, state.frozen))


def _finish(state: State, world: World) -> Iterator[Move]:
    """Any node that finds that no store names itself."""
    if any(store.fence is not None and store.fence.truth == side for side, store in enumerate(state.stores)):
        return
    latest = max((store.fence for store in state.stores if store.fence), key=lambda fence: fence.epoch)
    yield from _install(state, world, latest.truth, latest.epoch, "a node")


def _fenced(state: State, side: int, fence: Fence) -> State:
    return with_store(state, side, state.stores[side]._replace(fence=fence))
