"""A finished picture opened: what can be done with it."""

import base64
import io
from pathlib import Path
from typing import Any

from conftest import find_barriers
from mock_door import Door
from PIL import Image
from playwright.async_api import Locator, Page, expect
from steps import PROMPT, develop, job_view, open_picture, open_with, set_slider


async def test_a_picture_is_reproduced_from_its_seed(
    page: Page, door: Door
) -> None:
    await set_slider(page, "Pictures", "2")
    await set_slider(page, "Steps", "9")
    first = await develop(page, door)
    await first.finish()
    await page.reload()  # out of the history
    await job_view(page).get_by_role("button", name="Open picture 2").click()
    viewer = page.get_by_role("dialog")
    await expect(viewer).to_contain_text("1001")
    await viewer.get_by_role("button", name="Reproduce").click()
    again = await door.next_job()
    await expect(viewer).to_be_hidden()
    assert again.request["seed"] == "1001"
    assert again.request["image_count"] == 1
    assert again.request["steps"] == 9
    assert again.request["prompt"] == PROMPT
    assert again.request["request_id"] != first.request["request_id"]


async def test_a_picture_is_varied_and_started_from(
    page: Page, door: Door
) -> None:
    first = await develop(page, door)
    await first.finish()
    viewer = await open_picture(page)
    await viewer.get_by_role("button", name="Vary").click()
    varied = await door.next_job()
    sent = base64.b64decode(varied.request["image_to_image"]["image"])
    assert Image.open(io.BytesIO(sent)).size == (128, 128)
    assert "seed" not in varied.request
    viewer = await open_picture(page, 1)
    await viewer.get_by_role("button", name="Start from this").click()
    start = page.get_by_alt_text("The picture to start from")
    await expect(start).to_be_visible()


async def test_settings_of_a_picture_fill_the_form(
    page: Page, door: Door
) -> None:
    await set_slider(page, "Steps", "9")
    job = await develop(page, door)
    await job.finish()
    await set_slider(page, "Steps", "30")
    await page.get_by_label("Prompt").last.fill("other")
    viewer = await open_picture(page)
    await viewer.get_by_role("button", name="Use these settings").click()
    await expect(page.get_by_label("Prompt").last).to_have_value(PROMPT)
    await expect(page.get_by_role("spinbutton", name="Steps")).to_have_value(
        "9"
    )


async def test_a_picture_is_saved(page: Page, door: Door) -> None:
    job = await develop(page, door)
    await job.finish()
    viewer = await open_picture(page)
    async with page.expect_download() as download:
        await viewer.get_by_role("button", name="Save").click()
    saved = Path(await (await download.value).path()).read_bytes()
    assert Image.open(io.BytesIO(saved)).format == "PNG"


async def test_a_picture_is_varied_by_its_noise_and_enlarged(
    page: Page, door: Door
) -> None:
    await open_with(page, door, "variation", "hires")
    await (await develop(page, door)).finish()
    picture_button = job_view(page).get_by_role("button", name="Open picture")
    await picture_button.click()
    await page.get_by_role("button", name="Vary").click()
    varied = (await door.next_job()).request
    assert varied["seed"] == "1000"
    assert 0 < varied["variation"]["strength"] < 1
    await job_view(page, 1).get_by_role("button", name="Open picture").click()
    await page.get_by_role("button", name="Enlarge").click()
    enlarged = (await door.next_job()).request
    assert enlarged["seed"] == "1000"
    assert enlarged["hires"] == {"factor": 2}


async def test_a_picture_is_painted_over_from_its_latents(
    page: Page, door: Door
) -> None:
    await open_with(page, door, "keep_latents", "start_latents", "hires")
    await (await develop(page, door)).finish()
    viewer = await open_picture(page)
    over = viewer.get_by_role("button", name="Paint over its latents")
    await expect(viewer.get_by_role("button", name="Enlarge")).to_be_visible()
    await expect(over).to_have_count(0)
    await page.keyboard.press("Escape")
    await page.get_by_text("More", exact=True).click()
    await page.get_by_label("Keep latents").check()
    first = await develop(page, door)
    assert first.request["keep_latents"] is True
    await first.finish()
    viewer = await open_picture(page)
    await over.click()
    again = await door.next_job()
    assert again.request["start_latents"] == "kept"
    assert again.request["image_to_image"] == {"strength": 0.5}
    assert not again.request.keys() & {"seed", "width", "height"}
    # A second pass begins at text alone.
    await again.finish()
    viewer = await open_picture(page)
    await expect(over).to_be_visible()
    await expect(viewer.get_by_role("button", name="Enlarge")).to_have_count(0)


