"""Definitions, badge sets, media, bundles and characters over the Admin API."""

import io
import json
import zipfile
from typing import Any

import httpx
import pytest

from tests.serving import Api, Body, quick
from tests.unit.content.shelves import GIF, MP3, PNG
from tests.unit.content.stories import as_yaml, refused, story

__all__ = ["quick"]

JSON = {"Content-Type": "application/json"}
YAML = {"Content-Type": "application/yaml"}
BYTES = {"Content-Type": "application/octet-stream"}
ANY = {"If-Match": "*"}


def _ok(answer: httpx.Response, status: int = 200) -> Body:
    assert answer.status_code == status, answer.text
    body: Body = answer.json()
    return body


# -- definitions ---------------------------------------------------------------------------------------


async def test_definitions_live_through_everything(quick: Api) -> None:
    """Made, read, changed, deleted, restored, each at a version."""
    path = "/admin/api/definitions/axes"
    made = _ok(await quick.client.post(path, json={"name": "Self-Regulation"}), 201)
    assert (made["id"], made["isDeleted"], made["minimumAge"]) == ("self-regulation", False, None)
    one = f"{path}/self-regulation"
    changed = _ok(
        await quick.client.patch(one, json={"description": "x"}, headers={"If-Match": made["etag"]})
    )
    refused(await quick.client.delete(one, headers={"If-Match": made["etag"]}), 412, "version_mismatch")
    gone = _ok(await quick.client.delete(one, headers={"If-Match": changed["etag"]}))
    assert gone["isDeleted"]
    assert _ok(await quick.client.get(path))["items"] == []
    assert len(_ok(await quick.client.get(f"{path}?includeDeleted=true"))["items"]) == 1
    back = _ok(await quick.client.post(f"{one}/restore", headers={"If-Match": gone["etag"]}))
    assert not back["isDeleted"]
    unchanged = await quick.client.get(one, headers={"If-None-Match": back["etag"]})
    assert unchanged.status_code == 304


async def test_lists_of_definitions_come_in_and_go_out(quick: Api) -> None:
    """What goes out comes in as the same, age groups too."""
    text = (
        "axes: [Calm, {value: Courage, description: Going on.}]\nage-groups: [{name: school, value: 6-9}]\n"
    )
    brought = _ok(await quick.client.post("/admin/api/definition-lists", content=text, headers=YAML))
    assert [(each["id"], each["outcome"]) for each in brought["items"]] == [
        ("calm", "created"),
        ("courage", "created"),
        ("6-9", "created"),
    ]
    for sort in ("axes", "age-groups"):
        for form in ("json", "yaml"):
            file = await quick.client.get(f"/admin/api/definition-lists/{sort}?form={form}")
            again = await quick.client.post(
                f"/admin/api/definition-lists?sort={sort}",
                content=file.content,
                headers={"Content-Type": file.headers["content-type"]},
            )
            assert {each["outcome"] for each in _ok(again)["items"]} == {"unchanged"}
    wrong = await quick.client.post("/admin/api/definition-lists?sort=axes", content=b"[{}]", headers=JSON)
    assert refused(wrong, 422, "invalid_content")["findings"]


async def test_there_are_five_sorts_of_definitions(quick: Api) -> None:
    """And no sixth."""
    for sort in ("axes", "archetypes", "echo-types", "themes", "age-groups"):
        assert _ok(await quick.client.get(f"/admin/api/definitions/{sort}"))["items"] == []
    refused(await quick.client.get("/admin/api/definitions/colours"), 404, "not_found")


# -- badge sets ----------------------------------------------------------------------------------------


def _set(score: float) -> bytes:
    badge = {
        "Tier": "bronze",
        "Tier_Order": 1,
        "Title": "Calm",
        "Description": "x",
        "Required_Score": score,
        "Compass_Axis_Id": "Calm",
        "Image_Id": "x",
    }
    means = {"Compass_Axis_Id": "Calm", "Axes_Direction": "positive", "Description": "x"}
    return json.dumps({"Age_Group_Id": "6-9", "Axis_Achievements": [means], "Badges": [badge]}).encode()


