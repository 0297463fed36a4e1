"""What users of the engine may rely on by name."""

import subprocess
import sys

import manystore

PUBLIC = [
    "Action",
    "Ascending",
    "ByFunction",
    "CertificateError",
    "CertificateFolder",
    "Clock",
    "Content",
    "CopyFailedError",
    "CopyWriter",
    "DeclarationError",
    "Descending",
    "DrainingError",
    "DualWrite",
    "Field",
    "FieldType",
    "Found",
    "InvalidRecordError",
    "InvalidSpecificationError",
    "Kind",
    "Label",
    "LastWriterWins",
    "Leases",
    "LogCutError",
    "ManystoreError",
    "MemoryStore",
    "MissingParentError",
    "MoveError",
    "MoveWorker",
    "Mover",
    "NotRepresentableError",
    "Override",
    "Page",
    "Parent",
    "Phase",
    "Placement",
    "Reaction",
    "Record",
    "RefusedError",
    "Repository",
    "Retention",
    "ShadowReader",
    "Side",
    "Specification",
    "StaleEpochError",
    "State",
    "StepRefusedError",
    "Store",
    "Stored",
    "SyncRunner",
    "SystemClock",
    "Task",
    "TaskBoard",
    "ThrottledError",
    "UnavailableError",
    "Unique",
    "UniqueError",
    "UnknownKindError",
    "VectorClocks",
    "VersionConflictError",
    "field",
]


def test_every_public_name_is_there_and_no_other() -> None:
    """A name that comes or goes is a decision, made here."""
    assert sorted(manystore.__all__) == sorted(PUBLIC)
    assert all(hasattr(manystore, name) for name in PUBLIC)


def test_the_front_door_brings_no_driver_along() -> None:
    """Whoever imports the engine loads no database client, workflow engine or web framework."""
    drivers = "asyncpg azure sqlite3 sqlalchemy redis dbos obstore litestar aiohttp mystira"
    program = f"import sys, manystore; print(*sorted(set({drivers!r}.split()) & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == []
