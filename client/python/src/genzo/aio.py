"""The client for asyncio. Its names and rules are those of `genzo.client`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeAlias, Unpack

import grpc
import grpc.aio

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


class AsyncJob:
    """A job on its way: an asynchronous iterator over its events. As
    `genzo.Job` otherwise. For one task."""

    _call: Any = None  # where opening the first one raised

    def __init__(
        self,
        open_call: OpenCall,
        reading: Reading,
        request: pb.GenerateRequest | None,
    ) -> None:
        self._request = request
        self._open_call = open_call
        self._reading = reading
        self._cancelled = asyncio.Event()
        self._loop = asyncio.get_event_loop()  # the one that gRPC chooses
        self._call = open_call(reading)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> events.AnyEvent:
        while True:
            try:
                message = await self._call.read()
            except grpc.aio.AioRpcError as error:
                if self._reading.ended is not None:
                    self._reading.end()
                    raise StopAsyncIteration from None
                if await self._cancelled_within(self._reading.broken(error)):
                    raise errors.Cancelled(
                        "the call was cancelled", code="CANCELLED"
                    ) from None
                self._call = self._open_call(self._reading)
                continue
            except asyncio.CancelledError:
                # gRPC says so for a call that was cancelled, too.
                if self._cancelled.is_set():
                    raise errors.Cancelled(
                        "the call was cancelled", code="CANCELLED"
                    ) from None
                raise
            if message is grpc.aio.EOF:
                self._reading.end()
                raise StopAsyncIteration
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

    async def result(
        self, *, progress: bool = False, show: bool = False
    ) -> events.Result:
        """Waits for the images; as `genzo.Job.result`."""
        views = views_of(progress, show)
        try:
            async for event in self:
                for view in views:
                    view.take(event)
        except BaseException:
            self.cancel()
            raise
        finally:
            for view in views:
                view.close()
        return self._reading.result()

    async def show(self) -> events.Result:
        """`result` while the images develop in a notebook cell."""
        return await self.result(show=True)

    def cancel(self) -> None:
        """Ends the job, or with on_disconnect="continue" only its reading."""
        self._cancelled.set()
        self._call.cancel()

    def __del__(self) -> None:
        # A call is held by tasks of its own: it would go on without a reader.
        # And garbage is collected in any thread.
        if self._call is None or self._call.done():
            return
        with suppress(RuntimeError):  # the loop has ended, and calls with it
            self._loop.call_soon_threadsafe(self._call.cancel)

    async def _cancelled_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._cancelled.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cancel()


class AsyncClient:
    """A connection to a Genzo server, for one event loop."""

    def __init__(
        self,
        server: str = connection.DEFAULT_SERVER,
        **options: Unpack[connection.ConnectionOptions],
    ) -> None:
        self._server = connection.address(server)
        self._metadata = connection.metadata(options)
        secure = connection.credentials(options)
        self._channel = (
            grpc.aio.insecure_channel(server, connection.channel_options())
            if secure is None
            else grpc.aio.secure_channel(
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
        return f"genzo.AsyncClient({self._server!r})"

    def generate(
        self,
        prompt: str,
        *,
        timeout: float | None = None,
        **options: Unpack[requests.Options],
    ) -> AsyncJob:
        """As `genzo.Client.generate`."""
        return self.send(requests.build(prompt, options), timeout=timeout)

    def send(
        self, request: pb.GenerateRequest, *, timeout: float | None = None
    ) -> AsyncJob:
        """As `genzo.Client.send`."""

        def open_call(reading: Reading) -> Any:
            return self._generation.Generate(
                request, metadata=self._metadata, timeout=reading.time_left()
            )

        return AsyncJob(open_call, Reading(self._server, timeout), request)

    async def create(
        self,
        prompt: str,
        *,
        webhook: str | None = None,
        **options: Unpack[requests.Options],
    ) -> JobInfo:
        """As `genzo.Client.create`."""
        request = jobs_pb2.CreateJobRequest(
            request=requests.build(prompt, options)
        )
        if webhook is not None:
            request.webhook.url = webhook
        return job_info(await self._ask(self._jobs.CreateJob, request))

    async def estimate(
        self, prompt: str, **options: Unpack[requests.Options]
    ) -> JobInfo:
        """As `genzo.Client.estimate`."""
        request = jobs_pb2.CreateJobRequest(
            request=requests.build(prompt, options), validate_only=True
        )
        return job_info(await self._ask(self._jobs.CreateJob, request))

    def watch(
        self,
        job_id: str,
        *,
        after_sequence: int = 0,
        timeout: float | None = None,
    ) -> AsyncJob:
        """As `genzo.Client.watch`."""

        def open_call(reading: Reading) -> Any:
            return self._jobs.WatchJob(
                jobs_pb2.WatchJobRequest(
                    id=job_id, after_sequence=reading.seen
                ),
                metadata=self._metadata,
                timeout=reading.time_left(),
            )

        reading = Reading(self._server, timeout, job_id, after_sequence)
        return AsyncJob(open_call, reading, None)

    async def job(self, job_id: str) -> JobInfo:
        """As `genzo.Client.job`."""
        request = jobs_pb2.GetJobRequest(id=job_id)
        return job_info(await self._ask(self._jobs.GetJob, request))

    async def jobs(self, *states: str) -> list[JobInfo]:
        """As `genzo.Client.jobs`."""
        found: list[JobInfo] = []
        token = ""
        while True:
            page = await self._ask(
                self._jobs.ListJobs, list_request(token, states)
            )
            found += map(job_info, page.jobs)
            token = page.next_page_token
            if not token:
                return found

    async def cancel(self, job_id: str) -> JobInfo:
        """As `genzo.Client.cancel`."""
        request = jobs_pb2.CancelJobRequest(id=job_id)
        return job_info(await self._ask(self._jobs.CancelJob, request))

    def upscale(
        self,
        picture: requests.ImageSource,
        *,
        timeout: float | None = None,
        **options: Unpack[upscaling.UpscaleOptions],
    ) -> AsyncJob:
        """Makes a picture larger: the job's one image is the result, and its
        `Progress` counts tiles."""
        request = upscaling.build(picture, options)

        def open_call(reading: Reading) -> Any:
            return self._upscaling.Upscale(
                request, metadata=self._metadata, timeout=reading.time_left()
            )

        return AsyncJob(open_call, Reading(self._server, timeout), None)

    async def upscalers(self) -> list[upscaling.Upscaler]:
        """What the server can enlarge pictures with, by name."""
        answer = await self._ask(
            self._upscaling.ListUpscalers,
            upscaling_pb2.ListUpscalersRequest(),
        )
        return [upscaling.from_proto(known) for known in answer.upscalers]

    async def models(self) -> list[models.Model]:
        """As `genzo.Client.models`."""
        found: list[models.Model] = []
        token = ""
        while True:
            page = await self._ask(
                self._registry.ListModels,
                registry_pb.ListModelsRequest(page_token=token),
            )
            found += map(models.from_proto, page.models)
            token = page.next_page_token
            if not token:
                return found

    async def loras(self, model: str = "") -> list[lora_pb.Lora]:
        """As `genzo.Client.loras`."""
        found: list[lora_pb.Lora] = []
        token = ""
        while True:
            page = await self._ask(
                self._loras.List,
                lora_pb.LoraRegistryListRequest(page_token=token, model=model),
            )
            found += page.loras
            token = page.next_page_token
            if not token:
                return found

    async def score(
        self,
        *pictures: requests.ImageSource,
        prompt: str = "",
        scorer: str = "",
        model: str = "",
    ) -> list[float]:
        """As `genzo.Client.score`."""
        request = requests.score(pictures, prompt, scorer, model)
        answer = await self._ask(self._scoring.Score, request)
        return [score.score for score in answer.scores]

    async def scorers(self) -> list[str]:
        """As `genzo.Client.scorers`."""
        answer = await self._ask(
            self._scoring.ListScorers, scoring_pb2.ListScorersRequest()
        )
        return [scorer.name for scorer in answer.scorers]

    async def _ask(self, method: Any, request: Any) -> Any:
        try:
            return await method(request, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise errors.from_rpc(error, self._server) from error

    async def close(self) -> None:
        """Ends the connection, and what still uses it."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
