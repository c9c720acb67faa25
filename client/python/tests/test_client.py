"""Both clients against a server that breaks off, refuses and repeats."""

import asyncio
import gc
from collections.abc import Iterator

import grpc
import pytest
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2

import genzo
from genzo import stream
from genzo.v1 import image_generation_pb2 as pb
from genzo.v1 import model_registry_pb2 as registry_pb
from genzo.v1 import types_pb2 as types

from fake_server import (
    JOB,
    Answer,
    FakeServer,
    answer,
    broken,
    chunked_image,
    ended,
    event,
    image,
    preview,
    progress,
    refusal,
    started,
    status,
    withheld,
)

BIG = bytes(range(256)) * (20 << 10)  # 5 MiB
WHOLE = [
    event(1, queued=pb.Queued(position=3)),
    started(2),
    progress(3),
    preview(4),
    image(5),
    ended(6),
]


def read_plain(
    address: str, **options: object
) -> tuple[list[genzo.AnyEvent], genzo.GenzoError | None]:
    seen: list[genzo.AnyEvent] = []
    with genzo.Client(address) as client:
        try:
            for found in client.generate("a fox", **options):  # type: ignore[arg-type]
                seen.append(found)
        except genzo.GenzoError as error:
            return seen, error
    return seen, None


def read_async(
    address: str, **options: object
) -> tuple[list[genzo.AnyEvent], genzo.GenzoError | None]:
    async def read() -> tuple[list[genzo.AnyEvent], genzo.GenzoError | None]:
        seen: list[genzo.AnyEvent] = []
        async with genzo.AsyncClient(address) as client:
            try:
                async for found in client.generate("a fox", **options):  # type: ignore[arg-type]
                    seen.append(found)
            except genzo.GenzoError as error:
                return seen, error
        return seen, None

    return asyncio.run(read())


@pytest.fixture(params=[read_plain, read_async], ids=["plain", "asyncio"])
def read(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "_FIRST_DELAY", 0.001)
    monkeypatch.setattr(stream, "_MAX_DELAY", 0.01)
    return request.param


def kinds(seen: list[genzo.AnyEvent]) -> list[str]:
    return [type(found).__name__ for found in seen]


def test_tells_events_in_order(fake: FakeServer, read) -> None:
    fake.answers = [answer(*WHOLE)]
    seen, error = read(fake.address)
    assert error is None
    assert kinds(seen) == [
        "Queued",
        "Started",
        "Progress",
        "Preview",
        "Image",
        "Ended",
    ]
    assert seen[0].position == 3
    assert seen[0].time_left is None
    assert seen[3].picture.data == b"rough"
    assert seen[4].picture.data == b"fine"
    assert seen[5].state == "succeeded"


def test_skips_events_of_a_newer_server(fake: FakeServer, read) -> None:
    # Field 20 of JobEvent: a kind of event that this client does not know.
    unknown = pb.JobEvent.FromString(
        event(2).SerializeToString() + b"\xa2\x01\x00"
    )
    fake.answers = [answer(started(1), unknown, image(3), ended(4))]
    seen, error = read(fake.address)
    assert error is None
    assert kinds(seen) == ["Started", "Image", "Ended"]


def test_puts_chunks_together(fake: FakeServer, read) -> None:
    fake.answers = [answer(*chunked_image(1, BIG, 1 << 20), ended(2))]
    seen, error = read(fake.address)
    assert error is None
    assert kinds(seen) == ["Image", "Ended"]
    assert seen[0].picture.data == BIG


def test_a_picture_that_lacks_a_chunk_does_not_come_out(
    fake: FakeServer, read
) -> None:
    first, one, _, *rest = chunked_image(1, BIG, 1 << 20)
    fake.answers = [answer(first, one, *rest, image(2, index=1), ended(3))]
    seen, error = read(fake.address)
    assert error is None
    assert [e.image_index for e in seen if isinstance(e, genzo.Image)] == [1]


def test_sends_again_after_a_break_and_tells_nothing_twice(
    fake: FakeServer, read
) -> None:
    first = [started(1), progress(2), image(3, index=0)]
    fake.answers = [
        broken(*first),
        answer(*first, progress(4), image(5, index=1), ended(6)),
    ]
    seen, error = read(fake.address)
    assert error is None
    assert [e.sequence for e in seen] == [1, 2, 3, 4, 5, 6]
    assert fake.calls[0].request == fake.calls[1].request
    assert len(fake.calls[0].request.request_id) == 36


