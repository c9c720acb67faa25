"""A Genzo server whose answers a test writes down; and the events to answer
with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

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
from genzo.v1 import types_pb2 as types

Answer = Callable[
    [pb.GenerateRequest, grpc.ServicerContext], Iterator[pb.JobEvent]
]


@dataclass
class Call:
    request: pb.GenerateRequest
    metadata: dict[str, str]
    ended: threading.Event


class FakeServer(
    rpc.ImageGenerationServicer,
    registry_rpc.ModelRegistryServicer,
    lora_rpc.LoraRegistryServicer,
    jobs_pb2_grpc.JobsServicer,
    upscaling_pb2_grpc.UpscalingServicer,
    scoring_pb2_grpc.PictureScoringServicer,
):
    """Answers the nth Generate or WatchJob call with `answers[n]`, and calls
    about jobs with `job`."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.pages: list[registry_pb.ListModelsResponse] = []
        ink = lora_pb.Lora(name="ink", family="sd1", rank=16)
        self.lora_pages = [
            lora_pb.LoraRegistryListResponse(loras=[ink], next_page_token="1"),
            lora_pb.LoraRegistryListResponse(loras=[ink]),
        ]
        self.calls: list[Call] = []
        self.job = jobs_pb2.Job()
        self.requests: list[Any] = []  # about jobs
        self._server = grpc.server(ThreadPoolExecutor(8))
        rpc.add_ImageGenerationServicer_to_server(self, self._server)
        registry_rpc.add_ModelRegistryServicer_to_server(self, self._server)
        lora_rpc.add_LoraRegistryServicer_to_server(self, self._server)
        jobs_pb2_grpc.add_JobsServicer_to_server(self, self._server)
        upscaling_pb2_grpc.add_UpscalingServicer_to_server(self, self._server)
        scoring_pb2_grpc.add_PictureScoringServicer_to_server(
            self, self._server
        )
        port = self._server.add_insecure_port("127.0.0.1:0")
        self.address = f"127.0.0.1:{port}"
        self._server.start()

    def Generate(  # noqa: N802
        self, request: pb.GenerateRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.JobEvent]:
        call = Call(
            request, dict(context.invocation_metadata()), threading.Event()
        )
        context.add_callback(call.ended.set)
        self.calls.append(call)
        yield from self.answers[len(self.calls) - 1](request, context)

    def ListModels(  # noqa: N802
        self,
        request: registry_pb.ListModelsRequest,
        context: grpc.ServicerContext,
    ) -> registry_pb.ListModelsResponse:
        return self.pages[int(request.page_token or "0")]

    def List(  # noqa: N802
        self,
        request: lora_pb.LoraRegistryListRequest,
        context: grpc.ServicerContext,
    ) -> lora_pb.LoraRegistryListResponse:
        self.requests.append(request)
        return self.lora_pages[int(request.page_token or "0")]

    def Upscale(  # noqa: N802
        self,
        request: upscaling_pb2.UpscaleRequest,
        context: grpc.ServicerContext,
    ) -> Iterator[pb.JobEvent]:
        self.requests.append(request)
        yield from self.Generate(pb.GenerateRequest(), context)

    def ListUpscalers(  # noqa: N802
        self,
        request: upscaling_pb2.ListUpscalersRequest,
        context: grpc.ServicerContext,
    ) -> upscaling_pb2.ListUpscalersResponse:
        return upscaling_pb2.ListUpscalersResponse(
            upscalers=[upscaling_pb2.Upscaler(name="lanczos")]
        )

    def ListScorers(  # noqa: N802
        self,
        request: scoring_pb2.ListScorersRequest,
        context: grpc.ServicerContext,
    ) -> scoring_pb2.ListScorersResponse:
        return scoring_pb2.ListScorersResponse(
            scorers=[scoring_pb2.Scorer(name="clip", reads_prompt=True)]
        )

    def WatchJob(  # noqa: N802
        self,
        request: jobs_pb2.WatchJobRequest,
        context: grpc.ServicerContext,
    ) -> Iterator[pb.JobEvent]:
        self.requests.append(request)
        yield from self.Generate(pb.GenerateRequest(), context)

    def _about(
        self, request: Any, context: grpc.ServicerContext
    ) -> jobs_pb2.Job:
        self.requests.append(request)
        return self.job

    CreateJob = GetJob = CancelJob = _about

    def ListJobs(  # noqa: N802
        self, request: jobs_pb2.ListJobsRequest, context: grpc.ServicerContext
    ) -> jobs_pb2.ListJobsResponse:
        self.requests.append(request)
        return jobs_pb2.ListJobsResponse(
            jobs=[self.job],
            next_page_token="" if request.page_token else "more",
        )

    def stop(self) -> None:
        self._server.stop(0).wait()


