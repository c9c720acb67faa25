"""LINE, by webhook. A message there cannot be changed once it is sent, so a
person sees one preview and then the picture, both under signed addresses.

Reference: LINE Messaging API, "Receive messages (webhook)", "Retry failed API
requests".
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, web
from linebot.v3.exceptions import InvalidSignatureError
from linebot.v3.messaging import (
    ApiException,
    AsyncApiClient,
    AsyncMessagingApi,
    Configuration,
    FlexContainer,
    FlexMessage,
    ImageMessage,
    Message,
    PostbackAction,
    PushMessageRequest,
    QuickReply,
    QuickReplyItem,
    ReplyMessageRequest,
    TextMessage,
)
from linebot.v3.webhook import WebhookParser
from linebot.v3.webhooks import (
    Event,
    MessageEvent,
    PostbackEvent,
    TextMessageContent,
)

import genzo
from genzo_bots import commands, words
from genzo_bots.limits import Refused
from genzo_bots.orders import Order, request_id_of
from genzo_bots.picture_urls import PictureUrls
from genzo_bots.studio import Studio

_log = logging.getLogger(__name__)

SERVICE = "line"

_COMMAND = "/imagine"
_LANGUAGE = "ja"
_TOKEN_IS_USED_UP = 400  # or too old
_ALREADY_ACCEPTED = 409
_TOO_MANY = 429
# Wrong whenever it is sent: a shape, or a person whom it may not write to.
_FINAL = {400, 403}
_DATA_URL = "https://api-data.line.me"
_NO_CONTENT = 404  # a text, for one
_CONTENT_TIMEOUT = ClientTimeout(total=10)
_PREVIEW_EVERY = 10  # the first that comes is the only one sent
# How long a reply waits for the place in the queue. Its token is good for a
# minute, and LINE sends an event again that is not answered soon.
_REPLY_SECONDS = 1.0
_SECOND_REPLY_SECONDS = 0.5  # after the first was not taken
_MAX_ALT_TEXT = 400
_MAX_HEIGHT_BY_WIDTH = 3
_MAX_HERO_SIDE = 1024  # of 8-bit pixels, and so within its 10 MB too
_MAX_TEXT = 5000
_STYLES = {"again": "primary", "vary": "secondary", "upscale": "secondary"}


@dataclass
class _Canvas:
    """Pushes to one chat, under keys that make each push count once."""

    api: AsyncMessagingApi
    studio: Studio
    urls: PictureUrls
    order: Order
    seconds_between_updates: float = 1.0
    _seen: bool = False
    _first_note: asyncio.Queue[str] = field(
        default_factory=lambda: asyncio.Queue(1)
    )

    async def note(self, text: str) -> None:
        """The first is the reply; later ones would be messages too many."""
        if not self._first_note.full():
            self._first_note.put_nowait(text)

    async def first_note(self) -> str:
        """What to reply: the place in the queue, if it is known soon."""
        try:
            return await asyncio.wait_for(
                self._first_note.get(), _REPLY_SECONDS
            )
        except TimeoutError:
            return words.say(self.order.language, "accepted")

    async def preview(self, picture: genzo.Picture, text: str) -> None:
        if self._seen:
            return  # a second would be one message too many
        self._seen = True
        url = self.urls.add(picture)
        await self._push(
            "preview",
            ImageMessage(original_content_url=url, preview_image_url=url),
        )

    async def deliver(
        self, images: tuple[genzo.Image, ...], offers: tuple[str, ...]
    ) -> None:
        bubbles = [
            await self._bubble(number, image, offers)
            for number, image in enumerate(images)
        ]
        contents = (
            bubbles[0]
            if len(bubbles) == 1
            else {"type": "carousel", "contents": bubbles}
        )
        prompt = self.order.request.prompt or "Genzo"
        await self._push(
            "picture",
            FlexMessage(
                alt_text=prompt[:_MAX_ALT_TEXT],
                contents=FlexContainer.from_dict(contents),
            ),
        )

    async def fail(self, text: str) -> None:
        await self._push("fail", TextMessage(text=text[:_MAX_TEXT]))

    def is_final(self, error: Exception) -> bool:
        return isinstance(error, ApiException) and error.status in _FINAL

    async def _hero(self, picture: genzo.Picture) -> str:
        """The address of what a bubble shows."""
        try:
            picture = await self.studio.reduced(picture, _MAX_HERO_SIDE)
        except genzo.GenzoError as error:
            # LINE may leave it empty; a touch shows the whole one all the same.
            _log.warning("no smaller copy of a picture: %s", error)
        return self.urls.add(picture)

    async def _bubble(
        self, number: int, image: genzo.Image, offers: tuple[str, ...]
    ) -> dict[str, Any]:
        width, height = image.picture.width, image.picture.height
        height = min(height, _MAX_HEIGHT_BY_WIDTH * width)
        prompt = self.order.request.prompt or " "
        return {
            "type": "bubble",
            "hero": {
                "type": "image",
                "url": await self._hero(image.picture),
                "size": "full",
                "aspectMode": "cover",
                "aspectRatio": f"{width}:{height}",
                "action": {
                    "type": "uri",
                    "uri": self.urls.add(image.picture),
                },
            },
            "body": {
                "type": "box",
                "layout": "vertical",
                "contents": [
                    {"type": "text", "text": prompt[:1000], "wrap": True},
                    {
                        "type": "text",
                        "text": self.order.made([image.seed]),
                        "size": "xs",
                        "color": "#8c8c8c",
                    },
                ],
            },
            "footer": {
                "type": "box",
                "layout": "vertical",
                "spacing": "sm",
                "contents": [
                    {
                        "type": "button",
                        "style": _STYLES[wish],
                        "height": "sm",
                        "action": {
                            "type": "postback",
                            "label": words.say(self.order.language, wish),
                            "data": f"{wish}:{self.order.id}:{number}",
                        },
                    }
                    for wish in offers
                ],
            },
        }

    async def _push(self, what: str, message: Message) -> None:
        to = self.order.address["to"]
        await _push(self.api, to, self.order.id, what, message)


async def _push(
    api: AsyncMessagingApi, to: str, order_id: str, what: str, message: Message
) -> None:
    # The same key for the same message, however often it is tried.
    key = str(uuid.uuid5(uuid.UUID(order_id), what))
    try:
        await api.push_message(
            PushMessageRequest(to=to, messages=[message]), x_line_retry_key=key
        )
    except ApiException as error:
        if error.status != _ALREADY_ACCEPTED:
            raise


@dataclass
class LineBot:
    """The webhook, `POST /line`."""

    studio: Studio
    urls: PictureUrls
    channel_secret: str
    access_token: str
    api_url: str = ""  # LINE's own, if empty
    _api: AsyncMessagingApi = field(init=False)

    async def start(self) -> None:
        self._parser = WebhookParser(self.channel_secret)
        self._client = AsyncApiClient(
            Configuration(access_token=self.access_token)
        )
        self._api = AsyncMessagingApi(self._client)
        if self.api_url:
            self._api.line_base_path = self.api_url
        self.studio.find_again(SERVICE, self._canvas)

    def add_route(self, app: web.Application) -> None:
        app.router.add_post("/line", self._hook)
        self.urls.add_route(app)

    async def close(self) -> None:
        await self._client.close()

    def _canvas(self, order: Order) -> _Canvas:
        return _Canvas(self._api, self.studio, self.urls, order)

    async def _hook(self, request: web.Request) -> web.Response:
        signature = request.headers.get("X-Line-Signature", "")
        try:
            events = self._parser.parse(await request.text(), signature)
        except InvalidSignatureError:
            raise web.HTTPUnauthorized(text="bad signature") from None
        for event in events:
            try:
                await self._take(event)
            except Exception:  # those behind it may be other people's
                _log.exception("event %s failed", event.webhook_event_id)
        return web.Response(text="ok")

    async def _take(self, event: Event) -> None:
        text = _text_for_us(event)
        wish, order_id, number = _pressed(event)
        if text is None and not wish:
            return
        # The event's id becomes the request's: what LINE delivers twice is
        # painted once.
        request_id = request_id_of(SERVICE, event.webhook_event_id)
        if self.studio.order(request_id) is not None:
            return
        to = _chat_of(event)
        user = getattr(event.source, "user_id", None) or to
        order = Order(SERVICE, user, _LANGUAGE, address={"to": to})
        try:
            if wish == "cancel":
                return await self.studio.cancel(order_id, user, _LANGUAGE)
            if wish:
                order = self.studio.follow_up(order_id, wish, order, number)
            else:
                picture = await self._quoted(event)
                order.request.CopyFrom(
                    commands.parse(_LANGUAGE, text or "", picture)
                )
                order.request.preview.every = _PREVIEW_EVERY
            order.request.request_id = request_id
            canvas = self._canvas(order)
            await self.studio.take(order, canvas)
            await self._reply(
                event, await canvas.first_note(), _cancel_button(order.id)
            )
        except Refused as refusal:
            await self._reply(event, str(refusal))
        except genzo.GenzoError as fault:
            await self._reply(event, words.error(_LANGUAGE, fault))

    async def _quoted(self, event: Event) -> bytes | None:
        """The picture that the message answers, if it answers one."""
        message = getattr(event, "message", None)
        quoted = getattr(message, "quoted_message_id", None)
        if quoted is None:
            return None
        # The SDK knows no other host for it than LINE's own.
        url = f"{self.api_url or _DATA_URL}/v2/bot/message/{quoted}/content"
        key = {"Authorization": f"Bearer {self.access_token}"}
        try:
            async with (
                ClientSession(timeout=_CONTENT_TIMEOUT) as session,
                session.get(url, headers=key) as answer,
            ):
                is_picture = answer.content_type.startswith("image/")
                if answer.status == 200 and is_picture:
                    return await answer.read()
                if answer.status in (200, _NO_CONTENT):
                    return None
                text = words.say(_LANGUAGE, "no_file", answer.status)
                raise Refused(text)
        except (ClientError, TimeoutError):
            raise Refused(words.say(_LANGUAGE, "lost_file")) from None

    async def _reply(
        self, event: Any, text: str, quick: QuickReply | None = None
    ) -> None:
        """A reply token is good once, and soon: what is not taken is tried once
        more, and then pushed."""
        message = TextMessage(text=text[:_MAX_TEXT], quick_reply=quick)
        request = ReplyMessageRequest(
            reply_token=event.reply_token, messages=[message]
        )
        status = await self._reply_once(request)
        if status is None:
            return
        if status != _TOKEN_IS_USED_UP:
            await asyncio.sleep(_SECOND_REPLY_SECONDS)
            again = await self._reply_once(request)
            # Used up by the first, then: it was taken, and we did not hear.
            taken = again == _TOKEN_IS_USED_UP and status != _TOO_MANY
            if again is None or taken:
                return
        order_id = request_id_of(SERVICE, event.webhook_event_id)
        await _push(self._api, _chat_of(event), order_id, "reply", message)

    async def _reply_once(self, request: ReplyMessageRequest) -> int | None:
        """None if it was taken, else the answer's status; 0 if there was no
        answer."""
        try:
            await self._api.reply_message(request)
        except ApiException as error:
            _log.warning("LINE did not take a reply: %s", error.reason)
            return int(error.status or 0)
        except (ClientError, TimeoutError) as error:
            _log.warning("LINE did not answer a reply: %s", error)
            return 0
        return None


def _chat_of(event: Event) -> str:
    """Where the event comes from: a person, a group or a room."""
    source = event.source
    return str(getattr(source, f"{source.type}_id"))


def _pressed(event: Event) -> tuple[str, str, int]:
    """A button's wish, its order, and the number of the picture that it is
    below; no wish where the event is no press."""
    if not isinstance(event, PostbackEvent):
        return "", "", 0
    wish, order_id, number, *_ = (event.postback.data + "::").split(":")
    return wish, order_id, int(number or 0)


def _text_for_us(event: Event) -> str | None:
    """What somebody wrote to the bot; in a group, only after /imagine."""
    if not isinstance(event, MessageEvent) or not isinstance(
        event.message, TextMessageContent
    ):
        return None
    text: str = event.message.text.strip()
    if event.source.type != "user" and not text.startswith(_COMMAND):
        return None
    return text.removeprefix(_COMMAND).strip()


def _cancel_button(order_id: str) -> QuickReply:
    action = PostbackAction(
        label=words.say(_LANGUAGE, "cancel"), data=f"cancel:{order_id}"
    )
    return QuickReply(items=[QuickReplyItem(action=action)])
