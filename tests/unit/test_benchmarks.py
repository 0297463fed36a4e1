"""What the benchmarks' frame does with figures; no test here measures a time."""

import asyncio
import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from benchmarks import start
from benchmarks.asking import ask_all, spell
from benchmarks.bars import BARS, READ, START, Bar
from benchmarks.charts import draw, draw_bars
from benchmarks.measuring import Benchmark, Chart, Claim, Effort, Figure, Measured, in_turn
from benchmarks.page import PAGE, page
from benchmarks.profiling import Profiler, known_profiles, summed
from benchmarks.results import ROOT, Machine, Result, known
from benchmarks.running import NAMES, find
from benchmarks.scale import exponent, merged
from benchmarks.telling import amount, limit
from benchmarks.write_pause import longest_read, write_pause
from benchmarks.writing import Report

MACHINE = Machine("a processor", 2, 24.0, "3.11.7", "18.0", "3.45.0")
READS = Claim(bar=READ, case="here", unit="s", missed="Because of this.")
STARTS = Claim(bar=START, unit="s", missed="Because of that.")


async def _nothing(effort: Effort) -> Measured:
    return Measured([])


BENCHMARK = Benchmark(name="reading", claims=(READS, STARTS), measure=_nothing)


def _result(*figures: Figure, charts: tuple[Chart, ...] = ()) -> Result:
    taken = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)
    return Result(benchmark="reading", taken=taken, machine=MACHINE, figures=[*figures], charts=[*charts])


# -- bars and claims -----------------------------------------------------------------------------------


def test_every_bar_is_measured_or_says_why_not() -> None:
    """No line of the requirement is forgotten in silence, and nothing that is measured is called unbuilt."""
    claimed = {claim.bar.name for name in NAMES for claim in find(name).claims}
    assert claimed == {bar.name for bar in BARS if not bar.not_built}


def test_every_module_with_a_benchmark_is_run() -> None:
    """A file that is not listed would be measured by nobody."""
    having = {
        path.stem
        for path in (ROOT / "benchmarks").glob("*.py")
        if "\nBENCHMARK = " in path.read_text(encoding="utf-8")
    }
    assert having == set(NAMES)
    assert [find(name).name for name in NAMES] == [*NAMES]


def test_no_claim_is_made_twice() -> None:
    """One bar and case have one figure."""
    claims = [(claim.bar.name, claim.case) for name in NAMES for claim in find(name).claims]
    assert len(claims) == len(set(claims))


def test_a_bar_has_one_limit_and_one_name() -> None:
    """At most or at least, not both and not neither."""
    assert len({bar.name for bar in BARS}) == len(BARS)
    assert [bar for bar in BARS if (bar.at_most is None) == (bar.at_least is None)] == []
    with pytest.raises(ValueError, match="no limit"):
        _ = Bar(name="none", what="", against="").limit


def test_a_ratio_is_that_of_neighbours() -> None:
    """Each round is held against the peer's of the same round, so a slow moment hits both; medians count."""
    assert READS.figure([1.0, 20.0, 3.0], [1.0, 10.0, 1.0]).value == 2.0
    assert READS.figure([4.0, 4.0], [1.0, 2.0, 3.0]).value == 2.0
    assert STARTS.figure([1.0, 9.0, 2.0]).value == 2.0


def test_a_bar_is_held_at_its_limit_and_missed_beyond() -> None:
    """In both directions."""
    assert READ.is_held_by(1.3)
    assert not READ.is_held_by(1.31)
    least = Bar(name="least", what="", against="", at_least=0.8)
    assert least.is_held_by(0.8)
    assert not least.is_held_by(0.79)


@pytest.mark.parametrize(("claim", "peer"), [(READS, []), (STARTS, [1.0])])
def test_a_figure_without_what_it_is_held_against_is_refused(claim: Claim, peer: list[float]) -> None:
    """A ratio needs its peer, and a limit has none."""
    with pytest.raises(ValueError, match="of a peer"):
        claim.figure([1.0], peer)


def test_figures_are_told_in_their_units() -> None:
    """Seconds in the size in which people think of them."""
    assert [amount(each, "s") for each in (0.00012, 0.25, 3.0)] == ["120 µs", "250 ms", "3 s"]
    assert (amount(20_000, "/s"), amount(299.6, "MB"), amount(1.3, "×")) == ("20,000/s", "300 MB", "1.3 ×")
    assert limit(READ) == "≤ 1.3 ×"


# -- measuring -----------------------------------------------------------------------------------------


