from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from conftest import painted
from fake_server import FakeServer
from stand_in import StandIn
from telegram_service import PHOTO, Telegram, buttons

from genzo_bots.studio import Studio
from genzo_bots.telegram_bot import TelegramBot


@pytest.fixture
async def telegram(
    studio: Studio, stand_in: StandIn
) -> AsyncIterator[Telegram]:
    side = Telegram(stand_in)
    bot = TelegramBot(studio, "7:token", stand_in.url)
    await bot.start()
    yield side
    await studio.close()
    await bot.close()


async def test_a_message_becomes_the_picture(
    telegram: Telegram, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(previews=1)]
    telegram.imagine("狐 --seed 7")
    await telegram.api.until(lambda: genzo_server.calls)
    await studio.settled()
    photos = telegram.photos()
    assert any(
        data.endswith(b"done0")
        for heard in photos
        for data in heard.files.values()
    )
    [again, *_] = buttons(photos[-1])
    assert again["text"] == "もう一度"
    genzo_server.answers.append(painted("job-2"))
    telegram.press(again["callback_data"])
    await telegram.api.until(lambda: len(genzo_server.calls) == 2)
    await studio.settled()
    assert genzo_server.calls[1].request.seed != 7


@pytest.mark.parametrize(
    ("space", "text"), [("\n", "red fox"), ("　", "赤い狐 　雪")]
)
@pytest.mark.parametrize("photo", ["", "caption"])
async def test_words_begin_after_any_white_space(
    telegram: Telegram,
    studio: Studio,
    genzo_server: FakeServer,
    space: str,
    text: str,
    photo: str,
) -> None:
    genzo_server.answers = [painted()]
    telegram.imagine(text, photo, space)
    await telegram.api.until(lambda: genzo_server.calls)
    await studio.settled()
    assert genzo_server.calls[0].request.prompt.split() == text.split()


async def test_waits_as_long_as_telegram_asks(
    telegram: Telegram, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(previews=0)]
    telegram.api.faults = [
        (
            "/sendPhoto",
            429,
            {},
            {
                "ok": False,
                "error_code": 429,
                "description": "Too Many Requests: retry after 1",
                "parameters": {"retry_after": 1},
            },
        )
    ]
    telegram.imagine("a fox")
    await telegram.api.until(lambda: genzo_server.calls)
    await studio.settled()
    assert len(telegram.api.calls("POST", "/sendPhoto")) == 1
    assert not telegram.api.faults


async def test_paints_once_what_is_told_twice(
    telegram: Telegram, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted()]
    telegram.imagine("a fox")
    await telegram.api.until(lambda: genzo_server.calls)
    await studio.settled()
    telegram.tell_again()
    polls = len(telegram.api.calls("POST", "/getUpdates"))
    await telegram.api.until(
        lambda: len(telegram.api.calls("POST", "/getUpdates")) > polls + 1
    )
    assert len(genzo_server.calls) == 1


async def test_says_what_is_wrong(
    telegram: Telegram, genzo_server: FakeServer
) -> None:
    telegram.imagine("")
    await telegram.api.until(lambda: telegram.api.calls("POST", "/sendMessage"))
    [said] = telegram.api.calls("POST", "/sendMessage")
    assert "描きたいもの" in str(said.json)
    assert not genzo_server.calls


@pytest.mark.parametrize("how", ["caption", "reply"])
async def test_a_photograph_is_started_from(
    telegram: Telegram,
    studio: Studio,
    genzo_server: FakeServer,
    how: str,
) -> None:
    genzo_server.answers = [painted()]
    telegram.imagine("in the snow --strength 0.5", photo=how)
    await telegram.api.until(lambda: genzo_server.calls)
    await studio.settled()
    start = genzo_server.calls[0].request.image_to_image
    assert (start.image, start.strength) == (PHOTO, 0.5)
    # It is started from anew, and is not painted larger.
    names = [b["callback_data"] for b in buttons(telegram.photos()[-1])]
    assert [n.split(":")[0] for n in names] == ["again", "vary"]
    genzo_server.answers.append(painted("job-2"))
    telegram.press(names[0])
    await telegram.api.until(lambda: len(genzo_server.calls) == 2)
    await studio.settled()
    assert genzo_server.calls[1].request.image_to_image.image == PHOTO


async def test_says_that_a_photograph_cannot_be_had(
    telegram: Telegram, genzo_server: FakeServer
) -> None:
    telegram.api.faults = [
        ("/getFile", 400, {}, _error(400, "file is too big"))
    ]
    telegram.imagine("in the snow", photo="caption")
    await telegram.api.until(lambda: telegram.api.calls("POST", "/sendMessage"))
    [said] = telegram.api.calls("POST", "/sendMessage")
    assert "ile is too big" in str(said.json)
    assert not genzo_server.calls


async def test_a_picture_outlives_faults_of_telegram(
    telegram: Telegram, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(previews=0)]
    telegram.api.faults = [
        ("/sendMessage", 500, {}, _error(500, "Internal Server Error")),
        ("/sendPhoto", 502, {}, _error(502, "Bad Gateway")),
        ("/sendPhoto", 504, {}, _error(504, "Gateway Timeout")),
    ]
    telegram.imagine("a fox")
    await telegram.api.until(lambda: genzo_server.calls)
    await studio.settled()
    assert len(telegram.api.calls("POST", "/sendPhoto")) == 1
    assert [part for part, *_ in telegram.api.faults] in ([], ["/sendMessage"])


async def test_a_picture_for_one_who_blocked_the_bot_is_dropped(
    telegram: Telegram, studio: Studio, genzo_server: FakeServer
) -> None:
    genzo_server.answers = [painted(previews=0)]
    blocked = _error(403, "bot was blocked by the user")
    telegram.api.faults = [
        ("/send", 403, {}, blocked),
        ("/send", 403, {}, blocked),
        ("/send", 403, {}, blocked),
    ]
    telegram.imagine("a fox")
    await telegram.api.until(lambda: genzo_server.calls)
    await studio.settled()
    assert not telegram.photos()
    assert studio.find_again("telegram", pytest.fail) == 0


def _error(code: int, description: str) -> dict[str, object]:
    return {"ok": False, "error_code": code, "description": description}
