"""Discord's side: its API, and its signed calls to the bot."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, web
from nacl.signing import SigningKey
from stand_in import Heard, Limit, StandIn, expect, reply, within

KEY = SigningKey.generate()
ATTACHED = b"\x89PNGfox"
_ANSWER_SECONDS = 3.0


@dataclass
class Discord:
    """An interaction's message is there once the bot's answer has been read,
    and may be changed five times in five seconds."""

    api: StandIn
    endpoint: str
    session: ClientSession
    _numbers: Any = field(default_factory=itertools.count)
    _known: set[str] = field(default_factory=set)
    _nonces: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.api.answer = self._answer
        self.api.limits = [Limit("@original", 5, 5.0)]

    async def send(self, event: dict[str, Any], key: Any = KEY) -> Any:
        token = f"token-{next(self._numbers)}"
        body = json.dumps(
            {
                "application_id": "42",
                "token": token,
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
            assert time.monotonic() - began < _ANSWER_SECONDS
            if answer.status != 200:
                return answer.status
            found = await answer.json()
        self._known.add(token)
        return found

    def imagine(self, **options: Any) -> dict[str, Any]:
        named = [{"name": k, "value": v} for k, v in options.items()]
        return {"type": 2, "data": {"name": "imagine", "options": named}}

    def press(self, button: str, user: str = "ann") -> dict[str, Any]:
        return {
            "type": 3,
            "data": {"custom_id": button},
            "member": {"user": {"id": user}},
        }

    def edits(self, token: str = "") -> list[Any]:
        """What messages have been changed to, in order."""
        return [
            payload(heard)
            for heard in self.api.calls("PATCH", "/messages/@original")
            if token in heard.path
        ]

    def attach(self, event: dict[str, Any], name: str, size: int) -> None:
        """A file to a command whose option `name` says its number."""
        event["data"]["options"].append({"name": name, "value": "11"})
        event["data"]["resolved"] = {
            "attachments": {
                "11": {
                    "id": "11",
                    "filename": "fox.png",
                    "size": size,
                    "url": f"{self.api.url}/cdn/fox.png",
                }
            }
        }

    def _answer(self, heard: Heard) -> Any:
        if heard.path == "/cdn/fox.png":
            return web.Response(body=ATTACHED)
        if heard.path == "/users/@me":
            return {"id": "42"}
        if heard.path.endswith("/commands"):
            check_command(heard.json[0])
            return heard.json
        if heard.path.endswith("/messages/@original"):
            token = heard.path.split("/")[3]
            if token not in self._known:
                body = {"code": 10015, "message": "Unknown Webhook"}
                return reply(body, 404)
        check_message(heard)
        sent = payload(heard)
        if sent.get("enforce_nonce"):
            within("nonce", sent["nonce"], 25)
            return self._nonces.setdefault(sent["nonce"], {"id": "1"})
        return {"id": "1"}


def payload(heard: Heard) -> Any:
    if "payload_json" in heard.files:
        return json.loads(heard.files["payload_json"])
    return heard.json


def check_command(command: dict[str, Any]) -> None:
    within("name", command["name"], 32)
    within("description", command["description"], 100)
    options = command["options"]
    expect(len(options) <= 25, "more than 25 options")
    required = [option.get("required", False) for option in options]
    expect(required == sorted(required, reverse=True), "required comes first")
    for option in options:
        within("option's name", option["name"], 32)
        expect(option["name"].islower(), "option's name is lower case")
        within("option's description", option["description"], 100)
        expect(
            not option.get("autocomplete") or option["type"] in (3, 4, 10),
            "autocomplete is of strings and numbers",
        )


def check_message(heard: Heard) -> None:
    sent = payload(heard)
    expect(len(sent.get("content", "")) <= 2000, "content over 2000")
    expect(sent["allowed_mentions"] == {"parse": []}, "mentions are allowed")
    for row in sent.get("components", []):
        buttons = row["components"]
        expect(row["type"] == 1 and 1 <= len(buttons) <= 5, "no action row")
        for button in buttons:
            expect(button["type"] == 2, "no button")
            expect(button["style"] in range(1, 5), "no style of buttons")
            within("label", button["label"], 80)
            within("custom_id", button["custom_id"], 100)
    files = {n for n in heard.files if n.startswith("files[")}
    named = {f"files[{a['id']}]" for a in sent.get("attachments", [])}
    expect(files == named, f"attachments {named} are not the files {files}")
    expect(sum(map(len, heard.files.values())) <= 10 << 20, "more than 10 MiB")