def test_a_break_within_a_picture_loses_no_byte(fake: FakeServer, read) -> None:
    pieces = list(chunked_image(2, BIG, 1 << 20))
    fake.answers = [
        broken(started(1), *pieces[:3]),
        answer(started(1), *pieces, ended(3)),
    ]
    seen, error = read(fake.address)
    assert error is None
    assert seen[1].picture.data == BIG


def test_a_job_painted_again_has_its_seed_and_no_image_twice(
    fake: FakeServer, read
) -> None:
    fake.answers = [
        broken(started(1), image(2, index=0)),
        answer(
            started(1, "other"),
            image(2, "other", index=0),
            image(3, "other", index=1),
            ended(4, "other"),
        ),
    ]
    seen, error = read(fake.address)
    assert error is None
    images = [e.image_index for e in seen if isinstance(e, genzo.Image)]
    assert images == [0, 1]
    assert fake.calls[1].request.HasField("seed")


def test_a_server_that_stops_is_left_for_the_next(
    fake: FakeServer, read
) -> None:
    draining = status(grpc.StatusCode.UNAVAILABLE, "DRAINING", "stopping")
    fake.answers = [
        refusal(draining, started(1), ended(2, error=draining)),
        answer(started(1, "b"), image(2, "b"), ended(3, "b")),
    ]
    seen, error = read(fake.address)
    assert error is None
    assert kinds(seen) == ["Started", "Started", "Image", "Ended"]


def loading(seconds: float) -> Answer:
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(round(seconds * 1000))
    refuse = refusal(
        status(
            grpc.StatusCode.UNAVAILABLE, "MODEL_LOADING", "is loading", retry
        )
    )

    def run(
        request: pb.GenerateRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.JobEvent]:
        context.send_initial_metadata(())  # gRPC itself does not try again
        yield from refuse(request, context)

    return run


def test_waits_for_the_model_of_a_server_that_started_again(
    fake: FakeServer, read
) -> None:
    waits = 3 * stream._MAX_RESUMES  # are no tries
    fake.answers = [
        broken(started(1)),
        *[loading(0.001)] * waits,
        answer(started(1, "b"), image(2, "b"), ended(3, "b")),
    ]
    seen, error = read(fake.address)
    assert error is None
    assert kinds(seen) == ["Started", "Started", "Image", "Ended"]
    assert len(fake.calls) == waits + 2


def test_waits_for_a_model_no_longer_than_its_timeout(
    fake: FakeServer, read
) -> None:
    fake.answers = [broken(started(1)), *[loading(60)] * 5]
    _, error = read(fake.address, timeout=30)
    assert error is not None
    assert error.reason == "MODEL_LOADING"
    assert len(fake.calls) == 2


def test_a_model_that_loads_without_saying_how_long_is_not_waited_for(
    fake: FakeServer, read
) -> None:
    fake.answers = [broken(started(1)), loading(0)]
    _, error = read(fake.address)
    assert error is not None
    assert error.reason == "MODEL_LOADING"


def test_gives_up_when_nothing_comes_any_more(fake: FakeServer, read) -> None:
    fake.answers = [broken(started(1))] * 20
    seen, error = read(fake.address)
    assert isinstance(error, genzo.Unavailable)
    assert kinds(seen) == ["Started"]
    assert len(fake.calls) == 1 + stream._MAX_RESUMES


def test_a_request_that_breaks_every_server_is_given_up(
    fake: FakeServer, read
) -> None:
    fake.answers = [broken(started(1, str(job))) for job in range(30)]
    _, error = read(fake.address)
    assert isinstance(error, genzo.Unavailable)
    assert len(fake.calls) == 1 + stream._MAX_RESUMES


def test_a_full_queue_is_tried_again_as_the_service_config_says(
    fake: FakeServer, read
) -> None:
    full = refusal(
        status(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "full")
    )
    fake.answers = [full, full, answer(*WHOLE)]
    seen, error = read(fake.address)
    assert error is None
    assert len(seen) == len(WHOLE)
    assert len(fake.calls) == 3


