"""The page in Chromium, against a door that does what the test says."""

import asyncio
import gzip

import pytest
from conftest import find_barriers
from mock_door import DIST, Door, picture
from playwright.async_api import Page, expect
from steps import (
    PROMPT,
    develop,
    develop_to_step_5,
    job_view,
    open_picture,
    set_slider,
)


async def test_a_picture_develops_in_place(page: Page, door: Door) -> None:
    job = await develop(page, door)
    view = job_view(page)
    await job.queued(3)
    await expect(view).to_contain_text("Waiting behind 3")
    await job.started()
    await expect(view).to_contain_text("Developing")
    seen = []
    for step in (5, 10, 15, 20):
        await job.preview(step)
        await expect(view).to_contain_text(f"Step {step} of 25")
        # The newest look has replaced the one before, and can be seen.
        layer = view.locator("img.layer").last
        if seen:
            await expect(layer).not_to_have_attribute("src", seen[-1])
        await expect(view.locator("img.layer")).to_have_count(1)
        await expect(layer).to_have_js_property("naturalWidth", 128)
        seen.append(await layer.get_attribute("src"))
        bar = view.get_by_role("progressbar")
        await expect(bar).to_have_attribute("aria-valuenow", str(step))
    assert len(set(seen)) == 4
    await expect(view).to_contain_text("left")
    await job.image()
    await job.ended()
    await expect(view).to_contain_text("Developed")
    await expect(view).to_contain_text("Seed 1000")
    await expect(view.get_by_role("progressbar")).to_have_count(0)
    assert job.request["prompt"] == PROMPT
    assert job.request["preview"]["every"] == 3
    await expect(page.get_by_role("status").last).to_contain_text("Developed")


async def test_several_pictures_each_develop(page: Page, door: Door) -> None:
    await set_slider(page, "Pictures", "3")
    job = await develop(page, door)
    assert job.request["image_count"] == 3
    view = job_view(page)
    await job.started()
    await job.preview(4, index=2)
    await job.preview(9, index=0)
    frames = view.locator("figure")
    await expect(frames.nth(0)).to_contain_text("Step 9")
    await expect(frames.nth(1)).to_have_text("")
    await expect(frames.nth(2)).to_contain_text("Step 4")
    await job.image(1)
    await expect(frames.nth(1)).to_contain_text("Seed 1001")


async def test_several_jobs_run_beside_each_other(
    page: Page, door: Door
) -> None:
    # More than a browser's connections to one server.
    jobs = [await develop(page, door, f"fox {i}") for i in range(7)]
    for job in reversed(jobs[:4]):
        await job.finish()
    for job in jobs[4:]:
        await job.finish()
    for number in range(7):
        view = job_view(page, number)
        await expect(view).to_contain_text("Developed")
        await expect(view).to_contain_text(f"fox {6 - number}")


async def test_cancel_ends_the_job(page: Page, door: Door) -> None:
    job = await develop(page, door)
    await job.started()
    await job.preview(5)
    view = job_view(page)
    await view.get_by_role("button", name="Cancel").click()
    await expect(view).to_contain_text("Cancelled")
    assert job.state == "JOB_STATE_CANCELLED"
    await view.get_by_role("button", name="Remove").click()
    await expect(page.locator("article.job")).to_have_count(0)


async def test_a_reload_in_mid_picture_sees_it_finish(
    page: Page, door: Door
) -> None:
    job = await develop_to_step_5(page, door)
    view = job_view(page)
    await page.reload()
    await expect(view).to_contain_text("Step 5")
    await job.preview(20)
    await expect(view).to_contain_text("Step 20")
    await job.image()
    await job.ended()
    await expect(view).to_contain_text("Developed")
    await page.reload()
    await expect(view).to_contain_text("Developed")
    await expect(view.locator("img.layer")).to_have_js_property(
        "naturalWidth", 128
    )


async def test_a_reload_before_the_answer_makes_no_second_job(
    page: Page, door: Door
) -> None:
    door.may_answer.clear()
    await develop(page, door)
    await page.reload()
    door.may_answer.set()
    await expect(job_view(page)).to_contain_text("Waiting")
    assert len(door.jobs) == 1
    assert len(door.creations) == 2


