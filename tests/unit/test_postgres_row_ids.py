"""Ids of copied rows: made as RFC 9562 says, for those columns only that would make theirs as well."""

import uuid
from typing import Any

import sqlalchemy as sa

from manystore.stores.postgres.row_ids import made_id, make_ids


def _table(default: str | None, *, kind: type[Any] = sa.Uuid) -> sa.Table:
    standing = None if default is None else sa.text(default)
    return sa.Table("rows", sa.MetaData(), sa.Column("id", kind, primary_key=True, server_default=standing))


def test_ids_are_of_version_7_and_rise() -> None:
    """Each is another UUID of version 7, and those made together rise, so an index grows at its end."""
    made = [uuid.UUID(str(each)) for each in make_ids(4096)]
    assert {(each.version, each.variant) for each in made} == {(7, uuid.RFC_4122)}
    assert len(set(made)) == len(made)
    assert made == sorted(made)


def test_more_ids_than_can_be_counted_differ_all_the_same() -> None:
    """Where the count begins again, the random half still tells them apart."""
    made = make_ids(10_000)
    assert len(set(made)) == len(made)


def test_ids_are_made_for_columns_that_make_them_at_random() -> None:
    """What a product's own default would say, or a property feeds, or is no UUID, is not ours to make."""
    assert made_id(_table("gen_random_uuid()"), set()) == "id"
    assert made_id(_table("gen_random_uuid()"), {"id"}) is None
    assert made_id(_table("uuid_of_our_own()"), set()) is None
    assert made_id(_table(None), set()) is None
    assert made_id(_table("gen_random_uuid()", kind=sa.Text), set()) is None
