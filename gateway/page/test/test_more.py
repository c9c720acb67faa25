"""What few need: kinds of guidance, a second pass's details, who chooses, how
the file is written."""

from typing import Any

import pytest
from conftest import find_barriers
from mock_door import Door
from playwright.async_api import Locator, Page, expect
from steps import develop, job_view, open_picture, open_with, set_slider

EVERYTHING = (
    "guidance.start",
    "guidance.end",
    "guidance.perturbed_attention_scale",
    "guidance.perturbed_layers",
    "guidance.skip_layer_scale",
    "guidance.skip_layers",
    "guidance.text_gate_step",
    "hires",
    "best_of",
)


async def open_more(page: Page, door: Door, *fields: str) -> None:
    await open_with(page, door, *fields)
    await page.get_by_text("More", exact=True).click()


def second_pass(page: Page) -> Locator:
    return page.get_by_role("group", name="Second pass")


async def use_settings(page: Page, number: int = 0) -> None:
    viewer = await open_picture(page, number)
    await viewer.get_by_role("button", name="Use these settings").click()


async def test_kinds_of_guidance_are_sent_and_kept(
    page: Page, door: Door
) -> None:
    await open_more(page, door, *EVERYTHING)
    job = await develop(page, door)
    assert not job.request.keys() & {"guidance", "guidance_rescale", "output"}
    sent: dict[str, Any] = {
        "From": ("start", 0.1),
        "Until": ("end", 0.8),
        "Perturbed attention (PAG)": ("perturbed_attention_scale", 3),
        "Skipped layers": ("skip_layer_scale", 2.8),
        "Last step to read words (T-GATE)": ("text_gate_step", 10),
    }
    for label, (_, value) in sent.items():
        await set_slider(page, label, str(value))
    await set_slider(page, "Rescale", "0.7")
    job = await develop(page, door)
    assert job.request["guidance"] == dict(sent.values())
    assert job.request["guidance_rescale"] == 0.7
    # A reload, and the picture itself, bring them back.
    await job.finish()
    await page.reload()
    until = page.get_by_role("spinbutton", name="Until")
    await expect(until).to_have_value("0.8")
    await until.fill("1")
    await set_slider(page, "From", "0")
    job = await develop(page, door)
    assert not job.request["guidance"].keys() & {"start", "end"}
    viewer = await open_picture(page, 1)
    facts = viewer.locator(".facts")
    await expect(facts).to_contain_text("Guidance3 · 0.1–0.8")
    await expect(facts).to_contain_text("Perturbed attention (PAG)3")
    await expect(facts).to_contain_text("Last step to read words (T-GATE)10")
    await viewer.get_by_role("button", name="Reproduce").click()
    again = (await door.next_job()).request
    assert again["guidance"] == dict(sent.values())
    await use_settings(page, 2)
    await expect(until).to_have_value("0.8")


async def test_guidance_has_its_layers(page: Page, door: Door) -> None:
    await open_more(page, door, *EVERYTHING)
    perturbed = page.get_by_label("Where attention is perturbed")
    skipped = page.get_by_label("Which layers are skipped")
    await expect(perturbed).to_have_count(0)
    await set_slider(page, "Perturbed attention (PAG)", "3")
    await perturbed.fill("mid_block, down_blocks.2.attentions.1<>")
    await expect(skipped).to_have_count(0)
    await set_slider(page, "Skipped layers", "2.5")
    await skipped.fill("7 8,x9,")
    job = await develop(page, door)
    assert job.request["guidance"] == {
        "perturbed_attention_scale": 3,
        "perturbed_layers": ["mid_block", "down_blocks.2.attentions.1"],
        "skip_layer_scale": 2.5,
        "skip_layers": [7, 8, 9],
    }
    await job.finish()
    await set_slider(page, "Perturbed attention (PAG)", "0")
    job = await develop(page, door)
    assert "perturbed_layers" not in job.request["guidance"]
    viewer = await open_picture(page, 1)
    await expect(viewer.locator(".facts")).to_contain_text("7, 8, 9")
    await page.keyboard.press("Escape")
    await use_settings(page, 1)
    await expect(perturbed).to_have_value(
        "mid_block, down_blocks.2.attentions.1"
    )


