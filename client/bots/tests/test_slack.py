from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from conftest import painted, served
from fake_server import FakeServer
from slack_service import ATTACHED, SECRET, Slack
from stand_in import Heard, StandIn

from genzo_bots.picture_urls import PictureUrls
from genzo_bots.slack_bot import SlackBot
from genzo_bots.studio import Studio


@pytest.fixture
async def slack(
    studio: Studio, stand_in: StandIn, tmp_path: Path
) -> AsyncIterator[Slack]:
    urls = PictureUrls("https://bot.example", "/slack/pictures", tmp_path)
    bot = SlackBot(studio, urls, "xoxb-1", SECRET, f"{stand_in.url}/api/")
    async with served(studio, bot) as url, ClientSession() as session:
        side = Slack(stand_in, f"{url}/slack", session)
        side.restart = lambda: studio.find_again("slack", bot._canvas)
        yield side


async def test_paints_in_a_message_and_files_the_picture(
    slack: Slack, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(previews=1)]
    assert await slack.imagine("a fox --seed 7") == 200
    await slack.api.until(lambda: genzo_server.calls)
    await studio.settled()
    uploads = slack.api.calls("POST", "/upload")
    assert len(uploads) == 1
    assert len(slack.api.calls("POST", "/files.completeUploadExternal")) == 1
    *_, buttons = slack.shown()[-1]
    assert [b["action_id"] for b in buttons["elements"]] == [
        "again",
        "vary",
        "upscale",
    ]
    genzo_server.answers.append(painted("job-2"))
    value = buttons["elements"][0]["value"]
    assert await slack.press("upscale", value) == 200
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


@pytest.mark.parametrize("reason", ["not_in_channel", "token_revoked"])
async def test_paints_nothing_where_it_cannot_write(
    slack: Slack, studio: Studio, genzo_server: FakeServer, reason: str
) -> None:
    refusal = ("chat.postMessage", 200, {}, {"ok": False, "error": reason})
    slack.api.faults = [refusal]
    await slack.imagine("a fox")
    await slack.api.until(lambda: slack.api.calls("POST", "/respond"))
    [said] = slack.api.calls("POST", "/respond")
    assert reason in said.json["text"]
    await studio.settled()
    assert not genzo_server.calls
    assert studio.find_again("slack", pytest.fail) == 0


def refuse_updates(slack: Slack, error: str) -> Callable[[Heard], Any]:
    """Has Slack change no message. Returns what answered before."""
    answer = slack.api.answer

    def refuse(heard: Heard) -> Any:
        if "chat.update" in heard.path:
            return {"ok": False, "error": error}
        return answer(heard)

    slack.api.answer = refuse
    return answer


async def test_a_picture_for_a_channel_that_is_left_is_dropped(
    slack: Slack, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(previews=0)]
    refuse_updates(slack, "channel_not_found")
    await slack.imagine("a fox")
    await slack.api.until(lambda: genzo_server.calls)
    await studio.settled()
    assert studio.find_again("slack", pytest.fail) == 0


async def test_a_picture_waits_for_another_token(
    slack: Slack, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(previews=0), painted(previews=0)]
    answer = refuse_updates(slack, "token_revoked")
    await slack.imagine("a fox")
    await slack.api.until(lambda: genzo_server.calls)
    await studio.settled()
    assert not slack.api.calls("POST", "/upload")
    slack.api.answer = answer
    slack.restart()
    await studio.settled()
    assert len(slack.api.calls("POST", "/upload")) == 1


async def test_a_picture_outlives_faults_of_slack(
    slack: Slack, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(previews=0)]
    slack.api.faults = [
        ("chat.postMessage", 500, {}, {}),
        ("files.completeUploadExternal", 503, {}, {"ok": False}),
        ("files.getUploadURLExternal", 502, {}, {"ok": False}),
    ]
    await slack.imagine("a fox")
    await slack.api.until(lambda: genzo_server.calls)
    await studio.settled()
    assert not slack.api.faults
    assert len(slack.api.calls("POST", "/files.completeUpload")) == 1
    assert len(slack.api.calls("POST", "chat.postMessage")) == 1


async def test_a_picture_in_a_message_that_mentions_it_steers(
    slack: Slack, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(), painted("job-2")]
    text = "a fox &amp; a hen --control lines:0.5"
    assert await slack.mention(text, mimetype="image/png") == 200
    await slack.api.until(lambda: genzo_server.calls)
    await studio.settled()
    request = genzo_server.calls[0].request
    assert request.prompt == "a fox & a hen"
    [control] = request.controls
    assert (control.picture.data, control.weight) == (ATTACHED, 0.5)
    # Told again, it is not painted again; without a picture it is a prompt.
    await slack.mention(text, mimetype="image/png")
    await slack.mention("a fox", stamp="2.5", mimetype="text/plain")
    await slack.api.until(lambda: len(genzo_server.calls) == 2)
    await studio.settled()
    assert genzo_server.calls[1].request.prompt == "a fox"


@pytest.mark.parametrize(
    ("file", "fault", "why"),
    [
        ({"size": 21 << 20}, None, "has 21 MB, the limit is 20"),
        ({"size": 9}, (403, {}), "cannot be read (403)"),
        ({"size": 9}, (200, {"login": 1}), "cannot be read (files:read)"),
        ({"size": 9}, (0, {}), "could not be fetched"),
    ],
)
async def test_says_that_a_picture_cannot_be_had(
    slack: Slack,
    genzo_server: FakeServer,
    file: dict[str, Any],
    fault: tuple[int, Any] | None,
    why: str,
) -> None:
    if fault:
        # A connection that breaks is tried twice.
        slack.api.faults = 2 * [("/files-pri/", fault[0], {}, fault[1])]
    await slack.mention("in the snow", **file)
    await slack.api.until(lambda: slack.api.calls("POST", "Ephemeral"))
    [said] = slack.api.calls("POST", "Ephemeral")
    assert why in said.json["text"]
    assert said.json["user"] == "U1"
    assert not genzo_server.calls
