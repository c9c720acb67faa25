"""What steers a picture: masks, LoRAs, weights, a second pass, variations."""

import base64
import io

from mock_door import Door, picture
from PIL import Image
from playwright.async_api import Page, expect
from test_page import develop, job_view


async def test_a_mask_is_painted_where_the_server_takes_one(
    page: Page, door: Door
) -> None:
    field = page.get_by_label("Start from a picture")
    file = {
        "name": "a.png",
        "mimeType": "image/png",
        "buffer": picture(1, 1),
    }
    await field.set_input_files(file)
    await expect(page.locator("canvas")).to_have_count(0)
    door.model["tasks"].append("TASK_INPAINTING")
    await page.reload()
    await field.set_input_files(file)
    canvas = page.locator("canvas")
    await canvas.scroll_into_view_if_needed()
    box = await canvas.bounding_box()
    assert box is not None
    x, y = box["x"], box["y"] + box["height"] / 2
    await page.mouse.move(x + box["width"] * 0.25, y)
    await page.mouse.down()
    await page.mouse.move(x + box["width"] * 0.5, y, steps=4)
    await page.mouse.up()
    await expect(page.get_by_role("button", name="Clear the mask")).to_be_visible()
    job = await develop(page, door)
    sent = base64.b64decode(job.request["inpainting"]["mask"]["data"])
    mask = Image.open(io.BytesIO(sent)).convert("L")
    assert mask.size == (128, 128)
    assert mask.getpixel((48, 64)) == 255
    assert mask.getpixel((100, 64)) == 0
    assert mask.getpixel((48, 20)) == 0
    await page.get_by_role("button", name="Clear the mask").click()
    job = await develop(page, door)
    assert "inpainting" not in job.request


async def test_shows_only_what_the_model_takes(page: Page, door: Door) -> None:
    await expect(page.get_by_label("Prompt").last).to_be_visible()
    await expect(page.get_by_text("LoRAs")).to_have_count(0)
    await expect(page.get_by_role("checkbox")).to_have_count(0)


async def test_loras_weights_and_a_second_pass_are_sent(
    page: Page, door: Door
) -> None:
    door.model["request_fields"] = ["loras", "prompt_syntax", "hires"]
    door.loras = ["ukiyo-e", "ink"]
    await page.reload()
    await page.get_by_label("LoRAs").select_option("ink")
    await page.get_by_role("slider", name="Weight of ink").fill("0.5")
    await page.get_by_label("weigh their words").check()
    await page.get_by_label("Twice the size").check()
    job = await develop(page, door, "a (red:1.3) fox")
    assert job.request["loras"] == [{"name": "ink", "weight": 0.5}]
    assert job.request["prompt_syntax"] == "PROMPT_SYNTAX_WEIGHTED"
    assert job.request["hires"] == {"factor": 2}
    # What was chosen is still there after a reload, and can be taken back.
    await page.reload()
    await page.get_by_role("button", name="Remove ink").click()
    await page.get_by_label("Twice the size").uncheck()
    job = await develop(page, door)
    assert "loras" not in job.request
    assert "hires" not in job.request


async def test_a_picture_is_varied_by_its_noise_and_enlarged(
    page: Page, door: Door
) -> None:
    door.model["request_fields"] = ["variation", "hires"]
    await page.reload()
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


async def test_a_withheld_picture_is_said(page: Page, door: Door) -> None:
    job = await develop(page, door)
    await job.started()
    await job.tell("image_withheld", {"image_index": 0, "safety": "nsfw"})
    await job.ended()
    await expect(job_view(page)).to_contain_text("Made, and withheld: nsfw")
