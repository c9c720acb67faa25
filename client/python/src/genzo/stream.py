"""The part of reading a job that needs no network: both clients drive it."""

from __future__ import annotations

import math
import random
import time

import grpc

from genzo import errors, events
from genzo.v1 import image_generation_pb2 as pb

# Without an event in between: about a minute, in which a server starts again;
# before the first event a quarter of that.
_MAX_RESUMES = 11
_MAX_FIRST = 6
_FIRST_DELAY = 0.25
_MAX_DELAY = 10.0
# What a broken connection looks like, when it is not the server's own word.
# CANCELLED: gRPC's word for a call that reaches a server which shuts down.
_BROKEN = {"UNAVAILABLE", "CANCELLED", "INTERNAL", "UNKNOWN"}
# What a server says that has the job, or whose successor will: not now. As the
# command line client has it.
_NOT_NOW = {"DRAINING", "TOO_MANY_STREAMS", "RESULTS_BUSY"}
# What a server says that has just been started again. It tells when to ask, and
# is asked for as long as it takes.
_LOADING = "MODEL_LOADING"


def picture_of(message: pb.JobEvent) -> pb.Picture | None:
    """The picture in a preview or an image; None in any other."""
    if message.HasField("image"):
        return message.image.picture
    if message.HasField("preview"):
        return message.preview.picture
    return None


class Assembler:
    """Puts pictures that come in chunks back into their events."""

    def __init__(self) -> None:
        self._open: pb.JobEvent | None = None
        self._data = bytearray()

    def add(self, message: pb.JobEvent) -> pb.JobEvent | None:
        """The event that is complete with `message`. A picture whose chunks do
        not follow it in order never comes out."""
        if not message.HasField("chunk"):
            picture = picture_of(message)
            if picture is None or len(picture.data) >= picture.size_bytes:
                self._open = None
                return message
            self._open = message
            self._data = bytearray(picture.data)
            return None
        if self._open is None or message.chunk.offset != len(self._data):
            self._open = None
            return None
        picture = picture_of(self._open)
        assert picture is not None
        self._data += message.chunk.data
        if len(self._data) < picture.size_bytes:
            return None
        picture.data = bytes(self._data)
        complete, self._open = self._open, None
        return complete


class Reading:
    """One job as its reader has seen it, over any number of connections.

    After a break the same request is sent again: by its request_id the server
    tells the job's events anew, and what was seen is left out here. Where the
    job is lost and painted again, its seed makes the same images; one that
    every server is lost with is given up.

    With `job_id` the job is only watched, and once it was heard of, asked for
    again for as long as `timeout` says.
    """

    def __init__(
        self,
        server: str,
        timeout: float | None,
        job_id: str = "",
        after_sequence: int = 0,
    ) -> None:
        self._server = server
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._assembler = Assembler()
        self._job_id = job_id
        self._watches = job_id != ""
        self._first_job = job_id
        self._seen = after_sequence
        self._resumes = 0
        self._heard = False
        self._images: dict[int, events.Image] = {}
        self._failed: dict[int, events.ImageFailed] = {}
        self._withheld: dict[int, events.ImageWithheld] = {}
        self.ended: events.Ended | None = None

    @property
    def job_id(self) -> str:
        """ "" before the first event."""
        return self._job_id

    @property
    def seen(self) -> int:
        """The last event's sequence."""
        return self._seen

    def end(self) -> None:
        """The stream is over. Raises what kept the job from success."""
        if self.ended is not None and self.ended.error is not None:
            raise self.ended.error

    def time_left(self) -> float | None:
        """Seconds that the next call may take."""
        if self._deadline is None:
            return None
        return max(0.0, self._deadline - time.monotonic())

    def take(self, message: pb.JobEvent) -> events.AnyEvent | None:
        """The next event for the reader, if `message` completes one."""
        complete = self._assembler.add(message)
        if complete is None:
            return None
        if complete.job_id != self._job_id:
            self._job_id, self._seen = complete.job_id, 0
        if complete.sequence <= self._seen:
            return None
        event = events.from_proto(complete)
        if isinstance(event, events.Ended) and (
            event.error is not None and event.error.reason == "DRAINING"
        ):
            return None  # the call's status says so too, and is resumed from
        self._seen = complete.sequence
        self._heard = True
        self._first_job = self._first_job or self._job_id
        if self._job_id == self._first_job:
            self._resumes = 0
        match event:
            case events.Image():
                if event.image_index in self._images:
                    return None
                self._images[event.image_index] = event
            case events.ImageFailed():
                self._failed[event.image_index] = event
            case events.ImageWithheld():
                self._withheld[event.image_index] = event
            case events.Ended():
                self.ended = event
        return event

    def broken(self, error: grpc.RpcError) -> float:
        """Seconds to wait before the request is sent again. Raises the error
        if that would not help."""
        self._assembler = Assembler()
        found = errors.from_rpc(error, self._server)
        lost = found.reason in _NOT_NOW or (
            not found.reason and found.code in _BROKEN
        )
        # Before the first event gRPC itself has tried again, as the service
        # config says.
        if not self._job_id:
            raise found from error
        delay = found.retry_after or 0.0
        if found.reason != _LOADING or not delay:
            if not lost or self._resumes >= self._patience():
                raise found from error
            doubled = _FIRST_DELAY * 2 ** min(self._resumes, 8)
            delay = max(delay, min(_MAX_DELAY, doubled))
            self._resumes += 1
        left = self.time_left()
        if left is not None and left <= delay:
            raise found from error
        return delay * random.uniform(0.8, 1.2)

    def _patience(self) -> float:
        """How often to send again without an event in between."""
        if not self._heard:
            return _MAX_FIRST
        return math.inf if self._watches else _MAX_RESUMES

    def result(self) -> events.Result:
        """The job's images. Raises if it brought none."""
        self.end()
        if not self._images and self._withheld:
            raise errors.withheld(w.safety for w in self._withheld.values())
        if not self._images:
            raise errors.GenzoError("the job's events broke off")
        return events.Result(
            images=tuple(self._images[i] for i in sorted(self._images)),
            failed=tuple(self._failed[i] for i in sorted(self._failed)),
            ended=self.ended,
            withheld=tuple(self._withheld[i] for i in sorted(self._withheld)),
        )
