"""What happens to a job, in the order in which it is told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

from google.protobuf import duration_pb2

from genzo import errors
from genzo.pictures import Picture
from genzo.v1 import image_generation_pb2 as pb
from genzo.v1 import types_pb2


@dataclass(frozen=True, kw_only=True)
class Event:
    """Of every event: its job, and its number, which grows within the job."""

    job_id: str
    sequence: int


@dataclass(frozen=True, kw_only=True)
class Queued(Event):
    """The job waits behind `position` others."""

    position: int
    time_left: timedelta | None


@dataclass(frozen=True, kw_only=True)
class Started(Event):
    """A worker begins. `resolved` has what was left to the server filled in.
    `from_cache` says that the pictures were kept from the same request."""

    resolved: pb.GenerateRequest
    from_cache: bool = False


@dataclass(frozen=True, kw_only=True)
class Progress(Event):
    """An image is `step` of `steps` moves along."""

    image_index: int
    step: int
    steps: int
    time_left: timedelta | None


@dataclass(frozen=True, kw_only=True)
class Preview(Event):
    """A look at an unfinished image."""

    image_index: int
    step: int
    picture: Picture


@dataclass(frozen=True, kw_only=True)
class Image(Event):
    """A finished image, which a notebook shows. `seed` makes it again with an
    image_count of 1. `score` is what it was chosen by, with best_of; `safety`
    is what the safety checker found, "nsfw", or empty."""

    image_index: int
    seed: int
    picture: Picture
    # What was left out for speed, as the request asked.
    approximations: tuple[str, ...] = ()
    # What `start_latents` takes, with `keep_latents`.
    latents: str = ""
    score: float | None = None
    safety: str = ""

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> dict[str, bytes | str]:
        return {
            **self.picture._repr_mimebundle_(),
            "text/plain": repr(self),
        }


@dataclass(frozen=True, kw_only=True)
class ImageWithheld(Event):
    """An image that was made and that the server's policy does not send."""

    image_index: int
    seed: int
    safety: str


@dataclass(frozen=True, kw_only=True)
class ImageFailed(Event):
    """An image that will not come; the job's others go on."""

    image_index: int
    error: errors.GenzoError


@dataclass(frozen=True, kw_only=True)
class Ended(Event):
    """The last event. `state` is "succeeded", "failed", "cancelled" or
    "expired"; `error` says why it did not succeed."""

    state: str
    error: errors.GenzoError | None
    images_failed: int
    steps_run: int
    queued: timedelta
    encode: timedelta
    denoise: timedelta
    decode: timedelta


AnyEvent: TypeAlias = (
    Queued
    | Started
    | Progress
    | Preview
    | Image
    | ImageWithheld
    | ImageFailed
    | Ended
)


@dataclass(frozen=True)
class Result:
    """A finished job: its images by index, those that failed, and those that
    the server's policy withheld. A notebook shows the images."""

    images: tuple[Image, ...]
    failed: tuple[ImageFailed, ...]
    ended: Ended | None
    withheld: tuple[ImageWithheld, ...] = ()

    def save(self, path: str | os.PathLike[str]) -> list[Path]:
        """Writes the images and returns their paths. Of a job for several,
        image k goes to the path with -k before the suffix. As Picture.save
        otherwise."""
        if len(self.images) == 1 and not self.failed and not self.withheld:
            return [self.images[0].picture.save(path)]
        target = Path(path)
        return [
            image.picture.save(
                target.with_stem(f"{target.stem}-{image.image_index}")
            )
            for image in self.images
        ]

    def _repr_html_(self) -> str:
        return "".join(
            f'<img style="max-width:100%;margin:4px" title="seed {image.seed}"'
            f' src="{image.picture.data_url()}">'
            for image in self.images
        )


def _time(value: duration_pb2.Duration) -> timedelta:
    return value.ToTimedelta()


def _picture(value: pb.Picture) -> Picture:
    return Picture(value.data, value.media_type, value.width, value.height)


def from_proto(message: pb.JobEvent) -> AnyEvent | None:
    """The event in `message`; None if this client does not know its kind."""
    job, number = message.job_id, message.sequence
    match message.WhichOneof("event"):
        case "queued":
            q = message.queued
            return Queued(
                job_id=job,
                sequence=number,
                position=q.position,
                time_left=_time(q.time_left)
                if q.HasField("time_left")
                else None,
            )
        case "started":
            return Started(
                job_id=job,
                sequence=number,
                resolved=message.started.resolved,
                from_cache=message.started.from_cache,
            )
        case "progress":
            p = message.progress
            return Progress(
                job_id=job,
                sequence=number,
                image_index=p.image_index,
                step=p.step,
                steps=p.steps,
                time_left=_time(p.time_left)
                if p.HasField("time_left")
                else None,
            )
        case "preview":
            return Preview(
                job_id=job,
                sequence=number,
                image_index=message.preview.image_index,
                step=message.preview.step,
                picture=_picture(message.preview.picture),
            )
        case "image":
            return Image(
                job_id=job,
                sequence=number,
                image_index=message.image.image_index,
                seed=message.image.seed,
                picture=_picture(message.image.picture),
                approximations=tuple(message.image.approximations),
                latents=message.image.latents,
                score=message.image.score
                if message.image.HasField("score")
                else None,
                safety=message.image.safety,
            )
        case "image_withheld":
            return ImageWithheld(
                job_id=job,
                sequence=number,
                image_index=message.image_withheld.image_index,
                seed=message.image_withheld.seed,
                safety=message.image_withheld.safety,
            )
        case "image_failed":
            return ImageFailed(
                job_id=job,
                sequence=number,
                image_index=message.image_failed.image_index,
                error=errors.from_status(message.image_failed.status),
            )
        case "ended":
            e = message.ended
            name = types_pb2.JobState.Name(e.state)
            return Ended(
                job_id=job,
                sequence=number,
                state=name.removeprefix("JOB_STATE_").lower(),
                error=errors.from_status(e.status)
                if e.HasField("status")
                else None,
                images_failed=e.images_failed,
                steps_run=e.steps_run,
                queued=_time(e.queued),
                encode=_time(e.encode),
                denoise=_time(e.denoise),
                decode=_time(e.decode),
            )
    return None
