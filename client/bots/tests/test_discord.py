from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import discord.http
import pytest
from aiohttp import ClientSession
from conftest import painted, served
from discord_service import ATTACHED, KEY, Discord, payload
from fake_server import FakeServer
from nacl.signing import SigningKey
from stand_in import StandIn

from genzo.v1 import lora_registry_pb2 as lora_pb
from genzo.v1 import types_pb2 as types
from genzo_bots import commands, discord_bot
from genzo_bots.discord_bot import DiscordBot
from genzo_bots.studio import Studio

_LIMITED = {"Via": "1.1 discord", "Retry-After": "0.05"}


@pytest.fixture
async def discord_side(
    studio: Studio, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Discord]:
    monkeypatch.setattr(discord.http.Route, "BASE", "")  # put back afterwards
    async with ClientSession() as session:
        side = Discord(stand_in, "", session)
        key = KEY.verify_key.encode().hex()
        bot = DiscordBot(studio, "token", "42", key, stand_in.url)
        async with served(studio, bot) as url:
            side.endpoint = f"{url}/discord"
            yield side


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


async def test_waits_until_discord_has_heard_of_the_message(
    discord_side: Discord, studio: Studio, genzo_server: FakeServer
) -> None:
    """A picture that is there before our answer is goes into the message, not
    beside it."""
    genzo_server.answers = [painted(previews=0)]
    early = ("@original", 404, {}, {"code": 10015, "message": "Unknown"})
    discord_side.api.faults = [early, early]
    await discord_side.send(discord_side.imagine(prompt="a fox"))
    await studio.settled()
    assert discord_side.edits()[-1]["attachments"]
    assert not discord_side.api.calls("POST", "/channels/9/messages")


async def test_changes_a_message_no_faster_than_discord_allows(
    discord_side: Discord, studio: Studio, genzo_server: FakeServer
) -> None:
    """The stand-in refuses a sixth change within five seconds."""
    genzo_server.answers = [painted(previews=90)]
    await discord_side.send(discord_side.imagine(prompt="a fox"))
    await studio.settled()
    assert len(discord_side.edits()) <= 5
    assert discord_side.edits()[-1]["attachments"]


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
    assert payload(post)["enforce_nonce"]
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


@pytest.mark.parametrize(
    ("chosen", "found"), [([], ["euler", "dpmpp_2m"]), (["sdxl"], [])]
)
async def test_completes_samplers_of_the_chosen_model(
    discord_side: Discord, chosen: list[str], found: list[str]
) -> None:
    options: list[Any] = [{"name": "model", "value": v} for v in chosen]
    options += [{"name": "sampler", "value": "", "focused": True}]
    answer = await discord_side.send({"type": 4, "data": {"options": options}})
    assert [c["value"] for c in answer["data"]["choices"]] == found


@pytest.mark.parametrize(
    ("option", "typed", "found"),
    [
        ("lora", "", ["ink", "snow"]),
        ("lora", "IN", ["ink"]),
        ("lora", "in:0.5", ["ink:0.5"]),
        ("lora", "in:0.5@0.2-0.9", ["ink:0.5@0.2-0.9"]),
        ("lora", "sn@0.2", ["snow@0.2"]),
        ("control", "li:0.6", ["lines:0.6"]),
        ("upscaler", "lan", ["lanczos"]),
        ("schedule", "", ["karras", "beta"]),
    ],
)
async def test_completes_what_the_server_has(
    discord_side: Discord,
    genzo_server: FakeServer,
    option: str,
    typed: str,
    found: list[str],
) -> None:
    genzo_server.lora_pages = [
        lora_pb.LoraRegistryListResponse(
            loras=[
                lora_pb.Lora(name="ink", models=["emaki"]),
                lora_pb.Lora(name="snow", models=["emaki", "sdxl"]),
                lora_pb.Lora(name="ink-xl", models=["sdxl"]),
            ]
        )
    ]
    model = genzo_server.pages[0].models[0]
    model.controlnets[:] = ["lines", "depth"]
    model.samplers[0].schedules[:] = [types.NOISE_SCHEDULE_KARRAS]
    model.samplers[1].schedules[:] = [
        types.NOISE_SCHEDULE_KARRAS,
        types.NOISE_SCHEDULE_BETA,
    ]
    options = [{"name": option, "value": typed, "focused": True}]
    answer = await discord_side.send({"type": 4, "data": {"options": options}})
    assert [c["value"] for c in answer["data"]["choices"]] == found