async def begin_upscaling(
    page: Page, door: Door, *refusals: tuple[int, dict[str, Any]]
) -> Locator:
    """The new job's view."""
    door.upscalers = ["lanczos", "realesr-general"]
    await (await develop(page, door)).finish()
    viewer = await open_picture(page)
    # A network rather than a filter.
    await expect(viewer.get_by_label("Upscale with")).to_have_value(
        "realesr-general"
    )
    await viewer.get_by_label("Times").select_option("4")
    assert await find_barriers(page) == []
    door.refusals.extend(refusals)
    await viewer.get_by_role("button", name="Upscale", exact=True).click()
    await expect(viewer).to_be_hidden()
    return job_view(page)


async def size_of(view: Locator) -> int:
    layer = view.locator("img.layer").last
    await expect(layer).to_be_visible()
    width: int = await layer.evaluate("e => e.decode().then(() => e.naturalWidth)")
    return width


async def test_a_finished_picture_is_upscaled(page: Page, door: Door) -> None:
    view = await begin_upscaling(page, door)
    await expect(view).to_contain_text("Developed")
    await expect(view).to_contain_text("realesr-general ×4")
    assert await size_of(view) == 512
    [sent] = door.upscalings
    assert sent["upscaler_1"] == "realesr-general"
    # It stays in the history, and is no painting that could be varied.
    await page.reload()
    assert await size_of(view) == 512
    viewer = await open_picture(page)
    await expect(viewer.get_by_role("button", name="Save")).to_be_visible()
    await expect(viewer.get_by_role("button", name="Reproduce")).to_have_count(0)


async def test_an_upscaling_counts_its_tiles(page: Page, door: Door) -> None:
    door.tiles = 3
    door.may_go_on.clear()
    view = await begin_upscaling(page, door)
    await expect(view).to_contain_text("Tile 1 of 3")
    bar = view.get_by_role("progressbar")
    await expect(bar).to_have_attribute("aria-valuemax", "3")
    door.may_go_on.set()
    await expect(view).to_contain_text("Developed")
    assert await size_of(view) == 512
    [sent] = door.upscalings
    assert (sent["upscaler"], sent["factor"]) == ("realesr-general", "4")


async def test_says_why_a_stream_of_tiles_ends(page: Page, door: Door) -> None:
    door.tiles = 2
    wrong = {"message": "the device has no memory left"}
    view = await begin_upscaling(page, door, (503, wrong))
    await expect(view.get_by_role("alert")).to_have_text(wrong["message"])


async def test_an_upscaling_outlives_a_reload(page: Page, door: Door) -> None:
    view = job_view(page)
    await (await develop(page, door)).finish()
    await expect(view).to_contain_text("Developed")
    door.may_answer.clear()
    door.upscalers = ["lanczos"]
    viewer = await open_picture(page)
    await viewer.get_by_role("button", name="Upscale", exact=True).click()
    await expect(view).to_contain_text("Developing")
    await page.reload()
    await expect(view).to_contain_text("Developing")
    door.may_answer.set()
    await expect(view).to_contain_text("Developed")
    assert await size_of(view) == 256


async def test_an_upscaling_is_cancelled(page: Page, door: Door) -> None:
    await (await develop(page, door)).finish()
    door.may_answer.clear()
    door.upscalers = ["lanczos"]
    viewer = await open_picture(page)
    await viewer.get_by_role("button", name="Upscale", exact=True).click()
    await job_view(page).get_by_role("button", name="Cancel").click()
    await expect(job_view(page)).to_contain_text("Cancelled")


async def test_says_why_a_picture_is_not_upscaled(
    page: Page, door: Door
) -> None:
    detail = [{"loc": ["body", "image"], "msg": "image is too large"}]
    view = await begin_upscaling(page, door, (422, {"detail": detail}))
    await expect(view.get_by_role("alert")).to_have_text("image is too large")


async def test_a_long_prompt_leaves_room_for_actions(
    page: Page, door: Door
) -> None:
    await page.set_viewport_size({"width": 1280, "height": 720})
    job = await develop(page, door, "a red fox in the snow, " * 60)
    await job.finish()
    viewer = await open_picture(page)
    await expect(viewer.get_by_role("button", name="Save")).to_be_in_viewport()
    # All of it can be read, by keys too.
    assert await find_barriers(page) == []
    prompt = viewer.locator(".viewer-prompt")
    await prompt.focus()
    await page.keyboard.press("End")
    await expect(prompt).not_to_have_js_property("scrollTop", 0)
