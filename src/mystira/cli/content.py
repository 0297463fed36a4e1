"""`mystira content`: stories and what belongs to them, as files; checked, brought in, given out, drawn."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from cyclopts import App, Parameter
from rich.table import Table
from rich.text import Text

from mystira.cli import exits
from mystira.cli.connection import service_of
from mystira.cli.content_files import Judged, find_files, judge, lines_of, read_bytes, read_vocabulary
from mystira.cli.content_import import Brought, Importing
from mystira.cli.findings import headline, show_findings
from mystira.cli.options import AsJson, DataFolder, Url
from mystira.cli.output import answer, bar, out, print_json
from mystira.cli.refusals import CommandError
from mystira.clients.content import PATIENCE, ContentClient
from mystira.domain.definitions.reading import SORTS, Sort
from mystira.domain.scenarios.outline import outline
from mystira.domain.scenarios.picture import draw_story
from mystira.domain.scenarios.reading import review_file
from mystira.domain.scenarios.story_form import AGE_GROUPS

BEGINNING: Final = Path(__file__).with_name("beginning.yaml")
"""The story that `new` writes, and the page about writing stories explains."""

app: Final = App(name="content", help_format="plaintext")

Paths = Annotated[
    tuple[Path, ...],
    Parameter(
        negative=(), help="Stories, lists of definitions, badge sets, media, zips; or folders of them."
    ),
]
DefinitionsFolder = Annotated[
    Path | None,
    Parameter(
        name="--definitions", help="A folder with lists of axes, archetypes and echo types to check by."
    ),
]
OfSort = Annotated[
    Sort | None,
    Parameter(name="--sort", help="Of which sort lists of definitions are, where their name does not say."),
]
Strict = Annotated[
    bool, Parameter(name="--strict", negative=(), help="End with 1 also where something is only unusual.")
]
Form = Annotated[
    Literal["yaml", "json"], Parameter(name="--form", help="In which language to write: yaml or json.")
]


@app.command
def validate(
    files: Paths,
    *,
    definitions: DefinitionsFolder = None,
    sort: OfSort = None,
    strict: Strict = False,
    json: AsJson = False,
) -> int:
    """Check files, with no platform: what is broken or unusual, and where. Ends with 1 if one is broken."""
    vocabulary, console = read_vocabulary(definitions), out()
    judged: list[Judged] = []
    found = find_files(files)
    with bar("checking", quiet=json or len(found) < 10) as show:
        for done, file in enumerate(found):
            one, lines = judge(file, vocabulary, sort)
            judged.append(one)
            show(done + 1, len(found))
            if not json:
                show_findings(console, one.file, one.findings, lines)
                console.print(headline(one.file, one.findings, one.title or one.what), soft_wrap=True)
    if json:
        print_json({"files": judged})
    is_well = all(each.is_sound and not (strict and each.findings) for each in judged)
    return exits.OK if is_well else exits.NO


@app.command
def new(
    file: Annotated[Path, Parameter(help="The file to write, which must not be there yet.")],
    *,
    json: AsJson = False,
) -> int:
    """Write a small story that is whole, to begin with. Nothing that is there is written over."""
    try:
        with file.open("x", encoding="utf-8") as begun:
            begun.write(BEGINNING.read_text(encoding="utf-8"))
    except FileExistsError:
        raise CommandError(f"{file} is there already; choose another name.", code="file") from None
    except OSError as error:
        raise CommandError(
            f"{file} cannot be written ({error.strerror}).", exit_code=2, code="file"
        ) from error
    answer({"file": str(file)}, json, _whole(f"Written to {file}: a small story. Write yours over it."))
    return exits.OK


@app.command(name="import")
async def bring_in(
    files: Paths,
    *,
    replace: Annotated[
        bool, Parameter(name="--replace", negative=(), help="Replace what is there already and differs.")
    ] = False,
    publish: Annotated[
        bool, Parameter(name="--publish", negative=(), help="Let families play the stories at once.")
    ] = False,
    sort: OfSort = None,
    data_folder: DataFolder = None,
    url: Url = None,
    json: AsJson = False,
) -> int:
    """Bring files in, each whole or not at all. Ends with 1 where one was refused, or differs and stayed."""
    found = find_files(files)
    console, brought = out(), list[Brought]()
    async with service_of(url, data_folder, seconds=PATIENCE) as service:
        importing = Importing(ContentClient(service), replace=replace, publish=publish, sort=sort)
        with bar("bringing in", quiet=json or len(found) < 3) as show:
            for done, file in enumerate(found):
                some = await importing.bring(file)
                brought += some
                show(done + 1, len(found))
                for each in [] if json else some:
                    lines = lines_of(file) if each.findings else []
                    show_findings(console, each.item, each.findings, lines)
                    console.print(_line(each), soft_wrap=True)
    if json:
        print_json({"items": brought})
    return exits.NO if any(each.outcome in ("refused", "exists") for each in brought) else exits.OK


_STYLES: Final = {"refused": "bold red", "exists": "yellow", "unchanged": "dim", "ignored": "dim"}


def _line(brought: Brought) -> Text:
    outcome = (brought.outcome, _STYLES.get(brought.outcome, "green"))
    said = f" ({brought.note})" if brought.note else ""
    return Text.assemble(f"{brought.item}: ", outcome, f" {brought.id or ''}".rstrip(), said)


What = Literal["stories", "bundles", "definitions", "badges"]


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was written."""

    id: str
    file: str
    bytes: int