async def test_what_is_compared_takes_turns_in_changing_order(tmp_path: Path) -> None:
    """The first round warms up and counts for nothing; then whoever was first is last."""
    order: list[str] = []

    def work(name: str) -> Any:
        async def take() -> float:
            order.append(name)
            return float(len(order))

        return take

    effort = Effort(folder=tmp_path)
    taken = await in_turn(effort, one=work("one"), two=work("two"))
    assert order[:6] == ["two", "one", "one", "two", "two", "one"]
    assert taken["one"] == [3.0, 6.0, 7.0, 10.0, 11.0]
    assert len(taken["two"]) == effort.rounds == 5


@pytest.mark.slow
async def test_a_cheap_benchmark_measures_all_that_it_claims(tmp_path: Path) -> None:
    """With small numbers, as `--quick` has it; what the figures are is nobody's business here."""
    measured = await start.BENCHMARK.measure(Effort(folder=tmp_path, is_quick=True))
    found = {(figure.bar, figure.case) for figure in measured.figures}
    assert found == {(claim.bar.name, claim.case) for claim in start.BENCHMARK.claims}


def test_results_are_kept_one_by_one(tmp_path: Path) -> None:
    """What is measured anew takes the place of what was known, and of nothing else."""
    assert known("reading", tmp_path) is None
    for value in (1.0, 2.0):
        _result(STARTS.figure([value])).keep(tmp_path)
    msgspec.structs.replace(_result(), benchmark="other").keep(tmp_path)
    assert known("reading", tmp_path) == _result(STARTS.figure([2.0]))


