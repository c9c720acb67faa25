"""Making pictures larger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypedDict

from genzo import requests
from genzo.v1 import types_pb2 as types
from genzo.v1 import upscaling_pb2 as pb


class UpscaleOptions(TypedDict, total=False):
    """What `upscale` takes besides the picture; as UpscaleRequest in the
    protos."""

    upscaler: str
    # How many times wider and higher; or `width` and `height`.
    factor: float
    width: int
    height: int
    # Of the result: "png", "jpeg" or "webp".
    format: str
    quality: int
    priority: str
    # Seconds, from acceptance to the job's end.
    time_limit: float


@dataclass(frozen=True, kw_only=True)
class Upscaler:
    """Something that enlarges pictures, `scale` times; 0 is any."""

    name: str
    scale: int
    architecture: str


def from_proto(message: pb.Upscaler) -> Upscaler:
    return Upscaler(
        name=message.name,
        scale=message.scale,
        architecture=message.architecture,
    )


def build(
    picture: requests.ImageSource, options: UpscaleOptions
) -> pb.UpscaleRequest:
    """ValueError or TypeError for what cannot be said in a request at all."""
    request = pb.UpscaleRequest()
    request.picture.data = (
        picture if isinstance(picture, bytes) else Path(picture).read_bytes()
    )
    values: dict[str, Any] = dict(options)
    if (limit := values.pop("time_limit", None)) is not None:
        request.time_limit.FromTimedelta(timedelta(seconds=limit))
    if (name := values.pop("format", None)) is not None:
        chosen: Any = types.ImageFormat.Value("IMAGE_FORMAT_" + name.upper())
        request.output.format = chosen
    if (quality := values.pop("quality", None)) is not None:
        request.output.quality = quality
    if (priority := values.pop("priority", None)) is not None:
        urgency: Any = types.Priority.Value("PRIORITY_" + priority.upper())
        request.priority = urgency
    for name, value in values.items():
        if name not in UpscaleOptions.__annotations__:
            raise TypeError(f"upscale() has no argument {name!r}")
        setattr(request, name, value)
    return request