async def test_another_model_is_sent_what_it_takes(
    page: Page, door: Door
) -> None:
    await open_more(page, door, *EVERYTHING)
    await set_slider(page, "Skipped layers", "2")
    await set_slider(page, "T-GATE", "5")
    await open_with(page, door, "guidance.text_gate_step")
    await expect(page.get_by_label("Skipped layers")).to_have_count(0)
    job = await develop(page, door)
    assert job.request["guidance"] == {"text_gate_step": 5}


async def test_a_second_pass_has_its_details(page: Page, door: Door) -> None:
    door.upscalers = ["lanczos", "realesr-general"]
    await open_more(page, door, "hires")
    await expect(second_pass(page)).to_have_count(0)
    await page.get_by_label("Larger, in a second pass").check()
    details = second_pass(page)
    for name, value in (
        ("Times", "1.3"),
        ("Steps", "12"),
        ("How much is painted anew", "0.4"),
    ):
        await details.get_by_role("spinbutton", name=name).fill(value)
    by = details.get_by_label("Upscale with")
    await by.select_option("realesr-general")
    await details.get_by_label("Sampler").select_option("DPM++ 2M")
    job = await develop(page, door)
    assert job.request["hires"] == {
        "sampler": "SAMPLER_DPMPP_2M",
        "factor": 1.3,
        "steps": 12,
        "strength": 0.4,
        "upscaler": "realesr-general",
    }
    await job.finish()
    viewer = await open_picture(page)
    fact = viewer.locator(".facts div").filter(has_text="Second pass")
    await expect(fact).to_contain_text(
        "×1.25 · realesr-general · DPM++ 2M · Steps 12 × 0.4"
    )
    await page.keyboard.press("Escape")
    await by.select_option("Latents, nearest")
    job = await develop(page, door)
    assert job.request["hires"]["upscale"] == "UPSCALE_LATENT_NEAREST"
    assert "upscaler" not in job.request["hires"]
    # 128 pixels times 1.3 are 160, a multiple of 8: times 1.25.
    await use_settings(page, 1)
    await expect(by).to_have_value("realesr-general")
    times = details.get_by_role("spinbutton", name="Times")
    await expect(times).to_have_value("1.25")
    await page.reload()
    await expect(by).to_have_value("realesr-general")
    await page.get_by_label("Larger, in a second pass").uncheck()
    await expect(details).to_have_count(0)
    job = await develop(page, door)
    assert "hires" not in job.request


async def test_the_second_passs_size_is_refused_at_its_factor(
    page: Page, door: Door
) -> None:
    await open_with(page, door, "hires")
    await page.get_by_label("Larger, in a second pass").check()
    text = "hires.width 512 is not between 128 and 256"
    wrong = {"field": "request.hires.width", "description": text}
    door.refusals.append((400, {"message": text, "field_violations": [wrong]}))
    await page.get_by_role("button", name="Develop").click()
    times = second_pass(page).get_by_role("spinbutton", name="Times")
    await expect(times).to_be_focused()
    await expect(times).to_have_accessible_description(text)


async def test_the_best_are_chosen_by_whom_one_names(
    page: Page, door: Door
) -> None:
    door.scorers = ["clip", "aesthetic"]
    await open_more(page, door, "best_of")
    scorer = page.get_by_label("The best as seen by")
    await expect(scorer).to_have_count(0)
    await set_slider(page, "Choose the best of", "4")
    await scorer.select_option("clip")
    text = 'best_of.scorer "clip" is not one of the server\'s: aesthetic'
    wrong = {"field": "best_of.scorer", "description": text}
    door.refusals.append((400, {"message": text, "field_violations": [wrong]}))
    await page.get_by_role("button", name="Develop").click()
    await expect(scorer).to_have_accessible_description(text)
    await scorer.select_option("aesthetic")
    job = await develop(page, door)
    assert job.request["best_of"] == {"draw": 4, "scorer": "aesthetic"}
    # A scorer that left the server stays chosen until one chooses anew.
    door.scorers = []
    await page.reload()
    await expect(scorer).to_have_value("aesthetic")
    await scorer.select_option("The model's own")
    job = await develop(page, door)
    assert job.request["best_of"] == {"draw": 4}
    await set_slider(page, "Choose the best of", "1")
    await expect(scorer).to_have_count(0)
    job = await develop(page, door)
    assert "best_of" not in job.request


