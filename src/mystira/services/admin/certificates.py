"""The certificates of a kind's moves, newest first."""

import asyncio
import datetime as dt
import functools
import re
from typing import Annotated, Any

from msgspec import Meta, Struct

from manystore.errors import CertificateError
from manystore.moves.certificate import Certificate, CertificateFolder
from mystira.http.callers import STAFF
from mystira.http.operations import Answer, Call, Operation, show
from mystira.http.problems import ProblemError
from mystira.http.queries import Nothing
from mystira.platform import Platform


class Listed(Struct, frozen=True, kw_only=True, rename="camel"):
    """One certificate in short; of one that cannot be trusted only the name is told, and the `problem`."""

    name: str
    issued_at: dt.datetime | None = None
    phase: str | None = None
    epoch: int | None = None
    records: int | None = None
    problem: str | None = None


class Certificates(Struct, frozen=True, kw_only=True):
    """Certificates, newest first; with a `continuation` there are older ones."""

    items: list[Listed]
    continuation: str | None


class CertificateSearch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many to list, and after which."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    continuation: Annotated[str, Meta(max_length=255)] | None = None


class CertificateRoutes:
    """What each operation on certificates does."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def search(self, call: Call[CertificateSearch]) -> Answer:
        """Certificates of a kind."""
        kind = self._platform.placement(call.path["kind"]).kind.name
        # Files are read in a thread: requests go on meanwhile.
        return show(await asyncio.to_thread(_page, self._platform.certificates, kind, call.sent))

    async def read(self, call: Call[Nothing]) -> Answer:
        """One certificate, whole."""
        kind, name = self._platform.placement(call.path["kind"]).kind.name, call.path["name"]
        folder = self._platform.certificates
        # The name is compared before it is joined to a folder, so that no other file can be named by it.
        if not _form(kind).fullmatch(name) or not await asyncio.to_thread((folder.folder / name).is_file):
            raise ProblemError("not_found", f"There is no such certificate of {kind}.")
        return show(await asyncio.to_thread(folder.read, name))


def _form(kind: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(kind)}-[0-9]{{6,}}-[0-9]{{8}}T[0-9]{{6}}\.[0-9]{{6}}Z\.json")


def _page(folder: CertificateFolder, kind: str, search: CertificateSearch) -> Certificates:
    form, before = _form(kind), search.continuation
    names = [path.name for path in folder.folder.glob(f"{kind}-*.json") if form.fullmatch(path.name)]
    wanted = sorted((name for name in names if before is None or name < before), reverse=True)
    here = wanted[: search.limit]
    return Certificates(
        items=[_listed(folder, name) for name in here],
        continuation=here[-1] if len(wanted) > len(here) else None,
    )


def _listed(folder: CertificateFolder, name: str) -> Listed:
    try:
        certificate = folder.read(name)
    except CertificateError as error:
        return Listed(name=name, problem=str(error))
    return Listed(
        name=name,
        issued_at=certificate.issued_at,
        phase=certificate.phase,
        epoch=certificate.epoch,
        records=certificate.records,
    )


def certificate_operations(platform: Platform) -> tuple[Operation[Any], ...]:
    """What can be asked about certificates."""
    routes = CertificateRoutes(platform)
    reading = functools.partial(Operation, tag="certificates", method="GET", allows=STAFF)
    return (
        reading(
            path="/moves/{kind}/certificates",
            name="listCertificates",
            summary="The certificates of a kind, newest first",
            takes=CertificateSearch,
            handle=routes.search,
            answers={200: Certificates},
            refuses=("unknown_kind",),
        ),
        reading(
            path="/moves/{kind}/certificates/{name}",
            name="getCertificate",
            summary="A certificate, whole",
            takes=Nothing,
            handle=routes.read,
            answers={200: Certificate},
            refuses=("unknown_kind", "not_found", "certificate_invalid"),
        ),
    )
