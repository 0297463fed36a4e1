"""A disk that is full for a while: writes are refused by a typed error, and moves go on with room."""

from pathlib import Path

import pytest

from tests.faults.full_disk import full_documents, full_tables
from tests.faults.network import told
from tests.faults.small_disk import can_mount

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_mount(), reason="no disk of one's own: neither root nor user namespaces"),
]


async def test_a_full_disk_under_the_documents_loses_nothing(tmp_path: Path, postgres_url: str) -> None:
    """Amid the copy and the cut-over; a writer hears that the disk is full while the truth lies on it."""
    found = await full_documents(tmp_path, postgres_url, records=200, full_in=(0, 2))
    assert found.verdict.holds, told(found.verdict)
    assert any("UnavailableError" in each and "disk is full" in each for each in found.refusals), found


async def test_a_full_disk_under_the_tables_loses_nothing(tmp_path: Path) -> None:
    """Amid the copy and the cut-back; the server may end for it, and is started again as by a supervisor."""
    found = await full_tables(tmp_path, records=200, full_in=(0, 4))
    assert found.verdict.holds, told(found.verdict)
    assert any("UnavailableError" in each for each in found.refusals), found
