"""The client for ordinary code; `genzo.aio` has the one for asyncio."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Self, Unpack

import grpc

from genzo import connection, errors, events, models, requests
from genzo.stream import Reading
from genzo.v1 import image_generation_pb2 as pb
from genzo.v1 import image_generation_pb2_grpc as rpc
from genzo.v1 import model_registry_pb2 as registry_pb
from genzo.v1 import model_registry_pb2_grpc as registry_rpc
from genzo.views import views_of


class Job:
    """A job on its way: an iterator over its events.

    It ends after `Ended`, and raises a GenzoError if the job did not succeed.
    A broken connection is mended on the way: nothing is told twice, no image is
    left out. Dropping a job, or leaving its `with` block, cancels the call. Any
    thread may call `cancel`; one may read.
    """

    def __init__(
        self,
        stub: Any,
        metadata: list[tuple[str, str]],
        request: pb.GenerateRequest,
        server: str,
        timeout: float | None,
    ) -> None:
        # What was sent; `Client.send` of the same takes the job up again.
        self.request = request
        self._stub = stub
        self._metadata = metadata
        self._reading = Reading(server, timeout)
        self._server = server
        self._cancelled = threading.Event()
        self._call: Any = self._start()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> events.AnyEvent:
        while True:
            try:
                message = next(self._call)
            except grpc.RpcError as error:
                if self._reading.ended is not None:
                    if self._reading.ended.error is None:
                        raise StopIteration from None
                    raise self._reading.ended.error from None
                if self._cancelled.wait(self._reading.broken(error)):
                    raise errors.from_rpc(error, self._server) from None
                self._call = self._start()
                continue
            event = self._reading.take(message)
            if event is not None:
                return event

    @property
    def id(self) -> str:
        """The job's id; "" before its first event."""
        return self._reading.job_id

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

    def _start(self) -> Any:
        return self._stub.Generate(
            self.request,
            metadata=self._metadata,
            timeout=self._reading.time_left(),
        )

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
        self._server = server
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
        self._registry = registry_rpc.ModelRegistryStub(self._channel)

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
        return Job(
            self._generation, self._metadata, request, self._server, timeout
        )

    def models(self) -> list[models.Model]:
        """The server's models, by id."""
        found: list[models.Model] = []
        token = ""
        while True:
            try:
                page = self._registry.ListModels(
                    registry_pb.ListModelsRequest(page_token=token),
                    metadata=self._metadata,
                )
            except grpc.RpcError as error:
                raise errors.from_rpc(error, self._server) from error
            found += map(models.from_proto, page.models)
            token = page.next_page_token
            if not token:
                return found

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
