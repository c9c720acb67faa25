"""Picture files as they come from the server."""

from __future__ import annotations

import base64
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

_SUFFIXES = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/webp": (".webp",),
}


@dataclass(frozen=True, repr=False)
class Picture:
    """A picture file. A notebook shows it."""

    data: bytes
    media_type: str
    width: int
    height: int

    @property
    def suffix(self) -> str:
        """ ".png", ".jpg" or ".webp"."""
        return _SUFFIXES.get(self.media_type, (".bin",))[0]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the file, whole or not at all, and returns its path.

        A path without a suffix gets the right one. ValueError if it has
        another format's.
        """
        target = Path(path)
        if not target.suffix:
            target = target.with_name(target.name + self.suffix)
        allowed = _SUFFIXES.get(self.media_type, (target.suffix,))
        if target.suffix.lower() not in allowed:
            raise ValueError(
                f"{target.name} does not end as {self.media_type} does,"
                f" in {' or '.join(allowed)}"
            )
        descriptor, part = tempfile.mkstemp(
            prefix=f".{target.name}.", dir=target.parent
        )
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(self.data)
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(part, 0o666 & ~mask)
            os.replace(part, target)
        except BaseException:
            os.unlink(part)
            raise
        return target

    def __repr__(self) -> str:
        return f"Picture({self._summary()}, {len(self.data)} bytes)"

    def data_url(self) -> str:
        """The file as a `data:` address, for HTML."""
        data = base64.b64encode(self.data).decode()
        return f"data:{self.media_type};base64,{data}"

    def _summary(self) -> str:
        return f"{self.width}x{self.height} {self.media_type}"

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> dict[str, bytes | str]:
        return {
            self.media_type: self.data,
            "text/plain": self._summary(),
        }
