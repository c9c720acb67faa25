from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientSession, web
from conftest import Heard, StandIn, painted, served
from fake_server import FakeServer

from genzo_bots.line_bot import LineBot
from genzo_bots.picture_urls import PictureUrls
from genzo_bots.studio import Studio

_SECRET = "channel-secret"


@dataclass
class Line:
    """LINE's side: its API, which takes a reply token and a retry key once,
    and its signed calls to the bot."""

    api: StandIn
    endpoint: str
    session: ClientSession

    async def send(self, *events: dict[str, Any], secret: str = _SECRET) -> int:
        body = json.dumps({"destination": "U0", "events": events}).encode()
        digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
        async with self.session.post(
            self.endpoint,
            data=body,
            headers={"X-Line-Signature": base64.b64encode(digest).decode()},
        ) as answer:
            return answer.status

    def pushed(self) -> list[Any]:
        return [
            message
            for heard in self.api.calls("POST", "/v2/bot/message/push")
            for message in heard.json["messages"]
        ]

    def replied(self) -> list[str]:
        return [
            heard.json["messages"][0]["text"]
            for heard in self.api.calls("POST", "/v2/bot/message/reply")
        ]


def event(identifier: str, **rest: Any) -> dict[str, Any]:
    return {
        "source": {"type": "user", "userId": "ann"},
        "timestamp": 1,
        "mode": "active",
        "webhookEventId": identifier,
        "deliveryContext": {"isRedelivery": False},
        "replyToken": f"reply-{identifier}",
        **rest,
    }


def text(identifier: str, words: str, **rest: Any) -> dict[str, Any]:
    return event(
        identifier,
        type="message",
        message={"type": "text", "id": "1", "text": words, "quoteToken": "q"},
        **rest,
    )


def press(identifier: str, data: str) -> dict[str, Any]:
    return event(identifier, type="postback", postback={"data": data})


def answer_once(used: set[str]) -> Any:
    def answer(heard: Heard) -> Any:
        if heard.path.endswith("/reply"):
            token = heard.json["replyToken"]
            if token in used:
                return web.json_response(
                    {"message": "Invalid reply token"}, status=400
                )
            used.add(token)
        elif heard.path.endswith("/push"):
            key = heard.headers["X-Line-Retry-Key"]
            if key in used:
                return web.json_response({"message": "accepted"}, status=409)
            used.add(key)
        return {"sentMessages": [{"id": "1", "quoteToken": "q"}]}

    return answer


@pytest.fixture
async def line(studio: Studio, stand_in: StandIn) -> AsyncIterator[Line]:
    stand_in.answer = answer_once(set())
    urls = PictureUrls("https://bot.example", b"secret")
    bot = LineBot(studio, urls, _SECRET, "access-token", stand_in.url)
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
    assert line.replied() == ["画像を作成しています。"]
    *rough, final = line.pushed()
    assert [message["type"] for message in rough] in ([], ["image"])
    hero = final["contents"]["hero"]
    assert hero["url"].startswith("https://bot.example/pictures/")
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
