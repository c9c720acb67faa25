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
    line.api.unheard = ["/push"]
    await line.send(text("1", "狐"))
    await studio.settled()
    assert len(line.api.calls("POST", "/push")) == 2
    assert [message["type"] for message in line.pushed()] == ["flex"]


async def test_waits_until_line_takes_the_picture(
    line: Line, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(previews=0)]
    line.api.faults = [
        ("/push", 429, {}, {"message": "too many requests"}),
        ("/push", 503, {}, {"message": "unavailable"}),
        ("/push", 0, {}, {}),
    ]
    await line.send(text("1", "狐"))
    await studio.settled()
    assert not line.api.faults
    assert [message["type"] for message in line.pushed()] == ["flex"]


@pytest.mark.parametrize("status", [429, 500, 0])
async def test_replies_again_where_a_reply_is_not_taken(
    line: Line, genzo_server: FakeServer, status: int
) -> None:
    line.api.faults = [("/reply", status, {}, {"message": "no"})]
    assert await line.send(text("1", "狐 --steps many")) == 200
    assert len(line.replied()) == 1
    assert not line.pushed()


@pytest.mark.parametrize("statuses", [[429, 429], [500, 500], [400]])
async def test_pushes_what_no_reply_brings(
    line: Line, genzo_server: FakeServer, statuses: list[int]
) -> None:
    """The last: a token that has expired is not tried again."""
    line.api.faults = [("/reply", s, {}, {"message": "no"}) for s in statuses]
    assert await line.send(text("1", "狐 --steps many")) == 200
    assert not line.api.faults
    assert not line.replied()
    [pushed] = line.pushed()
    assert "--steps" in pushed["text"]


async def test_a_reply_that_was_taken_after_all_counts_once(
    line: Line, genzo_server: FakeServer
) -> None:
    line.api.unheard = ["/reply"]
    assert await line.send(text("1", "狐 --steps many")) == 200
    assert len(line.api.calls("POST", "/reply")) == 2
    assert len(line.replied()) == 1
    assert not line.pushed()


async def test_a_large_picture_is_shown_small(
    line: Line, studio: Studio, genzo_server: FakeServer
) -> None:
    """The stand-in looks at the size of what is shown."""
    genzo_server.answers = [
        painted(previews=0, side=2048),
        painted("reduced", previews=0, side=1024),
    ]
    await line.send(text("1", "狐"))
    await studio.settled()
    [asked] = genzo_server.requests
    assert (asked.upscaler, asked.width, asked.height) == (
        "lanczos",
        1024,
        1024,
    )
    [final] = line.pushed()
    hero = final["contents"]["hero"]
    shown, whole = hero["url"], hero["action"]["uri"]
    assert await line.size_at(shown) == (1024, 1024)
    assert await line.size_at(whole) == (2048, 2048)


async def test_a_button_is_for_the_picture_above_it(
    line: Line, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [
        painted(previews=0, images=2, first_seed=3),
        painted("job-2", previews=0),
    ]
    await line.send(text("1", "狐 --seed 7 --count 2 --best-of 4"))
    await studio.settled()
    [final] = line.pushed()
    _, second = final["contents"]["contents"]
    [upscale] = [
        button["action"]["data"]
        for button in second["footer"]["contents"]
        if button["action"]["data"].startswith("upscale")
    ]
    await line.send(press("2", upscale))
    await studio.settled()
    request = genzo_server.calls[1].request
    assert (request.seed, request.image_count) == (11, 1)
    assert not request.HasField("best_of")


async def test_one_lost_picture_loses_no_other_event(
    line: Line, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted()]
    # aiohttp itself tries a second time.
    line.api.faults = [("/content", 0, {}, {})] * 2
    lost = text("1", "狐", quoted="picture")
    assert await line.send(lost, text("2", "熊")) == 200
    await studio.settled()
    assert "画像を取得できませんでした" in line.replied()[0]
    assert [call.request.prompt for call in genzo_server.calls] == ["熊"]


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
