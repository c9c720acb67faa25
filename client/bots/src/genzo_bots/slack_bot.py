"""Slack, by its Events API over HTTP. Previews replace each other in one
message, under signed addresses; the finished picture is a file in its thread.

Reference: Slack API, slash commands, app_mention, chat.update,
files.getUploadURLExternal.
"""

from __future__ import annotations

import html
import logging
import re
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient

import genzo
from genzo_bots import commands, words
from genzo_bots.limits import Refused
from genzo_bots.orders import Order, request_id_of
from genzo_bots.picture_urls import PictureUrls
from genzo_bots.slack_files import picture_in
from genzo_bots.studio import Studio

_log = logging.getLogger(__name__)

SERVICE = "slack"

# chat.update: about 50 a minute for a workspace.
_UPDATE_SECONDS = 3.0
_MAX_TEXT = 3000
# What Slack answers where a message will never be taken.
_FINAL = {
    "cant_update_message",
    "channel_not_found",
    "is_archived",
    "message_not_found",
    "no_permission",
    "not_in_channel",
    "restricted_action",
    "restricted_action_read_only_channel",
    "restricted_action_thread_only_channel",
}
# What it answers until somebody gives the bot another token.
_NO_TOKEN = {
    "account_inactive",
    "invalid_auth",
    "missing_scope",
    "not_authed",
    "token_expired",
    "token_revoked",
}
_WISHES = ("cancel", "again", "vary", "upscale")
_MENTION = re.compile(r"<@[^>]+>")


@dataclass
class _Canvas:
    """A message that is changed in place, and files in its thread."""

    client: AsyncWebClient
    studio: Studio
    urls: PictureUrls
    order: Order
    seconds_between_updates: float = _UPDATE_SECONDS

    async def open(self) -> None:
        """Posts the message. Refused where there can be none: its picture would
        be painted in vain. One that may be taken another time is left to the
        first update."""
        try:
            await self.note(words.say(self.order.language, "accepted"))
        except Exception as error:
            reason = _reason(error)
            if reason in _FINAL | _NO_TOKEN:
                text = words.say(self.order.language, "no_entry", reason)
                raise Refused(text) from None
            _log.warning(
                "order %s has no message yet: %s", self.order.id, error
            )

    async def note(self, text: str) -> None:
        await self._show(text, [_text(text), self._buttons("cancel")])

    async def preview(self, picture: genzo.Picture, text: str) -> None:
        await self._show(
            text,
            [
                {
                    "type": "image",
                    "image_url": self.urls.add(picture),
                    "alt_text": text,
                },
                _text(text),
                self._buttons("cancel"),
            ],
        )

    async def deliver(
        self, images: tuple[genzo.Image, ...], offers: tuple[str, ...]
    ) -> None:
        prompt = self.order.request.prompt or "Genzo"
        await self._show(prompt, [_text(prompt), self._buttons(*offers)])
        for number, image in enumerate(images):
            if f"file{number}" in self.order.address:
                continue  # before a restart
            await self.client.files_upload_v2(
                channel=self.order.address["channel"],
                thread_ts=self.order.address["message"],
                content=image.picture.data,
                filename=f"genzo-{image.seed}{image.picture.suffix}",
                title=f"{prompt[:200]} ({self.order.made([image.seed])})",
            )
            self._keep(f"file{number}", True)

    async def fail(self, text: str) -> None:
        await self._show(text, [_text(text)])

    def is_final(self, error: Exception) -> bool:
        return _reason(error) in _FINAL

    async def _show(self, text: str, blocks: list[dict[str, Any]]) -> None:
        channel = self.order.address["channel"]
        message = self.order.address.get("message")
        if message is None:
            sent = await self.client.chat_postMessage(
                channel=channel, text=text, blocks=blocks
            )
            # What was sent as a name is told back as an id.
            self._keep("channel", sent["channel"])
            self._keep("message", sent["ts"])
            return
        await self.client.chat_update(
            channel=channel, ts=message, text=text, blocks=blocks
        )

    def _keep(self, name: str, value: object) -> None:
        self.order.address[name] = value
        self.studio.keep_address(self.order)

    def _buttons(self, *wishes: str) -> dict[str, Any]:
        return {
            "type": "actions",
            "elements": [
                {
                    "type": "button",
                    "action_id": wish,
                    "value": self.order.id,
                    "text": {
                        "type": "plain_text",
                        "text": words.say(self.order.language, wish),
                    },
                }
                for wish in wishes
            ],
        }