def answer(*messages: pb.JobEvent) -> Answer:
    """These events, and then OK."""

    def run(
        request: pb.GenerateRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.JobEvent]:
        yield from messages

    return run


def broken(
    *messages: pb.JobEvent,
    code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE,
) -> Answer:
    """These events, and then what a lost connection looks like. With INTERNAL
    gRPC does not try again by itself where there are none."""

    def run(
        request: pb.GenerateRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.JobEvent]:
        yield from messages
        context.abort(code, "Socket closed")

    return run


def refusal(status: status_pb2.Status, *messages: pb.JobEvent) -> Answer:
    """These events, and then an error with details."""

    def run(
        request: pb.GenerateRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.JobEvent]:
        yield from messages
        code = next(c for c in grpc.StatusCode if c.value[0] == status.code)
        context.set_trailing_metadata(
            [("grpc-status-details-bin", status.SerializeToString())]
        )
        context.abort(code, status.message)

    return run


def status(
    code: grpc.StatusCode, reason: str, message: str, *details: Any
) -> status_pb2.Status:
    """An error as Genzo sends it."""
    found = status_pb2.Status(code=code.value[0], message=message)
    info = error_details_pb2.ErrorInfo(reason=reason, domain="genzo")
    for detail in (info, *details):
        packed = any_pb2.Any()
        packed.Pack(detail)
        found.details.append(packed)
    return found


JOB = "5b0e4a63-6f6d-4f43-8a3f-d0f5fbd3c6c0"


def event(sequence: int, job_id: str = JOB, **kind: Any) -> pb.JobEvent:
    return pb.JobEvent(job_id=job_id, sequence=sequence, **kind)


def picture(data: bytes, sent: bytes | None = None) -> pb.Picture:
    return pb.Picture(
        data=data if sent is None else sent,
        media_type="image/png",
        width=8,
        height=8,
        size_bytes=len(data),
    )


def started(sequence: int, job_id: str = JOB, **resolved: Any) -> pb.JobEvent:
    request = pb.GenerateRequest(
        **{"image_count": 1, "width": 8, "height": 8, "steps": 2, **resolved}
    )
    return event(sequence, job_id, started=pb.Started(resolved=request))


def progress(sequence: int, job_id: str = JOB, step: int = 1) -> pb.JobEvent:
    return event(sequence, job_id, progress=pb.Progress(step=step, steps=2))


def preview(sequence: int, data: bytes = b"rough") -> pb.JobEvent:
    return event(sequence, preview=pb.Preview(step=1, picture=picture(data)))


def image(
    sequence: int, job_id: str = JOB, index: int = 0, data: bytes = b"fine"
) -> pb.JobEvent:
    return event(
        sequence,
        job_id,
        image=pb.Image(image_index=index, seed=7, picture=picture(data)),
    )


def withheld(sequence: int, index: int = 0) -> pb.JobEvent:
    return event(
        sequence,
        image_withheld=pb.ImageWithheld(
            image_index=index, seed=7, safety="nsfw"
        ),
    )


def chunked_image(
    sequence: int, data: bytes, piece: int
) -> Iterator[pb.JobEvent]:
    """An image whose bytes follow it."""
    yield event(sequence, image=pb.Image(picture=picture(data, sent=b"")))
    for offset in range(0, len(data), piece):
        yield event(
            sequence,
            chunk=pb.Chunk(offset=offset, data=data[offset : offset + piece]),
        )


def ended(
    sequence: int, job_id: str = JOB, error: status_pb2.Status | None = None
) -> pb.JobEvent:
    state = types.JOB_STATE_SUCCEEDED if error is None else 4
    return event(sequence, job_id, ended=pb.Ended(state=state, status=error))
