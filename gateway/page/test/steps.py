"""What tests do on the page again and again."""

from mock_door import Door, MockJob
from playwright.async_api import Locator, Page, expect

PROMPT = "a red fox in the snow"


async def develop(page: Page, door: Door, prompt: str = PROMPT) -> MockJob:
    await page.get_by_label("Prompt").last.fill(prompt)
    await page.get_by_role("button", name="Develop").click()
    return await door.next_job()


async def develop_to_step_5(page: Page, door: Door) -> MockJob:
    """A job that paints, whose fifth step is seen."""
    job = await develop(page, door)
    await job.started()
    await job.preview(5)
    await expect(job_view(page)).to_contain_text("Step 5")
    return job


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