@pytest.mark.parametrize(
    ("typed", "weight"),
    [("v1", 1), ("v1:", 1), ("v1:in", 1), ("v1:ink:", 1), ("v1:ink:.5", 0.5)],
)
async def test_completes_adapters_before_any_is_compared(
    discord_side: Discord, genzo_server: FakeServer, typed: str, weight: float
) -> None:
    genzo_server.lora_pages = [
        lora_pb.LoraRegistryListResponse(loras=[lora_pb.Lora(name="v1:ink")])
    ]
    options = [{"name": "lora", "value": typed, "focused": True}]
    answer = await discord_side.send({"type": 4, "data": {"options": options}})
    [choice] = answer["data"]["choices"]
    # Whose value is read as it is meant.
    request = commands.build("en", "a fox", {"loras": [choice["value"]]})
    assert [(u.name, u.weight) for u in request.loras] == [("v1:ink", weight)]


async def test_options_are_as_of_a_typed_command(
    discord_side: Discord, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(), painted("job-2")]
    wish = discord_side.imagine(
        prompt="snow", text_gate=8, safety="blur", extend="64,0,64,0"
    )
    discord_side.attach(wish, "picture", len(ATTACHED))
    assert (await discord_side.send(wish))["type"] == 5
    await studio.settled()
    request = genzo_server.calls[0].request
    assert request.guidance.text_gate_step == 8
    assert request.safety_policy == types.SAFETY_POLICY_BLUR
    assert (request.outpainting.left, request.outpainting.top) == (64, 0)
    larger = discord_side.imagine(prompt="a fox", enlarge=2)
    discord_side.attach(larger, "picture", len(ATTACHED))
    assert (await discord_side.send(larger))["type"] == 5
    await studio.settled()
    assert genzo_server.requests[-1].picture.data == ATTACHED
    assert discord_side.edits()[-1]["content"] == "a fox (×2)"


async def test_an_attached_picture_steers(
    discord_side: Discord, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(), painted("job-2")]
    start = discord_side.imagine(
        prompt="a blue fox", shows="a red fox", lora="ink:0.5", larger=True
    )
    discord_side.attach(start, "picture", len(ATTACHED))
    assert (await discord_side.send(start))["type"] == 5
    await studio.settled()
    request = genzo_server.calls[0].request
    assert request.image_to_image.image == ATTACHED
    assert request.image_to_image.inversion.prompt == "a red fox"
    assert [(u.name, u.weight) for u in request.loras] == [("ink", 0.5)]
    assert request.hires.factor == 2
    follow = discord_side.imagine(prompt="a fox", control="canny", look="ip")
    discord_side.attach(follow, "picture", len(ATTACHED))
    await discord_side.send(follow)
    await studio.settled()
    request = genzo_server.calls[1].request
    assert request.controls[0].picture.data == ATTACHED
    assert request.image_prompts[0].pictures[0].data == ATTACHED
    assert not request.HasField("image_to_image")


async def test_says_what_is_wrong_with_an_attached_picture(
    discord_side: Discord, genzo_server: FakeServer
) -> None:
    large = discord_side.imagine(prompt="a fox")
    discord_side.attach(large, "picture", 21 << 20)
    answer = await discord_side.send(large)
    assert "21 MB, the limit is 20" in answer["data"]["content"]
    lonely = discord_side.imagine(prompt="a fox", strength=0.5)
    answer = await discord_side.send(lonely)
    assert "a picture that you send along" in answer["data"]["content"]
    discord_side.api.faults = [("/cdn/", 404, {}, {})]
    gone = discord_side.imagine(prompt="a fox")
    discord_side.attach(gone, "picture", 1)
    answer = await discord_side.send(gone)
    assert "cannot be read" in answer["data"]["content"]
    assert not genzo_server.calls


async def test_says_that_an_attached_picture_was_lost(
    discord_side: Discord, genzo_server: FakeServer
) -> None:
    # aiohttp itself tries a second time.
    discord_side.api.faults = [("/cdn/", 0, {}, {})] * 2
    start = discord_side.imagine(prompt="a fox")
    discord_side.attach(start, "picture", len(ATTACHED))
    answer = await discord_side.send(start)
    assert answer["data"]["flags"] == 64
    assert "could not be fetched" in answer["data"]["content"]
    assert not genzo_server.calls


@pytest.mark.parametrize("in_time", [True, False])
async def test_says_that_something_went_wrong(
    discord_side: Discord,
    studio: Studio,
    monkeypatch: pytest.MonkeyPatch,
    in_time: bool,
) -> None:
    begun = asyncio.Event()

    async def fault(*_: Any) -> None:
        if not in_time:
            await begun.wait()
        raise ZeroDivisionError

    monkeypatch.setattr(studio, "take", fault)
    monkeypatch.setattr(discord_bot, "_ANSWER_SECONDS", 0.1)
    answer = await discord_side.send(discord_side.imagine(prompt="a fox"))
    if not in_time:
        assert answer["type"] == 5
        begun.set()
        await discord_side.api.until(discord_side.edits)
        [answer] = [{"data": edit} for edit in discord_side.edits()]
    assert "Something went wrong" in answer["data"]["content"]
