"""Slack's side: its API, and its signed calls to the bot."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientSession, web
from stand_in import Heard, Limit, StandIn, expect, within

SECRET = "signing-secret"
ATTACHED = b"\x89PNG attached"
_ANSWER_SECONDS = 3.0


@dataclass
class Slack:
    """Numbers messages; one that it does not know cannot be changed."""

    api: StandIn
    endpoint: str
    session: ClientSession
    restart: Callable[[], Any] = lambda: None  # of the bot
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    _messages: set[str] = field(default_factory=set)
    _uploads: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.api.answer = self._answer
        self.api.limits = [Limit("/chat.update", 50, 60.0)]

    async def send(self, age: float = 0, **form: Any) -> int:
        return await self._send(
            urlencode(form), "application/x-www-form-urlencoded", age
        )

    async def mention(self, text: str, stamp: str = "1.5", **file: Any) -> int:
        """Tells of a message, with a file if anything is said of one."""
        event: dict[str, Any] = {
            "type": "app_mention",
            "user": "U1",
            "channel": "C1",
            "ts": stamp,
            "text": f"<@UBOT> {text}",
        }
        if file:
            event["files"] = [
                {
                    "mimetype": "image/png",
                    "size": len(ATTACHED),
                    "url_private": f"{self.api.url}/files-pri/fox.png",
                    **file,
                }
            ]
        body = {"type": "event_callback", "team_id": "T1", "event": event}
        return await self._send(json.dumps(body), "application/json")

    async def _send(self, body: str, kind: str, age: float = 0) -> int:
        stamp = str(int(time.time() - age))
        digest = hmac.new(
            SECRET.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256
        ).hexdigest()
        began = time.monotonic()
        async with self.session.post(
            self.endpoint,
            data=body,
            headers={
                "Content-Type": kind,
                "X-Slack-Request-Timestamp": stamp,
                "X-Slack-Signature": f"v0={digest}",
            },
        ) as answer:
            assert time.monotonic() - began < _ANSWER_SECONDS
            return answer.status

    async def imagine(self, text: str, age: float = 0) -> int:
        return await self.send(
            age,
            command="/imagine",
            text=text,
            user_id="U1",
            channel_id="C1",
            team_id="T1",
            response_url=f"{self.api.url}/respond",
        )

    async def press(self, wish: str, value: str) -> int:
        press = {
            "type": "block_actions",
            "user": {"id": "U1"},
            "channel": {"id": "C1"},
            "team": {"id": "T1"},
            "response_url": f"{self.api.url}/respond",
            "actions": [
                {
                    "type": "button",
                    "block_id": "b",
                    "action_id": wish,
                    "value": value,
                }
            ],
        }
        return await self.send(payload=json.dumps(press))

    def shown(self) -> list[Any]:
        """Blocks of the message as it was and became, in order."""
        return [
            blocks(heard)
            for heard in self.api.heard
            if "/chat.postMessage" in heard.path or "/chat.upd" in heard.path
        ]

    def _answer(self, heard: Heard) -> Any:
        if "/files-pri/" in heard.path:
            key = heard.headers.get("Authorization")
            expect(key == "Bearer xoxb-1", "a file without the bot's token")
            return web.Response(body=ATTACHED, content_type="image/png")
        number = next(self._numbers)
        answer: dict[str, Any] = {"ok": True}
        match heard.path.rsplit("/", 1)[1]:
            case "auth.test":
                answer |= {"user_id": "UBOT", "team_id": "T1", "bot_id": "B1"}
            case "chat.postMessage":
                check_blocks(blocks(heard))
                answer |= {"channel": "C1", "ts": f"1.{number}"}
                self._messages.add(answer["ts"])
            case "chat.update":
                check_blocks(blocks(heard))
                if heard.json["ts"] not in self._messages:
                    return {"ok": False, "error": "message_not_found"}
            case "files.getUploadURLExternal":
                self._uploads.add(f"F{number}")
                answer |= {
                    "upload_url": f"{self.api.url}/upload/F{number}",
                    "file_id": f"F{number}",
                }
            case "files.completeUploadExternal":
                done = {**heard.query, **(heard.json or {})}
                expect(done["thread_ts"] in self._messages, "no such thread")
                files = json.loads(done["files"])
                expect({f["id"] for f in files} <= self._uploads, "no upload")
                answer |= {"files": files}
        return answer


def blocks(heard: Heard) -> Any:
    found = heard.json["blocks"]
    return json.loads(found) if isinstance(found, str) else found


def check_blocks(found: list[dict[str, Any]]) -> None:
    expect(1 <= len(found) <= 50, "not 1 to 50 blocks")
    for block in found:
        match block["type"]:
            case "section":
                within("text", block["text"]["text"], 3000)
            case "image":
                within("image_url", block["image_url"], 3000)
                within("alt_text", block["alt_text"], 2000)
                expect(block["image_url"].startswith("https://"), "no https")
            case "actions":
                expect(len(block["elements"]) <= 25, "more than 25 elements")
                for element in block["elements"]:
                    within("text", element["text"]["text"], 75)
                    within("action_id", element["action_id"], 255)
                    within("value", element["value"], 2000)
            case other:
                expect(False, f"block {other}")
