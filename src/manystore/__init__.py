"""Keep records of declared kinds in several stores, one truth each, and move the truth while writes go on.

This is the front door: what a product needs to declare its kinds, hold them in repositories, and move them.
Stores that bring a driver along are imported from their own rooms, so that nobody loads a driver that they
do not use: `manystore.stores.sqlite`, `.postgres`, `.cosmos`, `.objects`, `.split`.
"""

from manystore.clock import Clock, SystemClock
from manystore.conflicts import ByFunction, LastWriterWins, VectorClocks
from manystore.dual_write import CopyFailedError, CopyWriter, DualWrite
from manystore.errors import (
    CertificateError,
    DeclarationError,
    DrainingError,
    InvalidRecordError,
    InvalidSpecificationError,
    LogCutError,
    ManystoreError,
    MissingParentError,
    MoveError,
    NotRepresentableError,
    RefusedError,
    StaleEpochError,
    StepRefusedError,
    ThrottledError,
    UnavailableError,
    UniqueError,
    UnknownKindError,
    VersionConflictError,
)
from manystore.followers.reaction import Reaction
from manystore.followers.runner import SyncRunner
from manystore.moves.actions import Mover
from manystore.moves.certificate import CertificateFolder
from manystore.moves.retention import Retention
from manystore.moves.tasks import Action, Override, Task, TaskBoard
from manystore.moves.worker import MoveWorker
from manystore.placement import Leases, Phase, Placement, Side, State
from manystore.records import Content, Field, FieldType, Kind, Label, Parent, Record, Unique
from manystore.repository import Found, Repository, Stored
from manystore.shadow import ShadowReader
from manystore.specifications import Ascending, Descending, Page, Specification, field
from manystore.stores.memory import MemoryStore
from manystore.stores.store import Store

__all__ = [
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
