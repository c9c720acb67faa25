"""The mask without a pointer: by keys, or out of a file."""

import base64
import io

import pytest
from conftest import find_barriers
from mock_door import Door, picture
from PIL import Image
from playwright.async_api import Locator, Page, expect
from steps import develop


@pytest.fixture
async def canvas(page: Page, door: Door) -> Locator:
    """Over a picture of 128 x 128, reached by Tab; the brush is in its middle,
    and is 15 wide."""
    door.model["tasks"].append("TASK_INPAINTING")
    await page.reload()
    await page.get_by_label("Start from a picture").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": picture(1, 1)}
    )
    await page.get_by_role("button", name="Remove the picture").wait_for()
    await page.get_by_label("Start from a picture").focus()
    await page.keyboard.press("Tab")
    canvas = page.get_by_role("application", name="Mask")
    await expect(canvas).to_have_js_property("width", 128)
    await expect(canvas).to_be_focused()
    return canvas


async def mask_sent(page: Page, door: Door) -> Image.Image:
    job = await develop(page, door)
    sent = base64.b64decode(job.request["inpainting"]["mask"]["data"])
    mask = Image.open(io.BytesIO(sent)).convert("L")
    assert mask.size == (128, 128)
    return mask


async def press(page: Page, key: str, count: int = 1) -> None:
    for _ in range(count):
        await page.keyboard.press(key)


async def test_keys_paint_erase_and_undo(
    page: Page, door: Door, canvas: Locator
) -> None:
    await expect(canvas).to_have_accessible_description(
        "Paint over what is to be painted anew. By keys: arrows move the brush "
        "(with Shift further), Space paints, E erases, Ctrl + Z undoes."
    )
    undo = page.get_by_role("button", name="Undo")
    await expect(undo).to_be_disabled()
    # A dot in the middle, and a line to the left that begins two brushes above.
    await press(page, "Space")
    await press(page, "Shift+ArrowUp", 2)
    await page.keyboard.down("Space")
    await press(page, "Shift+ArrowLeft", 3)
    await page.keyboard.up("Space")
    mask = await mask_sent(page, door)
    assert mask.getpixel((64, 64)) == 255
    assert mask.getpixel((64, 50)) == 0
    assert [mask.getpixel((x, 33)) for x in (6, 20, 40, 64, 80)] == [
        0, 255, 255, 255, 0,
    ]  # fmt: skip
    # The brush is where it was left: at the end of the line.
    await canvas.focus()
    await press(page, "e")
    eraser = page.get_by_role("button", name="Eraser")
    await expect(eraser).to_have_attribute("aria-pressed", "true")
    await press(page, "Space")
    mask = await mask_sent(page, door)
    assert mask.getpixel((18, 33)) == 0
    assert mask.getpixel((40, 33)) == 255
    await undo.focus()
    await press(page, "Enter")
    assert (await mask_sent(page, door)).getpixel((18, 33)) == 255
    await canvas.focus()
    await press(page, "Control+z")
    mask = await mask_sent(page, door)
    assert mask.getpixel((40, 33)) == 0
    assert mask.getpixel((64, 64)) == 255
    # Without a mark there is no mask.
    await canvas.focus()
    await press(page, "Control+z")
    await expect(undo).to_be_disabled()
    job = await develop(page, door)
    assert "inpainting" not in job.request


async def test_the_brush_stays_on_the_picture(
    page: Page, door: Door, canvas: Locator
) -> None:
    await press(page, "Shift+ArrowRight", 20)
    await press(page, "Shift+ArrowDown", 20)
    await press(page, "Space")
    mask = await mask_sent(page, door)
    assert mask.getpixel((127, 127)) == 255
    assert mask.getpixel((110, 127)) == 0


async def test_what_is_erased_whole_is_no_mask(
    page: Page, door: Door, canvas: Locator
) -> None:
    await press(page, "Space")
    await expect(page.get_by_label("Softness of the mask's edge")).to_have_count(2)
    await page.get_by_label("Brush").fill("40")
    await page.get_by_role("button", name="Eraser").click()
    await canvas.focus()
    await press(page, "Space")
    await expect(page.get_by_label("Softness of the mask's edge")).to_have_count(0)
    job = await develop(page, door)
    assert "inpainting" not in job.request


async def test_a_mask_comes_out_of_a_file(
    page: Page, door: Door, canvas: Locator
) -> None:
    # Twice as wide as the picture: it is stretched over it.
    made = Image.new("L", (256, 128), 0)
    made.paste(255, (0, 0, 128, 64))
    made.paste(128, (128, 64, 256, 128))
    file = io.BytesIO()
    made.save(file, "PNG")
    field = page.get_by_label("Mask from a file")
    await field.set_input_files(
        {"name": "m.png", "mimeType": "image/png", "buffer": file.getvalue()}
    )
    await expect(page.get_by_role("button", name="Clear the mask")).to_be_visible()
    assert await find_barriers(page) == []
    # What is painted lies over it.
    await canvas.focus()
    await press(page, "e")
    await press(page, "Space")
    mask = await mask_sent(page, door)
    assert mask.getpixel((20, 20)) == 255
    assert mask.getpixel((100, 20)) == 0
    assert mask.getpixel((100, 100)) == pytest.approx(128, abs=2)
    assert mask.getpixel((62, 62)) == 0


async def test_a_file_that_is_no_mask_is_refused(
    page: Page, door: Door, canvas: Locator
) -> None:
    field = page.get_by_label("Mask from a file")
    await field.set_input_files(
        {"name": "m.png", "mimeType": "image/png", "buffer": b"GIF89a"}
    )
    await expect(field).to_have_accessible_description(
        "That is no PNG, JPEG or WebP picture"
    )
    await page.get_by_role("button", name="日本語").click()
    await expect(page.get_by_role("button", name="消しゴム")).to_be_visible()
    await expect(page.get_by_role("button", name="元に戻す")).to_be_visible()
    await expect(page.get_by_label("マスクをファイルから")).to_be_attached()
    await expect(
        page.get_by_role("application", name="マスク")
    ).to_have_accessible_description(
        "描き直したい部分を塗ってください。 キー操作：矢印で移動"
        "（Shiftで大きく）、スペースで塗る、Eで消しゴム、Ctrl + Zで元に戻す。"
    )
