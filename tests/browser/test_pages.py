"""Each page by itself: barriers, small screens, what it loads, and what it lets nobody do."""

import re
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from mystira.domain.sessions.use_cases import pause
from mystira.services.play.visits import CONSENT, SIGN_IN, VISITOR
from tests.browser.axe import barriers
from tests.browser.theatre import SOLD, TRAIN, Reader, Theatre
from tests.serving import direct

NOBODY = "00000000-0000-7000-8000-00000000dead"
SCREENS = [
    pytest.param({"width": 320, "height": 640}, "light", id="small"),
    pytest.param({"width": 1280, "height": 800}, "dark", id="dark"),
]
WIDE = "document.documentElement.scrollWidth > innerWidth"


async def _ended(stage: Theatre, reader: Reader) -> str:
    path = await stage.begun(reader, "where-is-moon")
    page = await stage.page(reader.member, java_script_enabled=False)
    await page.goto(path)
    for _ in range(40):
        if await page.get_by_text("The end", exact=True).count():
            break
        choices = page.locator(".choice")
        await (choices.first if await choices.count() else page.locator("form .button")).click()
    await page.context.close()
    return path


class Family(msgspec.Struct, frozen=True):
    """Somebody who reads, and every page that there is for them, with the status that it answers with."""

    reader: Reader
    scene: str
    pages: dict[str, int]


@pytest_asyncio.fixture(scope="module")
async def family(stage: Theatre) -> Family:
    """Somebody in the middle of a story, who has laid another one aside and ended a third."""
    reader = await stage.reader()
    own = f"/play/readers/{reader.profile_id}"
    paused = await stage.begun(reader, TRAIN)
    ended = await _ended(stage, reader)
    await pause(stage.api.platform.play, paused.rpartition("/")[2])
    scene = await stage.begun(reader, "where-is-moon")
    pages = {
        "/play": 200,
        "/play/readers/new": 200,
        own: 200,
        f"{own}/badges": 200,
        f"{own}/stories/{TRAIN}": 200,
        f"{own}/stories/{SOLD}": 200,
        scene: 200,
        paused: 200,
        ended: 200,
        "/play/no/such/page": 404,
    }
    return Family(reader, scene, pages)


async def _look(page: Page, axe: str) -> list[str]:
    """What is wrong with a page: barriers, and what is wider than the screen."""
    too_wide = [f"{page.url} is too wide"] if await page.evaluate(WIDE) else []
    return await barriers(page, axe) + too_wide


@pytest.mark.parametrize(("screen", "scheme"), SCREENS)
async def test_no_page_has_a_barrier(
    stage: Theatre, family: Family, axe: str, screen: Any, scheme: Any
) -> None:
    """By day and by night; nor does any have to be scrolled sideways, however small the screen is."""
    page = await stage.page(family.reader.member, viewport=screen, color_scheme=scheme)
    wrong = []
    for address, status in family.pages.items():
        answer = await page.goto(address)
        assert answer is not None
        assert answer.status == status, address
        wrong += await _look(page, axe)
    assert wrong == []
    await page.context.close()


async def test_a_child_that_nobody_allowed_is_told_kindly(stage: Theatre, axe: str) -> None:
    """On the shelf, at a story, and on the page for the grown-up, mistakes included; then it plays."""
    reader = await stage.reader(is_allowed=False)
    own = f"/play/readers/{reader.profile_id}"
    page = await stage.page(reader.member, viewport={"width": 320, "height": 640})
    wrong = []
    for address in (own, f"{own}/stories/{TRAIN}"):
        await page.goto(address)
        await expect(page.get_by_text("a grown-up has to allow it")).to_be_visible()
        wrong += await _look(page, axe)
    await expect(page.get_by_role("button", name="Begin the story")).to_have_count(0)
    await page.get_by_role("link", name="Ask a grown-up").click()
    wrong += await _look(page, axe)
    await page.get_by_role("button", name="Send the letter").click()
    await page.get_by_label("The parent’s code").fill("0000-0000")
    await page.get_by_role("button", name="Yes, Robin may play").click()
    await expect(page.get_by_role("alert")).to_contain_text("4 more tries")
    wrong += await _look(page, axe)
    account = await stage.api.platform.accounts.get(reader.member.account_id)
    assert account is not None
    code = await stage.letter_code(page, account.value.email)
    await page.get_by_label("The parent’s code").fill(code)
    await page.get_by_role("button", name="Yes, Robin may play").click()
    await page.goto(f"{own}/stories/{TRAIN}")
    await page.get_by_role("button", name="Begin the story").click()
    await expect(page).to_have_url(re.compile("/play/sessions/"))
    assert wrong == []
    await page.context.close()