def test_an_error_names_reason_field_and_retry(fake: FakeServer, read) -> None:
    bad = status(
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_FIELD",
        "width 1000 is not a multiple of 8",
        error_details_pb2.BadRequest(
            field_violations=[{"field": "width", "description": "no multiple"}]
        ),
        error_details_pb2.RetryInfo(
            retry_delay=duration_pb2.Duration(seconds=3)
        ),
    )
    fake.answers = [refusal(bad)]
    seen, error = read(fake.address)
    assert seen == []
    assert isinstance(error, genzo.InvalidRequest)
    assert error.code == "INVALID_ARGUMENT"
    assert error.reason == "INVALID_FIELD"
    assert error.fields == (genzo.FieldViolation("width", "no multiple"),)
    assert error.retry_after == 3
    assert str(error) == (
        "width 1000 is not a multiple of 8; try again in 3 s [INVALID_FIELD]"
    )
    assert len(fake.calls) == 1


def test_a_failed_job_is_told_and_raised_once(fake: FakeServer, read) -> None:
    failed = status(grpc.StatusCode.INTERNAL, "NOT_FINITE", "not a number")
    fake.answers = [refusal(failed, started(1), ended(2, error=failed))]
    seen, error = read(fake.address)
    assert kinds(seen) == ["Started", "Ended"]
    assert seen[1].state == "failed"
    assert error is not None
    assert error.reason == "NOT_FINITE"
    assert len(fake.calls) == 1


def test_a_break_after_the_end_is_none(fake: FakeServer, read) -> None:
    fake.answers = [broken(*WHOLE)]
    seen, error = read(fake.address)
    assert error is None
    assert len(seen) == len(WHOLE)


def test_says_that_no_server_answers(read) -> None:
    seen, error = read("127.0.0.1:1")
    assert seen == []
    assert isinstance(error, genzo.Unavailable)
    assert "no Genzo server answers at 127.0.0.1:1" in str(error)


@pytest.mark.parametrize("kind", [genzo.Client, genzo.AsyncClient])
def test_an_address_is_a_hosts(kind: type) -> None:
    with pytest.raises(ValueError, match="'http://there' is no host:port"):
        kind("http://there")


def test_a_client_says_where_its_server_is() -> None:
    with genzo.Client("there:1") as client:
        assert repr(client) == "genzo.Client('there:1')"


def hang(fake: FakeServer) -> None:
    """A job that starts, and goes on until its call is gone."""

    def run(
        request: pb.GenerateRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.JobEvent]:
        yield started(1)
        fake.calls[-1].ended.wait(30)

    fake.answers.append(run)


def test_the_timeout_bounds_the_whole_reading(fake: FakeServer, read) -> None:
    hang(fake)
    seen, error = read(fake.address, timeout=0.3)
    assert isinstance(error, genzo.TimedOut)
    assert kinds(seen) == ["Started"]


def test_cancel_ends_the_call(fake: FakeServer) -> None:
    hang(fake)
    with genzo.Client(fake.address) as client:
        job = client.generate("a fox")
        next(job)
        assert job.id == JOB
        job.cancel()
        with pytest.raises(genzo.Cancelled):
            next(job)
        assert fake.calls[0].ended.wait(10)


async def test_cancel_ends_the_call_in_asyncio(fake: FakeServer) -> None:
    hang(fake)
    async with genzo.AsyncClient(fake.address) as client:
        async with client.generate("a fox") as job:
            await anext(job)
            job.cancel()
            with pytest.raises(genzo.Cancelled):
                await anext(job)
        assert await asyncio.to_thread(fake.calls[0].ended.wait, 10)


async def test_a_cancelled_task_cancels_its_job(fake: FakeServer) -> None:
    hang(fake)
    async with genzo.AsyncClient(fake.address) as client:
        job = client.generate("a fox")
        await anext(job)
        task = asyncio.create_task(job.result())
        await asyncio.sleep(0)  # until it waits
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(fake.calls[0].ended.wait, 10)


def test_a_job_that_is_dropped_is_cancelled(fake: FakeServer) -> None:
    hang(fake)
    with genzo.Client(fake.address) as client:
        for _ in client.generate("a fox"):
            break
        gc.collect()
        assert fake.calls[0].ended.wait(10)


