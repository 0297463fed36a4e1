"""Changes that the copy refuses one by one because their unique values have changed hands.

A had x and B had y; at the truth A took z, B took x, then A took y. A follower sees what stands in the end,
so A's change wants y, which B has at the copy, and B's wants x, which A has. Neither can come first, however
often they are tried.

So for each change that is refused for a value, it is looked up who has that value at the copy, and whether
the truth has something newer of that record. If so it belongs to the same *exchange*, and what it wants in
turn is looked up as well, until nobody is left to ask. All of an exchange is applied in one step. A change
that wants a value which the truth too says is another's stays refused, with all those that depend on it.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from manystore.records import Kind, Record, Unique
from manystore.specifications import Compare, Specification
from manystore.stores.store import Applied, Ignored, Store

MOST: Final = 2_000
"""Records that are looked at for one batch of refused changes; what leads beyond is tried another time."""
_HOLDERS: Final = 100
"""Records of the copy that may share a value: one, but in old data."""


class _Tangle(msgspec.Struct):
    """What is known of an exchange: the records as the truth has them, whose values each wants, and which of
    them cannot have theirs.
    """

    wanted: dict[str, Record]
    needs: dict[str, set[str]]
    stuck: set[str]


async def exchange(truth: Store, copy: Store, kind: Kind, refused: Sequence[Record]) -> dict[str, Record]:
    """Bring refused records over together with those whose values they want; what the copy then holds.

    Raises UnavailableError.
    """
    tangle = await _look_up(truth, copy, kind, refused)
    done: dict[str, Record] = {}
    for group in _groups(tangle):
        for record, outcome in zip(group, await copy.apply_together(kind, group), strict=True):
            if isinstance(outcome, Applied | Ignored):
                done[record.key] = record
    return done


async def _look_up(truth: Store, copy: Store, kind: Kind, refused: Sequence[Record]) -> _Tangle:
    tangle = _Tangle({record.key: record for record in refused}, {}, set())
    asked: Sequence[Record] = list(tangle.wanted.values())
    while asked:
        held: dict[str, Record] = {}
        for record in asked:
            holders = await _holders(copy, kind, record)
            tangle.needs[record.key] = set(holders)
            held |= holders
        new = [key for key in held if key not in tangle.wanted]
        if len(tangle.wanted) + len(new) > MOST:
            tangle.stuck.update(new)
            new = []
        found = await truth.get_many(kind, new) if new else {}
        tangle.wanted |= found
        # What the copy has as the truth has it keeps its value, and so has what the truth never had.
        tangle.stuck.update(
            key
            for key, holder in held.items()
            if key not in tangle.wanted or tangle.wanted[key].version <= holder.version
        )
        asked = [record for key, record in found.items() if key not in tangle.stuck]
    return tangle


async def _holders(copy: Store, kind: Kind, record: Record) -> dict[str, Record]:
    """The other records that have the record's unique values at the copy."""
    holders: dict[str, Record] = {}
    for unique in kind.uniques:
        if record.content is not None and unique.value_of(record.content) is not None:
            page = await copy.find(kind, _having(unique, record.content[unique.field]))
            holders |= {each.key: each for each in page.records}
    holders.pop(record.key, None)
    return holders


def _having(unique: Unique, value: str) -> Specification:
    where = Compare(unique.field, "==", value, ignoring_case=unique.ignoring_case)
    return Specification(where=where, limit=_HOLDERS)


def _groups(tangle: _Tangle) -> list[list[Record]]:
    """The exchanges that nothing stands against, each closed in itself."""
    wanting: dict[str, set[str]] = {}
    for key, needs in tangle.needs.items():
        for need in needs:
            wanting.setdefault(need, set()).add(key)
    stuck = _reached(tangle.stuck, wanting)
    free = [key for key in tangle.needs if key not in stuck]
    groups, grouped = [], set[str]()
    for key in free:
        if key not in grouped:
            together = _reached({key}, tangle.needs, wanting, but=stuck)
            grouped |= together
            groups.append([tangle.wanted[each] for each in sorted(together)])
    return groups


def _reached(start: set[str], *roads: Mapping[str, set[str]], but: set[str] | None = None) -> set[str]:
    """Everything that can be reached from a start, the start included."""
    found, todo = set(start), list(start)
    while todo:
        key = todo.pop()
        beyond = {each for road in roads for each in road.get(key, ())} - found - (but or set())
        found |= beyond
        todo.extend(beyond)
    return found