async def test_nobody_is_allowed_by_another_familys_code(stage: Theatre) -> None:
    """A letter that was sent for one child opens nothing for a sibling or a stranger, and whatever is begun
    or gone on with past the page leads to it.
    """
    reader, other = await stage.reader(is_allowed=False), await stage.reader(is_allowed=False)
    path = await stage.begun(reader)
    async with _visitor(stage, reader) as visitor:
        own, theirs = (f"/play/readers/{each.profile_id}" for each in (reader, other))
        form = _form((await visitor.get(f"{own}/allow")).text)
        begun = await visitor.post(f"{own}/stories/{TRAIN}", data=form)
        assert (begun.status_code, begun.headers["location"]) == (303, f"{own}/allow")
        await visitor.post(path, data=_form((await visitor.get(path)).text, step="pause"))
        resumed = await visitor.post(path, data=form | {"step": "resume"})
        assert (resumed.status_code, resumed.headers["location"]) == (303, f"{own}/allow")
        assert (await visitor.post(f"{theirs}/allow", data=form)).status_code == 404
        assert (await visitor.post(f"{own}/allow", data=form)).status_code == 303
    async with _visitor(stage, other) as stranger:
        stranger.cookies.set(CONSENT, visitor.cookies[CONSENT], path="/play")
        form = _form((await stranger.get(f"{theirs}/allow")).text, code="0000-0000")
        answer = await stranger.post(f"{theirs}/allow", data=form)
        assert answer.status_code == 422
        assert "This code is too old" in answer.text


async def test_pages_grow_with_the_screen(stage: Theatre, family: Family) -> None:
    """Text is larger on a television than on a phone, and nowhere small."""
    sizes = []
    for width in (320, 1280, 1920):
        page = await stage.page(family.reader.member, viewport={"width": width, "height": 900})
        await page.goto(family.scene)
        sizes.append(
            await page.evaluate("parseFloat(getComputedStyle(document.querySelector('.text')).fontSize)")
        )
        assert not await page.evaluate(WIDE)
        await page.context.close()
    assert 19 <= sizes[0] < sizes[1] < sizes[2]


async def test_no_page_before_signing_in_has_a_barrier(stage: Theatre, axe: str) -> None:
    """Mistakes included: each is told beside its field, which has the focus."""
    page = await stage.page(viewport={"width": 390, "height": 844})
    wrong = []
    for address, fields, complaint in (
        ("/play", {"email": "ada@nowhere"}, "That does not look like an e-mail address."),
        ("/play/new", {"name": " ", "email": "ada@example.org"}, "Please tell us what to call you."),
        ("/play/code", {"code": "7KQ2-M4X"}, "This code is too old"),
    ):
        await page.goto(address)
        wrong += await _look(page, axe)
        for name, text in fields.items():
            await page.locator(f"[name={name}]").fill(text)
        await page.locator("main form .button").click()
        await expect(page.get_by_role("alert")).to_contain_text(complaint)
        await expect(page.locator("[aria-invalid]").first).to_be_focused()
        wrong += await _look(page, axe)
    assert wrong == []
    await page.context.close()


