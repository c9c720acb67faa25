"""Starting from a picture: dropped, pasted, chosen; its mask."""

import base64
import io

import pytest
from conftest import find_barriers
from mock_door import Door, picture
from PIL import Image
from playwright.async_api import Locator, Page, expect
from steps import develop, open_picture, open_with, set_slider

DROP = """async ([bytes, kind, how]) => {
    const file = new File(
        [Uint8Array.from(atob(bytes), c => c.charCodeAt(0))],
        'start', {type: kind});
    const data = new DataTransfer();
    data.items.add(file);
    const event = how === 'paste'
        ? new ClipboardEvent('paste', {clipboardData: data, bubbles: true})
        : new DragEvent(how, {dataTransfer: data, bubbles: true,
                              cancelable: true});
    document.body.dispatchEvent(event);
}"""


async def start_from_a_picture(page: Page, door: Door, *fields: str) -> None:
    """Of a door whose model paints masked parts and takes these fields."""
    door.model["tasks"].append("TASK_INPAINTING")
    await open_with(page, door, "image_to_image.strength", *fields)
    await page.get_by_label("Start from a picture").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": picture(1, 1)}
    )


async def paint_a_spot(page: Page) -> Locator:
    """In the middle of the mask over the start; what it is painted on."""
    canvas = page.locator("canvas")
    await canvas.scroll_into_view_if_needed()
    await canvas.click()
    return canvas


@pytest.mark.parametrize("how", ["drop", "paste"])
async def test_a_picture_is_the_start_when_it_is_dropped_or_pasted(
    page: Page, door: Door, how: str
) -> None:
    start = picture(1, 1)
    await expect(page.get_by_label("Start from a picture")).to_be_visible()
    encoded = base64.b64encode(start).decode()
    if how == "drop":
        await page.evaluate(DROP, [encoded, "image/png", "dragover"])
        await expect(page.get_by_text("Drop to start")).to_be_visible()
    await page.evaluate(DROP, [encoded, "image/png", how])
    await expect(page.get_by_text("Drop to start")).to_be_hidden()
    await expect(
        page.get_by_alt_text("The picture to start from")
    ).to_be_visible()
    await set_slider(page, "How much is painted anew", "0.35")
    job = await develop(page, door)
    assert base64.b64decode(job.request["image_to_image"]["image"]) == start
    assert job.request["image_to_image"]["strength"] == 0.35
    # It is painted again after a reload too.
    await job.finish()
    await page.reload()
    viewer = await open_picture(page)
    await viewer.get_by_role("button", name="Reproduce").click()
    again = await door.next_job()
    assert base64.b64decode(again.request["image_to_image"]["image"]) == start


TEXT = """([how, picture, target]) => {
    const data = new DataTransfer();
    data.setData('text/plain', 'a fox');
    if (picture) data.items.add(new File(['x'], 'a', {type: 'image/png'}));
    const event = how === 'paste'
        ? new ClipboardEvent(how, {clipboardData: data, bubbles: true,
                                   cancelable: true})
        : new DragEvent(how, {dataTransfer: data, bubbles: true,
                              cancelable: true});
    return document.querySelector(target).dispatchEvent(event);
}"""


async def test_text_is_the_browsers(page: Page, door: Door) -> None:
    """Dropped, or pasted where it is written, with a picture of it beside it."""
    await expect(page.get_by_label("Start from a picture")).to_be_visible()
    prompt = "#field-prompt"
    assert await page.evaluate(TEXT, ["drop", False, prompt])
    assert await page.evaluate(TEXT, ["paste", True, prompt])
    start = page.get_by_alt_text("The picture to start from")
    await expect(start).to_have_count(0)
    # Elsewhere there is no place for a text.
    await page.evaluate(TEXT, ["paste", True, "body"])
    await expect(start).to_have_count(1)


async def test_a_file_that_is_no_picture_is_refused(
    page: Page, door: Door
) -> None:
    field = page.get_by_label("Start from a picture")
    await field.set_input_files(
        {"name": "a.gif", "mimeType": "image/gif", "buffer": b"GIF89a"}
    )
    await expect(field).to_have_accessible_description(
        "That is no PNG, JPEG or WebP picture"
    )
    door.model["limits"]["max_image_bytes"] = "1048576"
    await page.reload()
    await field.set_input_files(
        {
            "name": "a.png",
            "mimeType": "image/png",
            "buffer": b"0" * (1 << 20) + b"0",
        }
    )
    await expect(field).to_have_accessible_description(
        "The picture has more than 1 MB"
    )


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
    # A click is a dot, and the eraser is the pointer's too.
    await canvas.click()
    await page.get_by_role("button", name="Eraser").click()
    await canvas.click(position={"x": box["width"] * 0.55, "y": box["height"] / 2})
    job = await develop(page, door)
    sent = base64.b64decode(job.request["inpainting"]["mask"]["data"])
    mask = Image.open(io.BytesIO(sent)).convert("L")
    assert mask.getpixel((58, 64)) == 255
    assert mask.getpixel((68, 64)) == 0


