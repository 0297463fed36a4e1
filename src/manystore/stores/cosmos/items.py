"""What a record looks like as an item, such that a former system can still read it.

The content lies at the top level, as that system would have it. The engine's own state is one property:

    _manystore: {
        v: version
        o: "truth" | "copy"     how it came in: accepted here, or followed from the truth
        d: true                 a tombstone
        h: digest               of the rest of the item, so that a change by others is seen
        b: text                 the exact content, where JSON in doubles is not exact
        x: true                 there is a b (which is not indexed, for it may be long)
        c: {constraint: etag}   the claims that the record holds
        w: nonce                of the write, by which it is known again
        u: true                 written by others and given a version since; holds no claims yet
    }

An item without a version is version 0: old data, or written since by somebody who does not know the engine;
its content is read as the kind declares that a former system spelled it (see `former`). Old data that had to
be marked (see `claims`) has a digest and no version. An item whose digest does not fit was changed by others
and has the content that lies at its top level, spelled as they may spell it. Such items are given a version
as soon as they are met (see `watch`).

The exact text is kept where the service may spell a value otherwise than it got it: floats without a
fraction, integers beyond 2^53, lone surrogates, very deep nesting, names that are the service's own. What
lies at the top level then is the nearest that it can hold.
"""

import base64
import secrets
from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
from azure.cosmos.partition_key import NonePartitionKeyValue

from manystore.former import as_declared
from manystore.records import Content, Kind, Record, canonical, digest, parse
from manystore.stores.cosmos.ids import id_of, key_of

STATE: Final = "_manystore"
SYSTEM: Final = frozenset({"_rid", "_self", "_etag", "_attachments", "_ts", "_lsn", "_metadata"})
# `ttl` is the service's own as well: a record must not vanish without a tombstone.
_RESERVED: Final = SYSTEM | {STATE, "ttl"}
_EXACT_INTEGERS: Final = 2**53
_DEEPEST: Final = 100
"""Levels of nesting that are kept at the top level; the service takes 128."""
_LONGEST_HOME: Final = 2_048
"""Bytes of a partition key's value that the service takes."""
MAX_ITEM: Final = 2 * 1024 * 1024
"""Bytes of an item that the service takes."""

Item = dict[str, Any]
Origin = Literal["truth", "copy"]
Mark = Literal["whole", "broken", "none"]
"""Whether an item is as the engine left it, was changed since, or carries nothing of the engine's."""
MISSING: Final = NonePartitionKeyValue
"""The place of items that have no partition key."""
Home = str | int | float | bool | None | type[NonePartitionKeyValue]
"""The value of the partition key under which an item lies; it never changes."""


class Held(msgspec.Struct, frozen=True):
    """An item as it was read."""

    item: Item
    key: str
    version: int
    content: Content | None
    etag: str
    home: Home
    origin: Origin | None
    claims: dict[str, str]
    mark: Mark

    @property
    def is_placeholder(self) -> bool:
        """Whether it only marks a place where nothing was written yet (see `claims`)."""
        return self.content is None and self.version == 0

    @property
    def record(self) -> Record | None:
        """The record, or None where nothing was ever written."""
        return None if self.is_placeholder else Record(self.key, self.version, self.content)


