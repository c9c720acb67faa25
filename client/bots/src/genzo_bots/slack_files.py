"""Files that people attach to a message in Slack."""

from __future__ import annotations

from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from genzo_bots import words
from genzo_bots.limits import Refused

_MAX_BYTES = 20 << 20
_TIMEOUT = ClientTimeout(total=20)


async def picture_in(
    files: list[dict[str, Any]], language: str, token: str
) -> bytes | None:
    """The first picture among a message's files, read by the bot's token.
    Refused if Slack does not hand it out: without the scope it shows its login
    page."""
    pictures = (f for f in files if f["mimetype"].startswith("image/"))
    if (file := next(pictures, None)) is None:
        return None
    if file["size"] > _MAX_BYTES:
        sizes = file["size"] >> 20, _MAX_BYTES >> 20
        raise Refused(words.say(language, "large_start", *sizes))
    key = {"Authorization": f"Bearer {token}"}
    try:
        async with (
            ClientSession(timeout=_TIMEOUT) as session,
            session.get(file["url_private"], headers=key) as answer,
        ):
            if answer.content_type.startswith("image/"):
                return await answer.read()
            reason = "files:read" if answer.ok else answer.status
            raise Refused(words.say(language, "no_file", reason))
    except (ClientError, TimeoutError):
        raise Refused(words.say(language, "lost_file")) from None