@app.command
async def export(
    ids: Annotated[
        tuple[str, ...], Parameter(negative=(), help="Ids; without any, everything of that sort.")
    ] = (),
    *,
    what: Annotated[
        What, Parameter(help="What to give out: stories, bundles (as zips), definitions or badges.")
    ] = "stories",
    to: Annotated[Path, Parameter(help="The folder in which files are written; it is made.")] = Path(),
    form: Form = "yaml",
    data_folder: DataFolder = None,
    url: Url = None,
    json: AsJson = False,
) -> int:
    """Write content to files that come in again as the same. A file that is there already is replaced."""
    to.mkdir(parents=True, exist_ok=True)
    written: list[Exported] = []
    async with service_of(url, data_folder, seconds=PATIENCE) as service:
        client = ContentClient(service)
        wanted = list(ids) or await _everything(client, what)
        with bar("writing", quiet=json or len(wanted) < 3) as show:
            for done, key in enumerate(wanted):
                path = to / f"{_file_name(what, key)}.{'zip' if what == 'bundles' else form}"
                with _replacing(path) as file:
                    size = await _save(client, what, key, file, form)
                written.append(Exported(id=key, file=str(path), bytes=size))
                show(done + 1, len(wanted))
    table = Table("id", "file", "bytes")
    for each in written:
        table.add_row(each.id, each.file, f"{each.bytes:,}")
    answer({"files": written}, json, table)
    return exits.OK


def _file_name(what: What, key: str) -> str:
    return f"badges-{key}" if what == "badges" else key.replace(":", "_").replace("/", "_")


async def _everything(client: ContentClient, what: What) -> list[str]:
    if what == "stories":
        return [each["id"] for each in await client.stories()]
    if what == "bundles":
        return [each["id"] for each in await client.bundles()]
    if what == "definitions":
        return list(SORTS)
    return [group for group in AGE_GROUPS if await client.has_badges(group)]


async def _save(client: ContentClient, what: What, key: str, file: Any, form: str) -> int:
    if what == "stories":
        return await client.save_story(key, file, form)
    if what == "bundles":
        return await client.save_bundle(key, file)
    if what == "definitions":
        return await client.save_definitions(key, file, form)
    return await client.save_badges(key, file, form)


@contextmanager
def _replacing(path: Path) -> Iterator[Any]:
    """A file that takes the place of `path` once it is written whole."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror})."
        raise CommandError(message, exit_code=exits.USAGE, code="file") from error
    finally:
        partial.unlink(missing_ok=True)


@app.command(name="map")
def draw(
    file: Annotated[Path, Parameter(help="A story's file, sound or not.")],
    *,
    to: Annotated[
        Path | None, Parameter(help="Write a picture (SVG) there instead of printing an outline.")
    ] = None,
    json: AsJson = False,
) -> int:
    """Show how a story's scenes lead to one another; scenes with errors stand out in the picture."""
    review = review_file(read_bytes(file), name=file.name)
    if review.draft is None:
        told = [f"line {each.line}: {each.message}" for each in review.errors]
        raise CommandError(f"{file} is no story that could be drawn.", told)
    lines = list(outline(review.draft))
    if to is not None:
        faulty = {_scene_of(each.path) for each in review.errors}
        ids = {scene.id for at, scene in enumerate(review.draft.scenes) if at in faulty}
        to.write_text(draw_story(review.draft, ids), encoding="utf-8")
    document = {"file": str(file), "picture": None if to is None else str(to), "outline": lines}
    shown = [_whole(f"Written to {to}")] if to is not None else [_whole(line) for line in lines]
    answer(document, json, *shown)
    return exits.OK


def _whole(line: str) -> Text:
    """A line that is never broken, however narrow the terminal: so that it can be searched and copied."""
    return Text(line, no_wrap=True, overflow="ignore")


def _scene_of(path: str) -> int | None:
    """The place of the scene that a path leads into."""
    number = path.removeprefix("scenes[").partition("]")[0]
    return int(number) if path.startswith("scenes[") and number.isdigit() else None


@app.command(name="list")
async def list_stories(*, data_folder: DataFolder = None, url: Url = None, json: AsJson = False) -> int:
    """List the stories of a platform, published or not."""
    async with service_of(url, data_folder) as service:
        stories = await ContentClient(service).stories()
    table = Table("id", "title", "ages", "scenes", "published")
    for each in stories:
        published = "yes" if each["isActive"] else "no"
        table.add_row(each["id"], each["title"], each["ageGroup"], str(each["sceneCount"]), published)
    answer({"stories": stories}, json, table)
    return exits.OK


Ids = Annotated[tuple[str, ...], Parameter(negative=(), help="Ids of stories.")]


@app.command
async def publish(ids: Ids, *, data_folder: DataFolder = None, url: Url = None, json: AsJson = False) -> int:
    """Let families play stories. Each is checked once more."""
    return await _step(ids, "publish", data_folder, url, json)


@app.command
async def withdraw(ids: Ids, *, data_folder: DataFolder = None, url: Url = None, json: AsJson = False) -> int:
    """Let nobody begin stories any more; plays under way go on."""
    return await _step(ids, "withdraw", data_folder, url, json)


async def _step(
    ids: tuple[str, ...],
    step: Literal["publish", "withdraw"],
    data_folder: Path | None,
    url: str | None,
    json: bool,
) -> int:
    async with service_of(url, data_folder) as service:
        client = ContentClient(service)
        stories = [await client.step(key, step) for key in ids]
    said = {"publish": "is published", "withdraw": "is withdrawn"}[step]
    answer({"stories": stories}, json, *(Text(f"{each['id']} {said}") for each in stories))
    return exits.OK