async def test_a_job_that_is_dropped_is_cancelled_in_asyncio(
    fake: FakeServer,
) -> None:
    hang(fake)
    async with genzo.AsyncClient(fake.address) as client:
        async for _ in client.generate("a fox"):
            break
        assert await asyncio.to_thread(fake.calls[0].ended.wait, 10)


def test_a_job_may_be_dropped_after_its_loop(fake: FakeServer) -> None:
    hang(fake)

    async def begin() -> genzo.AsyncJob:
        job = genzo.AsyncClient(fake.address).generate("a fox")
        await anext(job)
        return job

    job = asyncio.run(begin())
    del job
    gc.collect()  # pytest fails a test in which __del__ raises
    assert fake.calls[0].ended.wait(10)


def result_plain(address: str) -> genzo.Result:
    with genzo.Client(address) as client:
        return client.generate("a fox").result()


def result_async(address: str) -> genzo.Result:
    async def wait() -> genzo.Result:
        async with genzo.AsyncClient(address) as client:
            return await client.generate("a fox").result()

    return asyncio.run(wait())


@pytest.fixture(params=[result_plain, result_async], ids=["plain", "asyncio"])
def result(request: pytest.FixtureRequest):
    return request.param


def test_a_result_has_what_was_withheld(fake: FakeServer, result) -> None:
    fake.answers = [answer(withheld(1), image(2, index=1), ended(3))]
    found = result(fake.address)
    assert [one.image_index for one in found.images] == [1]
    assert [(w.image_index, w.safety) for w in found.withheld] == [(0, "nsfw")]


def test_says_that_all_was_withheld(fake: FakeServer, result) -> None:
    fake.answers = [answer(withheld(1), withheld(2, index=1), ended(3))]
    with pytest.raises(genzo.GenzoError) as raised:
        result(fake.address)
    assert str(raised.value) == (
        "the server's policy withheld what was painted: nsfw"
        " [CONTENT_POLICY_VIOLATION]"
    )


def test_a_job_whose_events_break_off_says_so(fake: FakeServer, result) -> None:
    fake.answers = [answer(started(1), ended(2))]
    with pytest.raises(genzo.GenzoError, match="broke off"):
        result(fake.address)


def test_sends_key_and_tenant(fake: FakeServer) -> None:
    fake.answers = [answer(*WHOLE)]
    with genzo.Client(fake.address, key="k", tenant="zoo") as client:
        client.generate("a fox").result()
    assert fake.calls[0].metadata["authorization"] == "Bearer k"
    assert fake.calls[0].metadata["x-genzo-tenant"] == "zoo"


def test_lists_the_adapters_of_all_pages(fake: FakeServer) -> None:
    with genzo.Client(fake.address) as client:
        loras = client.loras("emaki")
    assert [(lora.name, lora.rank) for lora in loras] == [("ink", 16)] * 2
    assert fake.requests[0].model == "emaki"

    async def read() -> list[str]:
        async with genzo.AsyncClient(fake.address) as client:
            return [lora.name for lora in await client.loras()]

    assert asyncio.run(read()) == ["ink", "ink"]


def test_lists_the_models_of_all_pages(fake: FakeServer) -> None:
    fake.pages = [
        registry_pb.ListModelsResponse(
            models=[
                registry_pb.Model(
                    id="a",
                    state=registry_pb.Model.STATE_RESIDENT,
                    samplers=[
                        registry_pb.SamplerSupport(
                            sampler=types.SAMPLER_EULER,
                            schedules=[types.NOISE_SCHEDULE_KARRAS],
                        ),
                        # Of a newer server.
                        registry_pb.SamplerSupport(sampler=39),
                    ],
                )
            ],
            next_page_token="1",
        ),
        registry_pb.ListModelsResponse(models=[registry_pb.Model(id="b")]),
    ]
    with genzo.Client(fake.address) as client:
        first, second = client.models()
    assert (first.id, second.id) == ("a", "b")
    assert first.state == "resident"
    assert first.samplers == {"euler": ("karras",)}

    async def read() -> list[genzo.Model]:
        async with genzo.AsyncClient(fake.address) as client:
            return await client.models()

    assert asyncio.run(read()) == [first, second]
