"""The page as genzo-server serves it, with the model in the box."""

import asyncio
import io
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from conftest import browse
from PIL import Image
from playwright.async_api import Page, expect
from steps import job_view, open_picture, set_slider

ROOT = Path(__file__).resolve().parents[3]
SERVER = ROOT / "build/release/bin/genzo-server"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    if not SERVER.exists():
        pytest.skip("genzo-server is not built")
    http = f"127.0.0.1:{free_port()}"
    server = await asyncio.create_subprocess_exec(
        SERVER, "--config", ROOT / "deploy/genzo.yaml", "--listen", "127.0.0.1:0",
        "--admin", "127.0.0.1:0", "--http", http, "--log-level", "warning",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert server.stdout and b"ready" in await server.stdout.readline()
    async with browse(f"http://{http}/") as page:
        yield page
    server.terminate()
    assert await server.wait() == 0


async def order(page: Page, prompt: str, steps: int) -> None:
    await page.get_by_label("Prompt").last.fill(prompt)
    await set_slider(page, "Steps", str(steps))
    await page.get_by_role("button", name="Develop").click()


async def test_previews_follow_one_another_until_the_picture_is_there(page: Page) -> None:
    await order(page, "a red fox in the snow", steps=60)
    view = job_view(page)
    layer = view.locator("img.layer").last
    seen: set[str | None] = set()
    while len(seen) < 4:
        seen.add(await layer.get_attribute("src"))
    await expect(view).to_contain_text("Developed")
    await expect(view).to_contain_text("Seed")
    await expect(layer).to_have_js_property("naturalWidth", 128)


async def test_a_reload_in_mid_picture_loses_nothing(page: Page) -> None:
    await order(page, "a panda", steps=80)
    await expect(job_view(page)).to_contain_text("Step")
    await page.reload()
    await expect(page.locator("article.job")).to_have_count(1)
    await expect(job_view(page)).to_contain_text("Developed")


async def test_a_job_is_cancelled(page: Page) -> None:
    await order(page, "a castle", steps=150)
    view = job_view(page)
    await expect(view).to_contain_text("Step")
    await view.get_by_role("button", name="Cancel").click()
    await expect(view).to_contain_text("Cancelled")


async def test_what_the_server_refuses_is_said_at_its_field(page: Page) -> None:
    await order(page, "a fox " * 3000, steps=4)
    prompt = page.get_by_label("Prompt").last
    await expect(prompt).to_have_attribute("aria-invalid", "true")
    await expect(prompt).to_have_accessible_description(re.compile("18000 bytes"))
    await expect(page.locator("article.job")).to_have_count(0)


async def test_what_few_need_is_painted_and_reproduced(page: Page) -> None:
    await page.get_by_label("Larger, in a second pass").check()
    await page.get_by_text("More", exact=True).click()
    await page.get_by_label("Upscale with").select_option("lanczos")
    await page.get_by_label("Format").select_option("WebP")
    await set_slider(page, "Until", "0.8")
    await set_slider(page, "T-GATE", "6")
    await set_slider(page, "Rescale", "0.3")
    await set_slider(page, "PAG", "2")
    await page.get_by_label("Prompt").last.fill("a panda")
    await page.locator("#field-steps").fill("8")
    await page.get_by_role("button", name="Develop").click()
    layer = job_view(page).locator("img.layer").last
    await expect(job_view(page)).to_contain_text("Developed")
    await expect(layer).to_have_js_property("naturalWidth", 256)
    viewer = await open_picture(page)
    await expect(viewer).to_contain_text("×2 · lanczos · Steps 8 × 0.7")
    async with page.expect_download() as download:
        await viewer.get_by_role("button", name="Save").click()
    assert (await download.value).suggested_filename.endswith(".webp")
    await viewer.get_by_role("button", name="Reproduce").click()
    await expect(page.locator("article.job")).to_have_count(2)
    await expect(job_view(page)).to_contain_text("Developed")
    await expect(layer).to_have_js_property("naturalWidth", 256)


async def pixels(page: Page, number: int) -> bytes:
    """Those of a job's picture, as it is saved."""
    await expect(job_view(page, number)).to_contain_text("Developed")
    viewer = await open_picture(page, number)
    async with page.expect_download() as download:
        await viewer.get_by_role("button", name="Save").click()
    saved = Path(await (await download.value).path()).read_bytes()
    return Image.open(io.BytesIO(saved)).tobytes()


async def test_a_varied_picture_is_painted_again_from_its_settings(page: Page) -> None:
    await order(page, "a panda", steps=6)
    first = await pixels(page, 0)
    await page.get_by_role("button", name="Vary").click()
    await expect(page.locator("article.job")).to_have_count(2)
    varied = await pixels(page, 0)
    assert varied != first
    await page.get_by_role("button", name="Use these settings").click()
    await page.get_by_role("button", name="Develop").click()
    await expect(page.locator("article.job")).to_have_count(3)
    assert await pixels(page, 0) == varied
    # Its own variation paints over it, and keeps to its seed no more.
    await page.get_by_role("button", name="Vary").click()
    await expect(page.locator("article.job")).to_have_count(4)
    assert await pixels(page, 0) not in (first, varied)


async def test_a_picture_is_painted_over_and_enlarged(page: Page) -> None:
    await page.get_by_text("More", exact=True).click()
    await page.get_by_label("Keep latents").check()
    await page.get_by_label("The same bits").check()
    await order(page, "a panda", steps=6)
    first = await pixels(page, 0)
    await page.get_by_role("button", name="Paint over its latents").click()
    await expect(page.locator("article.job")).to_have_count(2)
    assert await pixels(page, 0) != first
    await page.get_by_role("button", name="Upscale", exact=True).click()
    await expect(page.locator("article.job")).to_have_count(3)
    await expect(job_view(page)).to_contain_text("Developed")
    layer = job_view(page).locator("img.layer").last
    await expect(layer).to_have_js_property("naturalWidth", 256)


async def test_what_depends_on_two_fields_is_refused_in_japanese(page: Page) -> None:
    for name, value in (("guidance.start", "0.5"), ("guidance.end", "0.2")):
        field = page.locator(f'[name="{name}"]')
        await field.evaluate("it => it.closest('details').open = true")
        await field.fill(value)
    await page.get_by_role("button", name="日本語").click()
    await page.get_by_label("プロンプト").last.fill("a red fox")
    await page.get_by_role("button", name="現像する").click()
    said = "終了「0.2」は0.5から1までの範囲にありません"
    await expect(page.get_by_text(said, exact=True)).to_be_visible()
