"""Several tabs of the page, which have six connections together."""

import asyncio

from mock_door import Door, MockJob
from playwright.async_api import Page, expect
from steps import develop, job_view, open_picture


async def open_tab(page: Page, door: Door) -> Page:
    tab = await page.context.new_page()
    await tab.goto(door.url)
    return tab


async def until_open(door: Door, count: int) -> None:
    async with asyncio.timeout(20):
        while len(door.open) != count:
            await asyncio.sleep(0.02)


async def cancel_last(tab: Page, job: MockJob) -> None:
    """The door hears of it; whether the page does is another's question."""
    await job_view(tab).get_by_role("button", name="Cancel").click()
    async with asyncio.timeout(20):
        while job.state != "JOB_STATE_CANCELLED":
            await asyncio.sleep(0.02)


async def test_tabs_leave_each_other_connections(
    page: Page, door: Door
) -> None:
    jobs = [await develop(page, door, f"fox {i}") for i in range(6)]
    tab = await open_tab(page, door)
    third = await open_tab(page, door)
    await until_open(door, 4)
    await cancel_last(tab, jobs[5])
    another = await develop(third, door, "one more")
    await another.finish()
    await expect(job_view(third)).to_contain_text("one more")
    # The streams of those that wait come as others end, in whichever tab.
    for job in jobs[:5]:
        await job.finish()
    for each in (page, tab, third):
        await expect(job_view(each)).to_contain_text("one more")
        await expect(job_view(each)).to_contain_text("Developed")
        await expect(job_view(each, 1)).to_contain_text("Cancelled")
        for number in range(2, 7):
            await expect(job_view(each, number)).to_contain_text("Developed")
    assert door.most_open == 4
    # Nobody asked for what another tab had read.
    assert len(door.watches) == 7


async def test_a_picture_develops_in_all_tabs(page: Page, door: Door) -> None:
    job = await develop(page, door)
    await job.started()
    await job.preview(5)
    await expect(job_view(page)).to_contain_text("Step 5")
    # What was told before it was opened is there, too.
    tab = await open_tab(page, door)
    view = job_view(tab)
    await expect(view).to_contain_text("Step 5")
    layer = view.locator("img.layer").last
    await expect(layer).to_have_js_property("naturalWidth", 128)
    first = await layer.get_attribute("src")
    # A step without a look leaves the one that there was.
    await job.progress(6)
    await expect(view).to_contain_text("Step 6")
    await expect(layer).to_have_attribute("src", str(first))
    await job.preview(10)
    await expect(view).to_contain_text("Step 10")
    await expect(layer).not_to_have_attribute("src", str(first))
    await job.finish()
    await expect(view).to_contain_text("Seed 1000")
    assert len(door.watches) == 1
    viewer = await open_picture(tab)
    await expect(viewer.locator("img.layer").last).to_have_js_property(
        "naturalWidth", 128
    )


async def test_what_begins_or_is_removed_in_one_tab_does_so_in_all(
    page: Page, door: Door
) -> None:
    door.upscalers = ["lanczos"]
    tab = await open_tab(page, door)
    job = await develop(page, door)
    await job.started()
    await job.preview(5)
    view = job_view(tab)
    await expect(view).to_contain_text("Step 5")
    # Whoever was only told of it goes on with it, too.
    await page.close()
    await job.finish()
    await expect(view).to_contain_text("Developed")
    page = await open_tab(tab, door)
    viewer = await open_picture(page)
    await viewer.get_by_role("button", name="Upscale").click()
    await expect(view).to_contain_text("lanczos ×2")
    layer = view.locator("img.layer").last
    await expect(layer).to_have_js_property("naturalWidth", 256)
    for left in (1, 0):
        await job_view(page).get_by_role("button", name="Remove").click()
        await expect(tab.locator("article.job")).to_have_count(left)
    await tab.reload()
    await expect(tab.get_by_text("Nothing developed so far")).to_be_visible()


async def test_another_tab_goes_on_when_one_is_closed(
    page: Page, door: Door
) -> None:
    job = await develop(page, door)
    await job.started()
    await job.preview(5)
    tab = await open_tab(page, door)
    await expect(job_view(tab)).to_contain_text("Step 5")
    await page.close()
    await job.preview(10)
    await expect(job_view(tab)).to_contain_text("Step 10")
    # It reads on where the other stopped.
    assert door.watches[-1] == (job.id, "3")
    await job.finish()
    await expect(job_view(tab)).to_contain_text("Developed")


async def test_an_upscaling_is_done_in_one_tab(page: Page, door: Door) -> None:
    door.upscalers = ["lanczos"]
    await page.reload()
    job = await develop(page, door)
    await job.finish()
    viewer = await open_picture(page)
    door.may_answer.clear()
    await viewer.get_by_role("button", name="Upscale").click()
    await expect(page.locator("article.job")).to_have_count(2)
    tab = await open_tab(page, door)
    await expect(job_view(tab)).to_contain_text("Developing")
    door.may_answer.set()
    await expect(job_view(tab)).to_contain_text("Developed")
    await expect(job_view(tab).locator("img.layer")).to_have_js_property(
        "naturalWidth", 256
    )
    assert len(door.upscalings) == 1


async def test_a_key_of_one_tab_is_that_of_all(
    page: Page, door: Door
) -> None:
    job = await develop(page, door)
    await until_open(door, 1)
    door.key = "secret"
    door.cut()
    await expect(page.get_by_role("dialog")).to_be_visible()
    tab = await open_tab(page, door)
    await tab.get_by_label("Key", exact=True).last.fill("secret")
    await tab.get_by_role("button", name="Use this key").click()
    await job.finish()
    await expect(job_view(tab)).to_contain_text("Developed")


async def test_tabs_that_cannot_agree_are_modest(
    page: Page, door: Door
) -> None:
    """Those of another machine without TLS have no locks."""
    await page.context.add_init_script("delete Navigator.prototype.locks")
    await page.reload()
    assert await page.evaluate("navigator.locks") is None
    jobs = [await develop(page, door, f"fox {i}") for i in range(5)]
    tab = await open_tab(page, door)
    await until_open(door, 4)
    await cancel_last(tab, jobs[4])
    for job in reversed(jobs[:4]):
        await job.finish()
    for each in (page, tab):
        await expect(job_view(each)).to_contain_text("Cancelled")
        for number in range(1, 5):
            await expect(job_view(each, number)).to_contain_text("Developed")
    assert door.most_open == 4


async def test_tabs_that_cannot_agree_tell_what_there_is(
    page: Page, door: Door
) -> None:
    await page.context.add_init_script("delete Navigator.prototype.locks")
    await page.reload()
    tab = await open_tab(page, door)
    job = await develop(page, door)
    await until_open(door, 2)
    await job.finish()
    for each in (page, tab):
        await expect(job_view(each)).to_contain_text("Developed")
    await job_view(tab).get_by_role("button", name="Remove").click()
    await expect(page.locator("article.job")).to_have_count(0)
