from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from conftest import Heard, StandIn, painted
from fake_server import FakeServer

from genzo_bots.studio import Studio
from genzo_bots.telegram_bot import TelegramBot

_CHAT = {"id": 5, "type": "private"}
_USER = {"id": 1, "is_bot": False, "first_name": "Ann", "language_code": "ja"}


class Telegram:
    """Telegram's side: hands out updates, numbers messages."""

    def __init__(self, api: StandIn) -> None:
        self.api = api
        self.updates: list[dict[str, Any]] = []
        self._number = 100
        api.answer = self.answer

    def answer(self, heard: Heard) -> Any:
        method = heard.path.rsplit("/", 1)[1]
        result: Any = True
        match method:
            case "getMe":
                result = {
                    "id": 7,
                    "is_bot": True,
                    "first_name": "Genzo",
                    "username": "genzo_bot",
                }
            case "getUpdates":
                result, self.updates = self.updates, []
            case "deleteMessage" | "answerCallbackQuery" | "deleteWebhook":
                pass
            case _:
                self._number += 1
                result = {"message_id": self._number, "date": 0, "chat": _CHAT}
        return web.json_response({"ok": True, "result": result})

    def imagine(self, text: str) -> None:
        message = {
            "message_id": 1,
            "date": 0,
            "chat": _CHAT,
            "from": _USER,
            "text": f"/imagine {text}",
            "entities": [{"type": "bot_command", "offset": 0, "length": 8}],
        }
        self.updates.append({"update_id": 1, "message": message})

    def press(self, data: str) -> None:
        query = {"id": "q", "from": _USER, "chat_instance": "c", "data": data}
        self.updates.append({"update_id": 2, "callback_query": query})


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
    photos = [
        *telegram.api.calls("POST", "/sendPhoto"),
        *telegram.api.calls("POST", "/editMessageMedia"),
    ]
    assert photos
    assert any(
        data.endswith(b"done0")
        for heard in photos
        for data in heard.files.values()
    )
    markup = photos[-1].files["reply_markup"]
    [row] = json.loads(markup)["inline_keyboard"]
    assert row[0]["text"] == "もう一度"
    genzo_server.answers.append(painted("job-2"))
    telegram.press(row[0]["callback_data"])
    await telegram.api.until(lambda: len(genzo_server.calls) == 2)
    await studio.settled()
    assert genzo_server.calls[1].request.seed != 7


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


async def test_says_what_is_wrong(
    telegram: Telegram, genzo_server: FakeServer
) -> None:
    telegram.imagine("")
    await telegram.api.until(lambda: telegram.api.calls("POST", "/sendMessage"))
    [said] = telegram.api.calls("POST", "/sendMessage")
    assert "描きたいもの" in str(said.json)
    assert not genzo_server.calls
