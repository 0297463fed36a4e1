"""`mystira content` as far as it needs no platform."""

import json
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mystira.cli import exits
from mystira.cli.content_files import SHIPPED, find_files, what_is
from mystira.cli.entry import run
from tests.unit.content.shelves import MP3, PNG
from tests.unit.content.stories import as_json, as_yaml, scene, story


def _write(folder: Path, **files: bytes) -> Path:
    for name, data in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def test_a_sound_story_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And one line says what it is."""
    _write(tmp_path, story_yaml=as_yaml(story(core_axes=["x"], scenes=story()["scenes"][-1:])))
    assert (
        run(["content", "validate", str(tmp_path / "story.yaml"), "--definitions", str(_words(tmp_path))])
        == 0
    )
    assert "'The Lantern on the Hill', 1 scenes" in capsys.readouterr().out


def _words(folder: Path) -> Path:
    _write(folder / "words", axes_yaml=b"- x\n", archetypes_yaml=b"- keeper\n")
    return folder / "words"


def test_a_broken_story_is_shown_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """File, line and column as editors take them, the line itself, and a mark below the place."""
    path = _write(tmp_path, story_yaml=as_yaml(scene("climb", difficulty=99))) / "story.yaml"
    assert run(["content", "validate", str(path)]) == exits.NO
    said = capsys.readouterr().out
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "difficulty: 99" in text)
    assert f"{path}:{line}:15: error: scenes[2].difficulty is 99" in said
    assert f"{line:>6} │   difficulty: 99\n{' ' * 23}^" in said
    assert "✗" in said
    assert "1 error" in said


def test_with_json_the_answer_is_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every file with its findings."""
    _write(tmp_path, a_yaml=as_yaml(story()), b_json=as_json(story(title="")))
    assert run(["content", "validate", str(tmp_path), "--json"]) == exits.NO
    files = json.loads(capsys.readouterr().out)["files"]
    assert [(Path(each["file"]).name, each["isSound"]) for each in files] == [
        ("a.yaml", True),
        ("b.json", False),
    ]
    assert [each["path"] for each in files[1]["findings"] if each["severity"] == "error"] == ["title"]


def test_strict_counts_what_is_unusual(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For authors who want none of it."""
    path = str(_write(tmp_path, story_yaml=as_yaml(story(minimum_age=5))) / "story.yaml")
    assert run(["content", "validate", path]) == exits.OK
    assert run(["content", "validate", path, "--strict"]) == exits.NO


def test_files_are_known_by_what_they_hold(tmp_path: Path) -> None:
    """And are brought in words first, then media, then the stories that name them."""
    with zipfile.ZipFile(tmp_path / "e.zip", "w") as zipped:
        zipped.writestr("scenarios/a.yaml", as_yaml(story()))
    _write(
        tmp_path,
        a_yaml=as_yaml(story()),
        b_png=PNG,
        c_json=b'[{"value": "x"}]',
        d_json=b'{"Age_Group_Id": "6-9", "Badges": []}',
        words_yaml=b"axes: [x]\necho_types: [y]\n",
        bundle_yaml=b"title: x\n",
        README_md=b"hello",
    )
    assert [(each.path.name, each.what) for each in find_files([tmp_path])] == [
        ("c.json", "definitions"),
        ("words.yaml", "definitions"),
        ("d.json", "badge set"),
        ("b.png", "media"),
        ("a.yaml", "story"),
        ("e.zip", "bundle"),
        ("bundle.yaml", "manifest"),
    ]
    sound = _write(tmp_path / "x", song_bin=MP3)
    assert what_is(sound / "song.bin") == "media"


def test_everything_can_be_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Lists, badge sets, media and zips, each by its own rules."""
    with zipfile.ZipFile(tmp_path / "e.zip", "w") as zipped:
        zipped.writestr("scenarios/a.yaml", as_yaml(story(title="")))
    _write(
        tmp_path, axes_yaml=b"- {}\n", b_png=b"no picture", d_json=b'{"Age_Group_Id": "6-9", "Badges": []}'
    )
    assert run(["content", "validate", str(tmp_path), "--json"]) == exits.NO
    files = {Path(each["file"]).name: each for each in json.loads(capsys.readouterr().out)["files"]}
    codes = {name: [found["code"] for found in each["findings"]] for name, each in files.items()}
    assert codes["axes.yaml"] == ["missing"]
    assert codes["b.png"] == ["unknown_media"]
    assert codes["d.json"] == ["missing"]
    assert "empty" in codes["e.zip"]
    assert files["e.zip"]["findings"][0]["message"].startswith("scenarios/a.yaml:")


@pytest.mark.parametrize("wrong", [["nowhere.yaml"], ["."], []])
def test_what_cannot_be_read_ends_with_2(
    wrong: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is not there, a folder with nothing in it, no file at all."""
    monkeypatch.chdir(tmp_path)
    assert run(["content", "validate", *wrong]) == exits.USAGE
    assert capsys.readouterr().out == ""


def test_a_story_is_told_as_an_outline_or_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sound or not; its faulty scenes stand out in the picture."""
    path = _write(tmp_path, story_yaml=as_yaml(scene("climb", difficulty=99))) / "story.yaml"
    assert run(["content", "map", str(path)]) == exits.OK
    assert "gate: At the gate [narrative]" in capsys.readouterr().out
    picture = tmp_path / "map.svg"
    assert run(["content", "map", str(path), "--to", str(picture)]) == exits.OK
    root = ElementTree.parse(picture).getroot()
    assert [each.get("class") for each in root.iter() if "fault" in each.get("class", "")] == [
        "box roll fault"
    ]
    broken = _write(tmp_path, broken_yaml=b"a: [") / "broken.yaml"
    assert run(["content", "map", str(broken)]) == exits.NO
    assert "is no story that could be drawn" in capsys.readouterr().err


@pytest.mark.skipif(not SHIPPED.is_dir(), reason="no definitions are shipped yet")
def test_the_shipped_definitions_are_those_to_check_by(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no others are named; and they are sound themselves."""
    assert run(["content", "validate", str(SHIPPED), "--json"]) == exits.OK
    assert all(each["what"] == "definitions" for each in json.loads(capsys.readouterr().out)["files"])


def test_without_a_platform_nothing_is_brought_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says so and ends with 3."""
    path = _write(tmp_path, story_yaml=as_yaml(story())) / "story.yaml"
    for command in (["import", str(path)], ["export"], ["list"], ["publish", "x"]):
        assert run(["content", *command, "--data-folder", str(tmp_path)]) == exits.UNAVAILABLE
    assert "No platform is up" in capsys.readouterr().err
