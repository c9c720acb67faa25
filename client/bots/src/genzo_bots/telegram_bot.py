"""Telegram, by long polling: it needs no address of its own.

Reference: Telegram Bot API, editMessageMedia.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    Message,
    Update,
)
from telegram.error import BadRequest, Forbidden, TelegramError
from telegram.ext import (
    Application,
    CallbackQueryHandler,
    CommandHandler,
    ContextTypes,
    MessageHandler,
    filters,
)

import genzo
from genzo.v1 import image_generation_pb2 as pb
from genzo_bots import commands, words
from genzo_bots.limits import Refused
from genzo_bots.orders import Order, request_id_of
from genzo_bots.studio import Studio
from genzo_bots.telegram_pace import ChatLimiter

SERVICE = "telegram"

# Of the calls that a chat takes in a minute, previews leave some to what must
# be told: answers and finished pictures.
_UPDATE_SECONDS = 4.0
_SPARE_CALLS = 5
_MAX_CAPTION = 1024
_MAX_TEXT = 4096


@dataclass
class _Canvas:
    """A message that turns into a picture with the first preview, and is
    changed in place from then on. In a chat that is being written much to, by
    several pictures that develop there, some changes are left out."""

    bot: Bot
    pace: ChatLimiter
    studio: Studio
    order: Order
    seconds_between_updates: float = _UPDATE_SECONDS

    async def note(self, text: str) -> None:
        is_first = self._at("text") is None
        if self._at("photo") is None and (is_first or self._has_room()):
            await self._say(text, self._buttons("cancel"))

    async def preview(self, picture: genzo.Picture, text: str) -> None:
        if self._has_room():
            await self._paint(picture, text, self._buttons("cancel"))

    async def deliver(
        self, images: tuple[genzo.Image, ...], offers: tuple[str, ...]
    ) -> None:
        for number, image in enumerate(images):
            made = self.order.made([image.seed])
            caption = f"{self.order.request.prompt}\n{made}".strip()
            if number == 0:
                await self._paint(
                    image.picture, caption, self._buttons(*offers)
                )
            elif self._at(f"photo{number}") is None:
                sent = await self.bot.send_photo(
                    self.order.address["chat"],
                    image.picture.data,
                    caption=caption[:_MAX_CAPTION],
                )
                self._keep(f"photo{number}", sent.message_id)

    async def fail(self, text: str) -> None:
        if self._at("photo") is None:
            await self._say(text, None)
        else:
            await self.bot.edit_message_caption(
                chat_id=self.order.address["chat"],
                message_id=self._at("photo"),
                caption=text[:_MAX_CAPTION],
            )

    def is_final(self, error: Exception) -> bool:
        # Put out of the chat, or blocked; or the chat is gone.
        return isinstance(error, Forbidden) or (
            isinstance(error, BadRequest)
            and "chat not found" in str(error).lower()
        )

    async def _say(self, text: str, markup: Any) -> None:
        chat = self.order.address["chat"]
        text = text[:_MAX_TEXT]
        message = self._at("text")
        if message is None:
            sent = await self.bot.send_message(chat, text, reply_markup=markup)
            self._keep("text", sent.message_id)
            return
        await _unless_same(
            self.bot.edit_message_text(text, chat, message, reply_markup=markup)
        )

    async def _paint(
        self, picture: genzo.Picture, caption: str, markup: Any
    ) -> None:
        chat = self.order.address["chat"]
        caption = caption[:_MAX_CAPTION]
        photo = self._at("photo")
        if photo is None:
            sent = await self.bot.send_photo(
                chat, picture.data, caption=caption, reply_markup=markup
            )
            self._keep("photo", sent.message_id)
            if (text := self._at("text")) is not None:
                await self.bot.delete_message(chat, text)
            return
        await _unless_same(
            self.bot.edit_message_media(
                InputMediaPhoto(picture.data, caption=caption),
                chat,
                photo,
                reply_markup=markup,
            )
        )

    def _has_room(self) -> bool:
        return self.pace.room(self.order.address["chat"]) > _SPARE_CALLS

    def _at(self, name: str) -> int | None:
        found: int | None = self.order.address.get(name)
        return found

    def _keep(self, name: str, message: int) -> None:
        self.order.address[name] = message
        self.studio.keep_address(self.order)

    def _buttons(self, *wishes: str) -> InlineKeyboardMarkup:
        return InlineKeyboardMarkup(
            [
                [
                    InlineKeyboardButton(
                        words.say(self.order.language, wish),
                        callback_data=f"{wish}:{self.order.id}",
                    )
                    for wish in wishes
                ]
            ]
        )


async def _unless_same(edit: Any) -> None:
    """An edit that would change nothing is an error to Telegram."""
    try:
        await edit
    except BadRequest as error:
        if "not modified" not in str(error):
            raise


@dataclass
class TelegramBot:
    """Answers /imagine, and its buttons."""

    studio: Studio
    token: str
    api_url: str = "https://api.telegram.org"
    _app: Any = field(init=False)
    _pace: ChatLimiter = field(init=False, default_factory=ChatLimiter)

    async def start(self) -> None:
        self._app = (
            Application.builder()
            .token(self.token)
            .base_url(f"{self.api_url}/bot")
            .base_file_url(f"{self.api_url}/file/bot")
            .rate_limiter(self._pace)
            .concurrent_updates(True)
            .build()
        )
        self._app.add_handler(CommandHandler("imagine", self._imagine))
        self._app.add_handler(
            MessageHandler(
                filters.PHOTO & filters.CaptionRegex(r"^/imagine\b"),
                self._imagine,
            )
        )
        self._app.add_handler(CallbackQueryHandler(self._press))
        await self._app.initialize()
        await self._app.start()
        self.studio.find_again(SERVICE, self._canvas)
        await self._app.updater.start_polling()

    async def close(self) -> None:
        await self._app.updater.stop()
        await self._app.stop()
        await self._app.shutdown()

    def _canvas(self, order: Order) -> _Canvas:
        return _Canvas(self._app.bot, self._pace, self.studio, order)

    async def _imagine(
        self, update: Update, context: ContextTypes.DEFAULT_TYPE
    ) -> None:
        message = update.effective_message
        if message is None:
            return
        # The command ends at any white space: a line's end, a full-width space.
        _, *rest = (message.text or message.caption or "").split(maxsplit=1)
        language = _language(update)
        try:
            picture = await _picture_with(message, language)
            request = commands.parse(language, "".join(rest), picture)
            # What was not confirmed before a crash comes again.
            request.request_id = request_id_of(
                SERVICE, f"{message.chat_id}:{message.message_id}"
            )
            order = self._order(update, request)
            await self.studio.take(order, self._canvas(order))
        except Refused as refusal:
            await message.reply_text(str(refusal))

    async def _press(
        self, update: Update, context: ContextTypes.DEFAULT_TYPE
    ) -> None:
        query = update.callback_query
        if query is None or query.data is None:
            return
        wish, _, order_id = query.data.partition(":")
        order = self._order(update)
        try:
            if wish == "cancel":
                await self.studio.cancel(order_id, order.user, order.language)
            else:
                order = self.studio.follow_up(order_id, wish, order)
                order.request.request_id = request_id_of(SERVICE, query.id)
                await self.studio.take(order, self._canvas(order))
        except (Refused, genzo.GenzoError) as refusal:
            await query.answer(str(refusal)[:200])
        else:
            await query.answer()

    def _order(
        self, update: Update, request: pb.GenerateRequest | None = None
    ) -> Order:
        user, chat = update.effective_user, update.effective_chat
        return Order(
            SERVICE,
            str(user.id if user else ""),
            _language(update),
            request or pb.GenerateRequest(),
            {"chat": chat.id if chat else 0},
        )


async def _picture_with(message: Message, language: str) -> bytes | None:
    """The photograph that the command is the caption of, or an answer to, in
    its largest size, which is 10 MB at most. Refused if Telegram does not hand
    it out."""
    answered = message.reply_to_message
    photo = message.photo or (answered.photo if answered else ())
    if not photo:
        return None
    try:
        file = await photo[-1].get_file()
        return bytes(await file.download_as_bytearray())
    except TelegramError as error:
        text = words.say(language, "no_file", error.message)
        raise Refused(text) from None


def _language(update: Update) -> str:
    user = update.effective_user
    return ((user and user.language_code) or "en")[:2]
