"""An archive is whole, is noticed when it is not, and comes back as it was."""

from pathlib import Path

import pytest

from manystore.moves.archive import ArchiveError, check_archive, read_archive, restore_archive, write_archive
from manystore.records import Record
from manystore.stores.memory import MemoryStore
from manystore.stores.objects import ObjectStorage
from manystore.stores.store import KeyRange
from manystore.testing.samples import PEOPLE
from tests.unit.clocks import ManualClock
from tests.unit.moving import adopt

FOLDER = "archives/people"


@pytest.fixture(params=["memory", "folder"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStorage:
    if request.param == "memory":
        return ObjectStorage.in_memory()
    return ObjectStorage.in_folder(tmp_path / "objects")


@pytest.fixture
async def store() -> MemoryStore:
    made = MemoryStore()
    await made.open()
    await adopt(made, 30)
    key = "00000000-0000-0000-0000-00000000ffff"
    awkward = {"id": key, "n": 1.0, "s": "\ud800\x00é", "big": 2**70}
    await made.apply(PEOPLE, [Record(key, 4, awkward)])
    await made.apply(PEOPLE, [Record("00000000-0000-0000-0000-000000000001", 9, None)])
    return made


async def test_an_archive_comes_back_as_it_was(store: MemoryStore, objects: ObjectStorage) -> None:
    """Records, versions and tombstones, to the byte."""
    manifest = await write_archive(store, PEOPLE, objects, FOLDER, now=ManualClock().now())
    assert manifest.records == 31
    empty = MemoryStore("restored")
    await empty.open()
    assert await restore_archive(objects, FOLDER, empty, PEOPLE) == 31
    everything = KeyRange()
    assert await empty.scan(PEOPLE, everything, 100) == await store.scan(PEOPLE, everything, 100)


async def test_a_flipped_byte_is_noticed(store: MemoryStore, objects: ObjectStorage) -> None:
    """No record of an altered chunk is given out."""
    manifest = await write_archive(store, PEOPLE, objects, FOLDER, now=ManualClock().now())
    name = manifest.chunks[0].name
    packed = bytearray(await objects.get(name))
    packed[len(packed) // 2] ^= 1
    await objects.put(name, bytes(packed))
    with pytest.raises(ArchiveError, match="was altered"):
        await check_archive(objects, FOLDER)


async def test_an_archive_that_was_cut_short_is_not_one(store: MemoryStore) -> None:
    """The manifest is written last; without it there is nothing to restore."""
    objects = ObjectStorage.in_memory()
    await objects.put(f"{FOLDER}/000000.jsonl.gz", b"half")
    with pytest.raises(ArchiveError, match="never finished"):
        _ = [records async for records in read_archive(objects, FOLDER)]
    await objects.put(f"{FOLDER}/manifest.json", b"{")
    with pytest.raises(ArchiveError, match="cannot be read"):
        await check_archive(objects, FOLDER)
