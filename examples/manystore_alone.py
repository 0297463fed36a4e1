"""Move notes to another store while they are being written, prove that both stores agree, and lose none."""

import asyncio
import random
import sys
import tempfile
import uuid
from pathlib import Path

import msgspec

from manystore.clock import SystemClock
from manystore.followers.runner import SyncRunner
from manystore.moves.actions import Mover
from manystore.moves.certificate import CertificateFolder
from manystore.moves.tasks import Action
from manystore.placement import Leases, Placement
from manystore.records import Field, FieldType, Kind, Label
from manystore.repository import Repository
from manystore.stores.sqlite import SqliteStore


class Note(msgspec.Struct):
    """What the program works with."""

    id: str
    text: str
    edits: int = 0


NOTES = Kind(
    name="notes",
    container="Notes",
    fields=(
        Field(name="id", type=FieldType.UUID, label=Label.INTERNAL),
        Field(name="text", type=FieldType.STRING, label=Label.CONFIDENTIAL),
        Field(name="edits", type=FieldType.INTEGER, label=Label.INTERNAL),
    ),
)


async def write_until(stop: asyncio.Event, notes: Repository[Note]) -> dict[str, Note]:
    """Create and change notes; what was acknowledged, by key."""
    acknowledged: dict[str, Note] = {}
    while not stop.is_set():
        stored = await notes.create(Note(str(uuid.uuid4()), "a first thought"))
        stored = await notes.change(stored, Note(stored.key, "a second thought", edits=1))
        acknowledged[stored.key] = stored.value
    return acknowledged


async def main(folder: Path) -> int:
    """Move the kind forward and back under the writer's hands; how many notes were lost."""
    old, new = SqliteStore(folder / "old.sqlite", "old"), SqliteStore(folder / "new.sqlite", "new")
    await old.open()
    await new.open()

    clock, randomness = SystemClock(), random.Random()  # noqa: S311 - jitter, not secrets
    placement = Placement(kind=NOTES, source=old, target=new)
    leases = Leases([placement], node="this process", clock=clock)
    notes = Repository(Note, NOTES, leases, clock)
    follower = SyncRunner([placement], leases, owner="this process", clock=clock, randomness=randomness)
    certificates = CertificateFolder(folder / "certificates")
    mover = Mover({"notes": placement}, certificates, clock=clock, randomness=randomness, lease=2.0)

    stop = asyncio.Event()
    writing = asyncio.create_task(write_until(stop, notes))
    following = asyncio.create_task(follower.run())
    for action in (Action.PLAN, Action.START, Action.VERIFY, Action.CUT_OVER, Action.CUT_BACK):
        await asyncio.sleep(0.2)
        print(f"{action.value}: {await mover.carry_out(action, 'notes')}")
    stop.set()
    acknowledged = await writing
    following.cancel()
    await asyncio.wait([following])

    found = {key: await notes.get(key) for key in acknowledged}
    lost = sum(stored is None or stored.value != acknowledged[key] for key, stored in found.items())
    print(f"{len(acknowledged)} notes acknowledged, {lost} lost")
    await old.close()
    await new.close()
    return lost


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        sys.exit(asyncio.run(main(Path(made))))
