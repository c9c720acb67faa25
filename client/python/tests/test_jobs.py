"""Jobs that outlive the call that made them."""

import asyncio
from datetime import UTC, datetime

import pytest
from grpc import StatusCode

import genzo
from genzo import stream
from genzo.v1 import jobs_pb2 as pb
from genzo.v1 import types_pb2 as types

from fake_server import (
    JOB,
    FakeServer,
    answer,
    broken,
    ended,
    image,
    refusal,
    started,
)
from fake_server import status as error_status


@pytest.fixture
def client(fake: FakeServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "_FIRST_DELAY", 0.001)
    with genzo.Client(fake.address) as found:
        yield found


def test_creates_and_estimates(fake: FakeServer, client: genzo.Client) -> None:
    fake.job = pb.Job(
        id=JOB,
        state=types.JOB_STATE_RUNNING,
        cost=2.5,
        create_time={"seconds": 86400},
    )
    job = client.create("a fox", steps=3, webhook="https://example.com/")
    assert (job.id, job.state, job.cost) == (JOB, "running", 2.5)
    assert job.created == datetime(1970, 1, 2, tzinfo=UTC)
    assert job.ended is None
    client.estimate("a fox", steps=3)
    created, estimated = fake.requests
    assert created.request.steps == 3
    assert created.webhook.url == "https://example.com/"
    assert not created.validate_only
    assert estimated.validate_only


def test_gets_cancels_and_lists_all_pages(
    fake: FakeServer, client: genzo.Client
) -> None:
    fake.job = pb.Job(id=JOB, state=types.JOB_STATE_QUEUED, position=2)
    assert client.job(JOB).position == 2
    assert client.cancel(JOB).state == "queued"
    assert len(client.jobs("queued", "running")) == 2
    assert fake.requests == [
        pb.GetJobRequest(id=JOB),
        pb.CancelJobRequest(id=JOB),
        pb.ListJobsRequest(states=[1, 2]),
        pb.ListJobsRequest(states=[1, 2], page_token="more"),
    ]
    with pytest.raises(ValueError, match="'lost' is no state"):
        client.jobs("lost")


def test_watches_on_from_where_it_was_broken_off(
    fake: FakeServer, client: genzo.Client
) -> None:
    fake.answers = [
        broken(),
        broken(started(5)),
        answer(image(6), ended(7)),
    ]
    job = client.watch(JOB, after_sequence=4)
    assert len(job.result().images) == 1
    assert [r.after_sequence for r in fake.requests] == [4, 4, 5]
    with pytest.raises(ValueError, match="has no request"):
        _ = job.request


def test_watches_for_as_long_as_a_restart_takes(
    fake: FakeServer, client: genzo.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_MAX_DELAY", 0.001)
    fake.answers = [
        broken(started(1)),
        *[broken(code=StatusCode.INTERNAL)] * 3 * stream._MAX_RESUMES,
        answer(image(2), ended(3)),
    ]
    assert len(client.watch(JOB).result().images) == 1


def test_a_watch_ends_where_the_job_is_gone(
    fake: FakeServer, client: genzo.Client
) -> None:
    gone = error_status(StatusCode.NOT_FOUND, "JOB_UNKNOWN", "no such job")
    fake.answers = [broken(started(1)), refusal(gone)]
    with pytest.raises(genzo.NotFound, match="no such job"):
        client.watch(JOB).result()


def test_a_watch_of_nobody_gives_up(
    fake: FakeServer, client: genzo.Client
) -> None:
    fake.answers = [broken(code=StatusCode.INTERNAL)] * 20
    with pytest.raises(genzo.GenzoError, match="Socket closed"):
        client.watch(JOB).result()
    assert len(fake.requests) == 1 + stream._MAX_FIRST


def test_watches_on_where_too_many_come_back_at_once(
    fake: FakeServer, client: genzo.Client
) -> None:
    many = error_status(
        StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS", "too many"
    )
    fake.answers = [
        broken(started(1)),
        refusal(many),
        answer(image(2), ended(3)),
    ]
    assert len(client.watch(JOB).result().images) == 1


def test_raises_why_a_watched_job_failed(
    fake: FakeServer, client: genzo.Client
) -> None:
    lost = error_status(StatusCode.INTERNAL, "JOB_LOST", "lost")
    fake.answers = [answer(started(1), ended(2, error=lost))]
    with pytest.raises(genzo.GenzoError) as caught:
        client.watch(JOB).result()
    assert caught.value.reason == "JOB_LOST"


def test_all_of_it_in_asyncio(fake: FakeServer) -> None:
    fake.job = pb.Job(id=JOB, state=types.JOB_STATE_SUCCEEDED)
    fake.answers = [answer(started(1), image(2), ended(3))]

    async def use() -> list[object]:
        async with genzo.AsyncClient(fake.address) as client:
            watched = await client.watch(JOB).result()
            return [
                (await client.create("a fox")).id,
                (await client.estimate("a fox")).id,
                (await client.job(JOB)).state,
                (await client.cancel(JOB)).state,
                len(await client.jobs()),
                len(watched.images),
            ]

    done = "succeeded"
    assert asyncio.run(use()) == [JOB, JOB, done, done, 2, 1]
