"""What steers a picture: LoRAs, weights, a choice, a second pass, guides."""

import base64
import copy

import pytest
from conftest import find_barriers
from mock_door import Door, picture
from playwright.async_api import Page, expect
from steps import develop, job_view, open_picture, open_with, set_slider

HINT, LOOK = picture(1, 1), picture(2, 1)


async def test_shows_only_what_the_model_takes(page: Page, door: Door) -> None:
    await expect(page.get_by_label("Prompt").last).to_be_visible()
    await expect(page.get_by_text("LoRAs")).to_have_count(0)
    await expect(page.get_by_role("checkbox")).to_have_count(0)
    await page.get_by_text("More", exact=True).click()
    guidance = page.get_by_role("group", name="Guidance")
    await expect(guidance.get_by_role("spinbutton")).to_have_count(1)
    await expect(page.get_by_role("group", name="Second pass")).to_have_count(0)
    await expect(page.get_by_label("The best as seen by")).to_have_count(0)


async def test_loras_weights_and_a_second_pass_are_sent(
    page: Page, door: Door
) -> None:
    door.loras = ["ukiyo-e", "ink"]
    await open_with(page, door, "loras", "prompt_syntax", "hires")
    await page.get_by_label("LoRAs").select_option("ink")
    await page.get_by_role("slider", name="Weight of ink").fill("0.5")
    await page.get_by_label("weigh their words").check()
    await page.get_by_label("Larger, in a second pass").check()
    job = await develop(page, door, "a (red:1.3) fox")
    assert job.request["loras"] == [{"name": "ink", "weight": 0.5}]
    assert job.request["prompt_syntax"] == "PROMPT_SYNTAX_WEIGHTED"
    assert job.request["hires"] == {}
    # What was chosen is still there after a reload, and can be taken back.
    await page.reload()
    await page.get_by_role("button", name="Remove ink").click()
    await page.get_by_label("Larger, in a second pass").uncheck()
    job = await develop(page, door)
    assert "loras" not in job.request
    assert "hires" not in job.request


async def test_offers_the_loras_of_the_model(page: Page, door: Door) -> None:
    door.loras = ["ink", "untried", "broken", "xl-ink"]
    misfit = {"model": "emaki", "message": "the tensor has another size"}
    door.lora_pages = [
        [
            {"id": "ink", "models": ["emaki"], "misfits": []},
            {"id": "broken", "error": {"code": 3, "message": "no tensors"}},
        ],
        [
            {"id": "untried", "misfits": [{**misfit, "model": "sdxl"}]},
            {"id": "xl-ink", "models": ["sdxl"], "misfits": [misfit]},
        ],
    ]
    await open_with(page, door, "loras")
    offered = page.get_by_label("LoRAs").get_by_role("option")
    await expect(offered).to_have_text(["Add one", "ink", "untried"])
    # A door that does not tell which fit has them all.
    door.lora_pages = []
    await page.reload()
    await expect(offered).to_have_text(["Add one", *door.loras])


async def test_a_lora_works_in_a_part_of_the_steps(
    page: Page, door: Door
) -> None:
    door.loras = ["ukiyo-e", "ink"]
    await open_with(page, door, "loras")
    for name in ("ink", "ukiyo-e"):
        await page.get_by_label("LoRAs").select_option(name)
    ink = page.get_by_role("group", name="ink")
    await ink.get_by_text("In which part of the steps").click()
    until = ink.get_by_role("spinbutton", name="Until")
    await until.fill("1.5")
    await page.get_by_role("button", name="Develop").click()
    await expect(until).to_be_focused()
    await expect(until).to_have_accessible_description(
        "Until 1.5 is not a number from 0 to 1"
    )
    await until.fill("0.5")
    assert await find_barriers(page) == []
    job = await develop(page, door)
    assert job.request["loras"] == [
        {"name": "ink", "weight": 1, "end": 0.5},
        {"name": "ukiyo-e", "weight": 1},
    ]
    await job.finish()
    viewer = await open_picture(page)
    await expect(viewer.locator(".facts")).to_contain_text("ink1 · 0–0.5")
    await viewer.get_by_role("button", name="Use these settings").click()
    await expect(until).to_have_value("0.5")
    # Open after a reload where it is used, and there alone.
    await page.reload()
    await expect(until).to_be_visible()
    other = page.get_by_role("group", name="ukiyo-e")
    await expect(other.get_by_role("spinbutton")).to_have_count(0)


