"""Discord, by HTTP interactions: no gateway connection to keep.

Reference: Discord API v10, "Receiving and Responding to Interactions".
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import discord
from aiohttp import ClientError, web
from discord.http import HTTPClient, Route
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

import genzo
from genzo.v1 import image_generation_pb2 as pb
from genzo_bots import commands, discord_command, words
from genzo_bots.limits import Refused
from genzo_bots.orders import Order
from genzo_bots.studio import Studio

_log = logging.getLogger(__name__)

SERVICE = "discord"

# Interaction types, and types of answers.
_PING, _COMMAND, _COMPONENT, _AUTOCOMPLETE = 1, 2, 3, 4
_PONG, _MESSAGE, _DEFERRED, _DEFERRED_UPDATE, _CHOICES = 1, 4, 5, 6, 8
_EPHEMERAL = 64
_MAX_CONTENT = 2000
# Discord gives up on an interaction after 3 s.
_ANSWER_SECONDS = 2.0
# Five edits in five seconds are allowed; this leaves room for buttons.
_UPDATE_SECONDS = 2.0
_INVALID_WEBHOOK_TOKEN = 50027
_UNKNOWN_WEBHOOK = 10015
# Unknown channel or message, missing access, missing permissions.
_FINAL = {10003, 10008, 50001, 50013}
# Discord knows an interaction's message once it has read our answer to it.
_TOKEN_IS_NEW_SECONDS = 60.0
_MAX_NONCE = 25
_BUTTONS = {"cancel": 4, "again": 1, "vary": 2, "upscale": 2}  # styles


_MAX_PICTURE_BYTES = 20 << 20
_OPTION_FIELDS = {
    "negative": "negative_prompt",
    "guidance": "guidance_scale",
    "count": "image_count",
    "text_gate": "text_gate_step",
}


@dataclass
class _Canvas:
    """The answer to one interaction. Its token is good for 15 minutes; after
    that the bot speaks in the channel itself."""

    http: HTTPClient
    order: Order
    seconds_between_updates: float = _UPDATE_SECONDS

    async def note(self, text: str) -> None:
        await self._edit({"content": text, "components": self._cancel()})

    async def preview(self, picture: genzo.Picture, text: str) -> None:
        await self._edit(
            {"content": text, "components": self._cancel()},
            [(f"preview{picture.suffix}", picture)],
        )

    async def deliver(
        self, images: tuple[genzo.Image, ...], offers: tuple[str, ...]
    ) -> None:
        made = self.order.made(image.seed for image in images)
        prompt = self.order.request.prompt
        ending = f" ({made})"
        content = prompt[: _MAX_CONTENT - len(ending) - 3]
        if content != prompt:
            content += "..."
        await self._edit_or_post(
            {
                "content": content + ending,
                "components": _row(self.order, *offers),
            },
            [
                (f"genzo-{image.seed}{image.picture.suffix}", image.picture)
                for image in images
            ],
        )

    async def fail(self, text: str) -> None:
        await self._edit_or_post(
            {
                "content": text[:_MAX_CONTENT],
                "components": [],
                "attachments": [],
            },
            [],
        )

    def is_final(self, error: Exception) -> bool:
        return isinstance(error, discord.HTTPException) and error.code in _FINAL

    def _cancel(self) -> list[dict[str, Any]]:
        return _row(self.order, "cancel")

    async def _edit_or_post(
        self,
        payload: dict[str, Any],
        files: list[tuple[str, genzo.Picture]],
    ) -> None:
        try:
            await self._edit(payload, files)
        except discord.HTTPException as error:
            if not self._token_has_expired(error):
                raise
            content = f"<@{self.order.user}> {payload['content']}"
            await self._send(
                Route(
                    "POST",
                    "/channels/{channel_id}/messages",
                    channel_id=self.order.address["channel"],
                ),
                # The same message twice, because we did not hear that it
                # was taken, is one message.
                {
                    **payload,
                    "content": content[:_MAX_CONTENT],
                    "nonce": self.order.id.replace("-", "")[:_MAX_NONCE],
                    "enforce_nonce": True,
                },
                files,
            )

    def _token_has_expired(self, error: discord.HTTPException) -> bool:
        age = time.time() - self.order.address["asked"]
        return error.code == _INVALID_WEBHOOK_TOKEN or (
            error.code == _UNKNOWN_WEBHOOK and age > _TOKEN_IS_NEW_SECONDS
        )

    async def _edit(
        self,
        payload: dict[str, Any],
        files: list[tuple[str, genzo.Picture]] | None = None,
    ) -> None:
        await self._send(
            Route(
                "PATCH",
                "/webhooks/{webhook_id}/{webhook_token}/messages/@original",
                webhook_id=self.order.address["application"],
                webhook_token=self.order.address["token"],
            ),
            payload,
            files or [],
        )

    async def _send(
        self,
        route: Route,
        payload: dict[str, Any],
        files: list[tuple[str, genzo.Picture]],
    ) -> None:
        # Nobody is called because a prompt names them.
        payload = {**payload, "allowed_mentions": {"parse": []}}
        if not files:
            await self.http.request(route, json=payload)
            return
        payload["attachments"] = [
            {"id": number, "filename": name}
            for number, (name, _) in enumerate(files)
        ]
        form: list[dict[str, Any]] = [
            {"name": "payload_json", "value": json.dumps(payload)}
        ]
        form += [
            {
                "name": f"files[{number}]",
                "value": picture.data,
                "filename": name,
                "content_type": picture.media_type,
            }
            for number, (name, picture) in enumerate(files)
        ]
        await self.http.request(route, form=form)


def _row(order: Order, *wishes: str) -> list[dict[str, Any]]:
    """Buttons for what may be done with an order."""
    buttons = [
        {
            "type": 2,
            "style": _BUTTONS[wish],
            "label": words.say(order.language, wish),
            "custom_id": f"{wish}:{order.id}",
        }
        for wish in wishes
    ]
    return [{"type": 1, "components": buttons}]


@dataclass
class DiscordBot:
    """The interactions endpoint, `POST /discord`."""

    studio: Studio
    token: str
    application: str
    public_key: str  # hexadecimal, from the application's page
    api_url: str = ""  # Discord's own, if empty
    _http: HTTPClient = field(init=False)
    _later: set[asyncio.Task[None]] = field(init=False, default_factory=set)

    async def start(self) -> None:
        """Logs in, registers the command, takes up what was left open."""
        self._key = VerifyKey(bytes.fromhex(self.public_key))
        if self.api_url:
            Route.BASE = self.api_url
        self._http = HTTPClient(asyncio.get_running_loop())
        await self._http.static_login(self.token)
        await self._http.request(
            Route(
                "PUT",
                "/applications/{application_id}/commands",
                application_id=self.application,
            ),
            json=[discord_command.command()],
        )
        self.studio.find_again(SERVICE, self._canvas)

    def add_route(self, app: web.Application) -> None:
        app.router.add_post("/discord", self._interact)

    async def close(self) -> None:
        await self._http.close()

    def _canvas(self, order: Order) -> _Canvas:
        return _Canvas(self._http, order)

    async def _interact(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            signature = bytes.fromhex(
                request.headers.get("X-Signature-Ed25519", "")
            )
            stamp = request.headers.get("X-Signature-Timestamp", "").encode()
            self._key.verify(stamp + body, signature)
        except (BadSignatureError, ValueError):
            raise web.HTTPUnauthorized(text="bad signature") from None
        return web.json_response(await self._answer(json.loads(body)))

    async def _answer(self, event: dict[str, Any]) -> dict[str, Any]:
        match event["type"]:
            case 1:  # _PING
                return {"type": _PONG}
            case 4:  # _AUTOCOMPLETE
                return await self._complete(event)
            case 2:  # _COMMAND
                return await self._begin(event, self._imagine(event))
            case 3:  # _COMPONENT
                return await self._press(event)
        return _whisper(f"interaction type {event['type']} is not known")

    async def _complete(self, event: dict[str, Any]) -> dict[str, Any]:
        options = event["data"]["options"]
        names: list[str] = []
        with suppress(TimeoutError, genzo.GenzoError):
            names = await asyncio.wait_for(
                discord_command.complete(self.studio, options), _ANSWER_SECONDS
            )
        choices = [{"name": name, "value": name} for name in names]
        return {"type": _CHOICES, "data": {"choices": choices}}

    async def _imagine(self, event: dict[str, Any]) -> None:
        options = {
            _OPTION_FIELDS.get(o["name"], o["name"]): o["value"]
            for o in event["data"].get("options", [])
        }
        prompt = str(options.pop("prompt", ""))
        language = _order(event).language
        if lora := options.pop("lora", None):
            options["loras"] = [lora]
        if options.pop("larger", False):
            options["hires"] = 2
        picture = None
        if number := options.pop("picture", None):
            sent = event["data"]["resolved"]["attachments"][number]
            picture = await self._fetch(language, sent)
        request = commands.build(language, prompt, options, picture)
        await self._take(_order(event, request))

    async def _fetch(self, language: str, sent: dict[str, Any]) -> bytes:
        """What somebody attached. Discord says where it lies, and signs it."""
        if sent["size"] > _MAX_PICTURE_BYTES:
            raise Refused(
                words.say(
                    language,
                    "large_start",
                    sent["size"] >> 20,
                    _MAX_PICTURE_BYTES >> 20,
                )
            )
        try:
            return await self._http.get_from_cdn(sent["url"])
        except discord.HTTPException as error:
            text = words.say(language, "no_file", error.status)
            raise Refused(text) from None
        except (ClientError, TimeoutError):
            raise Refused(words.say(language, "lost_file")) from None

    async def _press(self, event: dict[str, Any]) -> dict[str, Any]:
        wish, _, order_id = event["data"]["custom_id"].partition(":")
        order = _order(event)
        if wish == "cancel":
            return await self._begin(
                event,
                self.studio.cancel(order_id, order.user, order.language),
                {"type": _DEFERRED_UPDATE},
            )
        return await self._begin(event, self._again(order_id, wish, order))

    async def _again(self, order_id: str, wish: str, order: Order) -> None:
        await self._take(self.studio.follow_up(order_id, wish, order))

    async def _take(self, order: Order) -> None:
        await self.studio.take(order, self._canvas(order))

    async def _begin(
        self,
        event: dict[str, Any],
        work: Any,
        done: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Answers in time whether or not the work has begun by then."""
        task = asyncio.create_task(work)
        finished, _ = await asyncio.wait([task], timeout=_ANSWER_SECONDS)
        if finished:
            try:
                task.result()
            except Exception as error:
                return _whisper(_text(_order(event).language, error))
        else:
            later = asyncio.create_task(self._tell_later(event, task))
            self._later.add(later)
            later.add_done_callback(self._later.discard)
        return done or {
            "type": _DEFERRED,
            "data": {"content": words.say(_order(event).language, "accepted")},
        }

    async def _tell_later(
        self, event: dict[str, Any], task: asyncio.Task[None]
    ) -> None:
        try:
            await task
        except Exception as error:
            order = _order(event)
            text = _text(order.language, error)
            await self.studio.tell(order, self._canvas(order), text)


def _text(language: str, error: Exception) -> str:
    """What to tell. A fault of the bot's own goes into its log."""
    if isinstance(error, genzo.GenzoError):
        return words.error(language, error)
    if isinstance(error, Refused):
        return str(error)
    _log.error("an interaction failed", exc_info=error)
    return words.say(language, "fault")


def _whisper(text: str) -> dict[str, Any]:
    """Seen by nobody but the one who asked."""
    return {
        "type": _MESSAGE,
        "data": {"content": text[:_MAX_CONTENT], "flags": _EPHEMERAL},
    }


def _order(
    event: dict[str, Any], request: pb.GenerateRequest | None = None
) -> Order:
    person = event.get("member", event).get("user", {})
    return Order(
        service=SERVICE,
        user=str(person.get("id", "")),
        language=event.get("locale", "en")[:2],
        request=request or pb.GenerateRequest(),
        address={
            "application": str(event["application_id"]),
            "token": event["token"],
            "channel": str(event.get("channel_id", "")),
            "asked": time.time(),
        },
    )
