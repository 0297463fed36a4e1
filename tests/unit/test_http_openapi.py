"""The OpenAPI documents: complete, consistent, and shown without asking anybody else for anything."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from mystira.http.openapi import Document, describe, refusals_of
from mystira.http.problems import CODES, MEDIA_TYPE
from mystira.http.service import Service
from tests.serving import Api, memory_api, quick, services_of

__all__ = ["quick"]


@pytest.fixture(params=["appApi", "adminApi"])
async def service(request: pytest.FixtureRequest) -> Any:
    async with memory_api() as api:
        yield next(each for each in services_of(api.platform) if each.name == request.param)


def _operations(document: Document) -> Iterator[Document]:
    for methods in document["paths"].values():
        yield from methods.values()


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


async def test_every_reference_leads_somewhere(service: Service) -> None:
    """Nothing is referred to that the document does not hold."""
    document = describe(service)
    found = set(_references(document))
    assert found
    for reference in found:
        place: Any = document
        for name in reference.removeprefix("#/").split("/"):
            place = place[name]


async def test_every_operation_is_told_in_full(service: Service) -> None:
    """Name, summary, group, each part of its path, and each refusal under its status."""
    document = describe(service)
    names = [operation["operationId"] for operation in _operations(document)]
    assert len(names) == len(set(names)) == len(service.operations)
    tags = {tag["name"] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["summary"]
            assert set(operation["tags"]) <= tags
            assert operation["tags"]
            told = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
            assert told == set(re.findall(r"{(\w+)}", path))
    for declared in service.operations:
        responses = document["paths"][declared.path][declared.method.lower()]["responses"]
        for code in refusals_of(declared):
            content = responses[str(CODES[code].status)]["content"][MEDIA_TYPE]
            assert code in content["examples"]
        assert {str(status) for status in declared.answers} <= responses.keys()


async def test_every_example_is_one(service: Service) -> None:
    """Each body that is offered to be tried is accepted by the operation that it belongs to."""
    bodies = [operation for operation in service.operations if operation.has_body]
    assert bodies
    for operation in bodies:
        if not operation.takes_nothing:
            assert operation.example is not None
            msgspec.convert(operation.example, operation.takes)


async def test_headers_are_told_where_they_matter(service: Service) -> None:
    """What must be sent is required, what comes back is listed."""
    document = describe(service)
    for operation in service.operations:
        shown = document["paths"][operation.path][operation.method.lower()]
        sent = {each["name"]: each.get("required", False) for each in shown["parameters"]}
        assert sent.get("If-Match", False) is operation.guarded
        assert ("If-None-Match" in sent) is (operation.revalidates or operation.is_ranged)
        assert ("Idempotency-Key" in sent) is operation.keyed
        success = shown["responses"][str(min(operation.answers))]
        assert ("ETag" in success["headers"]) is (operation.versioned or operation.is_ranged)
        if 503 in {CODES[code].status for code in refusals_of(operation)}:
            assert "Retry-After" in shown["responses"]["503"]["headers"]


async def test_search_parameters_are_those_of_the_search(service: Service) -> None:
    """Each parameter with its bounds and its default, and none that may be null."""
    document = describe(service)
    lists = [each for each in service.operations if each.name in ("listAccounts", "listQueue")]
    assert len(lists) == 1
    parameters = document["paths"][lists[0].path]["get"]["parameters"]
    query = {each["name"]: each["schema"] for each in parameters if each["in"] == "query"}
    assert query.keys() >= {"limit", "continuation"}
    assert query["limit"]["minimum"] == 1
    assert query["limit"]["default"] in (50, 200)
    assert "null" not in str(query)


@pytest.mark.parametrize("prefix", ["/api/v1", "/internal/scenarios", "/admin/api"])
async def test_the_pages_need_nobody_else(quick: Api, prefix: str) -> None:
    """The page loads nothing, names every operation, and may load nothing; the document is JSON."""
    page = await quick.client.get(f"{prefix}/docs")
    document = await quick.client.get(f"{prefix}/openapi.json")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert document.headers["content-type"] == "application/json"
    assert not re.search(r"<script|<link|<img|<iframe|@import|url\(|src=", page.text)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for operation in _operations(document.json()):
        assert f'<details id="{operation["operationId"]}">' in page.text
