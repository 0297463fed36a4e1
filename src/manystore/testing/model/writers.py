"""Two nodes that read the fences, hold leases, and write to what they take for the truth."""

from collections.abc import Iterator

from manystore.testing.model.states import (
    KEYS,
    Flight,
    Safeguard,
    State,
    Store,
    World,
    Writer,
    placed,
    raised,
    registered,
    truth_of,
    with_store,
    with_writer,
)

Move = tuple[str, State]
"""What happened, in words, and what it led to."""


def steps_of_writers(state: State, world: World) -> Iterator[Move]:
    """Everything that the nodes can do next."""
    for number, writer in enumerate(state.writers):
        name = f"node {number + 1}"
        if writer.flight is None:
            yield from _refresh(state, world, number, writer, name)
            if writer.left and writer.may_write and (writer.has_lease or not world.has(Safeguard.LEASE)):
                yield from _begin(state, number, writer, name)
        else:
            yield from _land(state, world, number, writer, writer.flight, name)
            yield from _refresh(state, world, number, writer, name)
            yield (
                f"{name}: its write is lost on the way",
                with_writer(state, number, writer._replace(flight=None)),
            )
        if writer.has_lease and not world.fenced and (writer.flight is None or state.budget.frozen):
            yield from _expire(state, number, writer, name)


def _refresh(state: State, world: World, number: int, writer: Writer, name: str) -> Iterator[Move]:
    """Register and read the state anew: one step, because the lease counts from before the question."""
    side = truth_of(state)
    if side is None:
        return
    fence = state.stores[side].fence
    assert fence is not None
    is_done = writer.flight is None or writer.flight.epoch >= fence.epoch
    acknowledged = writer.acknowledged
    if is_done or not world.has(Safeguard.HONEST_ACKNOWLEDGEMENT):
        acknowledged = fence.epoch
    new = writer._replace(
        epoch=fence.epoch, side=side, may_write=fence.admits, has_lease=True, acknowledged=acknowledged
    )
    if world.has(Safeguard.REGISTER_FIRST):
        new = registered(new, side)
    elif not writer.is_known[side]:
        yield f"{name} registers with store {side}", with_writer(state, number, registered(writer, side))
    if new != writer:
        told = "writes are admitted" if fence.admits else "writes have to wait"
        yield (
            f"{name} hears of epoch {fence.epoch} from store {side}: {told}",
            with_writer(state, number, new),
        )


def _expire(state: State, number: int, writer: Writer, name: str) -> Iterator[Move]:
    budget = state.budget
    if writer.flight is not None:
        budget = budget._replace(frozen=budget.frozen - 1)
    later = with_writer(state, number, writer._replace(has_lease=False))
    yield f"{name}: its lease runs out", later._replace(budget=budget)


def _begin(state: State, number: int, writer: Writer, name: str) -> Iterator[Move]:
    for key in KEYS:
        base = state.stores[writer.side].records[key]
        # The last write of the first node deletes; all others put. A deletion needs something to delete.
        deletes = number == 0 and writer.left == 1 and len(base) > 0
        mark = 10 * (number + 1) + 2 * writer.left + (1 if deletes else 0)
        flight = Flight(writer.side, writer.epoch, key, base, mark)
        what = "deletes" if deletes else "writes"
        yield (
            f"{name} {what} key {key} as version {len(base) + 1} (write {mark}) "
            f"to store {writer.side} under epoch {writer.epoch}",
            with_writer(state, number, writer._replace(flight=flight)),
        )


def _land(
    state: State, world: World, number: int, writer: Writer, flight: Flight, name: str
) -> Iterator[Move]:
    store = state.stores[flight.side]
    fence = store.fence
    is_admitted = fence is not None and fence.admits and fence.epoch == flight.epoch
    landed = with_writer(state, number, writer._replace(flight=None))
    if world.fenced and world.has(Safeguard.FENCE) and not is_admitted:
        yield f"store {flight.side} refuses write {flight.number}: another epoch is in force", landed
        return
    if store.records[flight.key] != flight.base and world.has(Safeguard.COMPARE_AND_SET):
        yield f"store {flight.side} refuses write {flight.number}: the version has moved on", landed
        return
    after = _written(store, flight)
    is_rogue = not is_admitted and world.has(Safeguard.ROGUE_WATCH)
    if is_rogue:
        after = after._replace(rogues=after.rogues | {flight.number})
    done = writer._replace(flight=None, left=writer.left - 1)
    told = with_writer(with_store(state, flight.side, after), number, done)
    told = told._replace(acknowledged=told.acknowledged | {(flight.key, flight.number)})
    late = " past its fence, which is noticed" if is_rogue else ""
    yield f"store {flight.side} takes write {flight.number}{late}, and the caller is told", told


def _written(store: Store, flight: Flight) -> Store:
    history = (*flight.base, flight.number)
    return store._replace(
        records=placed(store.records, flight.key, history),
        log=(*store.log, (flight.key, len(history))),
        tops=raised(store.tops, flight.key, len(history)),
    )
