"""Schemathesis against a service that runs: requests made from its OpenAPI document, right and wrong ones.

The program is run as it is, with a configuration that says which records there are, so that not all that it
asks for is missing. What it asks of an operation is asked by an account of its own, since some operations end
what an account may do. How answers are judged beyond what Schemathesis knows is in fuzzing_hooks.py.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from mystira.domain.accounts.model import Role
from mystira.http.openapi import describe
from mystira.http.operations import Operation
from mystira.http.service import Service
from mystira.settings import Settings
from tests.acceptance.access import RECORDS, body_of
from tests.acceptance.askers import World, make_world, signed
from tests.callers import let_in
from tests.serving import served_api

TOKENS: Final = "FUZZING_TOKENS"
"""The variable that says which token each operation is asked with."""
PHASES: Final = ("examples", "coverage", "fuzzing", "stateful")
"""Given examples; each bound and each way of breaking it; anything; and one request after another."""

_ROOT: Final = Path(__file__).parents[2]
_STORIES: Final = _ROOT / "src" / "mystira" / "stories"
_RECORDS_EACH: Final = 3
_CONFIGURATION: Final = """
# 428 is the status for a missing If-Match (RFC 6585).
[checks.missing_required_header]
expected-statuses = [400, 401, 403, 415, 422, 428]
"""


class Fuzzed(msgspec.Struct):
    """What came of a run.

    `answers` counts statuses by operation, `failures` names the checks that failed, by operation as well;
    `told` is what Schemathesis printed, and `is_whole` says whether it came to its end.
    """

    answers: dict[str, Counter[int]]
    failures: dict[str, set[str]]
    told: str
    is_whole: bool

    @property
    def is_clean(self) -> bool:
        """Whether everything was asked and nothing found."""
        return self.is_whole and not self.failures

    @property
    def requests(self) -> int:
        """How many were answered."""
        return sum(count.total() for count in self.answers.values())

    @property
    def server_errors(self) -> int:
        """How many answers had a status of 500 or more."""
        return self.count(5)

    def count(self, hundred: int) -> int:
        """How many answers had a status of that hundred: 2 was carried out, 4 was refused."""
        return sum(sum(n for each, n in by.items() if each // 100 == hundred) for by in self.answers.values())

    @property
    def done(self) -> set[str]:
        """The operations that were carried out at least once."""
        return {name for name, each in self.answers.items() if any(200 <= status < 300 for status in each)}


@asynccontextmanager
async def fuzzed_world(settings: Settings) -> AsyncIterator[World]:
    """An API on real servers that nobody else uses, with records to ask for."""
    async with served_api(settings) as api:
        yield await make_world(api)


async def fuzz(
    world: World,
    service: Service,
    folder: Path,
    *,
    examples: int,
    phases: tuple[str, ...] = PHASES[:-1],
    seed: int | None = None,
) -> Fuzzed:
    """Ask every operation of the service, with as many `examples` of each where anything will do.

    Without a `seed`, the same is asked each time. Files are left in the folder.
    """
    document, configuration, events = (
        folder / f"{service.name}.{ending}" for ending in ("json", "toml", "ndjson")
    )
    document.write_bytes(msgspec.json.encode(await _document(world, service)))
    configuration.write_text(await _configuration(world, service))
    arguments = ["--url", str(world.api.client.base_url).rstrip("/") + service.prefix, "--no-color"]
    arguments += ["--phases", ",".join(phases), "--max-examples", str(examples), "--continue-on-failure"]
    arguments += ["--generation-deterministic"] if seed is None else ["--seed", str(seed)]
    arguments += ["--suppress-health-check", "all", "--warnings", "off"]
    arguments += ["--report", "ndjson", "--report-ndjson-path", str(events)]
    told, status = await _run(
        "--config-file", str(configuration), "run", str(document), *arguments,
        folder=folder, tokens=await _tokens(world, service),
    )  # fmt: skip
    answers, failures = _read(events, service)
    # 1 stands for failures, which must then be known by name.
    return Fuzzed(answers, failures, told, is_whole=status == bool(failures))


async def _run(*arguments: str, folder: Path, tokens: dict[str, str]) -> tuple[str, int]:
    environment = os.environ | {
        TOKENS: json.dumps(tokens),
        "SCHEMATHESIS_HOOKS": "tests.acceptance.fuzzing_hooks",
        "PYTHONPATH": str(_ROOT),
    }
    running = await asyncio.create_subprocess_exec(
        *("setpriv", "--pdeathsig=KILL", sys.executable, "-m", "schemathesis.cli", *arguments),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        told, _ = await running.communicate()
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
    return told.decode(errors="replace"), running.returncode or 0


def label(operation: Operation[Any]) -> str:
    """The operation as Schemathesis calls it."""
    return f"{operation.method} {operation.path}"


async def _tokens(world: World, service: Service) -> dict[str, str]:
    """Somebody who reaches everything, anew for each operation; a program where it is for programs alone."""
    platform, tokens = world.api.platform, {}
    for each in service.operations:
        if each.allows.roles or each.allows.anyone:
            tokens[label(each)] = (await let_in(platform, role=Role.SUPER_ADMIN)).token
        else:
            shown = signed(world, min(each.allows.services), service.name)
            tokens[label(each)] = shown.removeprefix("Bearer ")
    return tokens


async def _document(world: World, service: Service) -> dict[str, Any]:
    """The document as it is served, but for examples that name records that are there."""
    document = describe(service)
    for operation in service.operations:
        described = document["paths"][operation.path][operation.method.lower()]
        for parameter in described["parameters"]:
            if parameter["in"] == "path":
                parameter["example"] = await RECORDS[parameter["name"]](world, world.other.account_id)
            elif parameter["name"] == "If-Match":
                parameter["example"] = "*"
        body = await body_of(world, operation, None)
        if operation.name in FILES:
            described["requestBody"]["content"]["application/json"]["example"] = yaml.safe_load(
                (_STORIES / FILES[operation.name]).read_bytes()
            )
        if operation.name in PREPARED:
            key, body = await _prepared(world, operation.name)
            described["parameters"][0]["example"] = key
        if body is not None:
            for content in described["requestBody"]["content"].values():
                content["example"] = body
    return document


FILES: Final = {
    "validateScenario": "scenarios/nine-lanterns.yaml",
    "importScenario": "scenarios/nine-lanterns.yaml",
    "replaceScenario": "scenarios/nine-lanterns.yaml",
    "importDefinitions": "definitions/axes.yaml",
    "importBadgeSet": "badges/6-9.yaml",
}
"""Files of ours that are sent as JSON, by the operation that takes them."""
PREPARED: Final[dict[str, tuple[tuple[str, dict[str, Any]], ...]]] = {
    "readOn": (("read-on", {"sceneId": "bank"}),),
    "choose": (("read-on", {"sceneId": "bank"}), ("choices", {"sceneId": "stones", "branch": 2})),
    "roll": (
        ("read-on", {"sceneId": "bank"}),
        ("choices", {"sceneId": "stones", "branch": 2}),
        ("rolls", {"sceneId": "splash"}),
    ),
    "resumeSession": (("pause", {}), ("resume", {})),
}
"""Operations that want a session to have come so far: the steps before, and the last one to ask for."""


async def _prepared(world: World, name: str) -> tuple[str, dict[str, Any] | None]:
    """A session in which the operation is what comes next, and its body."""
    key = await world.session_of(world.other.account_id)
    *steps, (_, last) = PREPARED[name]
    for step, content in steps:
        answer = await world.api.client.post(f"/api/v1/sessions/{key}/{step}", json=content)
        assert answer.status_code == 200, answer.text
    return key, last or None


async def _configuration(world: World, service: Service) -> str:
    lines = [_CONFIGURATION]
    for name in sorted({name for each in service.operations for name in each.path_parameters}):
        owner = world.other.account_id
        values = {await RECORDS[name](world, owner): None for _ in range(_RECORDS_EACH)}
        numbers = service.path_parameters[name].form is int
        listed = json.dumps([int(each) if numbers else each for each in values])
        lines.append(f"[dictionaries.{name}]\nvalues = {listed}")
        lines.append(f'[parameters."path.{name}"] \ndictionary = "{name}"\nprobability = 0.7')
    return "\n".join(lines) + "\n"


def _read(events: Path, service: Service) -> tuple[dict[str, Counter[int]], dict[str, set[str]]]:
    answers: dict[str, Counter[int]] = {label(each): Counter() for each in service.operations}
    failures: dict[str, set[str]] = {}
    for recorder in _recorders(events):
        for name, interaction in recorder.get("interactions", {}).items():
            asked = recorder["cases"][name]["value"]
            answer = interaction["response"]
            # Probes with other methods are asked under the operation's name as well.
            if answer is not None and (each := f"{asked['method']} {asked['path']}") in answers:
                answers[each][answer["status_code"]] += 1
        for checks in recorder.get("checks", {}).values():
            for check in checks:
                if check["status"] == "failure":
                    failures.setdefault(recorder["label"], set()).add(check["name"])
    return answers, failures


def _recorders(events: Path) -> Iterator[dict[str, Any]]:
    with events.open("rb") as lines:
        for line in lines:
            if (finished := json.loads(line).get("ScenarioFinished")) is not None:
                yield finished["recorder"]
