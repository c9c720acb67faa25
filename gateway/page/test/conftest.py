import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mock_door import Door
from playwright.async_api import Page, async_playwright, expect

AXE = Path(__file__).resolve().parents[1] / "node_modules/axe-core/axe.min.js"

# For busy machines.
expect.set_options(timeout=20_000)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door()
    await door.start()
    yield door
    await door.stop()


@asynccontextmanager
async def browse(url: str) -> AsyncIterator[Page]:
    """The page in a fresh browser. A script that throws in one of its tabs, or
    anything that their policy refuses, fails the test."""
    chromium = shutil.which("chromium")
    assert chromium, "needs Debian's chromium"
    wrong: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        context = await browser.new_context(
            locale=os.environ.get("GENZO_PAGE_LOCALE", "en-GB"),
            viewport={"width": 1280, "height": 900},
        )
        # As it is for a page of another machine without TLS.
        await context.add_init_script("delete Crypto.prototype.randomUUID")
        context.on("weberror", lambda error: wrong.append(str(error.error)))
        context.on(
            "console",
            lambda message: (
                wrong.append(message.text)
                if "Content Security Policy" in message.text
                else None
            ),
        )
        page = await context.new_page()
        await page.goto(url)
        yield page
        await browser.close()
    assert wrong == []


@pytest.fixture
async def page(door: Door) -> AsyncIterator[Page]:
    async with browse(door.url) as page:
        yield page


async def find_barriers(page: Page) -> list[str]:
    """What axe calls serious or worse."""
    await page.evaluate(AXE.read_text("utf-8"))
    found = await page.evaluate("axe.run()")
    return [
        f"{violation['id']}: {[node['html'] for node in violation['nodes']]}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
