"""The page while it is worked on: Vite serves it, the door is elsewhere."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from conftest import browse
from mock_door import Door
from playwright.async_api import Page, expect
from steps import develop, job_view, open_picture

SOURCES = Path(__file__).resolve().parents[1]


@pytest.fixture
async def page(door: Door, unused_tcp_port: int) -> AsyncIterator[Page]:
    door.loras = ["ink"]
    door.upscalers = ["lanczos"]
    door.model["request_fields"] = ["loras"]
    vite = await asyncio.create_subprocess_exec(
        "node", "node_modules/vite/bin/vite.js", "--strictPort",
        "--host", "127.0.0.1", "--port", str(unused_tcp_port),
        cwd=SOURCES, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "GENZO_DOOR": door.url, "NO_COLOR": "1"},
    )  # fmt: skip
    assert vite.stdout
    while b"Local" not in (line := await vite.stdout.readline()):
        assert line, "vite did not start"
    async with browse(f"http://127.0.0.1:{unused_tcp_port}/") as page:
        yield page
    vite.terminate()
    await vite.wait()


async def test_all_that_the_page_calls_reaches_the_door(
    page: Page, door: Door
) -> None:
    await expect(page.get_by_label("LoRAs").locator("option")).to_contain_text(
        ["Add one", "ink"]
    )
    job = await develop(page, door)
    await job.finish()
    viewer = await open_picture(page)
    await viewer.get_by_role("button", name="Upscale").click()
    view = job_view(page)
    await expect(page.locator("article.job")).to_have_count(2)
    await expect(view.locator("img.layer")).to_have_js_property(
        "naturalWidth", 256
    )
