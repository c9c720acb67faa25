from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import discord.http
import pytest
from aiohttp import ClientSession
from conftest import StandIn, painted, served
from fake_server import FakeServer
from nacl.signing import SigningKey

from genzo_bots.discord_bot import DiscordBot
from genzo_bots.studio import Studio

_KEY = SigningKey.generate()
_LIMITED = {"Via": "1.1 discord", "Retry-After": "0.05"}


@dataclass
class Discord:
    """Discord's side: its API, and its signed calls to the bot."""

    api: StandIn
    endpoint: str
    session: ClientSession

    async def send(self, event: dict[str, Any], key: Any = _KEY) -> Any:
        body = json.dumps(
            {
                "application_id": "42",
                "token": "interaction-token",
                "channel_id": "9",
                "locale": "en-US",
                "member": {"user": {"id": "ann"}},
                **event,
            }
        ).encode()
        stamp = str(int(time.time()))
        signature = key.sign(stamp.encode() + body).signature.hex()
        began = time.monotonic()
        async with self.session.post(
            self.endpoint,
            data=body,
            headers={
                "X-Signature-Ed25519": signature,
                "X-Signature-Timestamp": stamp,
            },
        ) as answer:
            assert time.monotonic() - began < 3  # Discord's own deadline
            if answer.status != 200:
                return answer.status
            return await answer.json()

    def imagine(self, **options: Any) -> dict[str, Any]:
        named = [{"name": k, "value": v} for k, v in options.items()]
        return {"type": 2, "data": {"name": "imagine", "options": named}}

    def press(self, button: str, user: str = "ann") -> dict[str, Any]:
        return {
            "type": 3,
            "data": {"custom_id": button},
            "member": {"user": {"id": user}},
        }

    def edits(self) -> list[Any]:
        """What the message has been changed to, in order."""
        return [
            payload(heard)
            for heard in self.api.calls("PATCH", "/messages/@original")
        ]


def payload(heard: Any) -> Any:
    if "payload_json" in heard.files:
        return json.loads(heard.files["payload_json"])
    return heard.json


@pytest.fixture
async def discord_side(
    studio: Studio, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Discord]:
    monkeypatch.setattr(discord.http.Route, "BASE", stand_in.url)
    stand_in.answer = lambda heard: (
        {"id": "42"} if heard.path == "/users/@me" else {}
    )
    bot = DiscordBot(studio, "token", "42", _KEY.verify_key.encode().hex())
    async with served(studio, bot) as url, ClientSession() as session:
        yield Discord(stand_in, f"{url}/discord", session)


async def test_registers_its_command(discord_side: Discord) -> None:
    [call] = discord_side.api.calls("PUT", "/applications/42/commands")
    assert call.headers["Authorization"] == "Bot token"
    assert call.json[0]["name"] == "imagine"


async def test_answers_a_ping_and_no_forgery(discord_side: Discord) -> None:
    assert await discord_side.send({"type": 1}) == {"type": 1}
    other = SigningKey.generate()
    assert await discord_side.send({"type": 1}, other) == 401


async def test_the_picture_develops_in_the_message(
    discord_side: Discord, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(images=2)]
    answer = await discord_side.send(
        discord_side.imagine(prompt="@everyone a fox", seed=7, count=2)
    )
    assert answer["type"] == 5  # deferred
    await studio.settled()
    *_, last = discord_side.edits()
    assert "seed 7, 8" in last["content"]
    assert last["allowed_mentions"] == {"parse": []}
    assert len(last["attachments"]) == 2
    [final] = [
        h
        for h in discord_side.api.calls("PATCH", "@original")
        if h.files.get("files[1]")
    ]
    assert final.files["files[0]"].endswith(b"done0")
    names = [b["custom_id"] for b in last["components"][0]["components"]]
    assert [n.split(":")[0] for n in names] == ["again", "vary", "upscale"]
    # Its buttons order the same again, changed.
    genzo_server.answers.append(painted("job-2"))
    assert (await discord_side.send(discord_side.press(names[1])))["type"] == 5
    await studio.settled()
    assert genzo_server.calls[1].request.variation.strength > 0
    assert genzo_server.calls[1].request.seed == 7


async def test_waits_as_long_as_discord_asks(
    discord_side: Discord, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(previews=0)]
    discord_side.api.faults = [
        ("@original", 429, _LIMITED, {"retry_after": 0.05, "global": False}),
        ("@original", 502, {}, {}),
    ]
    await discord_side.send(discord_side.imagine(prompt="a fox"))
    await studio.settled()
    assert discord_side.edits()[-1]["attachments"]
    assert not discord_side.api.faults


async def test_an_expired_token_sends_the_picture_to_the_channel(
    discord_side: Discord, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(previews=0)]
    expired = ("@original", 401, {}, {"code": 50027, "message": "Invalid"})
    discord_side.api.faults = [expired, expired]
    await discord_side.send(discord_side.imagine(prompt="a fox"))
    await studio.settled()
    [post] = discord_side.api.calls("POST", "/channels/9/messages")
    assert payload(post)["content"].startswith("<@ann> a fox")
    assert post.files["files[0]"].endswith(b"done0")


async def test_whispers_what_is_wrong(
    discord_side: Discord, genzo_server: FakeServer
) -> None:
    answer = await discord_side.send(discord_side.imagine(prompt=" "))
    assert answer["data"]["flags"] == 64
    assert "Say what to paint" in answer["data"]["content"]
    answer = await discord_side.send(discord_side.press("again:unknown"))
    assert "too old" in answer["data"]["content"]
    assert not genzo_server.calls


async def test_completes_model_names(discord_side: Discord) -> None:
    answer = await discord_side.send(
        {
            "type": 4,
            "data": {
                "options": [{"name": "model", "value": "SD", "focused": True}]
            },
        }
    )
    assert answer["data"]["choices"] == [{"name": "sdxl", "value": "sdxl"}]