async def test_a_mask_is_turned_round(page: Page, door: Door) -> None:
    door.model["tasks"].append("TASK_INPAINTING")
    await page.reload()
    await page.get_by_label("Start from a picture").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": picture(1, 1)}
    )
    canvas = await paint_a_spot(page)
    await page.get_by_label("Keep what is painted over").check()
    # The picture hides nothing, so nothing can be seen through it.
    await expect(page.get_by_label("what is transparent")).to_have_count(0)
    job = await develop(page, door)
    assert job.request["inpainting"]["invert_mask"]
    assert "mask_is_transparency" not in job.request["inpainting"]
    # What the server made of it can be chosen again, and is what is chosen.
    await job.finish()
    viewer = await open_picture(page)
    await viewer.get_by_role("button", name="Use these settings").click()
    await canvas.click()
    fill = page.get_by_label("The masked part begins as")
    await expect(fill).to_have_value("FILL_ORIGINAL")


async def test_settings_bring_the_start_and_the_mask(
    page: Page, door: Door
) -> None:
    await start_from_a_picture(page, door)
    canvas = await paint_a_spot(page)
    masked = await develop(page, door, "masked")
    await masked.finish()
    await page.get_by_role("button", name="Remove the picture").click()
    plain = await develop(page, door, "plain")
    await plain.finish()

    async def use(prompt: str) -> None:
        await page.get_by_role("button", name=f"Open picture 1: {prompt}").click()
        await page.get_by_role("button", name="Use these settings").click()

    async def mask_sent() -> Image.Image:
        job = await develop(page, door, "again")
        data = job.request["inpainting"]["mask"]["data"]
        return Image.open(io.BytesIO(base64.b64decode(data))).convert("L")

    # Again as it was, and it can be undone.
    await use("masked")
    undo = page.get_by_role("button", name="Undo")
    await expect(undo).to_be_enabled()
    mask = await mask_sent()
    assert mask.getpixel((64, 64)) == 255
    assert mask.getpixel((4, 4)) == 0
    # A second time, over the same picture.
    await canvas.click(position={"x": 10, "y": 10})
    await use("masked")
    assert (await mask_sent()).getpixel((4, 4)) == 0
    # Nothing is left of it where there was nothing.
    await use("plain")
    await expect(canvas).to_have_count(0)
    job = await develop(page, door, "again")
    assert "image_to_image" not in job.request


async def test_a_mask_is_there_again_with_its_model(
    page: Page, door: Door
) -> None:
    await start_from_a_picture(page, door)
    canvas = await paint_a_spot(page)
    undo = page.get_by_role("button", name="Undo")
    await expect(undo).to_be_enabled()
    # As when another model is chosen for a while.
    door.model["tasks"].remove("TASK_INPAINTING")
    await page.evaluate("dispatchEvent(new Event('genzo-key'))")
    await expect(canvas).to_have_count(0)
    door.model["tasks"].append("TASK_INPAINTING")
    await page.evaluate("dispatchEvent(new Event('genzo-key'))")
    await expect(undo).to_be_enabled()


async def test_what_is_transparent_is_the_mask(page: Page, door: Door) -> None:
    door.model["tasks"].append("TASK_INPAINTING")
    await page.reload()
    image = Image.open(io.BytesIO(picture(1, 1))).convert("RGBA")
    image.paste((0, 0, 0, 0), (32, 32, 96, 96))
    file = io.BytesIO()
    image.save(file, "PNG")
    await page.get_by_label("Start from a picture").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": file.getvalue()}
    )
    await page.get_by_label("what is transparent").check()
    await expect(page.locator("canvas")).to_be_hidden()
    job = await develop(page, door)
    sent = job.request["inpainting"]
    assert base64.b64decode(sent["mask"]["data"]) == file.getvalue()
    assert sent["mask_is_transparency"]
    await page.get_by_role("button", name="Remove the picture").click()
    job = await develop(page, door)
    assert "inpainting" not in job.request