def test_the_command_knows_every_benchmark_and_no_other() -> None:
    """Its help lists them; a name that is none is refused with those that are."""
    for words, code in ((["--help"], 0), (["no-such-claim"], 2)):
        said = subprocess.run(
            [sys.executable, "-m", "benchmarks", *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.returncode == code, said.stderr
        assert [name for name in NAMES if name not in said.stdout + said.stderr] == []


# -- what benchmarks make of what they saw -------------------------------------------------------------


def test_the_exponent_is_that_of_growth() -> None:
    """Of any power, whatever it is multiplied by; of one size there is none."""
    assert exponent([(10.0**n, 3 * 10.0 ** (1.5 * n)) for n in range(4, 8)]) == pytest.approx(1.5)
    with pytest.raises(ValueError, match="two sizes"):
        exponent([(10.0, 1.0)])


def test_sizes_measured_at_different_times_come_together() -> None:
    """In order; a size that is measured again replaces what was known of it."""
    before = {"copy": [(10.0, 1.0), (1000.0, 9.0)]}
    assert merged(before, {"copy": [(100.0, 5.0), (10.0, 2.0)], "verify": [(10.0, 1.0)]}) == {
        "copy": [(10.0, 2.0), (100.0, 5.0), (1000.0, 9.0)],
        "verify": [(10.0, 1.0)],
    }


def test_a_pause_is_what_the_worst_off_process_sees() -> None:
    """Other processes' writes do not shorten it, and only time counts in which a write was due."""
    busy = Report(writes=[(at, at + 0.01) for at in (1.0, 1.1, 1.2, 1.3)])
    held_up = Report(writes=[(1.0, 1.01), (1.1, 1.35), (1.2, 1.36)])
    idle = Report(writes=[(1.0, 1.01), (1.38, 1.39)])
    assert write_pause([busy, held_up], 1.0, 1.5) == pytest.approx(0.25)
    assert write_pause([busy, idle], 1.0, 1.5) == pytest.approx(0.01)


def test_the_longest_read_is_one_that_was_due_then() -> None:
    """Earlier and later ones belong to other windows."""
    reports = [Report(reads=[(0.9, 5.0), (1.1, 1.2)]), Report(reads=[(1.2, 1.5), (2.1, 9.0)])]
    assert longest_read(reports, (1.0, 2.0)) == pytest.approx(0.3)


async def _serving(answer: bytes, asked: list[bytes]) -> tuple[asyncio.Server, int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b"":
            asked.append(head)
            # In two pieces, as servers do.
            writer.write(answer[:30])
            await writer.drain()
            writer.write(answer[30:])

    async def until_left(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(until_left, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def test_the_plain_client_asks_everything_once() -> None:
    """Each request is sent once, and answered before the next one goes out on the same connection."""
    asked: list[bytes] = []
    server, port = await _serving(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", asked)
    async with server:
        requests = [spell(f"/{number}", Authorization="Bearer x") for number in range(20)]
        await ask_all(port, requests, connections=3)
    assert sorted(asked) == sorted(requests)


async def test_the_plain_client_takes_no_other_answer() -> None:
    """Whoever answers quickly that nothing is there is not praised for it."""
    server, port = await _serving(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", [])
    async with server:
        with pytest.raises(RuntimeError, match="404"):
            await ask_all(port, [spell("/")], connections=1)


# -- profiles ------------------------------------------------------------------------------------------


def test_time_in_c_is_that_of_its_callers() -> None:
    """It is there that something can be done about it; other threads count as one."""
    ours, its = ("src/manystore/records.py", 7, "parse"), ("~", 0, "<built-in decode>")
    stats = {ours: (5, 5, 1.0, 3.0, {}), its: (9, 9, 2.0, 2.0, {ours: (9, 9, 2.0, 2.0)})}
    profile = summed("work", "A work.", stats, 1.0)
    assert profile.seconds == 4.0
    assert [(each.where, each.share, each.calls) for each in profile.costs] == [
        ("src/manystore/records.py:7 parse", 0.75, 5)
    ]
    assert profile.rooms == {"manystore.records": 0.75, "other threads": 0.25}


def test_the_profiler_sees_what_is_done_while_it_watches() -> None:
    """And nothing of what prepares it."""
    profiler = Profiler()
    _counted(10)
    with profiler.watching():
        _counted(1000)
        _counted(1000)
    calls = {each.where.rpartition(" ")[2]: each.calls for each in profiler.profile("count", "").costs}
    assert calls["_counted"] == 2


def _counted(times: int) -> int:
    return sum(number * number for number in range(times))


# -- the page ------------------------------------------------------------------------------------------


def test_the_page_is_what_results_and_code_say() -> None:
    """`make docs` writes it anew."""
    files = page([find(name) for name in NAMES], [known(name) for name in NAMES], known_profiles())
    for name, text in files.items():
        assert (ROOT / name).read_text(encoding="utf-8") == text, f"make docs ({name})"
    shown = {name for name in files if name.endswith(".svg")}
    kept = {str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "pictures").glob("performance-*.svg")}
    assert kept == shown


def test_the_page_gives_the_reason_where_a_bar_is_missed_and_only_there() -> None:
    """A figure comes with its day, its command and its verdict."""
    result = _result(READS.figure([2.0], [1.0]), STARTS.figure([1.0]))
    text = page([BENCHMARK], [result], [])[str(PAGE.relative_to(ROOT))]
    assert "`make bench ARGS=reading`, 4 May 2026" in text
    assert "2 s | the driver alone, same query | 1 s | 2 × | ≤ 1.3 × | **missed**" in text
    assert "1 s | a limit | – | 0.2 × | ≤ 5 s | held" in text
    assert "Because of this." in text
    assert "Because of that." not in text
    assert "2 cores (a processor), 24 GiB" in text


def test_the_page_names_what_has_no_figure() -> None:
    """What is not measured yet, and what cannot be, with the reason."""
    text = page([BENCHMARK], [_result(READS.figure([1.0], [1.0]))], [])[str(PAGE.relative_to(ROOT))]
    absent = text.partition("## Without a figure")[2]
    assert f"| {START.what} | {START.against} | ≤ 5 s | not measured yet |" in absent
    assert READ.what not in absent
    assert all(bar.not_built in absent for bar in BARS if bar.not_built)


def _seen(drawn: str) -> set[str]:
    root = ElementTree.fromstring(drawn)
    assert {"title", "desc"} <= {child.tag.rpartition("}")[2] for child in root}
    return {text for element in root.iter() if (text := element.text)}


@pytest.mark.parametrize("is_logarithmic", [False, True])
def test_a_chart_shows_every_line_and_the_limit(is_logarithmic: bool) -> None:
    """With names that mark-up would not take as they stand."""
    lines = {"a < b": [(10.0, 1.0), (100.0, 20.0)], "c": [(10.0, 2.0)]}
    chart = Chart(
        name="x", title="T & U", x="n", y="s", lines=lines, is_logarithmic=is_logarithmic, limit=50.0
    )
    drawn = draw(chart)
    assert {"T & U", "a < b", "c", "n", "s"} <= _seen(drawn)
    assert drawn.count("<circle") == 3
    assert 'class="x"' in drawn


def test_a_bar_beyond_its_limit_stands_out() -> None:
    """Also one that is so far beyond that it would not fit."""
    drawn = draw_bars("All", [("good", 0.5), ("bad", 40.0)])
    assert {"good", "0.50", "bad", "40.00"} <= _seen(drawn)
    assert drawn.count('class="over"') == 1