async def test_a_browser_that_is_full_says_so(page: Page, door: Door) -> None:
    await page.add_init_script(
        """
        const put = IDBObjectStore.prototype.put;
        IDBObjectStore.prototype.put = function (...args) {
          if (window.isFull) throw new DOMException("", "QuotaExceededError");
          return put.apply(this, args);
        };
        """
    )
    await page.goto(door.url)
    notice = page.get_by_text("This browser keeps no more pictures")
    job = await develop(page, door)
    await job.finish()
    await expect(job_view(page)).to_contain_text("Developed")
    await expect(notice).to_be_hidden()
    await page.evaluate("isFull = true")
    job = await develop(page, door)
    await expect(notice).to_be_visible()
    # It is painted all the same.
    await job.finish()
    await expect(job_view(page)).to_contain_text("Developed")
    await page.evaluate("isFull = false")
    job = await develop(page, door)
    await expect(notice).to_be_hidden()


async def test_small_numbers_are_typed(page: Page, door: Door) -> None:
    scale = page.get_by_role("spinbutton", name="Guidance", exact=True)
    await scale.press_sequentially("0.05")
    await expect(scale).to_have_value("0.05")
    assert (await develop(page, door)).request["guidance_scale"] == 0.05
    # What the other control says is shown at once.
    await page.get_by_role("slider", name="Guidance", exact=True).fill("7.5")
    await expect(scale).to_have_value("7.5")


async def test_older_pictures_come_while_there_is_room(
    page: Page, door: Door
) -> None:
    job = await develop(page, door)
    await job.finish()
    await expect(job_view(page)).to_contain_text("Developed")
    await page.evaluate(
        """() => new Promise((resolve, reject) => {
            const opened = indexedDB.open('genzo');
            opened.onsuccess = () => {
                const change = opened.result.transaction('jobs', 'readwrite');
                const jobs = change.objectStore('jobs');
                jobs.getAll().onsuccess = ({target}) => {
                    for (let i = 0; i < 70; i++) {
                        jobs.put({...target.result[0], key: `${i}`, frames: []});
                    }
                };
                change.oncomplete = resolve;
                change.onerror = reject;
            };
        })"""
    )
    await page.set_viewport_size({"width": 1280, "height": 9000})
    await page.reload()
    await expect(page.locator("article.job")).to_have_count(71)


async def test_a_job_that_cannot_be_cancelled_says_why(
    page: Page, door: Door
) -> None:
    await develop(page, door)
    door.refusals.append((403, {"message": "not with this key"}))
    await job_view(page).get_by_role("button", name="Cancel").click()
    await expect(job_view(page).get_by_role("alert")).to_have_text(
        "Not sent: not with this key"
    )


async def test_bad_input_is_shown_at_its_field(page: Page, door: Door) -> None:
    text = "width 100 is not a multiple of 8"
    door.refusals.append(
        (
            400,
            {
                "code": 3,
                "message": text,
                "reason": "INVALID_FIELD",
                "field_violations": [
                    {"field": "request.width", "description": text}
                ],
            },
        )
    )
    await page.get_by_role("button", name="Develop").click()
    await expect(page.get_by_text(text)).to_be_visible()
    width = page.get_by_role("spinbutton", name="Width")
    await expect(width).to_be_focused()
    await expect(width).to_have_attribute("aria-invalid", "true")
    await expect(width).to_have_accessible_description(text)
    await expect(page.locator("article.job")).to_have_count(0)
    assert await find_barriers(page) == []
    # What was refused is not in the history either.
    await page.reload()
    await expect(page.get_by_text("Nothing developed so far")).to_be_visible()
    job = await develop(page, door)
    await job.finish()
    await expect(job_view(page)).to_contain_text("Developed")