async def test_a_withheld_picture_is_said(page: Page, door: Door) -> None:
    job = await develop(page, door)
    await job.started()
    await job.tell("image_withheld", {"image_index": 0, "safety": "nsfw"})
    await job.ended()
    await expect(job_view(page)).to_contain_text("Made, and withheld: nsfw")


async def test_the_best_of_several_is_asked_for(page: Page, door: Door) -> None:
    await open_with(page, door, "best_of")
    job = await develop(page, door)
    assert "best_of" not in job.request
    await set_slider(page, "Choose the best of", "4")
    job = await develop(page, door)
    assert job.request["best_of"] == {"draw": 4}
    # The one that was chosen is painted again by its seed alone.
    await job.finish()
    viewer = await open_picture(page)
    await viewer.get_by_role("button", name="Reproduce").click()
    assert "best_of" not in (await door.next_job()).request


def file(data: bytes) -> dict[str, object]:
    return {"name": "a.png", "mimeType": "image/png", "buffer": data}


async def add_guides(page: Page, door: Door) -> None:
    door.model["controlnets"] = ["canny", "depth"]
    door.model["ip_adapters"] = ["ip-adapter_sd15"]
    await open_with(page, door, "controls", "image_prompts")
    await page.get_by_label("Follow a picture").select_option("canny")
    await page.get_by_label("Take the look").select_option("ip-adapter_sd15")
    canny = page.get_by_role("group", name="canny")
    await canny.get_by_label("Picture", exact=True).set_input_files(file(HINT))
    adapter = page.get_by_role("group", name="ip-adapter_sd15")
    await adapter.get_by_label("Picture", exact=True).set_input_files(
        file(LOOK)
    )
    await expect(page.get_by_alt_text("The picture for canny")).to_be_visible()


async def test_pictures_to_follow_are_sent(page: Page, door: Door) -> None:
    await add_guides(page, door)
    canny = page.get_by_role("group", name="canny")
    # A network of edges is given edges, unless one says otherwise.
    hint = canny.get_by_label("What it follows")
    await expect(hint).to_have_value("PREPROCESSOR_CANNY")
    await canny.get_by_role("spinbutton", name="Strength").fill("0.8")
    await canny.get_by_role("spinbutton", name="Until").fill("0.6")
    assert await find_barriers(page) == []
    job = await develop(page, door)
    [control] = copy.deepcopy(job.request["controls"])
    assert base64.b64decode(control.pop("picture")["data"]) == HINT
    assert control == {
        "name": "canny",
        "preprocessor": "PREPROCESSOR_CANNY",
        "weight": 0.8,
        "end": 0.6,
    }
    [prompt] = copy.deepcopy(job.request["image_prompts"])
    [sent] = prompt.pop("pictures")
    assert base64.b64decode(sent["data"]) == LOOK
    assert prompt == {"name": "ip-adapter_sd15"}
    # Kept with the picture: it is reproduced, and fills the form, after a
    # reload.
    await job.finish()
    await expect(job_view(page)).to_contain_text("Developed")
    await page.reload()
    viewer = await open_picture(page)
    await expect(viewer).to_contain_text("canny")
    await viewer.get_by_role("button", name="Reproduce").click()
    again = (await door.next_job()).request
    assert base64.b64decode(again["controls"][0]["picture"]["data"]) == HINT
    assert again["controls"][0]["end"] == 0.6
    viewer = await open_picture(page, 1)
    await viewer.get_by_role("button", name="Use these settings").click()
    await expect(page.get_by_alt_text("The picture for canny")).to_be_visible()
    await expect(hint).to_have_value("PREPROCESSOR_CANNY")
    await page.get_by_role("button", name="Remove canny").click()
    await page.get_by_role("button", name="Remove ip-adapter_sd15").click()
    job = await develop(page, door)
    assert "controls" not in job.request
    assert "image_prompts" not in job.request


