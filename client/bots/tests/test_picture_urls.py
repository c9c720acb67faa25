"""Addresses of pictures for services that fetch them."""

from __future__ import annotations

from pathlib import Path

from aiohttp import ClientSession, web

import genzo
from genzo_bots.picture_urls import PictureUrls


async def test_picture_addresses_expire_and_cannot_be_made_up(
    tmp_path: Path,
) -> None:
    now = [1000.0]
    app = web.Application()
    urls = PictureUrls(
        "", "/line/pictures", tmp_path, kept_seconds=60, now=lambda: now[0]
    )
    urls.add_route(app)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    path = urls.add(genzo.Picture(b"jpg", "image/jpeg", 8, 8))
    # The next start signs as this one did.
    again = PictureUrls(
        "", "/line/pictures", tmp_path, kept_seconds=60, now=lambda: now[0]
    )
    assert again.add(genzo.Picture(b"jpg", "image/jpeg", 8, 8)) == path
    async with ClientSession(f"http://{host}:{port}") as session:

        async def status(address: str) -> int:
            async with session.get(address) as answer:
                return answer.status

        assert await status(path) == 200
        assert await status(path.replace("signature=", "signature=0")) == 403
        later = path.replace("expires=1060", "expires=9060")
        assert await status(later) == 403
        now[0] = 2000.0
        assert await status(path) == 410
    await runner.cleanup()


def test_pictures_over_the_budget_go_oldest_first(tmp_path: Path) -> None:
    now = [1000.0]
    urls = PictureUrls(
        "", "/line/pictures", tmp_path, budget_bytes=25, now=lambda: now[0]
    )
    for number in range(4):
        now[0] += 1
        data = bytes([number]) * 10
        urls.add(genzo.Picture(data, "image/png", 8, 8))
    kept = {f.read_bytes()[0] for f in tmp_path.glob("*.png")}
    assert kept == {2, 3}
    now[0] += 100_000
    urls.add(genzo.Picture(b"new", "image/png", 8, 8))
    assert [f.read_bytes() for f in tmp_path.glob("*.png")] == [b"new"]