async def test_badge_sets_come_in_and_go_out(quick: Api) -> None:
    """As a whole."""
    brought = _ok(await quick.client.post("/admin/api/badge-sets", content=_set(2), headers=JSON))
    assert brought["outcome"]["created"] == 2
    kept = _ok(await quick.client.get("/admin/api/badge-sets/6-9"))
    assert [each["requiredScore"] for each in kept["badges"]] == [2.0]
    file = await quick.client.get("/admin/api/badge-sets/6-9/file")
    assert file.json() == json.loads(_set(2))
    refused(
        await quick.client.post("/admin/api/badge-sets", content=_set(-1), headers=JSON),
        422,
        "invalid_content",
    )
    refused(await quick.client.get("/admin/api/badge-sets/3-5"), 404, "not_found")


# -- media ---------------------------------------------------------------------------------------------


async def _add(api: Api, key: str, data: bytes = PNG, query: str = "") -> Body:
    path = f"/admin/api/media?mediaId={key}{query}"
    return _ok(await api.client.post(path, content=data, headers=BYTES), 201)


async def test_media_come_in_and_families_get_them(quick: Api) -> None:
    """Without signing in, under both addresses, as what the bytes are."""
    made = await _add(quick, "cover", query="&tags=night,%20hill")
    assert (made["mimeType"], made["tags"]) == ("image/png", ["night", "hill"])
    for path, cache in (
        ("/api/v1/media/cover", "public, max-age=300"),
        (made["url"], "public, max-age=31536000, immutable"),
    ):
        answer = await quick.client.get(path)
        assert (answer.status_code, answer.content) == (200, PNG)
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["cache-control"] == cache
        assert answer.headers["etag"] == f'"{made["sha256"]}"'
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("asked", "status", "begin", "end"),
    [
        ("bytes=0-3", 206, 0, 4),
        ("bytes=4-", 206, 4, None),
        ("bytes=-5", 206, -5, None),
        ("bytes=2-99999", 206, 2, None),
        ("bytes=-99999", 206, 0, None),
        ("bytes=0-1,4-5", 200, 0, None),
        ("bytes=5-2", 200, 0, None),
        ("bytes=-", 200, 0, None),
        ("lines=1-2", 200, 0, None),
    ],
)
async def test_some_of_the_bytes_can_be_asked_for(
    quick: Api, asked: str, status: int, begin: int, end: int | None
) -> None:
    """One range; what is malformed, or several at once, is answered with the whole."""
    await _add(quick, "song", MP3)
    answer = await quick.client.get("/api/v1/media/song", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (status, MP3[begin:end])
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-length"] == str(len(answer.content))
    if status == 206:
        first = begin if begin >= 0 else len(MP3) + begin
        assert (
            answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(MP3)}"
        )


async def test_a_range_behind_the_end_is_refused(quick: Api) -> None:
    """With the size, so that the caller can ask better."""
    await _add(quick, "song", MP3)
    for asked in (f"bytes={len(MP3)}-", "bytes=-0"):
        answer = await quick.client.get("/api/v1/media/song", headers={"Range": asked})
        refused(answer, 416, "range_not_satisfiable")
        assert answer.headers["content-range"] == f"bytes */{len(MP3)}"


async def test_who_has_the_bytes_does_not_get_them_again(quick: Api) -> None:
    """By their tag; a range for bytes that have changed is answered with all of the new ones."""
    made = await _add(quick, "song", MP3)
    tag = f'"{made["sha256"]}"'
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        answer = await quick.client.get("/api/v1/media/song", headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
    held = {"Range": "bytes=0-1", "If-Range": tag}
    assert (await quick.client.get("/api/v1/media/song", headers=held)).status_code == 206
    answer = await quick.client.get("/api/v1/media/song", headers=held | {"If-Range": '"x"'})
    assert (answer.status_code, answer.content) == (200, MP3)


async def test_head_tells_without_bytes(quick: Api) -> None:
    """The same headers, of the whole and of a range."""
    await _add(quick, "song", MP3)
    answer = await quick.client.head("/api/v1/media/song")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(MP3))
    assert answer.headers["content-type"] == "audio/mpeg"
    answer = await quick.client.head("/api/v1/media/song", headers={"Range": "bytes=0-1"})
    assert (answer.status_code, answer.headers["content-length"]) == (206, "2")


