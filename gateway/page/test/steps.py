"""What tests do on the page again and again."""

from mock_door import Door, MockJob
from playwright.async_api import Locator, Page

PROMPT = "a red fox in the snow"


async def develop(page: Page, door: Door, prompt: str = PROMPT) -> MockJob:
    await page.get_by_label("Prompt").last.fill(prompt)
    await page.get_by_role("button", name="Develop").click()
    return await door.next_job()


def job_view(page: Page, number: int = 0) -> Locator:
    return page.locator("article.job").nth(number)


async def set_slider(page: Page, name: str, value: str) -> None:
    await page.get_by_role("spinbutton", name=name).fill(value)


async def open_picture(page: Page, number: int = 0) -> Locator:
    await job_view(page, number).get_by_role("button", name="Open").click()
    return page.get_by_role("dialog")


async def open_with(page: Page, door: Door, *fields: str) -> None:
    """The page of a door whose model takes these fields."""
    door.model["request_fields"] = list(fields)
    await page.reload()