class _Projection:
    """Turns values into what the service keeps; `is_exact` says whether nothing was lost on the way."""

    def __init__(self) -> None:
        self.is_exact = True

    def value(self, value: Any, depth: int = 0) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, (int, float)):
            return self.number(value)
        if depth >= _DEEPEST:
            self.is_exact = False
            return None
        if isinstance(value, dict):
            return {self.text(name): self.value(inner, depth + 1) for name, inner in value.items()}
        return [self.value(inner, depth + 1) for inner in value]

    def text(self, text: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:
            self.is_exact = False
            return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        return text

    def number(self, number: float) -> float | str:
        if isinstance(number, int):
            if abs(number) < _EXACT_INTEGERS:
                return number
            self.is_exact = False
            return _nearest_double(number)
        if not number.is_integer():
            return number
        self.is_exact = False
        return int(number) if abs(number) < _EXACT_INTEGERS else number


def _nearest_double(number: int) -> float | str:
    try:
        return float(number)
    except OverflowError:
        return str(number)


def home_of(kind: Kind, content: Content) -> Home:
    """The partition key's value under which a new item of this content lies."""
    if kind.partition_key == "id":
        return id_of(content["id"])
    if kind.partition_key not in content:
        return MISSING
    value = _Projection().value(content[kind.partition_key])
    is_too_long = isinstance(value, str) and len(value.encode()) > _LONGEST_HOME
    return MISSING if is_too_long or isinstance(value, (dict, list)) else value


def home_in(kind: Kind, item: Item) -> Home:
    """The partition key's value under which an item that was read lies."""
    value = item.get(kind.partition_key, MISSING)
    return MISSING if isinstance(value, (dict, list)) else value


def item_of(
    kind: Kind,
    record: Record,
    home: Home,
    *,
    origin: Origin,
    claims: dict[str, str] | None = None,
    item_id: str | None = None,
    is_unclaimed: bool = False,
) -> Item:
    """The item that holds the record. Its partition key stays `home`, whatever the content says now.

    `item_id` is the id that an item of a former system has already, where that is not the key's spelling.
    `is_unclaimed` says that nobody asked whether its values are free.
    """
    projection = _Projection()
    item = _plain(record.content or {}, projection)
    item["id"] = item_id or id_of(record.key)
    if kind.partition_key != "id":
        if item.get(kind.partition_key, MISSING) != home:
            projection.is_exact = False
        if home is MISSING:
            item.pop(kind.partition_key, None)
        else:
            item[kind.partition_key] = home
    state: dict[str, Any] = {"v": record.version, "o": origin, "h": _fingerprint(item), "w": nonce()}
    if record.content is None:
        state["d"] = True
    elif not projection.is_exact:
        state |= {"b": canonical(record.content).decode(), "x": True}
    if claims:
        state["c"] = claims
    if is_unclaimed:
        state["u"] = True
    return item | {STATE: state}


def stamped(item: Item) -> Item:
    """The same old data, written anew: with a digest, so that others' writes show, and without a version."""
    return written_in(item) | {STATE: {"h": _fingerprint_of(item), "w": nonce()}}


def nonce() -> str:
    """A name for one write, that no other has."""
    return secrets.token_urlsafe(9)


def nonce_in(item: Item) -> str | None:
    """The name of the write that made the item what it is, if it has one."""
    state = item.get(STATE)
    return state.get("w") if isinstance(state, dict) else None


def _plain(content: Content, projection: _Projection) -> Item:
    if not _RESERVED.isdisjoint(content):
        projection.is_exact = False
    free = {name: value for name, value in content.items() if name not in _RESERVED}
    return projection.value(free)  # type: ignore[no-any-return]


def _fingerprint(plain: Item) -> str:
    # Numbers come back in other spellings (1.0 as 1, 2^60 as digits or with an exponent): all are brought
    # to one before they are compared.
    return base64.b64encode(digest(_Projection().value(plain))).decode().rstrip("=")


def _fingerprint_of(item: Item) -> str:
    return _fingerprint({name: value for name, value in item.items() if name not in _RESERVED})


def held_in(kind: Kind, item: Item) -> Held:
    """Read an item, whoever wrote it. (Takes a walk through all of it.)"""
    state, mark = _state_in(item), _mark_of(item)
    ours = SYSTEM | {STATE} if state is None else _RESERVED
    plain = {name: value for name, value in item.items() if name not in ours}
    key = key_of(item["id"])
    content: Content | None = plain | {"id": key}
    version = 0 if state is None else state["v"]
    if mark == "whole" and state is not None:
        if state.get("d"):
            content = None
        elif isinstance(state.get("b"), str):
            content = parse(state["b"])
    if content is not None:
        # What others changed they may have spelled as they did before the engine came.
        content = as_declared(kind, version if mark == "whole" else 0, content)
    return Held(
        item=item,
        key=key,
        version=version,
        content=content,
        etag=item["_etag"],
        home=home_in(kind, item),
        origin=None if state is None else state.get("o"),
        claims=dict(state.get("c") or {}) if state is not None else {},
        mark=mark,
    )


def written_in(item: Item) -> Content:
    """What whoever wrote the item wrote, without what is the service's or the engine's."""
    return {name: value for name, value in item.items() if name not in SYSTEM | {STATE}}


def _mark_of(item: Item) -> Mark:
    state = item.get(STATE)
    if not isinstance(state, dict) or not ("v" in state or "h" in state):
        return "none"
    return "whole" if state.get("h") == _fingerprint_of(item) else "broken"


def _state_in(item: Item) -> dict[str, Any] | None:
    state = item.get(STATE)
    if not isinstance(state, dict) or not isinstance(state.get("v"), int):
        return None
    return state


def path_in_item(names: Sequence[str]) -> str:
    """How queries call what lies under these names, from the outside in."""
    return "c" + "".join(f"[{canonical(name).decode()}]" for name in names)


def size_of(item: Item) -> int:
    """Bytes of the item as it is sent."""
    return len(msgspec.json.encode(item))