async def test_pages_load_nothing_from_elsewhere(stage: Theatre, family: Family) -> None:
    """No script, style, font or picture of another host; and the browser finds nothing to object to."""
    page = await stage.page(family.reader.member)
    asked: set[str] = set()
    objections: list[str] = []
    page.on("request", lambda request: asked.add(request.url))
    page.on("console", lambda message: objections.append(message.text))
    page.on("pageerror", lambda error: objections.append(str(error)))
    for address, status in family.pages.items():
        if status == 200:
            await page.goto(address)
    assert asked
    assert {each for each in asked if not each.startswith(stage.url)} == set()
    assert objections == []
    await page.context.close()


def _form(text: str, **fields: str) -> dict[str, str]:
    """The first form of a page whose fields are hidden, filled in."""
    token = re.search(r'name="form_token" value="([0-9a-f]+)"', text)
    assert token, text
    hidden = dict(re.findall(r'name="(step|scene|visit|version)" value="([^"]*)"', text))
    return {"form_token": token.group(1), **hidden, **fields}


def _visitor(stage: Theatre, reader: Reader | None = None) -> httpx.AsyncClient:
    cookies = {} if reader is None else {SIGN_IN: reader.member.token}
    return httpx.AsyncClient(base_url=stage.url, cookies=cookies)


async def test_a_step_is_taken_once_however_often_its_form_comes(stage: Theatre) -> None:
    """The same form again, another choice on an old form, and nonsense: the story stays where it is."""
    reader = await stage.reader()
    path = await stage.begun(reader)
    async with _visitor(stage, reader) as visitor:
        first = await visitor.get(path)
        # The first of its forms chooses; the fields of others come after it.
        form = _form(first.text.partition("</form>\n    <div class=")[0], step="choose", branch="1")
        for sent, is_late in (
            (form, False),
            (form, False),
            (form | {"branch": "0"}, True),
            (form | {"step": "read-on"}, True),
            (form | {"visit": "many"}, True),
            (form | {"step": "fly"}, True),
            ({"form_token": form["form_token"]}, True),
        ):
            answer = await visitor.post(path, data=sent)
            assert (answer.status_code, answer.headers["location"]) == (303, path)
            shown = await visitor.get(path)
            assert ("That page was from before" in shown.text) is is_late
    session = await stage.session(path)
    assert [each.scene_id for each in session.choice_history] == ["tin"]
    assert session.choice_history[0].branch == 1


async def test_forms_of_others_do_nothing(stage: Theatre) -> None:
    """Without our token, with that of another visitor, and from another site."""
    reader, other = await stage.reader(), await stage.reader()
    path = await stage.begun(reader)
    async with _visitor(stage, reader) as visitor, _visitor(stage, other) as stranger:
        form = _form((await visitor.get(path)).text, step="pause")
        foreign = _form((await stranger.get("/play")).text)["form_token"]
        site = {"Sec-Fetch-Site": "cross-site"}
        for sent, headers in (
            ({**form, "form_token": ""}, {}),
            ({**form, "form_token": "é"}, {}),
            ({**form, "form_token": foreign}, {}),
            (form, site),
        ):
            answer = await visitor.post(path, data=sent, headers=headers)
            assert answer.status_code == 403
            assert "This page was open for too long" in answer.text
        assert (await visitor.post(path, json=form)).status_code == 415
    assert len((await stage.session(path)).events) == 1


async def test_what_belongs_to_others_is_not_there(stage: Theatre) -> None:
    """Nor does its page differ from that of what nobody has; and whoever is not signed in is asked to be."""
    reader, other = await stage.reader(), await stage.reader()
    session = await stage.begun(other)
    theirs = f"/play/readers/{other.profile_id}"
    paths = (session, theirs, f"{theirs}/allow", f"{theirs}/badges", f"{theirs}/stories/{TRAIN}")
    absent = (f"/play/sessions/{NOBODY}", f"/play/readers/{NOBODY}", "/play/readers/x", "/play/sessions/x")
    async with _visitor(stage, reader) as visitor, _visitor(stage) as nobody:
        token = _form((await visitor.get("/play")).text)["form_token"]
        pages = set()
        for path in (*paths, *absent):
            answer = await visitor.get(path)
            assert answer.status_code == 404, path
            pages.add(answer.text)
            assert (await nobody.get(path)).headers["location"] == "/play"
        assert len(pages) == 1
        sent = {"form_token": token, "step": "pause"}
        assert (await visitor.post(session, data=sent)).status_code == 404
        assert (await visitor.post(f"{theirs}/stories/{TRAIN}", data=sent)).status_code == 404
    assert len((await stage.session(session)).events) == 1