async def test_an_address_never_changes_what_it_answers(quick: Api) -> None:
    """After a replacement the former address still has the former bytes, as what they were."""
    first = await _add(quick, "cover")
    second = _ok(
        await quick.client.put(
            "/admin/api/media/cover/content", content=GIF, headers=BYTES | {"If-Match": first["etag"]}
        )
    )
    assert second["version"] == "2"
    former = await quick.client.get(first["url"])
    assert (former.content, former.headers["content-type"]) == (PNG, "image/png")
    assert (await quick.client.get("/api/v1/media/cover")).content == GIF
    assert (await quick.client.get(second["url"])).content == GIF
    for absent in (f"/api/v1/media/cover/{'0' * 64}", "/api/v1/media/cover/x", "/api/v1/media/other"):
        refused(await quick.client.get(absent), 404, "not_found")


async def test_bytes_that_are_no_media_are_refused(quick: Api) -> None:
    """Whatever they are sent as."""
    answer = await quick.client.post(
        "/admin/api/media?mediaId=x", content=b"<svg/>", headers={"Content-Type": "image/png"}
    )
    refused(answer, 422, "unknown_media")
    big = PNG + b"\0" * (10 * 1024 * 1024)
    answer = await quick.client.post("/admin/api/media?mediaId=x", content=big, headers=BYTES)
    refused(answer, 413, "media_too_large")
    await _add(quick, "x")
    refused(
        await quick.client.post("/admin/api/media?mediaId=x", content=GIF, headers=BYTES),
        409,
        "already_exists",
    )


async def test_media_larger_than_memory_holds_pass_through_a_file(quick: Api) -> None:
    """Nine megabytes come in and go out the same; ranges reach across the pieces in which they are read."""
    data = PNG + bytes(range(256)) * 4096 * 9
    made = await _add(quick, "big", data)
    assert made["sizeBytes"] == len(data)
    assert (await quick.client.get(made["url"])).content == data
    answer = await quick.client.get(made["url"], headers={"Range": "bytes=1000000-4000000"})
    assert answer.content == data[1_000_000:4_000_001]


async def test_what_is_said_of_media_can_be_changed_and_the_piece_removed(quick: Api) -> None:
    """Its address then leads nowhere, though the bytes go later."""
    made = await _add(quick, "cover")
    path = "/admin/api/media/cover"
    changed = _ok(await quick.client.patch(path, json={"metadata": {"duration": 2.5}}, headers=ANY))
    assert changed["metadata"] == {"width": 64, "height": 48, "duration": 2.5}
    assert [
        each["id"] for each in _ok(await quick.client.get("/admin/api/media?mediaType=image"))["items"]
    ] == ["cover"]
    assert (await quick.client.delete(path, headers={"If-Match": changed["etag"]})).status_code == 204
    refused(await quick.client.get(made["url"]), 404, "not_found")
    assert _ok(await quick.client.post("/admin/api/media-sweeps")) == {"removed": 0}


# -- bundles -------------------------------------------------------------------------------------------


