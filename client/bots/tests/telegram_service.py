"""Telegram's side: hands out updates, numbers messages."""

from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import suppress
from typing import Any

from aiohttp import web
from stand_in import Heard, Limit, StandIn, expect, within

CHAT = {"id": 5, "type": "private"}
_POLL_SECONDS = 1.0
USER = {"id": 1, "is_bot": False, "first_name": "Ann", "language_code": "ja"}


PHOTO = b"\xff\xd8photo"


def _size(name: str, side: int) -> dict[str, Any]:
    """Of a photograph that somebody sent."""
    return {
        "file_id": name,
        "file_unique_id": name,
        "width": side,
        "height": side,
    }


class Telegram:
    """Knows its messages: one that is gone cannot be changed."""

    def __init__(self, api: StandIn) -> None:
        self.api = api
        self.updates: list[dict[str, Any]] = []
        self.messages: set[int] = set()
        self._numbers = itertools.count(100)
        self._next_update = itertools.count(1)
        self._told = asyncio.Event()
        api.answer = self.answer
        # All that is written to one chat, as in a group; others take more.
        api.limits = [Limit("/bot", 20, 60.0, _chat_of)]

    def answer(self, heard: Heard) -> Any:
        if "/file/" in heard.path:
            return web.Response(body=PHOTO)
        method = heard.path.rsplit("/", 1)[1]
        sent = _values(heard)
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
                return self._poll(int(sent.get("offset", 0)))
            case "getFile":
                expect(sent["file_id"] == "large", "the largest is wanted")
                result = {
                    "file_id": "large",
                    "file_unique_id": "large",
                    "file_path": "photos/1.jpg",
                }
            case "answerCallbackQuery" | "deleteWebhook":
                pass
            case "deleteMessage":
                self.messages.discard(int(sent["message_id"]))
            case _:
                if "text" in sent:
                    within("text", sent["text"], 4096)
                expect(len(sent.get("caption", "")) <= 1024, "caption")
                _check_markup(sent)
                number = int(sent.get("message_id", next(self._numbers)))
                if method.startswith("edit") and number not in self.messages:
                    return web.json_response(
                        {
                            "ok": False,
                            "error_code": 400,
                            "description": "Bad Request: message to edit not"
                            " found",
                        },
                        status=400,
                    )
                self.messages.add(number)
                result = {"message_id": number, "date": 0, "chat": CHAT}
        return web.json_response({"ok": True, "result": result})

    def imagine(self, text: str, photo: str = "", space: str = " ") -> None:
        """`photo`: "caption" of one, or "reply" to one. `space`: what stands
        between the command and the text."""
        message: dict[str, Any] = {
            "message_id": next(self._numbers),
            "date": 0,
            "chat": CHAT,
            "from": USER,
            "text": f"/imagine{space}{text}",
            "entities": [{"type": "bot_command", "offset": 0, "length": 8}],
        }
        sizes = [_size("small", 90), _size("large", 1280)]
        if photo == "caption":
            message["photo"] = sizes
            message["caption"] = message.pop("text")
            message["caption_entities"] = message.pop("entities")
        elif photo == "reply":
            message["reply_to_message"] = {
                "message_id": next(self._numbers),
                "date": 0,
                "chat": CHAT,
                "photo": sizes,
            }
        self.last = message
        self._tell({"message": message})

    def tell_again(self) -> None:
        """The last message, as after a crash of the bot."""
        self._tell({"message": self.last})

    def press(self, data: str) -> None:
        number = next(self._numbers)
        self._tell(
            {
                "callback_query": {
                    "id": f"q{number}",
                    "from": USER,
                    "chat_instance": "c",
                    "data": data,
                    "message": {"message_id": 1, "date": 0, "chat": CHAT},
                }
            }
        )

    def photos(self) -> list[Heard]:
        """What the message has shown, in order."""
        return [
            heard
            for heard in self.api.heard
            if heard.path.endswith(("/sendPhoto", "/editMessageMedia"))
        ]

    async def _poll(self, first: int) -> web.Response:
        """Updates that are still to be read: what a later one than is asked
        for has been."""
        self.updates = [u for u in self.updates if u["update_id"] >= first]
        if not self.updates:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), _POLL_SECONDS)
            self._told.clear()
        return web.json_response({"ok": True, "result": self.updates})

    def _tell(self, update: dict[str, Any]) -> None:
        update["update_id"] = next(self._next_update)
        self.updates.append(update)
        self._told.set()


def _chat_of(heard: Heard) -> str:
    return str(_values(heard).get("chat_id", ""))


def _values(heard: Heard) -> dict[str, Any]:
    """Its parameters, whichever way they were sent."""
    values = {**heard.query, **(heard.json or {})}
    for name, data in heard.files.items():
        try:
            values[name] = data.decode()
        except UnicodeDecodeError:
            continue  # a picture
    return values


def buttons(heard: Heard) -> list[dict[str, str]]:
    """Below a message."""
    markup = json.loads(_values(heard)["reply_markup"])
    return [button for row in markup["inline_keyboard"] for button in row]


def _check_markup(sent: dict[str, Any]) -> None:
    if "reply_markup" not in sent:
        return
    for row in json.loads(sent["reply_markup"])["inline_keyboard"]:
        for button in row:
            within("callback_data", button["callback_data"], 64)
