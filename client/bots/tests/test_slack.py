from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession
from conftest import Heard, StandIn, painted, served
from fake_server import FakeServer

from genzo_bots.picture_urls import PictureUrls
from genzo_bots.slack_bot import SlackBot
from genzo_bots.studio import Studio

_SECRET = "signing-secret"


@dataclass
class Slack:
    """Slack's side: its API, and its signed calls to the bot."""

    api: StandIn
    endpoint: str
    session: ClientSession

    async def send(self, age: float = 0, **form: Any) -> int:
        body = urlencode(form)
        stamp = str(int(time.time() - age))
        digest = hmac.new(
            _SECRET.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256
        ).hexdigest()
        async with self.session.post(
            self.endpoint,
            data=body,
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Slack-Request-Timestamp": stamp,
                "X-Slack-Signature": f"v0={digest}",
            },
        ) as answer:
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


@pytest.fixture
async def slack(studio: Studio, stand_in: StandIn) -> AsyncIterator[Slack]:
    def answer(heard: Heard) -> Any:
        method = heard.path.rsplit("/", 1)[1]
        return {
            "ok": True,
            "user_id": "UBOT",
            "team_id": "T1",
            "bot_id": "B1",
            "channel": "C1",
            "ts": "1.5",
            "upload_url": f"{stand_in.url}/upload",
            "file_id": "F1",
            "files": [{"id": "F1"}],
            "method": method,
        }

    stand_in.answer = answer
    urls = PictureUrls("https://bot.example", b"secret")
    bot = SlackBot(studio, urls, "xoxb-1", _SECRET, f"{stand_in.url}/api/")
    async with served(studio, bot) as url, ClientSession() as session:
        yield Slack(stand_in, f"{url}/slack", session)


def blocks(heard: Heard) -> Any:
    found = heard.json["blocks"]
    return json.loads(found) if isinstance(found, str) else found


async def test_paints_in_a_message_and_files_the_picture(
    slack: Slack, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(previews=1)]
    assert await slack.imagine("a fox --seed 7") == 200
    await slack.api.until(lambda: genzo_server.calls)
    await studio.settled()
    uploads = slack.api.calls("POST", "/upload")
    assert len(uploads) == 1
    done = slack.api.calls("POST", "/api/files.completeUploadExternal")
    assert done[0].query["thread_ts"] == "1.5"
    updates = [
        *slack.api.calls("POST", "/api/chat.postMessage"),
        *slack.api.calls("POST", "/api/chat.update"),
    ]
    *_, buttons = blocks(updates[-1])
    assert [b["action_id"] for b in buttons["elements"]] == [
        "again",
        "vary",
        "upscale",
    ]
    genzo_server.answers.append(painted("job-2"))
    press = {
        "type": "block_actions",
        "user": {"id": "U1"},
        "channel": {"id": "C1"},
        "team": {"id": "T1"},
        "response_url": f"{slack.api.url}/respond",
        "actions": [
            {
                "type": "button",
                "block_id": "b",
                "action_id": "upscale",
                "value": buttons["elements"][0]["value"],
            }
        ],
    }
    assert await slack.send(payload=json.dumps(press)) == 200
    await slack.api.until(lambda: len(genzo_server.calls) == 2)
    await studio.settled()
    assert genzo_server.calls[1].request.hires.factor == 2


async def test_takes_no_old_or_forged_call(
    slack: Slack, genzo_server: FakeServer
) -> None:
    assert await slack.imagine("a fox", age=600) == 401
    assert not genzo_server.calls


async def test_waits_as_long_as_slack_asks(
    slack: Slack, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(previews=0)]
    slack.api.faults = [
        (
            "chat.postMessage",
            429,
            {"Retry-After": "1"},
            {"ok": False, "error": "ratelimited"},
        )
    ]
    await slack.imagine("a fox")
    await slack.api.until(lambda: genzo_server.calls)
    await studio.settled()
    assert len(slack.api.calls("POST", "/upload")) == 1
    assert not slack.api.faults


async def test_says_what_is_wrong_to_the_one_who_asked(
    slack: Slack, genzo_server: FakeServer
) -> None:
    assert await slack.imagine("") == 200
    await slack.api.until(lambda: slack.api.calls("POST", "/respond"))
    [said] = slack.api.calls("POST", "/respond")
    assert "Say what to paint" in said.json["text"]
    assert not genzo_server.calls
