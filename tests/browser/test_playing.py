"""What a family does at /play, in a real browser: come in, read, choose, throw, stop, and come back."""

import re

from playwright.async_api import Page, expect

from mystira.domain.sessions.events import BadgeEarned, ChoiceMade, DiceRolled
from mystira.domain.sessions.model import GameSession, SessionStatus
from tests.browser.axe import barriers
from tests.browser.theatre import TRAIN, Theatre

FOCUSED = "document.activeElement"
LATE = "That page was from before. Here is where you are now."


async def _reach(page: Page, text: str) -> None:
    """Go to what has this text by the Tab key alone."""
    for _ in range(40):
        await page.keyboard.press("Tab")
        found = await page.evaluate(f"({FOCUSED}.labels?.[0] ?? {FOCUSED}).innerText")
        if text in found:
            return
    raise AssertionError(f"the Tab key never comes to {text!r} on {page.url}")


async def _press(page: Page, text: str) -> None:
    await _reach(page, text)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def _type(page: Page, label: str, text: str) -> None:
    await _reach(page, label)
    await page.keyboard.type(text)


async def _come_in(stage: Theatre, page: Page, email: str) -> None:
    """Sign up by the code of a letter, by keyboard alone."""
    await page.goto("/play")
    await _press(page, "We are new here")
    await _type(page, "What shall we call you?", "Ada")
    await _type(page, "Your e-mail address", email)
    await _press(page, "Send me a code")
    await _type(page, "The code", await stage.letter_code(page, email))
    await _press(page, "Come in")


async def _step(page: Page) -> str | None:
    """Take the last of the choices, or whatever else leads on, by keyboard alone; None at the end."""
    if await page.get_by_text("The end", exact=True).count():
        return None
    choices = page.locator(".choice")
    count = await choices.count()
    text = await (choices.nth(count - 1) if count else page.locator("form .button")).inner_text()
    await _press(page, text)
    return text


async def _parts(page: Page) -> tuple[bool, ...]:
    """What a scene's page is made of."""
    each_of = (".choice", ".die", ".echo", ".compass .moved", ".medal", "form .button")
    return tuple([bool(await page.locator(each).count()) for each in each_of])


async def test_a_story_is_played_to_its_end_by_keyboard_alone(stage: Theatre, axe: str) -> None:
    """From the first visit to a badge. After each step the focus is on the scene's heading, what changed is
    told in a live region, and no sort of page on the way has a barrier.
    """
    page = await stage.page()
    await _come_in(stage, page, "keyboard@example.org")
    await _press(page, "Make a shelf")
    await _type(page, "First name or nickname", "Robin")
    await _reach(page, "1 to 2")
    await page.keyboard.press("Space")
    await page.keyboard.press("ArrowRight")
    await _press(page, "Make a shelf")
    await _press(page, "Send the letter")
    found = await barriers(page, axe)
    await _type(page, "The parent’s code", await stage.letter_code(page, "keyboard@example.org"))
    await _press(page, "Yes, Robin may play")
    await _press(page, "The Button Train")
    await _press(page, "Begin the story")
    told, looked = [], set()
    for _ in range(30):
        # A browser gives the focus when it first draws the page, which is after it has loaded it.
        await page.wait_for_function(f"{FOCUSED}.tagName === 'H1'")
        if (parts := await _parts(page)) not in looked:
            looked.add(parts)
            found += await barriers(page, axe)
        if await page.locator("[data-say]").count():
            await expect(page.locator("#spoken")).not_to_be_empty()
            told.append(await page.locator("#spoken").inner_text())
        if await _step(page) is None:
            break
    assert found == []
    assert any(re.search(r"(grows|shrinks): from .* to ", each) for each in told)
    await expect(page.get_by_role("heading", name=re.compile("New badge"))).to_be_visible()
    session = await stage.session(page.url)
    assert session.status is SessionStatus.COMPLETED
    earned = [each.title for each in session.events if isinstance(each, BadgeEarned)]
    assert await page.locator(".medal h3").all_inner_texts() == earned != []
    await _press(page, "My badges")
    await expect(page.get_by_role("heading", name=earned[0])).to_be_visible()
    await page.context.close()


