"""The client for ordinary code; `genzo.aio` has the one for asyncio."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeAlias, Unpack

import grpc

from genzo import (
    connection,
    errors,
    events,
    models,
    requests,
    upscaling,
)
from genzo.jobs import JobInfo, job_info, list_request
from genzo.stream import Reading
from genzo.v1 import image_generation_pb2 as pb
from genzo.v1 import image_generation_pb2_grpc as rpc
from genzo.v1 import (
    jobs_pb2,
    jobs_pb2_grpc,
    scoring_pb2,
    scoring_pb2_grpc,
    upscaling_pb2,
    upscaling_pb2_grpc,
)
from genzo.v1 import lora_registry_pb2 as lora_pb
from genzo.v1 import lora_registry_pb2_grpc as lora_rpc
from genzo.v1 import model_registry_pb2 as registry_pb
from genzo.v1 import model_registry_pb2_grpc as registry_rpc
from genzo.views import views_of

# Calls for the events that `reading` lacks.
OpenCall: TypeAlias = Callable[[Reading], Any]


class Job:
    """A job on its way: an iterator over its events.

    It ends after `Ended`, and raises a GenzoError if the job did not succeed.
    A broken connection is mended on the way: nothing is told twice, no image is
    left out. Dropping a job, or leaving its `with` block, cancels the call. Any
    thread may call `cancel`; one may read.
    """

    def __init__(
        self,
        open_call: OpenCall,
        reading: Reading,
        request: pb.GenerateRequest | None,
    ) -> None:
        self._request = request
        self._open_call = open_call
        self._reading = reading
        self._cancelled = threading.Event()
        self._call: Any = open_call(reading)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> events.AnyEvent:
        while True:
            try:
                message = next(self._call)
            except StopIteration:
                self._reading.end()
                raise
            except grpc.RpcError as error:
                if self._reading.ended is not None:
                    self._reading.end()
                    raise StopIteration from None
                if self._cancelled.wait(self._reading.broken(error)):
                    raise errors.Cancelled(
                        "the call was cancelled", code="CANCELLED"
                    ) from None
                self._call = self._open_call(self._reading)
                continue
            event = self._reading.take(message)
            if event is not None:
                return event

    @property
    def id(self) -> str:
        """The job's id; "" before its first event."""
        return self._reading.job_id

    @property
    def request(self) -> pb.GenerateRequest:
        """What was sent; `send` of the same takes the job up again. ValueError
        for a job of `watch`."""
        if self._request is None:
            raise ValueError("a job that is only watched has no request")
        return self._request

    def result(
        self, *, progress: bool = False, show: bool = False
    ) -> events.Result:
        """Waits for the images. `progress` draws a bar, `show` develops them in
        a notebook cell. Raises a GenzoError if there is none, and cancels the
        job if it is interrupted."""
        views = views_of(progress, show)
        try:
            for event in self:
                for view in views:
                    view.take(event)
        except BaseException:
            self.cancel()
            raise
        finally:
            for view in views:
                view.close()
        return self._reading.result()

    def show(self) -> events.Result:
        """`result` while the images develop in a notebook cell."""
        return self.result(show=True)

    def cancel(self) -> None:
        """Ends the job, or with on_disconnect="continue" only its reading."""
        self._cancelled.set()
        self._call.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cancel()


