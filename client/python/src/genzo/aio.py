"""The client for asyncio. Its names and rules are those of `genzo.client`."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self, Unpack

import grpc
import grpc.aio

from genzo import connection, errors, events, models, requests
from genzo.stream import Reading
from genzo.v1 import image_generation_pb2 as pb
from genzo.v1 import image_generation_pb2_grpc as rpc
from genzo.v1 import model_registry_pb2 as registry_pb
from genzo.v1 import model_registry_pb2_grpc as registry_rpc
from genzo.views import views_of


class AsyncJob:
    """A job on its way: an asynchronous iterator over its events. As
    `genzo.Job` otherwise. For one task."""

    def __init__(
        self,
        stub: Any,
        metadata: list[tuple[str, str]],
        request: pb.GenerateRequest,
        server: str,
        timeout: float | None,
    ) -> None:
        self.request = request
        self._stub = stub
        self._metadata = metadata
        self._reading = Reading(server, timeout)
        self._server = server
        self._cancelled = asyncio.Event()
        self._call: Any = self._start()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> events.AnyEvent:
        while True:
            try:
                message = await self._call.read()
            except grpc.aio.AioRpcError as error:
                if self._reading.ended is not None:
                    if self._reading.ended.error is None:
                        raise StopAsyncIteration from None
                    raise self._reading.ended.error from None
                if await self._cancelled_within(self._reading.broken(error)):
                    raise errors.from_rpc(error, self._server) from None
                self._call = self._start()
                continue
            except asyncio.CancelledError:
                # gRPC says so for a call that was cancelled, too.
                if self._cancelled.is_set():
                    raise errors.Cancelled(
                        "the call was cancelled", code="CANCELLED"
                    ) from None
                raise
            if message is grpc.aio.EOF:
                raise StopAsyncIteration
            event = self._reading.take(message)
            if event is not None:
                return event

    @property
    def id(self) -> str:
        """The job's id; "" before its first event."""
        return self._reading.job_id

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

    async def _cancelled_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._cancelled.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _start(self) -> Any:
        return self._stub.Generate(
            self.request,
            metadata=self._metadata,
            timeout=self._reading.time_left(),
        )

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
        self._server = server
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
        self._registry = registry_rpc.ModelRegistryStub(self._channel)

    def generate(
        self,
        prompt: str,
        *,
        timeout: float | None = None,
        **options: Unpack[requests.Options],
    ) -> AsyncJob:
        """Begins to paint `prompt`; as `genzo.Client.generate`."""
        return self.send(requests.build(prompt, options), timeout=timeout)

    def send(
        self, request: pb.GenerateRequest, *, timeout: float | None = None
    ) -> AsyncJob:
        """Sends a request as it is; as `genzo.Client.send`."""
        return AsyncJob(
            self._generation, self._metadata, request, self._server, timeout
        )

    async def models(self) -> list[models.Model]:
        """The server's models, by id."""
        found: list[models.Model] = []
        token = ""
        while True:
            try:
                page = await self._registry.ListModels(
                    registry_pb.ListModelsRequest(page_token=token),
                    metadata=self._metadata,
                )
            except grpc.aio.AioRpcError as error:
                raise errors.from_rpc(error, self._server) from error
            found += map(models.from_proto, page.models)
            token = page.next_page_token
            if not token:
                return found

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
