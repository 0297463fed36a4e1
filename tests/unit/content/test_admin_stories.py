"""Stories over the Admin API: files in, findings and records out."""

from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from mystira.domain.scenarios.reading import review_file
from tests.serving import Api, Body, quick
from tests.unit.content.stories import as_json, as_yaml, refused, story

__all__ = ["quick"]

YAML = {"Content-Type": "application/yaml"}
JSON = {"Content-Type": "application/json"}


async def _import(api: Api, query: str = "", headers: dict[str, str] | None = None, **changes: Any) -> Body:
    answer = await api.client.post(
        f"/admin/api/scenarios{query}", content=as_yaml(story(**changes)), headers=YAML | (headers or {})
    )
    assert answer.status_code == 201, answer.text
    body: Body = answer.json()
    return body


async def test_a_file_is_checked_and_nothing_is_kept(quick: Api) -> None:
    """Every finding, with its line, whatever the bytes are; the answer is a report and no refusal."""
    answer = await quick.client.post(
        "/admin/api/scenario-checks", content=as_yaml(story(title="", audio=None)), headers=YAML
    )
    assert answer.status_code == 200
    found = answer.json()
    assert (found["isSound"], found["sceneCount"]) == (False, 4)
    (error,) = (each for each in found["findings"] if each["severity"] == "error")
    assert (error["code"], error["path"], error["line"], error["column"]) == ("empty", "title", 1, 1)
    for data in (b"\xff\xfe\x00", b"{", b"\x00", b"- a: ["):
        answer = await quick.client.post("/admin/api/scenario-checks?name=x.json", content=data, headers=JSON)
        assert answer.status_code == 200
        assert not answer.json()["isSound"]
    assert (await quick.client.get("/admin/api/scenarios")).json() == {"items": [], "continuation": None}


async def test_a_story_comes_in_and_goes_out_as_the_same(quick: Api) -> None:
    """In both languages."""
    brought = await _import(quick)
    assert brought["findings"] == []
    key = brought["story"]["id"]
    assert key == "the-lantern-on-the-hill"
    whole = (await quick.client.get(f"/admin/api/scenarios/{key}")).json()
    for form in ("yaml", "json"):
        answer = await quick.client.get(f"/admin/api/scenarios/{key}/file?form={form}")
        assert answer.headers["content-type"] == f"application/{form}"
        assert answer.headers["content-disposition"] == f'attachment; filename="{key}.{form}"'
        review = review_file(answer.content, name=f"x.{form}")
        assert review.story is not None
        assert [each.id for each in review.story.scenes] == [each["id"] for each in whole["scenes"]]


async def test_a_broken_story_is_refused_with_all_that_was_found(quick: Api) -> None:
    """The problem document carries the findings; nothing is kept."""
    answer = await quick.client.post(
        "/admin/api/scenarios", content=as_json(story(tags=[], title="")), headers=JSON
    )
    problem = refused(answer, 422, "invalid_content")
    assert {each["path"] for each in problem["findings"]} == {"tags", "title"}
    assert all(each["line"] == 1 for each in problem["findings"])
    assert (await quick.client.get("/admin/api/scenarios")).json()["items"] == []


async def test_words_that_are_not_defined_are_warnings(quick: Api) -> None:
    """As soon as there are definitions of that sort."""
    answer = await quick.client.post(
        "/admin/api/definition-lists?sort=axes", content=b"- Courage\n", headers=YAML
    )
    assert answer.status_code == 200, answer.text
    brought = await _import(quick)
    assert [each["code"] for each in brought["findings"]] == ["own_axis"]
    review = await quick.client.get(f"/admin/api/scenarios/{brought['story']['id']}/review")
    assert [each["code"] for each in review.json()["findings"]] == ["own_axis"]


async def test_a_story_is_brought_in_once_for_its_key(quick: Api) -> None:
    """Asked again with the same key the answer is the same; without one the id is taken."""
    headers = {"Idempotency-Key": "one"}
    first = await _import(quick, headers=headers)
    assert await _import(quick, headers=headers) == first
    answer = await quick.client.post("/admin/api/scenarios", content=as_yaml(story()), headers=YAML)
    refused(answer, 409, "already_exists")
    other = await quick.client.post(
        "/admin/api/scenarios", content=as_yaml(story(title="Other")), headers=YAML | headers
    )
    refused(other, 422, "idempotency_key_reused")


async def test_an_interrupted_import_is_recognised(quick: Api) -> None:
    """An earlier attempt wrote the story and died: the next finds it, and no other story of that id."""
    first = await _import(quick)
    again = await _import(quick, headers={"Idempotency-Key": "two"})
    assert again["story"]["id"] == first["story"]["id"]
    answer = await quick.client.post(
        "/admin/api/scenarios",
        content=as_yaml(story(description="Another one.")),
        headers=YAML | {"Idempotency-Key": "three"},
    )
    refused(answer, 409, "already_exists")