class Client:
    """A connection to a Genzo server. Any thread may use it."""

    def __init__(
        self,
        server: str = connection.DEFAULT_SERVER,
        **options: Unpack[connection.ConnectionOptions],
    ) -> None:
        self._server = connection.address(server)
        self._metadata = connection.metadata(options)
        secure = connection.credentials(options)
        self._channel = (
            grpc.insecure_channel(server, connection.channel_options())
            if secure is None
            else grpc.secure_channel(
                server, secure, connection.channel_options()
            )
        )
        self._generation = rpc.ImageGenerationStub(self._channel)
        self._jobs = jobs_pb2_grpc.JobsStub(self._channel)
        self._registry = registry_rpc.ModelRegistryStub(self._channel)
        self._loras = lora_rpc.LoraRegistryStub(self._channel)
        self._scoring = scoring_pb2_grpc.PictureScoringStub(self._channel)
        self._upscaling = upscaling_pb2_grpc.UpscalingStub(self._channel)

    def __repr__(self) -> str:
        return f"genzo.Client({self._server!r})"

    def generate(
        self,
        prompt: str,
        *,
        timeout: float | None = None,
        **options: Unpack[requests.Options],
    ) -> Job:
        """Begins to paint `prompt`. `timeout` bounds the whole reading, in
        seconds. What the server refuses is raised by the job."""
        return self.send(requests.build(prompt, options), timeout=timeout)

    def send(
        self, request: pb.GenerateRequest, *, timeout: float | None = None
    ) -> Job:
        """Sends a request as it is. With the request_id and content of one
        before, it takes up that job, in this program or another."""

        def open_call(reading: Reading) -> Any:
            return self._generation.Generate(
                request, metadata=self._metadata, timeout=reading.time_left()
            )

        return Job(open_call, Reading(self._server, timeout), request)

    def create(
        self,
        prompt: str,
        *,
        webhook: str | None = None,
        **options: Unpack[requests.Options],
    ) -> JobInfo:
        """Queues a job that goes on without this program; `watch` shows it.
        `webhook` is an https URL that is told of its end."""
        request = jobs_pb2.CreateJobRequest(
            request=requests.build(prompt, options)
        )
        if webhook is not None:
            request.webhook.url = webhook
        return job_info(self._ask(self._jobs.CreateJob, request))

    def estimate(
        self, prompt: str, **options: Unpack[requests.Options]
    ) -> JobInfo:
        """Checks a request and tells its cost and time, without a job."""
        request = jobs_pb2.CreateJobRequest(
            request=requests.build(prompt, options), validate_only=True
        )
        return job_info(self._ask(self._jobs.CreateJob, request))

    def watch(
        self,
        job_id: str,
        *,
        after_sequence: int = 0,
        timeout: float | None = None,
    ) -> Job:
        """The events of a job, those that are kept and those that come.
        Leaving changes nothing for it."""

        def open_call(reading: Reading) -> Any:
            return self._jobs.WatchJob(
                jobs_pb2.WatchJobRequest(
                    id=job_id, after_sequence=reading.seen
                ),
                metadata=self._metadata,
                timeout=reading.time_left(),
            )

        reading = Reading(self._server, timeout, job_id, after_sequence)
        return Job(open_call, reading, None)

    def job(self, job_id: str) -> JobInfo:
        """A job as it is now."""
        request = jobs_pb2.GetJobRequest(id=job_id)
        return job_info(self._ask(self._jobs.GetJob, request))

    def jobs(self, *states: str) -> list[JobInfo]:
        """The tenant's jobs, the newest first; only those in `states`, if
        there are any: "queued", "running", ..."""
        found: list[JobInfo] = []
        token = ""
        while True:
            page = self._ask(self._jobs.ListJobs, list_request(token, states))
            found += map(job_info, page.jobs)
            token = page.next_page_token
            if not token:
                return found

    def cancel(self, job_id: str) -> JobInfo:
        """Ends a job at its next step."""
        request = jobs_pb2.CancelJobRequest(id=job_id)
        return job_info(self._ask(self._jobs.CancelJob, request))

    def upscale(
        self,
        picture: requests.ImageSource,
        *,
        timeout: float | None = None,
        **options: Unpack[upscaling.UpscaleOptions],
    ) -> Job:
        """Makes a picture larger: the job's one image is the result, and its
        `Progress` counts tiles."""
        request = upscaling.build(picture, options)

        def open_call(reading: Reading) -> Any:
            return self._upscaling.Upscale(
                request, metadata=self._metadata, timeout=reading.time_left()
            )

        return Job(open_call, Reading(self._server, timeout), None)

    def upscalers(self) -> list[upscaling.Upscaler]:
        """What the server can enlarge pictures with, by name."""
        answer = self._ask(
            self._upscaling.ListUpscalers,
            upscaling_pb2.ListUpscalersRequest(),
        )
        return [upscaling.from_proto(known) for known in answer.upscalers]

    def models(self) -> list[models.Model]:
        """The server's models, by id."""
        found: list[models.Model] = []
        token = ""
        while True:
            page = self._ask(
                self._registry.ListModels,
                registry_pb.ListModelsRequest(page_token=token),
            )
            found += map(models.from_proto, page.models)
            token = page.next_page_token
            if not token:
                return found

    def loras(self, model: str = "") -> list[lora_pb.Lora]:
        """The server's adapters, by name; only those that `model` takes, if
        it is given."""
        found: list[lora_pb.Lora] = []
        token = ""
        while True:
            page = self._ask(
                self._loras.List,
                lora_pb.LoraRegistryListRequest(page_token=token, model=model),
            )
            found += page.loras
            token = page.next_page_token
            if not token:
                return found

    def score(
        self,
        *pictures: requests.ImageSource,
        prompt: str = "",
        scorer: str = "",
        model: str = "",
    ) -> list[float]:
        """How well each picture fits `prompt`, or how much people would like
        it: by a scorer of the server's, or by a model's own."""
        request = requests.score(pictures, prompt, scorer, model)
        answer = self._ask(self._scoring.Score, request)
        return [score.score for score in answer.scores]

    def scorers(self) -> list[str]:
        """Who scores besides the models' own scorers, by name."""
        answer = self._ask(
            self._scoring.ListScorers, scoring_pb2.ListScorersRequest()
        )
        return [scorer.name for scorer in answer.scorers]

    def _ask(self, method: Any, request: Any) -> Any:
        try:
            return method(request, metadata=self._metadata)
        except grpc.RpcError as error:
            raise errors.from_rpc(error, self._server) from error

    def close(self) -> None:
        """Ends the connection, and what still uses it."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