async def test_what_was_said_of_a_field_goes_when_it_is_corrected(
    page: Page, door: Door
) -> None:
    said = {"steps": "at most 150", "seed": "no number"}
    door.refusals.append(
        (
            400,
            {
                "message": "steps, seed",
                "field_violations": [
                    {"field": f"request.{field}", "description": text}
                    for field, text in said.items()
                ],
            },
        )
    )
    await set_slider(page, "Steps", "149")
    await page.get_by_role("button", name="Develop").click()
    await expect(page.get_by_text(said["steps"])).to_be_visible()
    await set_slider(page, "Steps", "20")
    await expect(page.get_by_text(said["steps"])).to_be_hidden()
    steps = page.get_by_role("spinbutton", name="Steps")
    await expect(steps).not_to_have_attribute("aria-invalid", "true")
    # The other field is as it was.
    await page.get_by_text("Settings").click()
    await expect(page.get_by_text(said["seed"])).to_be_visible()
    await page.get_by_role("button", name="Draw").click()
    await expect(page.get_by_text(said["seed"])).to_be_hidden()


async def test_a_full_queue_is_said(page: Page, door: Door) -> None:
    door.refusals.append((429, {"message": "64 jobs wait", "reason": ""}))
    await page.get_by_role("button", name="Develop").click()
    await expect(page.get_by_role("alert")).to_have_text(
        "Not sent: 64 jobs wait"
    )


async def test_a_failed_job_says_why(page: Page, door: Door) -> None:
    job = await develop(page, door)
    await job.started()
    await job.ended("FAILED", "out of memory")
    await expect(job_view(page)).to_contain_text("Failed")
    await expect(job_view(page).get_by_role("alert")).to_have_text(
        "out of memory"
    )


async def test_a_long_word_stays_in_its_card(page: Page, door: Door) -> None:
    job = await develop(page, door)
    await job.started()
    await job.ended("FAILED", f"no job {'5b0e4a63' * 8} is known here")
    alert = job_view(page).get_by_role("alert")
    await expect(alert).to_be_visible()
    assert await alert.evaluate("it => it.scrollWidth <= it.clientWidth")


async def test_a_job_is_cancelled_before_the_server_has_it(
    page: Page, door: Door
) -> None:
    door.is_down = True
    await page.get_by_label("Prompt").last.fill(PROMPT)
    await page.get_by_role("button", name="Develop").click()
    await expect(job_view(page)).to_contain_text("Sending")
    await job_view(page).get_by_role("button", name="Cancel").click()
    await expect(job_view(page)).to_contain_text("Cancelled")
    tries = len(door.creations)
    door.is_down = False
    await page.evaluate("dispatchEvent(new Event('online'))")
    await page.wait_for_timeout(300)
    assert len(door.creations) == tries


async def test_the_settings_are_those_of_the_server(
    page: Page, door: Door
) -> None:
    await page.get_by_text("Settings").click()
    sampler = page.get_by_label("Sampler")
    await expect(sampler.locator("option")).to_have_text(
        ["The model's own", "DDIM", "DPM++ 2M"]
    )
    await expect(page.get_by_label("Noise schedule")).to_have_count(0)
    await sampler.select_option("DPM++ 2M")
    await page.get_by_label("Noise schedule").select_option("Karras")
    await set_slider(page, "Steps", "12")
    await set_slider(page, "Guidance", "4.5")
    await page.get_by_label("Stay away from").fill("blur")
    await page.get_by_label("Portrait").check(force=True)
    # Larger than a number of JavaScript holds.
    await page.get_by_label("Seed").fill("18446744073709551615")
    job = await develop(page, door)
    wanted = {
        "model": "emaki",
        "sampler": "SAMPLER_DPMPP_2M",
        "schedule": "NOISE_SCHEDULE_KARRAS",
        "steps": 12,
        "guidance_scale": 4.5,
        "negative_prompt": "blur",
        "width": 112,
        "seed": "18446744073709551615",
    }
    assert {name: job.request[name] for name in wanted} == wanted
    assert job.request["height"] > job.request["width"]
    # The form is as it was after a reload.
    await page.reload()
    await expect(page.get_by_label("Stay away from")).to_have_value("blur")


