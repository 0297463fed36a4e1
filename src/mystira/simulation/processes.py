"""Traffic from several processes, which end with whoever started them."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from mystira.servers.logs import Log
from mystira.servers.processes import Process, Program, start
from mystira.simulation.traffic import Load, Orders, Tally

_STOPPING: Final = ((signal.SIGTERM, 30.0),)
_REPORT_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of one report; a histogram of every operation has some thousands."""
KEY_VARIABLE: Final = "MYSTIRA_SERVICE_KEY"
"""By which each process is handed the platform's key: unlike its orders, it is not written down."""


class TrafficError(Exception):
    """Process {number} of the traffic ended with code {code}; its log is {log}."""

    def __init__(self, *, number: int, code: int, log: Path) -> None:
        self.number, self.code, self.log = number, code, log
        super().__init__(str(type(self).__doc__).format(number=number, code=code, log=log))


class TrafficProcess:
    """One process, and the last that it reported."""

    def __init__(self, orders: Orders, process: Process, reports: int) -> None:
        self.orders = orders
        self.tally = Tally()
        self._process = process
        self._reading = asyncio.create_task(self._read(reports))

    async def _read(self, reports: int) -> None:
        reader = asyncio.StreamReader(limit=_REPORT_LIMIT)
        protocol = asyncio.StreamReaderProtocol(reader)
        pipe = os.fdopen(reports, "rb", buffering=0)  # closed by its transport
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
        try:
            while line := await reader.readline():
                self.tally = msgspec.json.decode(line, type=Tally)
        finally:
            transport.close()

    async def ended(self) -> None:
        """Wait until it has done what it was ordered. Raises TrafficError if it ended otherwise."""
        code = await self._process.ended()
        await self._reading
        if code != 0:
            raise TrafficError(number=self.orders.number, code=code, log=self._process.log.path)

    async def stop(self) -> None:
        """Stop the load, and wait until every answer that is due is noted. Idempotent."""
        await self._process.stop(*_STOPPING)
        await asyncio.gather(self._reading, return_exceptions=True)


class TrafficProcesses:
    """All processes of one run."""

    def __init__(self, started: Sequence[TrafficProcess]) -> None:
        self.started: Final = started

    @property
    def tally(self) -> Tally:
        """What all of them have seen so far, together."""
        together = Tally()
        for process in self.started:
            together.merge(process.tally)
        return together

    @property
    def ledgers(self) -> list[Path]:
        """The witness's files."""
        return [process.orders.ledger for process in self.started]

    async def ended(self) -> None:
        """Wait until all have done what they were ordered. Raises TrafficError for the first that has not."""
        for process in self.started:
            await process.ended()

    async def stop(self) -> None:
        """Stop all of them, side by side, and raise TrafficError for one that had ended badly."""
        await asyncio.gather(*(process.stop() for process in self.started))
        await self.ended()


@contextlib.asynccontextmanager
async def traffic_processes(
    folder: Path, orders: Sequence[Orders], *, service_key: str
) -> AsyncIterator[TrafficProcesses]:
    """Start a process for each order; none is left when the block ends. Their logs are kept in `folder`.

    They ask as whoever runs the platform, by its key, since each speaks for many families.
    """
    started: list[TrafficProcess] = []
    try:
        for each in orders:
            process = await _start(folder, each, service_key)
            started.append(process)
        yield TrafficProcesses(started)
    finally:
        await asyncio.shield(asyncio.gather(*(process.stop() for process in started)))


async def _start(folder: Path, orders: Orders, service_key: str) -> TrafficProcess:
    path = _write_orders(folder, orders)
    reading, writing = os.pipe()
    program = Program(
        name=f"traffic-{orders.number}",
        command=(sys.executable, "-m", "mystira.simulation", str(path), str(writing)),
        environment={KEY_VARIABLE: service_key},
        descriptors=(writing,),
    )
    try:
        process = await start(program, Log(folder / f"{program.name}.log"))
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return TrafficProcess(orders, process, reading)


def _write_orders(folder: Path, orders: Orders) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"traffic-{orders.number}.orders.json"
    path.write_bytes(msgspec.json.encode(orders, enc_hook=str))
    return path


def share_out(
    *,
    url: str,
    folder: Path,
    run: str,
    rate: float,
    seconds: float,
    processes: int,
    seed: int,
    former: Sequence[str] = (),
    load: Load = "records",
) -> list[Orders]:
    """Orders that together make the rate; each former account is in the hands of one process alone."""
    return [
        Orders(
            number=number,
            url=url,
            rate=rate / processes,
            seconds=seconds,
            seed=seed,
            run=run,
            ledger=folder / f"witness-{number}.jsonl",
            former=tuple(former[number - 1 :: processes]),
            load=load,
        )
        for number in range(1, processes + 1)
    ]
