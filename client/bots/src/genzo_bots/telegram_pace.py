"""How often one chat of Telegram is written to.

Reference: Telegram Bots FAQ, "My bot is hitting limits".
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from telegram.ext import AIORateLimiter

# A group takes 20 messages and edits a minute.
CALLS = 20
_SECONDS = 60.0


class ChatLimiter(AIORateLimiter):
    """Writes to no chat more than `CALLS` times in a minute, by Telegram's
    clock as well as by ours: a call's place is free again a minute after its
    answer came, and so is no sooner than a minute after Telegram counted it.

    The library's own limit for groups is a bucket that leaks: after a full one
    it lets as many through again in the minute that follows. And it does not
    count private chats. Its limit for all chats together stays, and it waits
    as long as a 429 says.
    """

    def __init__(
        self,
        later: Callable[[float, Callable[[], None]], object] | None = None,
    ) -> None:
        """`later` calls a function after so many seconds; a test has its own
        clock."""
        super().__init__(group_max_rate=0, max_retries=5)
        self._later = later
        self._places: dict[object, asyncio.Semaphore] = {}
        self._taken: Counter[object] = Counter()  # or waited for

    def room(self, chat: object) -> int:
        """How many calls would go out at once."""
        return CALLS - self._taken[chat]

    async def process_request(
        self,
        callback: Callable[..., Any],
        args: Any,
        kwargs: dict[str, Any],
        endpoint: str,
        data: dict[str, Any],
        rate_limit_args: int | None,
    ) -> Any:
        chat = data.get("chat_id")

        async def counted(*args: Any, **kwargs: Any) -> Any:
            await self._take(chat)
            try:
                return await callback(*args, **kwargs)
            finally:
                later = self._later or asyncio.get_running_loop().call_later
                later(_SECONDS, lambda: self._free(chat))

        return await super().process_request(
            callback if chat is None else counted,
            args,
            kwargs,
            endpoint,
            data,
            rate_limit_args,
        )

    async def _take(self, chat: object) -> None:
        places = self._places.setdefault(chat, asyncio.Semaphore(CALLS))
        self._taken[chat] += 1
        try:
            await places.acquire()
        except asyncio.CancelledError:
            self._taken[chat] -= 1
            raise

    def _free(self, chat: object) -> None:
        self._places[chat].release()
        self._taken[chat] -= 1
        if self._taken[chat] == 0:
            del self._places[chat], self._taken[chat]
