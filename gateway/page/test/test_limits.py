"""What the models list tells of limits, which a key may have lower than its
model's own sizes and steps, bounds what the form offers and sends."""

from conftest import find_barriers
from mock_door import Door
from playwright.async_api import Page, expect
from steps import develop, open_with, set_slider


async def lower(page: Page, door: Door, **limits: object) -> None:
    door.model["limits"].update(limits)
    await open_with(page, door, "hires", "best_of")


async def test_sliders_end_where_the_limits_are(page: Page, door: Door) -> None:
    await lower(
        page, door, max_steps=10, max_image_count=2, max_pixels=str(96 * 96)
    )
    steps = page.get_by_role("slider", name="Steps").first
    await expect(steps).to_have_attribute("max", "10")
    pictures = page.get_by_role("slider", name="Pictures")
    await expect(pictures).to_have_attribute("max", "2")
    drawn = page.get_by_role("slider", name="Choose the best of")
    await drawn.evaluate("it => it.closest('details')?.setAttribute('open', '')")
    await expect(drawn).to_have_attribute("max", "2")
    assert await find_barriers(page) == []


async def test_the_models_own_is_within_the_limits(
    page: Page, door: Door
) -> None:
    await lower(page, door, max_steps=10, max_pixels=str(96 * 96))
    await page.get_by_text("Settings").click()
    for name, own in (("Steps", "10"), ("Width", "96"), ("Height", "96")):
        field = page.get_by_role("spinbutton", name=name, exact=True).first
        await expect(field).to_have_attribute("placeholder", own)
    request = (await develop(page, door)).request
    assert (request["steps"], request["width"], request["height"]) == (10, 96, 96)
    # What is asked for is as ever.
    await set_slider(page, "Steps", "4")
    await page.get_by_label("Portrait").check(force=True)
    request = (await develop(page, door)).request
    assert request["steps"] == 4
    assert request["width"] < request["height"]
    assert request["width"] * request["height"] <= 96 * 96
    assert request["width"] % 8 == request["height"] % 8 == 0


async def test_what_is_within_the_limits_is_left_to_the_server(
    page: Page, door: Door
) -> None:
    request = (await develop(page, door)).request
    assert not {"steps", "width", "height"} & set(request)


async def test_a_second_pass_is_within_the_limits(
    page: Page, door: Door
) -> None:
    await lower(page, door, max_side=192)
    await page.get_by_text("Larger, in a second pass").check()
    factor = page.locator('[name="hires.factor"]')
    await factor.evaluate("it => it.closest('details').open = true")
    await expect(factor).to_have_attribute("max", "1.5")
    assert (await develop(page, door)).request["hires"]["factor"] == 1.5
    await factor.fill("1.25")
    assert (await develop(page, door)).request["hires"]["factor"] == 1.25