async def test_the_file_is_written_as_one_says(page: Page, door: Door) -> None:
    door.upscalers = ["lanczos", "realesr-general"]
    await open_more(page, door)
    quality = page.get_by_role("spinbutton", name="Quality")
    await expect(quality).to_have_count(0)
    await page.get_by_label("Format").select_option("WebP")
    await quality.fill("75")
    await page.get_by_label("With an invisible watermark").check()
    larger = page.get_by_label("Enlarge the finished picture with")
    await larger.select_option("realesr-general")
    job = await develop(page, door)
    assert job.request["output"] == {
        "format": "IMAGE_FORMAT_WEBP",
        "quality": 75,
        "upscaler": "realesr-general",
        "watermark": True,
    }
    await job.finish()
    await page.get_by_label("Format").select_option("PNG")
    await larger.select_option("Nothing")
    await expect(quality).to_have_count(0)
    job = await develop(page, door)
    assert job.request["output"] == {"watermark": True}
    await use_settings(page, 1)
    await expect(quality).to_have_value("75")
    await expect(larger).to_have_value("realesr-general")
    # It is open where something in it is used, and closed where nothing is.
    await page.reload()
    await expect(quality).to_be_visible()
    await page.get_by_label("Format").select_option("PNG")
    await page.get_by_label("With an invisible watermark").uncheck()
    await larger.select_option("Nothing")
    await page.reload()
    await expect(page.get_by_text("More", exact=True)).to_be_visible()
    await expect(page.get_by_label("Format")).to_be_hidden()


async def test_rules_are_stricter_as_one_says(page: Page, door: Door) -> None:
    await open_more(page, door)
    await expect(page.get_by_label("not safe for work")).to_have_count(0)
    await expect(page.get_by_label("Keep latents")).to_have_count(0)
    await open_more(page, door, "safety_policy", "keep_latents")
    job = await develop(page, door)
    rules = {"safety_policy", "reproducibility", "keep_latents"}
    assert not job.request.keys() & rules
    safety = page.get_by_label("not safe for work")
    await safety.select_option("Is blurred")
    same = page.get_by_label("The same bits")
    await same.check()
    job = await develop(page, door)
    assert job.request["safety_policy"] == "SAFETY_POLICY_BLUR"
    assert job.request["reproducibility"] == "REPRODUCIBILITY_REPRODUCIBLE"
    await job.finish()
    await safety.select_option("As the server does")
    await same.uncheck()
    viewer = await open_picture(page)
    facts = viewer.locator(".facts")
    await expect(facts).to_contain_text("not safe for workIs blurred")
    await viewer.get_by_role("button", name="Use these settings").click()
    await expect(safety).to_have_value("SAFETY_POLICY_BLUR")
    await expect(same).to_be_checked()
    # Of a model that has no checker, none is asked for.
    await open_with(page, door)
    job = await develop(page, door)
    assert "safety_policy" not in job.request


async def test_more_is_used_by_keyboard(page: Page, door: Door) -> None:
    await open_with(page, door, *EVERYTHING)
    await page.get_by_text("More", exact=True).focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("spinbutton", name="From")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowRight")
    job = await develop(page, door)
    assert job.request["guidance"] == {"start": 0.05}


@pytest.mark.parametrize("language", ["English", "日本語"])
async def test_more_has_no_barrier_and_fits_a_phone(
    page: Page, door: Door, language: str
) -> None:
    await page.set_viewport_size({"width": 320, "height": 700})
    await open_more(page, door, *EVERYTHING)
    await page.get_by_label("Larger, in a second pass").check()
    await set_slider(page, "Choose the best of", "4")
    await page.get_by_label("Format").select_option("JPEG")
    await set_slider(page, "T-GATE", "10")
    job = await develop(page, door)
    await job.finish()
    await expect(job_view(page)).to_contain_text("Developed")
    if language == "日本語":
        await page.get_by_role("button", name=language).click()
        await expect(page.get_by_role("group", name="二段階目")).to_be_visible()
    assert await find_barriers(page) == []
    overflow = "document.documentElement.scrollWidth - innerWidth"
    assert await page.evaluate(overflow) <= 0
    await page.locator("article.job button.picture").click()
    assert await find_barriers(page) == []
    assert await page.evaluate(overflow) <= 0
