"""Where the stories lie that come with the platform, and how folders such as theirs are read."""

from pathlib import Path
from typing import Final

import msgspec
import yaml

import mystira
from mystira.cli import exits
from mystira.cli.content_files import find_files, judge, read_bytes
from mystira.cli.refusals import CommandError
from mystira.domain.badges.reading import BadgeSet, read_badge_set
from mystira.domain.bundles.manifest import read_manifest
from mystira.domain.scenarios.model import Scenario
from mystira.domain.scenarios.reading import review_file
from mystira.domain.scenarios.vocabulary import UNKNOWN

ROOT: Final = Path(mystira.__file__).parent / "stories"
DEFINITIONS: Final = ROOT / "definitions"
BADGES: Final = ROOT / "badges"
SCENARIOS: Final = ROOT / "scenarios"
MEDIA: Final = ROOT / "media"
BUNDLES: Final = ROOT / "bundles"
AVATARS: Final = ROOT / "avatars.yaml"


class BadgeFile(msgspec.Struct, frozen=True, kw_only=True):
    """A badge set, and the file in which it stands."""

    path: Path
    badge_set: BadgeSet


class Avatars(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What profiles of an age group may choose from: ids of media."""

    age_group: str
    name: str
    description: str
    media: list[str]


class BundleFile(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest of a bundle, and the files of its stories."""

    path: Path
    title: str
    stories: list[Path]


def read_avatars() -> list[Avatars]:
    """The avatars of each age group."""
    return msgspec.convert(yaml.safe_load(AVATARS.read_bytes()), list[Avatars])


def read_bundle_files() -> list[BundleFile]:
    """The bundles, each with its stories in their order."""
    by_id = {story.id: file for file, story in _stories_in(SCENARIOS)}
    bundles: list[BundleFile] = []
    for path in sorted(BUNDLES.glob("*.yaml")):
        manifest = read_manifest(path.read_bytes(), name=path.name).manifest
        if manifest is None:
            raise _broken(path)
        stories = [by_id[key] for key in manifest.scenarios or ()]
        bundles.append(BundleFile(path=path, title=manifest.bundle.title, stories=stories))
    return bundles


def read_stories(folder: Path) -> list[Scenario]:
    """The stories of a folder, by file name. Raises CommandError where there are none, or one is broken."""
    return [story for _, story in _stories_in(folder)]


def _stories_in(folder: Path) -> list[tuple[Path, Scenario]]:
    found: list[tuple[Path, Scenario]] = []
    for file in _files(folder, "story"):
        story = review_file(read_bytes(file), name=file.name).story
        if story is None:
            raise _broken(file)
        found.append((file, story))
    return found


def read_badge_files(folder: Path) -> list[BadgeFile]:
    """The badge sets of a folder, youngest first. Raises CommandError as `read_stories`."""
    sets: list[BadgeFile] = []
    for file in _files(folder, "badge set"):
        badge_set = read_badge_set(read_bytes(file), name=file.name).badge_set
        if badge_set is None:
            raise _broken(file)
        sets.append(BadgeFile(path=file, badge_set=badge_set))
    return sorted(sets, key=lambda each: int(each.badge_set.age_group.split("-", maxsplit=1)[0]))


def _files(folder: Path, what: str) -> list[Path]:
    found = [each.path for each in find_files([folder]) if each.what == what]
    if not found:
        message = f"Folder {folder} holds no {what}."
        raise CommandError(message, exit_code=exits.USAGE, code="file")
    return found


def _broken(path: Path) -> CommandError:
    (file,) = find_files([path])
    judged, _ = judge(file, UNKNOWN)
    told = [f"{each.line}: {each.message}" for each in judged.findings if each.is_error]
    return CommandError(f"{path} is broken.", told, exit_code=exits.USAGE, code="file")
