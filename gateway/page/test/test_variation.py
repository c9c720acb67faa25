"""Pictures between two seeds: asked for, made again, and varied further."""

import base64
import io
from typing import Any

import pytest
from conftest import find_barriers
from mock_door import Door
from PIL import Image
from playwright.async_api import Locator, Page, expect
from steps import develop, job_view, open_picture, open_with, set_slider


async def open_more(page: Page, door: Door, *fields: str) -> None:
    await open_with(page, door, "variation", *fields)
    await page.get_by_text("More", exact=True).click()


def variation_of(page: Page) -> Locator:
    return page.get_by_role("group", name="Variation")


async def vary(page: Page, door: Door) -> dict[str, Any]:
    """A picture and its variation, which is the newer one, done."""
    await (await develop(page, door)).finish()
    viewer = await open_picture(page)
    await viewer.get_by_role("button", name="Vary").click()
    job = await door.next_job()
    await job.finish()
    await expect(job_view(page)).to_contain_text("Developed")
    variation: dict[str, Any] = job.request["variation"]
    return variation


async def press(page: Page, door: Door, button: str, number: int = 0) -> Any:
    viewer = await open_picture(page, number)
    await viewer.get_by_role("button", name=button).click()
    return (await door.next_job()).request


async def test_a_varied_picture_is_made_again(page: Page, door: Door) -> None:
    await open_with(page, door, "variation")
    variation = await vary(page, door)
    # Its seed did not make it alone.
    await expect(job_view(page)).to_contain_text("Seed 1000 · Variation 0.25")
    viewer = await open_picture(page)
    facts = viewer.locator(".facts")
    await expect(facts).to_contain_text("Variation strength0.25")
    await expect(facts).to_contain_text(f"Variation seed{variation['seed']}")
    await viewer.get_by_role("button", name="Use these settings").click()
    strength = page.get_by_role("spinbutton", name="Variation strength")
    await expect(strength).to_have_value("0.25")
    seed = page.get_by_label("Variation seed")
    await expect(seed).to_have_value(variation["seed"])
    await page.reload()
    await expect(strength).to_be_visible()
    await page.get_by_role("button", name="Develop").click()
    again = (await door.next_job()).request
    assert again["seed"] == "1000"
    assert again["variation"] == variation
    # The next one is as the form says, too.
    await strength.fill("0")
    assert "variation" not in (await develop(page, door)).request


async def test_each_of_several_varied_pictures_is_made_again(
    page: Page, door: Door
) -> None:
    await open_more(page, door)
    await set_slider(page, "Pictures", "3")
    await set_slider(page, "Variation strength", "0.4")
    last = str(2**64 - 1)
    await page.get_by_label("Variation seed").fill(last)
    job = await develop(page, door)
    assert job.request["variation"] == {"strength": 0.4, "seed": last}
    await job.finish()
    await expect(job_view(page)).to_contain_text("Developed")
    await page.get_by_role("button", name="Open picture 3").click()
    await page.get_by_role("button", name="Reproduce").click()
    again = (await door.next_job()).request
    assert again["image_count"] == 1
    assert again["seed"] == "1000"
    assert again["variation"] == {"strength": 0.4, "seed": "1"}
    # Nobody tells which second seed made the best: all are drawn again.
    await set_slider(page, "Pictures", "1")
    await page.get_by_label("Variation seed").fill("")
    door.model["request_fields"].append("best_of")
    await page.reload()
    await set_slider(page, "Choose the best of", "4")
    await (await develop(page, door)).finish()
    await expect(job_view(page)).to_contain_text("Developed")
    viewer = await open_picture(page)
    await expect(viewer).to_contain_text("4711–4714")
    await page.keyboard.press("Escape")
    again = await press(page, door, "Reproduce")
    assert again["best_of"] == {"draw": 4}
    assert again["variation"] == {"strength": 0.4, "seed": "4711"}


async def test_a_varied_picture_is_itself_varied(
    page: Page, door: Door
) -> None:
    await open_with(page, door, "variation", "hires")
    await page.get_by_label("Larger, in a second pass").check()
    await vary(page, door)
    viewer = await open_picture(page)
    button = viewer.get_by_role("button", name="Vary")
    await expect(button).to_have_accessible_description(
        "Paints over this picture; its noise is not varied."
    )
    assert await find_barriers(page) == []
    await button.click()
    over = (await door.next_job()).request
    start = base64.b64decode(over["image_to_image"]["image"])
    assert Image.open(io.BytesIO(start)).size == (128, 128)
    assert over["image_to_image"]["strength"] == 0.5
    assert not over.keys() & {"variation", "seed", "hires"}
    assert (over["width"], over["height"]) == (256, 256)


async def test_a_varied_picture_goes_on_where_none_is_painted_over(
    page: Page, door: Door
) -> None:
    door.model["tasks"] = ["TASK_TEXT_TO_IMAGE"]
    await open_with(page, door, "variation")
    variation = await vary(page, door)
    viewer = await open_picture(page)
    await expect(viewer).to_contain_text("further towards the same second")
    await viewer.get_by_role("button", name="Vary").click()
    further = (await door.next_job()).request
    assert further["seed"] == "1000"
    assert further["variation"] == {**variation, "strength": 0.5}


async def test_a_picture_with_its_own_noise_has_no_second_seed(
    page: Page, door: Door
) -> None:
    await open_more(page, door, "image_to_image.inversion")
    await set_slider(page, "Variation strength", "0.4")
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "PNG")
    await page.get_by_label("Start from a picture").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": file.getvalue()}
    )
    await page.get_by_text("Change it by words").click()
    await page.get_by_label("What the picture shows").fill("a dog")
    await expect(variation_of(page)).to_have_count(0)
    job = await develop(page, door)
    assert "variation" not in job.request
    await job.finish()
    await expect(job_view(page)).to_contain_text("Developed")
    over = await press(page, door, "Vary")
    assert not over.keys() & {"variation", "inversion"}


@pytest.mark.parametrize("language", ["English", "日本語"])
async def test_variation_has_no_barrier_and_fits_a_phone(
    page: Page, door: Door, language: str
) -> None:
    await page.set_viewport_size({"width": 320, "height": 700})
    await open_with(page, door, "variation")
    await vary(page, door)
    viewer = await open_picture(page)
    await viewer.get_by_role("button", name="Use these settings").click()
    name = "Variation"
    if language == "日本語":
        await page.get_by_role("button", name=language).click()
        name = "変化"
    await expect(page.get_by_role("group", name=name)).to_be_visible()
    overflow = "document.documentElement.scrollWidth - innerWidth"
    assert await find_barriers(page) == []
    assert await page.evaluate(overflow) <= 0
    await page.locator("article.job button.picture").first.click()
    assert await find_barriers(page) == []
    assert await page.evaluate(overflow) <= 0