def _zip(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in files.items():
            zipped.writestr(name.replace("__", "/"), data)
    return buffer.getvalue()


def _whole(**more: bytes) -> bytes:
    manifest = {
        "bundle.yaml": as_yaml({"id": "night", "title": "Night", "age_group": "6-9", "image": "cover"})
    }
    files = {"scenarios/one.yaml": as_yaml(story(id="one", image="cover")), "media/cover.png": PNG}
    return _zip(**(manifest | files | more))


async def test_a_bundle_comes_in_and_goes_out(quick: Api) -> None:
    """As a zip that comes in again without changing anything."""
    headers = {"Content-Type": "application/zip"}
    brought = _ok(await quick.client.post("/admin/api/bundle-imports", content=_whole(), headers=headers))
    assert (brought["isWhole"], brought["bundleId"]) == (True, "night")
    assert {each["item"]: each["outcome"] for each in brought["items"]} == {
        "bundle.yaml": "created",
        "media/cover.png": "created",
        "scenarios/one.yaml": "created",
    }
    file = await quick.client.get("/admin/api/bundles/night/file")
    assert file.headers["content-type"] == "application/zip"
    assert file.headers["content-length"] == str(len(file.content))
    again = _ok(await quick.client.post("/admin/api/bundle-imports", content=file.content, headers=headers))
    assert {each["outcome"] for each in again["items"]} == {"unchanged"}
    refused(await quick.client.get("/admin/api/bundles/other/file"), 404, "not_found")


async def test_a_bundle_that_leads_out_of_itself_is_refused(quick: Api) -> None:
    """With a finding that names the item."""
    answer = await quick.client.post(
        "/admin/api/bundle-imports", content=_whole(**{"../x": b"x"}), headers=BYTES
    )
    (found,) = refused(answer, 422, "invalid_content")["findings"]
    assert (found["code"], found["path"]) == ("path_escape", "../x")


async def test_bundles_are_made_changed_and_removed(quick: Api) -> None:
    """Of stories that are there, at a price."""
    path = "/admin/api/bundles"
    refused(await quick.client.post(path, json={"title": "x", "scenarioIds": ["no"]}), 422, "missing_parent")
    made = _ok(await quick.client.post(path, json={"title": "Night"}), 201)
    assert (made["id"], made["isActive"]) == ("night", True)
    prices = [{"value": "4.99", "currency": "EUR"}]
    changed = _ok(
        await quick.client.patch(f"{path}/night", json={"prices": prices}, headers={"If-Match": made["etag"]})
    )
    assert changed["prices"] == prices
    wrong = {"prices": [{"value": "free", "currency": "EUR"}]}
    refused(await quick.client.patch(f"{path}/night", json=wrong, headers=ANY), 422, "invalid_format")
    assert [each["id"] for each in _ok(await quick.client.get(f"{path}?isActive=true"))["items"]] == ["night"]
    assert (await quick.client.delete(f"{path}/night", headers=ANY)).status_code == 204


# -- characters and avatars ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "new", "key", "change"),
    [
        (
            "/admin/api/character-maps",
            {"name": "Mara", "metadata": {"species": "otter", "age": 8}},
            "mara",
            {"metadata": {"species": "heron"}},
        ),
        (
            "/admin/api/avatars",
            {"name": "Animals", "ageGroup": "6-9"},
            "avatars-6-9",
            {"mediaIds": ["otter"]},
        ),
    ],
)
async def test_characters_and_avatars_are_kept_alike(
    quick: Api, path: str, new: Body, key: str, change: Body
) -> None:
    """Made once, read, changed at a version, listed, removed."""
    keyed = {"Idempotency-Key": "k"}
    made = _ok(await quick.client.post(path, json=new, headers=keyed), 201)
    assert _ok(await quick.client.post(path, json=new, headers=keyed), 201) == made
    assert _ok(await quick.client.post(path, json=new, headers={"Idempotency-Key": "l"}), 201) == made
    assert made["id"] == key
    refused(
        await quick.client.post(path, json=new | {"description": "x"}, headers={"Idempotency-Key": "m"}),
        409,
        "already_exists",
    )
    one = f"{path}/{key}"
    assert _ok(await quick.client.get(one)) == made
    changed: Any = _ok(await quick.client.patch(one, json=change, headers={"If-Match": made["etag"]}))
    for name, value in change.items():
        assert changed[name] == (changed[name] | value if isinstance(value, dict) else value)
    assert [each["id"] for each in _ok(await quick.client.get(path))["items"]] == [key]
    refused(await quick.client.delete(one, headers={"If-Match": made["etag"]}), 412, "version_mismatch")
    assert (await quick.client.delete(one, headers={"If-Match": changed["etag"]})).status_code == 204
    refused(await quick.client.get(one), 404, "not_found")
