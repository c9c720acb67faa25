"""What is typed where a number belongs is read before anything is sent."""

import pytest
from conftest import find_barriers
from mock_door import Door
from playwright.async_api import Locator, Page, expect
from steps import develop, open_with, set_slider

FIELDS = ("guidance.start", "hires", "variation", "loras")


async def refused(page: Page, door: Door, field: Locator, why: str) -> None:
    """At its field, by the page alone."""
    sent = len(door.creations)
    await page.get_by_role("button", name="Develop").click()
    await expect(field).to_be_focused()
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_have_accessible_description(why)
    await expect(page.get_by_text(why, exact=True)).to_be_visible()
    assert len(door.creations) == sent
    await expect(page.locator("article.job")).to_have_count(0)


@pytest.mark.parametrize(
    ("name", "typed", "why"),
    [
        ("Pictures", "0", "Pictures 0 is not a whole number from 1 to 8"),
        ("Steps", "2.5", "Steps 2.5 is not a whole number from 1 to 150"),
        ("Steps", "9999", "Steps 9999 is not a whole number from 1 to 150"),
        ("Guidance", "-1", "Guidance -1 is not a number from 0 to 100"),
        ("Width", "100", "Width 100 is not a multiple of 8 from 64 to 1024"),
        ("Height", "1032", "Height 1032 is not a multiple of 8 from 64 to 1024"),
        ("From", "1.5", "From 1.5 is not a number from 0 to 1"),
        (
            "Variation strength",
            "2",
            "Variation strength 2 is not a number from 0 to 1",
        ),
    ],
)
async def test_a_number_has_its_limits(
    page: Page, door: Door, name: str, typed: str, why: str
) -> None:
    await open_with(page, door, *FIELDS)
    field = page.get_by_role(
        "spinbutton", name=name, exact=True, include_hidden=True
    )
    # Whatever is folded away is opened for it.
    await expect(field).to_have_count(1)
    await field.evaluate(
        """(input, typed) => {
            input.value = typed;
            input.dispatchEvent(new Event('input', {bubbles: true}));
        }""",
        typed,
    )
    await refused(page, door, field, why)
    assert await find_barriers(page) == []
    # A reload keeps what was typed, and it is no better then.
    await page.reload()
    await expect(field).to_have_value(typed)
    await refused(page, door, field, why)
    await field.fill("")
    await expect(page.get_by_text(why)).to_be_hidden()
    await develop(page, door)


@pytest.mark.parametrize("typed", ["-1", "2.5", "abc", str(2**64)])
async def test_a_seed_is_a_whole_number(
    page: Page, door: Door, typed: str
) -> None:
    await page.get_by_text("Settings").click()
    seed = page.get_by_label("Seed")
    await seed.fill(typed)
    largest = 2**64 - 1
    why = f"Seed {typed} is not a whole number from 0 to {largest}"
    await refused(page, door, seed, why)
    await page.get_by_role("button", name="Draw").click()
    await expect(page.get_by_text(why)).to_be_hidden()
    await seed.fill(str(largest))
    assert (await develop(page, door)).request["seed"] == str(largest)


async def test_what_is_no_number_at_all_is_said(page: Page, door: Door) -> None:
    steps = page.get_by_role("spinbutton", name="Steps")
    await steps.press_sequentially("-")
    await refused(
        page, door, steps, "Steps is not a whole number from 1 to 150"
    )


async def test_it_is_said_when_the_field_is_left_and_not_before(
    page: Page, door: Door
) -> None:
    steps = page.get_by_role("spinbutton", name="Steps")
    await steps.press_sequentially("0")
    await expect(steps).not_to_have_attribute("aria-invalid", "true")
    await page.keyboard.press("Tab")
    await expect(steps).to_have_attribute("aria-invalid", "true")
    await expect(steps).to_have_accessible_description(
        "Steps 0 is not a whole number from 1 to 150"
    )
    # Whoever drags it mends it, too. What is pressed to leave the field stays
    # below the pointer until it is let go.
    await steps.fill("-5")
    await page.get_by_text("Settings").click()
    await expect(steps).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_label("Seed")).to_be_visible()
    await page.get_by_role("slider", name="Steps").fill("20")
    await expect(steps).not_to_have_attribute("aria-invalid", "true")
    assert (await develop(page, door)).request["steps"] == 20


async def test_limits_are_the_samplers_and_of_all_pixels(
    page: Page, door: Door
) -> None:
    door.model["samplers"][0]["min_steps"] = 2
    door.model["limits"]["max_pixels"] = str(256 * 256)
    await page.reload()
    await page.get_by_text("Settings").click()
    await set_slider(page, "Steps", "1")
    steps = page.get_by_role("spinbutton", name="Steps")
    await refused(
        page, door, steps, "Steps 1 is not a whole number from 2 to 150"
    )
    await set_slider(page, "Steps", "2")
    await set_slider(page, "Width", "512")
    await set_slider(page, "Height", "256")
    height = page.get_by_role("spinbutton", name="Height")
    await refused(
        page, door, height, "Height 256 is not a multiple of 8 from 64 to 128"
    )
    await set_slider(page, "Height", "128")
    job = await develop(page, door)
    assert (job.request["width"], job.request["height"]) == (512, 128)


async def test_where_no_limit_is_told_there_is_none(
    page: Page, door: Door
) -> None:
    door.model = {"id": "emaki"}
    await page.reload()
    await page.get_by_text("Settings").click()
    await set_slider(page, "Steps", "100000")
    await set_slider(page, "Width", "100001")
    job = await develop(page, door)
    assert (job.request["steps"], job.request["width"]) == (100000, 100001)
    await set_slider(page, "Steps", "0")
    await page.get_by_role("button", name="Develop").click()
    steps = page.get_by_role("spinbutton", name="Steps")
    await expect(steps).to_have_accessible_description(
        "Steps 0 is not a whole number from 1 on"
    )


async def test_it_is_said_in_the_pages_language(page: Page, door: Door) -> None:
    await page.set_viewport_size({"width": 320, "height": 700})
    await page.get_by_text("Settings").click()
    await set_slider(page, "Steps", "2.5")
    await page.get_by_label("Seed").fill("abc")
    await set_slider(page, "Width", "100")
    await page.get_by_role("button", name="Develop").click()
    await expect(page.get_by_text("Steps 2.5 is not a whole")).to_be_visible()
    # What was said already follows, and is never the server's.
    await page.get_by_role("button", name="日本語").click()
    for said in (
        "ステップ数「2.5」は1から150までの整数ではありません",
        "シード「abc」は0から18446744073709551615までの整数ではありません",
        "幅「100」は64から1024までの8の倍数ではありません",
    ):
        await expect(page.get_by_text(said, exact=True)).to_be_visible()
    assert await find_barriers(page) == []
    overflow = "document.documentElement.scrollWidth - innerWidth"
    assert await page.evaluate(overflow) <= 0
    await page.get_by_role("button", name="現像する").click()
    steps = page.get_by_role("spinbutton", name="ステップ数")
    await expect(steps).to_be_focused()
    assert door.creations == []