def _reason(error: Exception) -> str:
    """Slack's name for what is wrong; "" where it did not say."""
    answer = getattr(getattr(error, "response", None), "data", None)
    return str(answer.get("error", "")) if isinstance(answer, dict) else ""


def _text(text: str) -> dict[str, Any]:
    # Plain: a prompt calls nobody and links nowhere.
    return {
        "type": "section",
        "text": {"type": "plain_text", "text": text[:_MAX_TEXT]},
    }


@dataclass
class SlackBot:
    """Slash command, mentions and buttons, `POST /slack`. A command carries no
    picture; a message that mentions the bot may."""

    studio: Studio
    urls: PictureUrls
    token: str
    signing_secret: str
    api_url: str = "https://slack.com/api/"
    _app: AsyncApp = field(init=False)

    async def start(self) -> None:
        self._client = AsyncWebClient(self.token, base_url=self.api_url)
        self._client.retry_handlers += [
            AsyncRateLimitErrorRetryHandler(max_retry_count=5),
            AsyncServerErrorRetryHandler(max_retry_count=3),
        ]
        self._app = AsyncApp(
            client=self._client, signing_secret=self.signing_secret
        )
        self._app.command("/imagine")(self._imagine)
        self._app.event("app_mention")(self._mention)
        for wish in _WISHES:
            self._app.action(wish)(self._press)
        self.studio.find_again(SERVICE, self._canvas)

    def add_route(self, app: web.Application) -> None:
        app.router.add_post("/slack", self._hook)
        self.urls.add_route(app)

    async def close(self) -> None:
        """Its sessions end with each call."""

    def _canvas(self, order: Order) -> _Canvas:
        return _Canvas(self._client, self.studio, self.urls, order)

    async def _hook(self, request: web.Request) -> web.Response:
        answer = await self._app.async_dispatch(
            AsyncBoltRequest(
                body=await request.text(),
                query=request.query_string,
                headers=dict(request.headers),
            )
        )
        return web.Response(
            status=answer.status,
            text=answer.body,
            content_type=answer.first_headers_without_set_cookie()
            .get("content-type", "text/plain")
            .split(";")[0],
        )

    async def _imagine(self, ack: Any, command: Any, respond: Any) -> None:
        await ack()
        language = "en"
        try:
            order = Order(
                SERVICE,
                command["user_id"],
                language,
                commands.parse(language, command.get("text", "")),
                {"channel": command["channel_id"]},
            )
            await self._take(order)
        except Refused as refusal:
            await respond(str(refusal))  # seen by the one who asked

    async def _mention(self, event: Any) -> None:
        """A message's text comes with its own marks escaped."""
        language = "en"
        text = html.unescape(_MENTION.sub("", event.get("text", "")))
        try:
            files = event.get("files", [])
            picture = await picture_in(files, language, self.token)
            request = commands.parse(language, text, picture)
            # What Slack tells twice is painted once.
            request.request_id = request_id_of(
                SERVICE, f"{event['channel']}:{event['ts']}"
            )
            address = {"channel": event["channel"]}
            await self._take(
                Order(SERVICE, event["user"], language, request, address)
            )
        except Refused as refusal:
            await self._client.chat_postEphemeral(
                channel=event["channel"],
                user=event["user"],
                text=str(refusal),
            )

    async def _take(self, order: Order) -> None:
        canvas = self._canvas(order)
        await self.studio.take(order, canvas, canvas.open)

    async def _press(
        self, ack: Any, body: Any, action: Any, respond: Any
    ) -> None:
        await ack()
        order = Order(
            SERVICE,
            body["user"]["id"],
            "en",
            address={"channel": body["channel"]["id"]},
        )
        wish, order_id = action["action_id"], action["value"]
        try:
            if wish == "cancel":
                await self.studio.cancel(order_id, order.user, order.language)
                return
            order = self.studio.follow_up(order_id, wish, order)
            await self._take(order)
        except (Refused, genzo.GenzoError) as refusal:
            await respond(text=str(refusal), replace_original=False)
