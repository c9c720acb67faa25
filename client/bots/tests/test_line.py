from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession
from conftest import painted, served
from fake_server import FakeServer
from line_service import SECRET, SENT, Line, press, text
from stand_in import StandIn

from genzo_bots.line_bot import LineBot
from genzo_bots.picture_urls import PictureUrls
from genzo_bots.studio import Studio


@pytest.fixture
async def line(
    studio: Studio, stand_in: StandIn, tmp_path: Path
) -> AsyncIterator[Line]:
    urls = PictureUrls("https://bot.example", "/line/pictures", tmp_path)
    bot = LineBot(studio, urls, SECRET, "access-token", stand_in.url)
    async with served(studio, bot) as url, ClientSession() as session:
        yield Line(stand_in, f"{url}/line", session)


async def test_takes_no_forgery(line: Line, genzo_server: FakeServer) -> None:
    assert await line.send(text("1", "狐"), secret="other") == 401
    assert not genzo_server.calls


async def test_replies_once_then_pushes_preview_and_picture(
    line: Line, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(previews=3)]
    assert await line.send(text("1", "雪の中の狐 --seed 7")) == 200
    await studio.settled()
    [reply] = line.replies()
    assert reply["text"] == "順番待ちです（前に2件）。"
    assert reply["quickReply"]["items"][0]["action"]["label"] == "中止"
    *rough, final = line.pushed()
    assert [message["type"] for message in rough] in ([], ["image"])
    hero = final["contents"]["hero"]
    assert hero["url"].startswith("https://bot.example/line/pictures/")
    assert hero["aspectRatio"] == "64:64"
    buttons = final["contents"]["footer"]["contents"]
    assert [b["action"]["label"] for b in buttons] == [
        "もう一度",
        "バリエーション",
        "拡大",
    ]
    genzo_server.answers.append(painted("job-2"))
    await line.send(press("2", buttons[2]["action"]["data"]))
    await studio.settled()
    assert genzo_server.calls[1].request.hires.factor == 2


async def test_paints_once_what_is_delivered_twice(
    line: Line, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted()]
    await line.send(text("1", "狐"))
    await line.send(text("1", "狐"))
    await studio.settled()
    assert len(genzo_server.calls) == 1
    assert len(line.replied()) == 1


async def test_a_push_that_was_taken_after_all_counts_once(
    line: Line, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(previews=0)]
    line.api.faults = [("/push", 500, {}, {"message": "internal"})]
    await line.send(text("1", "狐"))
    await studio.settled()
    assert len(line.pushed()) == 1


async def test_minds_its_own_business_in_groups(
    line: Line, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted()]
    group = {"type": "group", "groupId": "G1", "userId": "ann"}
    await line.send(
        text("1", "こんにちは", source=group),
        text("2", "/imagine 狐", source=group),
    )
    await studio.settled()
    assert len(genzo_server.calls) == 1
    pushes = line.api.calls("POST", "/push")
    assert {push.json["to"] for push in pushes} == {"G1"}


async def test_says_what_is_wrong(line: Line, genzo_server: FakeServer) -> None:
    await line.send(text("1", "狐 --steps many"))
    [reply] = line.replied()
    assert "誤り" in reply
    assert "--steps" in reply
    assert not genzo_server.calls


async def test_a_picture_that_is_answered_is_started_from(
    line: Line, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(), painted("job-2")]
    await line.send(text("1", "青い狐 --shows 赤い狐", quoted="picture"))
    await studio.settled()
    start = genzo_server.calls[0].request.image_to_image
    assert start.image == SENT
    assert start.inversion.prompt == "赤い狐"
    # A text that is answered is none.
    await line.send(text("2", "狐", quoted="text"))
    await studio.settled()
    assert not genzo_server.calls[1].request.HasField("image_to_image")
