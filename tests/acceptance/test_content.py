"""Content through commands, the Admin API and real stores, as staff bring it in and families get it."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

from tests.commands import Ended, command
from tests.serving import Api
from tests.unit.content.shelves import MP3, PNG
from tests.unit.content.stories import as_json, as_yaml, story


async def _run(api: Api, *words: str) -> Ended:
    return await command(
        "content", *words, "--url", str(api.client.base_url), folder=api.settings.data_folder
    )


async def _bring(api: Api, *words: str) -> dict[str, Any]:
    ended = await _run(api, "import", *words, "--json")
    assert ended.code in (0, 1), ended.notes
    return {Path(each["item"]).name: each for each in ended.document["items"]}


async def test_a_folder_comes_in_and_goes_out(api: Api, tmp_path: Path) -> None:
    """Words, badges, media and stories by one command; again, nothing changes; out, they are the same."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "axes.yaml").write_text("- Patience\n- Courage\n")
    (folder / "cover-of-a.png").write_bytes(PNG)
    (folder / "a.yaml").write_bytes(as_yaml(story(id="content-a", image="cover-of-a")))
    (folder / "b.json").write_bytes(as_json(story(id="content-b", title="Another")))
    brought = await _bring(api, str(folder), "--publish")
    assert {name: each["outcome"] for name, each in brought.items()} == {
        "axes.yaml": "changed",
        "cover-of-a.png": "created",
        "a.yaml": "created",
        "b.json": "created",
    }
    assert brought["a.yaml"]["findings"] == []
    again = await _bring(api, str(folder))
    assert {each["outcome"] for each in again.values()} == {"unchanged"}
    out = tmp_path / "out"
    assert (await _run(api, "export", "content-a", "content-b", "--to", str(out), "--form", "json")).code == 0
    back = await _bring(api, str(out))
    assert {name: each["outcome"] for name, each in back.items()} == {
        "content-a.json": "unchanged",
        "content-b.json": "unchanged",
    }
    assert json.loads((out / "content-b.json").read_text())["title"] == "Another"


async def test_what_differs_is_kept_until_it_may_be_replaced(api: Api, tmp_path: Path) -> None:
    """And the command ends with 1 for what it did not take."""
    path = tmp_path / "kite.yaml"
    path.write_bytes(as_yaml(story(id="content-kite")))
    assert (await _run(api, "import", str(path))).code == 0
    path.write_bytes(as_yaml(story(id="content-kite", title="Other")))
    kept = await _run(api, "import", str(path))
    assert kept.code == 1
    assert "exists" in kept.output
    assert (await _bring(api, str(path), "--replace"))["kite.yaml"]["outcome"] == "replaced"
    listed = (await _run(api, "list", "--json")).document["stories"]
    assert [each["title"] for each in listed if each["id"] == "content-kite"] == ["Other"]
    assert (await _run(api, "publish", "content-kite")).code == 0
    assert (await _run(api, "withdraw", "content-kite")).code == 0
    assert (await _run(api, "publish", "content-nowhere")).code == 1


async def test_a_refusal_shows_the_lines_of_the_file(api: Api, tmp_path: Path) -> None:
    """What the platform found, at the place in the file on this machine."""
    path = tmp_path / "broken.yaml"
    path.write_bytes(as_yaml(story(minimum_age=99)))
    refused = await _run(api, "import", str(path))
    assert refused.code == 1
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "minimum_age" in text)
    assert f"{path}:{line}:14: error: minimum_age is 99" in refused.output
    assert "minimum_age: 99" in refused.output


async def test_a_bundle_travels(api: Api, tmp_path: Path) -> None:
    """As a zip in and out, with its media, which families then get by range and by digest."""
    path = tmp_path / "night.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("bundle.yaml", as_yaml({"id": "content-night", "title": "N", "age_group": "6-9"}))
        zipped.writestr("scenarios/a.yaml", as_yaml(story(id="content-night-1", image="content-song")))
        zipped.writestr("media/content-song.mp3", MP3)
    brought = await _bring(api, str(path))
    assert {each["outcome"] for each in brought.values()} == {"created"}
    to = tmp_path / "out"
    assert (await _run(api, "export", "content-night", "--what", "bundles", "--to", str(to))).code == 0
    assert {each["outcome"] for each in (await _bring(api, str(to))).values()} == {"unchanged"}
    part = await api.client.get("/api/v1/media/content-song", headers={"Range": "bytes=4-8"})
    assert (part.status_code, part.content) == (206, MP3[4:9])
    whole = await api.client.get(f"/api/v1/media/content-song/{hashlib.sha256(MP3).hexdigest()}")
    assert (whole.status_code, whole.content) == (200, MP3)
    assert "immutable" in whole.headers["cache-control"]


async def test_a_film_passes_through_without_being_held_in_memory(api: Api, tmp_path: Path) -> None:
    """Sixty megabytes in over a real socket, and back byte for byte, read in part."""
    path = tmp_path / "content-film.mp4"
    path.write_bytes(b"\0\0\0\x1cftypisom" + bytes(range(256)) * 4096 * 60)
    assert (await _bring(api, str(path)))["content-film.mp4"]["outcome"] == "created"
    answer = await api.client.get("/api/v1/media/content-film", headers={"Range": "bytes=-1000000"})
    assert answer.content == path.read_bytes()[-1_000_000:]
    head = await api.client.head("/api/v1/media/content-film")
    assert int(head.headers["content-length"]) == path.stat().st_size