async def test_a_story_that_is_sold_is_begun_by_nobody_who_has_not_got_it(stage: Theatre) -> None:
    """The shelf says so, its page has no way in, and a form made by hand is refused in words."""
    reader = await stage.reader()
    path = f"/play/readers/{reader.profile_id}/stories/{SOLD}"
    async with _visitor(stage, reader) as visitor:
        shelf = (await visitor.get(f"/play/readers/{reader.profile_id}")).text
        assert shelf.count("A grown-up can get it") == 1
        page = (await visitor.get(path)).text
        assert "Begin the story" not in page
        answer = await visitor.post(path, data={"form_token": _form(page)["form_token"]})
        assert answer.status_code == 403
        assert "This story is not on your shelf yet." in answer.text
        assert (await visitor.get(f"/play/readers/{reader.profile_id}/stories/none")).status_code == 404


async def test_a_child_has_a_first_name_and_no_more(stage: Theatre) -> None:
    """As long as no parent has allowed it; for grown-ups two words are a name. What is wrong makes nobody."""
    reader = await stage.reader()
    async with _visitor(stage, reader) as visitor:
        token = _form((await visitor.get("/play/readers/new")).text)["form_token"]
        for name, age, complaint in (
            ("Robin Miller", "6-9", "For a child, one word is enough"),
            ("", "6-9", "Please give a name"),
            ("Robin", "0-200", "Please choose how old you are."),
        ):
            sent = {"form_token": token, "name": name, "age": age}
            answer = await visitor.post("/play/readers/new", data=sent)
            assert answer.status_code == 422
            assert complaint in answer.text
        assert (await visitor.get("/play")).text.count('class="card reader"') == 2
        sent = {"form_token": token, "name": "Ada Miller", "age": "19-150"}
        answer = await visitor.post("/play/readers/new", data=sent)
        assert answer.status_code == 303
        assert "Ada Miller’s shelf" in (await visitor.get(answer.headers["location"])).text


async def test_cookies_are_for_these_pages_alone(stage: Theatre) -> None:
    """No script reads them, no other site sends them along; over https they go over nothing else."""
    application = stage.api.application
    for scheme in ("http", "https"):
        async with direct(application) as visitor:
            visitor.base_url = f"{scheme}://localhost"
            answer = await visitor.get("/play")
            cookie = answer.headers["set-cookie"]
            assert cookie.startswith(f"{VISITOR}=")
            said = {each.strip().lower() for each in cookie.split(";")[1:]}
            assert said == {"path=/play", "httponly", "samesite=lax"} | (
                {"secure"} if scheme == "https" else set()
            )
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["cache-control"] == "no-store"


async def test_what_pages_load_is_kept_by_browsers(stage: Theatre) -> None:
    """Style, script, icon and drawn covers; no cover is drawn for what is no name of one."""
    async with _visitor(stage) as visitor:
        home = (await visitor.get("/play")).text
        for address in re.findall(r'(?:href|src)="(/play/[^"]+\.(?:css|js|svg)[^"]*)"', home):
            answer = await visitor.get(address)
            assert answer.status_code == 200, address
            assert "immutable" in answer.headers["cache-control"]
        for name in ("x", "5eed1e5.svg", "5eed1e5g.svg", "5eed1e50.png"):
            assert (await visitor.get(f"/play/covers/{name}")).status_code == 404