async def test_other_proportions_are_cut_or_kept(page: Page, door: Door) -> None:
    await start_from_a_picture(page, door)
    mode = page.get_by_label("If its proportions are others")
    await expect(mode).to_have_value("RESIZE_MODE_CROP")
    await mode.select_option("Keep all, fill the sides")
    job = await develop(page, door)
    assert job.request["image_to_image"]["resize_mode"] == "RESIZE_MODE_FILL"
    # It comes back with the picture's settings.
    await job.finish()
    await mode.select_option("Cut it to the size")
    viewer = await open_picture(page)
    await viewer.get_by_role("button", name="Use these settings").click()
    await expect(mode).to_have_value("RESIZE_MODE_FILL")


async def test_a_mask_has_its_edge_and_surroundings(
    page: Page, door: Door
) -> None:
    await start_from_a_picture(page, door)
    canvas = await paint_a_spot(page)
    await set_slider(page, "Softness of the mask's edge", "6")
    await expect(page.get_by_label("Painted around the mask")).to_have_count(0)
    await page.get_by_label("Paint the masked part alone").check()
    await set_slider(page, "Painted around the mask", "48")
    job = await develop(page, door)
    sent = job.request["inpainting"]
    assert (sent["mask_blur"], sent["padding"]) == (6, 48)
    # They come back with the picture's settings.
    await job.finish()
    await set_slider(page, "Softness of the mask's edge", "0")
    viewer = await open_picture(page)
    await viewer.get_by_role("button", name="Use these settings").click()
    await canvas.click()
    blur = page.get_by_role("spinbutton", name="Softness of the mask's edge")
    await expect(blur).to_have_value("6")


async def test_a_picture_is_painted_beyond_its_borders(
    page: Page, door: Door
) -> None:
    await start_from_a_picture(page, door, "image_to_image.inversion")
    await page.get_by_text("Change it by words").click()
    await page.get_by_text("Paint beyond its borders").click()
    await set_slider(page, "Left", "64")
    # What is beyond is painted whole, and the rest stays as it is.
    await expect(page.get_by_text("How much is painted anew")).to_be_hidden()
    await expect(page.get_by_text("Change it by words")).to_be_hidden()
    job = await develop(page, door)
    assert job.request["outpainting"] == {
        "left": 64,
        "top": 0,
        "right": 0,
        "bottom": 0,
    }
    assert "strength" not in job.request["image_to_image"]
    assert "inpainting" not in job.request
    wrong = {
        "field": "request.outpainting.left",
        "description": "outpainting.left 64 is too much",
    }
    door.refusals.append(
        (400, {"message": "wrong", "field_violations": [wrong]})
    )
    await page.get_by_role("button", name="Develop").click()
    left = page.get_by_role("spinbutton", name="Left")
    await expect(left).to_have_accessible_description(
        "outpainting.left 64 is too much"
    )
    await page.get_by_role("button", name="Remove the picture").click()
    job = await develop(page, door)
    assert "outpainting" not in job.request


async def test_a_picture_is_changed_by_words(page: Page, door: Door) -> None:
    await start_from_a_picture(page, door, "image_to_image.inversion")
    await page.get_by_text("Change it by words").click()
    await page.get_by_label("What the picture shows").fill("a red fox")
    assert await find_barriers(page) == []
    job = await develop(page, door, "a blue fox")
    start = job.request["image_to_image"]
    assert start["inversion"] == {"prompt": "a red fox"}
    assert job.request["prompt"] == "a blue fox"
    await job.finish()
    await page.get_by_label("What the picture shows").fill("")
    viewer = await open_picture(page)
    await viewer.get_by_role("button", name="Reproduce").click()
    again = await door.next_job()
    assert again.request["image_to_image"]["inversion"] == {
        "prompt": "a red fox"
    }


async def test_models_that_follow_a_picture_say_how_closely(
    page: Page, door: Door
) -> None:
    door.model["request_fields"] = ["image_guidance_scale", "noise_level"]
    await page.reload()
    await page.get_by_label("Start from a picture").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": picture(1, 1)}
    )
    await expect(page.get_by_text("How much is painted anew")).to_have_count(0)
    await set_slider(page, "How closely the picture is followed", "2")
    await set_slider(page, "Noise over the picture", "60")
    job = await develop(page, door)
    assert "strength" not in job.request["image_to_image"]
    assert job.request["image_guidance_scale"] == 2
    assert job.request["noise_level"] == 60
    await page.get_by_role("button", name="Remove the picture").click()
    job = await develop(page, door)
    assert "noise_level" not in job.request
