"""Pictures under signed addresses that expire, for services that fetch them
themselves."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

import genzo

_BUDGET_BYTES = 1 << 30
_KEPT_SECONDS = 86_400
_MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}


class PictureUrls:
    """Keeps pictures in a folder, up to a budget, oldest out first. Addresses
    outlive a restart, because the key that signs them lies there, too."""

    def __init__(
        self,
        base_url: str,
        path: str,
        folder: Path,
        *,
        kept_seconds: float = _KEPT_SECONDS,
        budget_bytes: int = _BUDGET_BYTES,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`base_url` and `path` together are what a picture's name is put
        behind: "https://bots.example.org" and "/line/pictures"."""
        folder.mkdir(parents=True, exist_ok=True)
        self._base_url = base_url.rstrip("/")
        self._path = path
        self._folder = folder
        self._secret = _secret(folder / "key")
        self._kept_seconds = kept_seconds
        self._budget_bytes = budget_bytes
        self._now = now

    def add(self, picture: genzo.Picture) -> str:
        """The address at which it can be read for a day."""
        name = hashlib.sha256(picture.data).hexdigest()[:32] + picture.suffix
        file = self._folder / name
        if not file.exists():
            part = file.with_suffix(".part")
            part.write_bytes(picture.data)
            part.rename(file)
        os.utime(file, (self._now(), self._now()))
        self._sweep()
        expires = str(int(self._now() + self._kept_seconds))
        signature = self._sign(name, expires)
        return (
            f"{self._base_url}{self._path}/{name}"
            f"?expires={expires}&signature={signature}"
        )

    def add_route(self, app: web.Application) -> None:
        app.router.add_get(f"{self._path}/{{name}}", self._serve)

    def _sweep(self) -> None:
        """Removes what has expired, and what is over the budget but for the
        newest."""
        kept = sorted(
            (
                (state.st_mtime, state.st_size, file)
                for file in self._folder.iterdir()
                if file.suffix in _MEDIA_TYPES
                for state in [file.stat()]
            ),
            reverse=True,
        )
        total = 0
        for number, (changed, size, file) in enumerate(kept):
            total += size
            expired = changed < self._now() - self._kept_seconds
            if number > 0 and (expired or total > self._budget_bytes):
                file.unlink()

    def _sign(self, name: str, expires: str) -> str:
        text = f"{name}\n{expires}".encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        expires = request.query.get("expires", "")
        given = request.query.get("signature", "")
        # Nothing that we did not name ourselves passes this.
        if not hmac.compare_digest(
            given.encode(), self._sign(name, expires).encode()
        ):
            raise web.HTTPForbidden(text="the address is not one of ours")
        if float(expires) < self._now():
            raise web.HTTPGone(text="the address has expired")
        file = self._folder / name
        if not file.exists():
            raise web.HTTPGone(text="the picture is gone")
        return web.FileResponse(
            file,
            headers={
                "Content-Type": _MEDIA_TYPES[file.suffix],
                "Cache-Control": "private, max-age=86400",
            },
        )


def _secret(file: Path) -> bytes:
    """The key in the file, which is made if it is not there."""
    if not file.exists():
        part = file.with_suffix(".part")
        with open(os.open(part, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as out:
            out.write(secrets.token_bytes(32))
        part.rename(file)
    return file.read_bytes()