async def test_says_what_is_an_edge(page: Page, door: Door) -> None:
    await add_guides(page, door)
    canny = page.get_by_role("group", name="canny")
    most = canny.get_by_role("spinbutton", name="Edges begin above")
    least = canny.get_by_role("spinbutton", name="Edges go on above")
    await most.fill("2001")
    await page.get_by_role("button", name="Develop").click()
    await expect(most).to_have_accessible_description(
        "Edges begin above 2001 is not a whole number from 0 to 2000"
    )
    await most.fill("60")
    await least.fill("20")
    job = await develop(page, door)
    [control] = job.request["controls"]
    assert (control["canny_low"], control["canny_high"]) == (20, 60)
    await canny.get_by_label("What it follows").select_option(
        "The picture itself"
    )
    await expect(most).to_have_count(0)


async def test_a_network_may_guess_where_the_model_lets_it(
    page: Page, door: Door
) -> None:
    await add_guides(page, door)
    guess = page.get_by_label("Follow it more than the words")
    await expect(guess).to_have_count(0)
    door.model["request_fields"].append("controls.guess_mode")
    await page.reload()
    await page.get_by_label("Follow a picture").select_option("canny")
    await guess.check()
    job = await develop(page, door)
    assert job.request["controls"][0]["guess_mode"]


@pytest.mark.parametrize(
    ("field", "label"),
    [
        ("controls[0].picture.data", "Picture"),
        ("controls[0].weight", "Strength"),
        ("controls[0].end", "Until"),
    ],
)
async def test_what_is_wrong_with_a_guide_is_said_there(
    page: Page, door: Door, field: str, label: str
) -> None:
    await add_guides(page, door)
    door.refusals.append(
        (
            400,
            {
                "message": "2 fields are wrong",
                "reason": "INVALID_FIELD",
                "field_violations": [
                    {"field": f"request.{field}", "description": "is bad"}
                ],
            },
        )
    )
    await page.get_by_role("button", name="Develop").click()
    canny = page.get_by_role("group", name="canny")
    control = canny.get_by_label(label, exact=True).first
    await expect(control).to_have_accessible_description("is bad")
    await expect(control).to_be_focused()


async def test_guides_are_added_by_keyboard(page: Page, door: Door) -> None:
    door.model["controlnets"] = ["canny"]
    await open_with(page, door, "controls")
    await page.get_by_label("Follow a picture").focus()
    await page.keyboard.press("ArrowDown")
    canny = page.get_by_role("group", name="canny")
    await expect(canny).to_be_visible()
    await canny.get_by_role("button", name="Remove canny").focus()
    # Before the key, lest the browser's own chooser is quicker than the test's.
    async with page.expect_file_chooser() as chosen:
        await page.keyboard.press("Tab")
        chooser = canny.get_by_label("Picture", exact=True)
        await expect(chooser).to_be_focused()
        await page.keyboard.press("Space")
    await (await chosen.value).set_files(file(HINT))
    job = await develop(page, door)
    [control] = job.request["controls"]
    assert base64.b64decode(control["picture"]["data"]) == HINT


async def test_guides_in_japanese_on_a_phone(page: Page, door: Door) -> None:
    await page.set_viewport_size({"width": 320, "height": 700})
    await add_guides(page, door)
    await page.get_by_role("button", name="日本語").click()
    await expect(page.get_by_label("画像の形に従う")).to_be_visible()
    assert await find_barriers(page) == []
    overflow = "document.documentElement.scrollWidth - innerWidth"
    assert await page.evaluate(overflow) <= 0
