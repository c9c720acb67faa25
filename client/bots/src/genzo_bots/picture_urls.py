"""Pictures under signed addresses that expire, for services that fetch them
themselves."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable

from aiohttp import web

import genzo

_BUDGET_BYTES = 256 << 20
_KEPT_SECONDS = 86_400


class PictureUrls:
    """Keeps pictures in memory, up to a budget, oldest out first."""

    def __init__(
        self,
        base_url: str,
        secret: bytes,
        *,
        kept_seconds: float = _KEPT_SECONDS,
        budget_bytes: int = _BUDGET_BYTES,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._secret = secret
        self._kept_seconds = kept_seconds
        self._budget_bytes = budget_bytes
        self._now = now
        self._pictures: OrderedDict[str, genzo.Picture] = OrderedDict()
        self._bytes = 0

    def add(self, picture: genzo.Picture) -> str:
        """The address at which it can be read for a day."""
        name = hashlib.sha256(picture.data).hexdigest()[:32] + picture.suffix
        if name not in self._pictures:
            self._pictures[name] = picture
            self._bytes += len(picture.data)
        self._pictures.move_to_end(name)
        while self._bytes > self._budget_bytes and len(self._pictures) > 1:
            _, oldest = self._pictures.popitem(last=False)
            self._bytes -= len(oldest.data)
        expires = str(int(self._now() + self._kept_seconds))
        signature = self._sign(name, expires)
        return (
            f"{self._base_url}/pictures/{name}"
            f"?expires={expires}&signature={signature}"
        )

    def add_route(self, app: web.Application) -> None:
        app.router.add_get("/pictures/{name}", self._serve)

    def _sign(self, name: str, expires: str) -> str:
        text = f"{name}\n{expires}".encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()

    async def _serve(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        expires = request.query.get("expires", "")
        given = request.query.get("signature", "")
        if not hmac.compare_digest(
            given.encode(), self._sign(name, expires).encode()
        ):
            raise web.HTTPForbidden(text="the address is not one of ours")
        if float(expires) < self._now():
            raise web.HTTPGone(text="the address has expired")
        picture = self._pictures.get(name)
        if picture is None:
            raise web.HTTPGone(text="the picture is gone")
        return web.Response(
            body=picture.data,
            content_type=picture.media_type,
            headers={"Cache-Control": "private, max-age=86400"},
        )
