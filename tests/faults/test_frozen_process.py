"""Processes that stand still for longer than their lease and go on: what they do then is refused or found."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from manystore.moves.tasks import Action
from tests.cosmos_server.process import cosmos_server
from tests.faults.freezing import KEY, frozen_coordinator, frozen_in_copy, late_write
from tests.faults.frozen_child import VISITS, Role
from tests.faults.network import database, told

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture
async def tables(postgres_url: str) -> AsyncIterator[str]:
    async with database(postgres_url) as url:
        yield url


@pytest.mark.parametrize("at", [Action.CUT_OVER, Action.CUT_BACK], ids=["in SQLite", "in PostgreSQL"])
async def test_a_write_of_a_node_that_was_frozen_meets_the_fence(
    tmp_path: Path, tables: str, at: Action
) -> None:
    """Made again at the new truth it meets what others wrote there meanwhile, and is refused."""
    documents = str(tmp_path / "documents.sqlite")
    found = await late_write(tmp_path, documents, tables, at=at, is_changed=True)
    assert (found.said, found.visits) == ("refused VersionConflictError", 0)
    assert found.verdict.holds, told(found.verdict)


async def test_a_write_that_nobody_contradicts_lands_at_the_new_truth(tmp_path: Path, tables: str) -> None:
    """The fence refuses it at the former one, and the repository makes it again where the truth is now."""
    documents = str(tmp_path / "documents.sqlite")
    found = await late_write(tmp_path, documents, tables, at=Action.CUT_OVER, is_changed=False)
    assert (found.said, found.visits) == ("acknowledged", VISITS)
    assert found.verdict.holds, told(found.verdict)


async def test_without_the_fence_such_a_write_is_lost_and_seen(tmp_path: Path, tables: str) -> None:
    """Planted: a process that does not look at the epoch tells of a success that the truth lacks."""
    documents = str(tmp_path / "documents.sqlite")
    found = await late_write(
        tmp_path, documents, tables, at=Action.CUT_OVER, is_changed=False, is_fenced=False
    )
    assert (found.said, found.visits) == ("acknowledged", 0)
    assert found.verdict.divergent == [KEY]
    assert not found.verdict.holds


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_where_no_fence_can_be_checked_a_late_write_is_found(tmp_path: Path) -> None:
    """Cosmos DB takes it, since it has no fence: nobody hears of success, and it is kept as a rogue write."""
    with cosmos_server() as server:
        found = await late_write(
            tmp_path,
            f"{server.url}#frozen",
            str(tmp_path / "tables.sqlite"),
            at=Action.CUT_OVER,
            is_changed=False,
        )
    assert (found.said, found.visits, found.rogue) == ("refused UnavailableError", 0, [KEY])
    assert found.verdict.lost == [], told(found.verdict)


@pytest.mark.parametrize("role", ["decide", "install"])
async def test_a_cut_over_of_a_frozen_coordinator_is_undone_or_finished(
    tmp_path: Path, tables: str, role: Role
) -> None:
    """Before it decides, nodes undo it; after, they finish it. Writes go on, and waking does no harm."""
    verdict = await frozen_coordinator(tmp_path, str(tmp_path / "documents.sqlite"), tables, role=role)
    assert verdict.holds, told(verdict)


async def test_a_worker_frozen_amid_a_copy_holds_nobody_up_for_ever(tmp_path: Path, tables: str) -> None:
    """Those whom its transaction holds up end it, and finish the copy; waking changes nothing."""
    verdict = await frozen_in_copy(tmp_path, str(tmp_path / "documents.sqlite"), tables)
    assert verdict.holds, told(verdict)