async def test_everything_works_without_scripts(stage: Theatre) -> None:
    """Sign-up, a whole story, a pause in the middle, and the way out."""
    page = await stage.page(java_script_enabled=False)
    await page.goto("/play/new")
    await page.get_by_label("What shall we call you?").fill("Ben")
    await page.get_by_label("Your e-mail address").fill("plain@example.org")
    await page.get_by_role("button", name="Send me a code").click()
    await page.get_by_label("The code").fill(await stage.letter_code(page, "plain@example.org"))
    await page.get_by_role("button", name="Come in").click()
    await page.get_by_role("link", name="Make a shelf").click()
    await page.get_by_label("First name or nickname").fill("Mia")
    await page.get_by_label("3 to 5").check()
    await page.get_by_role("button", name="Make a shelf").click()
    await page.get_by_role("button", name="Send the letter").click()
    await page.get_by_label("The parent’s code").fill(await stage.letter_code(page, "plain@example.org"))
    await page.get_by_role("button", name="Yes, Mia may play").click()
    await page.get_by_role("link", name="The Button Train").click()
    await page.get_by_label("Toggle").check()
    await page.get_by_role("button", name="Begin the story").click()
    await page.get_by_role("button", name="Pause here").click()
    await page.get_by_role("button", name="Go on reading").click()
    for _ in range(30):
        if await page.get_by_text("The end", exact=True).count():
            break
        choices = page.locator(".choice")
        await (choices.first if await choices.count() else page.locator("form .button")).click()
    session = await stage.session(page.url)
    assert session.status is SessionStatus.COMPLETED
    assert session.selected_character_id == "toggle"
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Come in")).to_be_visible()
    await page.goto(f"/play/sessions/{session.id}")
    await expect(page.get_by_role("heading", name="Come in")).to_be_visible()
    await page.context.close()


def _choices(session: GameSession) -> list[tuple[str, int]]:
    return [(each.scene_id, each.branch) for each in session.events if isinstance(each, ChoiceMade)]


async def test_history_goes_back_and_forth_without_playing(stage: Theatre) -> None:
    """Back and forth lead to where the story stands, and at last to the page before it; nothing is chosen
    anew, nor by loading a page again.
    """
    reader = await stage.reader()
    path = await stage.begun(reader)
    page = await stage.page(reader.member)
    await page.goto(f"/play/readers/{reader.profile_id}")
    await page.goto(path)
    await page.locator(".choice").first.click()
    await expect(page.locator("h1")).to_have_text("The Carpet Forest")
    await page.locator(".choice").last.click()
    await expect(page.locator("h1")).to_have_text("One, Two, Three")
    before = await stage.session(path)
    for _ in range(4):
        await page.go_back()
        if not page.url.endswith(path):
            break
        await expect(page.locator("h1")).to_have_text("One, Two, Three")
    await expect(page.locator("h1")).to_have_text("Robin’s shelf")
    for _ in range(2):
        await page.go_forward()
        await expect(page.locator("h1")).to_have_text("One, Two, Three")
    await page.reload()
    await expect(page.locator("h1")).to_have_text("One, Two, Three")
    await expect(page.get_by_text(LATE)).to_have_count(0)
    assert await stage.session(path) == before
    await page.context.close()


async def test_two_clicks_are_one_choice(stage: Theatre) -> None:
    """With scripts and without; nobody is blamed for the second one."""
    for scripts in (True, False):
        reader = await stage.reader()
        path = await stage.begun(reader)
        page = await stage.page(reader.member, java_script_enabled=scripts)
        await page.goto(path)
        await page.locator(".choice").first.dblclick()
        await expect(page.locator("h1")).to_have_text("The Carpet Forest")
        await expect(page.get_by_text(LATE)).to_have_count(0)
        assert _choices(await stage.session(path)) == [("tin", 0)]
        await page.context.close()