async def test_a_story_is_replaced_at_the_version_that_was_read(quick: Api) -> None:
    """And not without naming one."""
    brought = await _import(quick)
    path, tag = f"/admin/api/scenarios/{brought['story']['id']}", brought["story"]["etag"]
    other = as_yaml(story(title="Another title"))
    refused(await quick.client.put(path, content=other, headers=YAML), 428, "precondition_required")
    answer = await quick.client.put(path, content=other, headers=YAML | {"If-Match": tag})
    assert answer.status_code == 200, answer.text
    assert answer.json()["story"]["title"] == "Another title"
    answer = await quick.client.put(path, content=other, headers=YAML | {"If-Match": tag})
    refused(answer, 412, "version_mismatch")
    answer = await quick.client.put(path, content=b"title: ''", headers=YAML | {"If-Match": "*"})
    refused(answer, 422, "invalid_content")
    answer = await quick.client.put(f"{path}x", content=other, headers=YAML | {"If-Match": "*"})
    refused(answer, 404, "not_found")


async def test_a_story_is_published_and_withdrawn(quick: Api) -> None:
    """Families see it in between; while they do it is not deleted."""
    brought = await _import(quick)
    path = f"/admin/api/scenarios/{brought['story']['id']}"
    tag = {"If-Match": brought["story"]["etag"]}
    published = await quick.client.post(f"{path}/publish", headers=tag)
    assert published.status_code == 200, published.text
    assert published.json()["isActive"]
    refused(await quick.client.post(f"{path}/publish", headers=tag), 412, "version_mismatch")
    refused(await quick.client.delete(path, headers={"If-Match": "*"}), 409, "still_published")
    withdrawn = await quick.client.post(f"{path}/withdraw", headers={"If-Match": published.headers["ETag"]})
    assert not withdrawn.json()["isActive"]
    gone = await quick.client.delete(path, headers={"If-Match": withdrawn.headers["ETag"]})
    assert gone.status_code == 204
    refused(await quick.client.get(path), 404, "not_found")


async def test_a_story_can_be_published_as_it_comes_in(quick: Api) -> None:
    """Under the id that is wanted."""
    brought = await _import(quick, "?id=wanted&publish=true")
    assert (brought["story"]["id"], brought["story"]["isActive"]) == ("wanted", True)


async def test_small_changes_need_no_file(quick: Api) -> None:
    """And cannot break a story."""
    brought = await _import(quick)
    path, tag = f"/admin/api/scenarios/{brought['story']['id']}", {"If-Match": "*"}
    answer = await quick.client.patch(path, json={"isFeatured": True, "image": None}, headers=tag)
    assert answer.status_code == 200, answer.text
    assert answer.json()["isFeatured"]
    refused(await quick.client.patch(path, json={"title": ""}, headers=tag), 422, "out_of_range")
    refused(await quick.client.patch(path, json={"scenes": []}, headers=tag), 422, "unknown_field")


async def test_a_story_is_drawn(quick: Api) -> None:
    """As a picture that is well-formed and shows every scene."""
    brought = await _import(quick)
    answer = await quick.client.get(f"/admin/api/scenarios/{brought['story']['id']}/map")
    assert answer.headers["content-type"] == "image/svg+xml"
    texts = [each.text for each in ElementTree.fromstring(answer.text).iter() if each.text]
    assert {"At the gate", "The fork", "The climb", "Home"} <= set(texts)


async def test_lists_tell_of_stories_without_their_scenes(quick: Api) -> None:
    """In pages, by what they are."""
    for key in ("a", "b", "c"):
        await _import(quick, f"?id={key}")
    page = (await quick.client.get("/admin/api/scenarios?limit=2&ageGroup=6-9&isActive=false")).json()
    assert [each["id"] for each in page["items"]] == ["a", "b"]
    assert "scenes" not in page["items"][0]
    rest = await quick.client.get(
        "/admin/api/scenarios",
        params={"limit": 2, "ageGroup": "6-9", "isActive": False, "continuation": page["continuation"]},
    )
    assert [each["id"] for each in rest.json()["items"]] == ["c"]


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"Content-Type": "text/html"}, b"x", 415, "unsupported_media_type"),
        ({}, b"x", 415, "unsupported_media_type"),
        (YAML | {"Content-Encoding": "gzip"}, b"x", 415, "unsupported_media_type"),
        (YAML, b"", 400, "empty_body"),
        (YAML, b" " * (5 * 1024 * 1024), 413, "body_too_large"),
    ],
)
async def test_what_is_no_upload_is_refused_before_it_is_read(
    quick: Api, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    """By its type, its coding, its size."""
    for path in ("/admin/api/scenarios", "/admin/api/scenario-checks"):
        refused(await quick.client.post(path, content=body, headers=headers), status, code)


async def test_a_body_that_never_ends_is_cut_off(quick: Api) -> None:
    """Where no length was announced, at the limit."""

    async def endless() -> Any:
        while True:
            yield b"x" * 1024 * 1024

    answer = await quick.client.post("/admin/api/scenarios", content=endless(), headers=YAML)
    refused(answer, 413, "body_too_large")


def test_our_yaml_is_everybodys_yaml() -> None:
    """What tests send is written by the library alone."""
    assert yaml.safe_load(as_yaml(story())) == story()
