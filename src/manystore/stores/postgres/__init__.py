"""PostgreSQL as a store: records in the product's own tables, the engine's state in schema `manystore`."""

from manystore.stores.postgres.control import capture_triggers, control_statements, drop_capture_triggers
from manystore.stores.postgres.mapping import ManyPart, Mapping, OnePart, StringsPart
from manystore.stores.postgres.store import PostgresStore

__all__ = [
    "ManyPart",
    "Mapping",
    "OnePart",
    "PostgresStore",
    "StringsPart",
    "capture_triggers",
    "control_statements",
    "drop_capture_triggers",
]