async def test_of_two_tabs_the_first_one_chooses(stage: Theatre) -> None:
    """The other one is shown the present scene with a friendly word, which a reload takes away again."""
    reader = await stage.reader()
    path = await stage.begun(reader)
    one = await stage.page(reader.member)
    other = await one.context.new_page()
    for page in (one, other):
        await page.goto(path)
    await one.locator(".choice").first.click()
    await expect(one.locator("h1")).to_have_text("The Carpet Forest")
    await other.locator(".choice").last.click()
    await expect(other.locator("h1")).to_have_text("The Carpet Forest")
    await expect(other.get_by_text(LATE)).to_be_visible()
    assert _choices(await stage.session(path)) == [("tin", 0)]
    await other.reload()
    await expect(other.get_by_text(LATE)).to_have_count(0)
    await one.context.close()


async def test_a_story_is_gone_on_with_another_day(stage: Theatre) -> None:
    """Paused, the browser closed, opened again: the shelf says so, and the scene is the one it was."""
    reader = await stage.reader()
    path = await stage.begun(reader)
    page = await stage.page(reader.member)
    await page.goto(path)
    await page.locator(".choice").first.click()
    await page.get_by_role("button", name="Pause here").click()
    await expect(page.get_by_role("heading", name="Time for a pause")).to_be_visible()
    kept = await page.context.storage_state()
    await page.context.close()
    page = await stage.page(storage_state=kept)
    await page.goto("/play")
    await page.get_by_role("link", name="Robin").click()
    await expect(page.get_by_role("region", name="Go on reading")).to_contain_text("Paused")
    await page.get_by_role("region", name="Go on reading").get_by_role("link").click()
    await page.get_by_role("button", name="Go on reading").click()
    await expect(page.locator("h1")).to_have_text("The Carpet Forest")
    assert (await stage.session(path)).status is SessionStatus.IN_PROGRESS
    await page.context.close()


async def test_a_story_is_stopped_and_begun_anew(stage: Theatre) -> None:
    """What is stopped is not gone on with."""
    reader = await stage.reader()
    path = await stage.begun(reader)
    page = await stage.page(reader.member)
    await page.goto(path)
    await page.get_by_role("button", name="Pause here").click()
    await page.get_by_text("Stop this story").click()
    await page.get_by_role("button", name="Yes, stop it").click()
    await expect(page.locator("h1")).to_have_text("Robin’s shelf")
    await expect(page.get_by_role("region", name="Go on reading")).to_have_count(0)
    assert (await stage.session(path)).status is SessionStatus.ABANDONED
    await page.goto(f"/play/readers/{reader.profile_id}/stories/{TRAIN}")
    await page.get_by_role("button", name="Begin the story").click()
    assert not page.url.endswith(path)
    await page.context.close()


async def test_the_die_is_thrown_by_the_server_and_shown(stage: Theatre) -> None:
    """The picture, its name for who does not see it, and the words beside say what is stored."""
    reader = await stage.reader()
    path = await stage.begun(reader)
    page = await stage.page(reader.member)
    await page.goto(path)
    await page.locator(".choice").first.click()
    await page.locator(".choice").first.click()
    await page.get_by_role("button", name="Throw the die").click()
    await page.get_by_role("img", name=re.compile("A die with twenty sides shows")).wait_for()
    (thrown,) = (each for each in (await stage.session(path)).events if isinstance(each, DiceRolled))
    await expect(
        page.get_by_role("img", name=f"A die with twenty sides shows {thrown.value}")
    ).to_be_visible()
    words = "It worked!" if thrown.has_succeeded else "Not this time."
    await expect(page.locator("#news")).to_contain_text(f"You threw {thrown.value}.")
    await expect(page.locator("#news")).to_contain_text(words)
    await page.context.close()


async def test_the_compass_says_in_words_what_it_shows(stage: Theatre) -> None:
    """The value that moved, with the one before; and the petal that moved is marked by more than colour."""
    reader = await stage.reader()
    path = await stage.begun(reader)
    page = await stage.page(reader.member)
    await page.goto(path)
    await page.locator(".choice").last.click()
    moved = page.locator(".legend li.moved")
    await expect(moved).to_have_text(re.compile(r"Self-Regulation\s*\+0\.4\s*▲ It was 0\."))
    await expect(page.locator(".compass .moved .was")).to_have_count(1)
    await expect(page.locator("#news")).to_contain_text("Self-Regulation grows: from 0 to +0.4.")
    await page.context.close()
