"""LINE's side: its API, and its signed calls to the bot."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

from aiohttp import ClientSession, web
from stand_in import Heard, StandIn, expect, reply, within

SECRET = "channel-secret"
SENT = b"\xff\xd8sent"
_TOKEN_SECONDS = 60.0


@dataclass
class Line:
    """Takes a reply token and a retry key once, a token within a minute."""

    api: StandIn
    endpoint: str
    session: ClientSession
    _tokens: dict[str, float] = field(default_factory=dict)
    _replied: list[list[Any]] = field(default_factory=list)
    _taken: dict[str, list[Any]] = field(default_factory=dict)  # by retry key

    def __post_init__(self) -> None:
        self.api.answer = self._answer

    async def send(self, *events: dict[str, Any], secret: str = SECRET) -> int:
        for event in events:
            self._tokens.setdefault(event["replyToken"], time.monotonic())
        body = json.dumps({"destination": "U0", "events": events}).encode()
        digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
        async with self.session.post(
            self.endpoint,
            data=body,
            headers={"X-Line-Signature": base64.b64encode(digest).decode()},
        ) as answer:
            return answer.status

    def pushed(self) -> list[Any]:
        """Messages that were taken, in order."""
        return [message for taken in self._taken.values() for message in taken]

    def replies(self) -> list[Any]:
        """The first message of each that was taken."""
        return [messages[0] for messages in self._replied]

    def replied(self) -> list[str]:
        return [message["text"] for message in self.replies()]

    async def _answer(self, heard: Heard) -> Any:
        expect(
            heard.headers["Authorization"] == "Bearer access-token",
            "no access token",
        )
        if heard.path.endswith("/content"):
            if heard.path.split("/")[-2] == "picture":
                return web.Response(body=SENT, content_type="image/jpeg")
            return reply({"message": "Not found"}, 404)
        messages = heard.json["messages"]
        expect(1 <= len(messages) <= 5, "not 1 to 5 messages")
        for message in messages:
            check_message(message)
            for bubble in bubbles_of(message):
                size = await self.size_at(bubble["hero"]["url"])
                expect(max(size) <= 1024, f"a hero of {size} pixels")
        if heard.path.endswith("/reply"):
            given = self._tokens.pop(heard.json["replyToken"], None)
            fresh = given and time.monotonic() - given < _TOKEN_SECONDS
            if not fresh:
                return reply({"message": "Invalid reply token"}, 400)
            self._replied.append(messages)
        else:
            key = heard.headers["X-Line-Retry-Key"]
            uuid.UUID(key)
            if key in self._taken:
                return reply({"message": "accepted already"}, 409)
            self._taken[key] = messages
        return {"sentMessages": [{"id": "1", "quoteToken": "q"}]}

    async def size_at(self, url: str) -> tuple[int, int]:
        """Fetches a picture as LINE does, through a proxy that is not here."""
        inside = urljoin(
            self.endpoint, urlsplit(url)._replace(scheme="", netloc="").geturl()
        )
        async with self.session.get(inside) as answer:
            expect(answer.status == 200, f"{url}: {answer.status}")
            data = await answer.read()
            kind = answer.content_type
        expect(kind in ("image/jpeg", "image/png"), f"{url} is {kind}")
        expect(len(data) <= 10 << 20, f"{url} has {len(data)} bytes")
        return size_of(data)


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height of a PNG or JPEG file."""
    if data.startswith(b"\x89PNG"):
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    at = 2
    # Segments follow one another up to the frame's header.
    while data[at + 1] not in (0xC0, 0xC1, 0xC2):
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    height, width = struct.unpack(">HH", data[at + 5 : at + 9])
    return width, height


def bubbles_of(message: dict[str, Any]) -> list[Any]:
    if message["type"] != "flex":
        return []
    contents = message["contents"]
    return list(contents.get("contents", [contents]))


def check_message(message: dict[str, Any]) -> None:
    match message["type"]:
        case "text":
            within("text", message["text"], 5000)
            items = (message.get("quickReply") or {"items": []})["items"]
            expect(len(items) <= 13, "more than 13 quick replies")
            for item in items:
                _check_action(item["action"])
        case "image":
            _check_url(message["originalContentUrl"])
            _check_url(message["previewImageUrl"])
        case "flex":
            within("altText", message["altText"], 1500)
            bubbles = bubbles_of(message)
            expect(len(bubbles) <= 12, "more than 12 bubbles")
            for bubble in bubbles:
                _check_bubble(bubble)
        case other:
            expect(False, f"type {other}")


def _check_bubble(bubble: dict[str, Any]) -> None:
    hero = bubble["hero"]
    _check_url(hero["url"])
    width, height = map(int, hero["aspectRatio"].split(":"))
    expect(height <= 3 * width, f"aspectRatio {hero['aspectRatio']}")
    within("uri", hero["action"]["uri"], 1000)
    for part in bubble["body"]["contents"]:
        within("text", part["text"], 2000)
    for button in bubble["footer"]["contents"]:
        expect(button["style"] in ("primary", "secondary", "link"), "style")
        _check_action(button["action"])


def _check_action(action: dict[str, Any]) -> None:
    within("label", action["label"], 20)
    within("data", action["data"], 300)


def _check_url(url: str) -> None:
    within("url", url, 2000)
    expect(url.startswith("https://"), f"{url} is not https")


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


def text(
    identifier: str, words: str, quoted: str = "", **rest: Any
) -> dict[str, Any]:
    """`quoted`: the message that it answers, SENT if it is "picture"."""
    message = {"type": "text", "id": "1", "text": words, "quoteToken": "q"}
    if quoted:
        message["quotedMessageId"] = quoted
    return event(identifier, type="message", message=message, **rest)


def press(identifier: str, data: str) -> dict[str, Any]:
    return event(identifier, type="postback", postback={"data": data})