async def test_a_door_that_tells_of_no_model_leaves_it_to_the_server(
    page: Page, door: Door
) -> None:
    door.model = {"id": "emaki"}
    await page.reload()
    await expect(page.get_by_label("Start from a picture")).to_be_visible()
    await expect(page.get_by_label("Portrait")).to_have_count(0)
    job = await develop(page, door)
    del job.request["preview"], job.request["request_id"]
    assert job.request == {
        "model": "emaki",
        "prompt": PROMPT,
        "image_count": 1,
    }


async def test_works_by_keyboard_alone(page: Page, door: Door) -> None:
    await page.get_by_label("Prompt").last.focus()
    await page.keyboard.type(PROMPT)
    await page.keyboard.press("Control+Enter")
    job = await door.next_job()
    await job.finish()
    opener = job_view(page).get_by_role("button", name="Open")
    await expect(opener).to_be_visible()
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await opener.evaluate("e => e === document.activeElement"):
            break
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await find_barriers(page) == []
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await expect(opener).to_be_focused()


async def test_speaks_japanese(page: Page, door: Door) -> None:
    await page.get_by_role("button", name="日本語").click()
    await expect(page.locator("html")).to_have_attribute("lang", "ja")
    await page.get_by_label("プロンプト").last.fill("雪の中の狐")
    await page.get_by_role("button", name="現像する").click()
    job = await door.next_job()
    await job.queued(2)
    await expect(job_view(page)).to_contain_text("待機中（前に2件）")
    assert await find_barriers(page) == []
    await page.reload()
    await expect(page.get_by_role("button", name="現像する")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_has_no_barrier_in_either_light(
    page: Page, door: Door, theme: str
) -> None:
    await page.get_by_label("Light or dark").select_option(theme)
    assert await find_barriers(page) == []
    await page.get_by_text("Settings").click()
    await page.get_by_label("Start from a picture").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": picture(1, 1)}
    )
    done = await develop(page, door)
    await done.finish()
    failed = await develop(page, door)
    await failed.ended("FAILED", "out of memory")
    job = await develop(page, door)
    await job.started()
    await job.preview(5)
    await expect(job_view(page)).to_contain_text("Step 5")
    await expect(job_view(page, 2)).to_contain_text("Developed")
    assert await find_barriers(page) == []


@pytest.mark.parametrize("width", [320, 390, 768])
async def test_fits_a_phone(page: Page, door: Door, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 700})
    job = await develop(page, door, "a" * 200)
    await job.finish()
    await expect(job_view(page)).to_contain_text("Developed")
    overflow = "document.documentElement.scrollWidth - innerWidth"
    assert await page.evaluate(overflow) <= 0
    viewer = await open_picture(page)
    await expect(viewer.get_by_role("button", name="Save")).to_be_visible()
    assert await page.evaluate(overflow) <= 0


async def test_pictures_beside_each_other_fit_their_card(
    page: Page, door: Door
) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await set_slider(page, "Pictures", "2")
    job = await develop(page, door)
    await job.started()
    await expect(page.locator(".frame")).to_have_count(2)
    over = """() => {
        const card = document.querySelector('.job').getBoundingClientRect();
        const frames = [...document.querySelectorAll('.frame')];
        return Math.max(...frames.map(
            f => f.getBoundingClientRect().right - card.right));
    }"""
    assert await page.evaluate(over) < 0


async def test_clears_the_history(page: Page, door: Door) -> None:
    done = await develop(page, door)
    await done.finish()
    await develop(page, door, "still running")
    page.on("dialog", lambda d: asyncio.ensure_future(d.accept()))
    await expect(job_view(page, 1)).to_contain_text("Developed")
    await page.get_by_role("button", name="Clear the history").click()
    await expect(page.locator("article.job")).to_have_count(1)
    await page.reload()
    await expect(page.locator("article.job")).to_have_count(1)
    await expect(job_view(page)).to_contain_text("still running")


def test_the_first_paint_is_small() -> None:
    files = [p for p in DIST.rglob("*") if p.is_file() and p.suffix != ".gz"]
    assert sum(len(gzip.compress(p.read_bytes())) for p in files) < 100_000
    for path in DIST.rglob("*.gz"):
        assert gzip.decompress(path.read_bytes()) == (
            path.with_suffix("").read_bytes()
        )
