"""Client of the Genzo image service.

    import genzo
    client = genzo.Client("127.0.0.1:50051")
    client.generate("a red fox in the snow").result().save("fox.png")

Events come while a picture develops: `for event in client.generate(...)`, or
with `genzo.AsyncClient`, `async for event in client.generate(...)`.
"""

from genzo.aio import AsyncClient, AsyncJob
from genzo.client import Client, Job
from genzo.errors import (
    Cancelled,
    FieldViolation,
    GenzoError,
    InvalidRequest,
    NotAllowed,
    NotFound,
    TimedOut,
    Unavailable,
)
from genzo.events import (
    AnyEvent,
    Ended,
    Event,
    Image,
    ImageFailed,
    ImageWithheld,
    Preview,
    Progress,
    Queued,
    Result,
    Started,
)
from genzo.jobs import JobInfo
from genzo.models import Model
from genzo.pictures import Picture
from genzo.requests import Control, ImagePrompt, Options
from genzo.upscaling import Upscaler

__all__ = [
    "AnyEvent",
    "AsyncClient",
    "AsyncJob",
    "Cancelled",
    "Client",
    "Control",
    "Ended",
    "Event",
    "FieldViolation",
    "GenzoError",
    "Image",
    "ImageFailed",
    "ImagePrompt",
    "ImageWithheld",
    "InvalidRequest",
    "Job",
    "JobInfo",
    "Model",
    "NotAllowed",
    "NotFound",
    "Options",
    "Picture",
    "Preview",
    "Progress",
    "Queued",
    "Result",
    "Started",
    "TimedOut",
    "Unavailable",
    "Upscaler",
]
