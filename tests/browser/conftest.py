"""One browser and one theatre for the whole run; pages and families are each test's own."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.browser.axe import axe_source
from tests.browser.theatre import Theatre, theatre

# No sandbox of its own, since tests may run as root; no shared memory, which containers have little of.
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


@pytest.fixture(scope="session")
def axe() -> str:
    """What looks for barriers."""
    return axe_source()


@pytest_asyncio.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium; it ends with its driver, which ends with its input, however this process ends."""
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_FLAGS)
        yield opened
        await opened.close()


@pytest_asyncio.fixture(scope="session")
async def stage(browser: Browser) -> AsyncIterator[Theatre]:
    """A platform with stories, and the browser to visit it."""
    async with theatre(browser) as opened:
        yield opened
