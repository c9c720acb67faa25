"""A server that goes away, comes back, says nothing, or asks for a key."""

from conftest import find_barriers
from mock_door import Door
from playwright.async_api import Locator, Page, expect
from steps import develop, develop_to_step_5, job_view


async def lose_the_server(page: Page, door: Door) -> None:
    door.is_down = True
    door.cut()
    await expect(page.get_by_text("The connection is lost")).to_be_visible()


async def test_a_lost_network_is_found_again(page: Page, door: Door) -> None:
    job = await develop_to_step_5(page, door)
    view = job_view(page)
    await lose_the_server(page, door)
    await job.preview(15)
    await job.image()
    door.is_down = False
    await expect(view).to_contain_text("Seed 1000")
    await expect(page.get_by_text("The connection is lost")).to_be_hidden()
    await job.ended()
    await expect(view).to_contain_text("Developed")
    # started, progress and preview were not asked for again.
    assert door.watches[-1] == (job.id, "3")


async def test_a_cancel_waits_for_the_server_to_come_back(
    page: Page, door: Door
) -> None:
    job = await develop_to_step_5(page, door)
    view = job_view(page)
    await lose_the_server(page, door)
    await view.get_by_role("button", name="Cancel").click()
    await expect(view).to_contain_text("Cancelling")
    await expect(view.get_by_role("alert")).to_have_count(0)
    assert job.state == "JOB_STATE_RUNNING"
    door.is_down = False
    await expect(view).to_contain_text("Cancelled")
    assert job.state == "JOB_STATE_CANCELLED"


async def test_a_connection_that_is_silent_is_lost(
    page: Page, door: Door
) -> None:
    await page.clock.install()
    await page.reload()
    job = await develop(page, door)
    await job.started()
    await job.progress(5)
    await expect(job_view(page)).to_contain_text("Step 5")
    first = door.open[:]
    assert first == [job.id]
    await page.clock.fast_forward(60_000)
    await job.progress(15)
    await expect(job_view(page)).to_contain_text("Step 15")
    # Of the first connection nothing is left.
    assert door.watches == [(job.id, "0"), (job.id, "2")]
    assert door.open == first


async def test_a_job_that_the_server_forgot_is_sent_again(
    page: Page, door: Door
) -> None:
    await develop(page, door)
    await expect(job_view(page)).to_contain_text("Waiting")
    door.jobs.clear()
    await page.reload()
    again = await door.next_job()
    await again.started()
    await expect(job_view(page)).to_contain_text("Developing")


async def test_a_job_outlives_two_restarts_of_the_server(
    page: Page, door: Door
) -> None:
    job = await develop(page, door)
    for step in (5, 10):
        await job.started()
        await job.preview(step)
        await expect(job_view(page)).to_contain_text(f"Step {step}")
        door.jobs.clear()
        door.cut()
        job = await door.next_job()
    await job.finish()
    await expect(job_view(page)).to_contain_text("Developed")


async def test_says_when_the_models_cannot_be_read(
    page: Page, door: Door
) -> None:
    door.is_down = True
    await page.reload()
    await expect(page.get_by_role("alert")).to_contain_text(
        "The server's models cannot be read"
    )
    # They are, when it is there again.
    door.is_down = False
    await expect(page.get_by_role("alert")).to_have_count(0)
    await expect(page.get_by_role("radio", name="Portrait")).to_be_visible()


def key_dialog(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Key of this server")


async def give_key(page: Page, key: str) -> None:
    await key_dialog(page).get_by_label("Key", exact=True).fill(key)
    await page.keyboard.press("Enter")


async def test_asks_for_a_key_and_sends_it(page: Page, door: Door) -> None:
    door.key = "sesame"
    await page.reload()
    await expect(key_dialog(page)).to_be_visible()
    assert await find_barriers(page) == []
    await give_key(page, "sesame")
    await expect(key_dialog(page)).to_be_hidden()
    await expect(page.get_by_role("alert")).to_have_count(0)
    job = await develop(page, door)
    await job.finish()
    await expect(job_view(page)).to_contain_text("Developed")


async def test_what_the_server_has_is_asked_for_with_the_key(
    page: Page, door: Door
) -> None:
    door.key = "sesame"
    door.upscalers = ["x4"]
    await page.reload()
    await give_key(page, "sesame")
    await page.get_by_text("More", exact=True).click()
    await page.get_by_label("Enlarge the finished picture").select_option("x4")


async def test_a_running_job_goes_on_with_a_new_key(
    page: Page, door: Door
) -> None:
    job = await develop(page, door)
    await job.started()
    await job.preview(5)
    await expect(job_view(page)).to_contain_text("Step 5")
    door.key = "sesame"
    door.cut()
    await give_key(page, "sesame")
    await job.finish()
    await expect(job_view(page)).to_contain_text("Developed")
