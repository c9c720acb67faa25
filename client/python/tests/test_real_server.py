"""The client against genzo-server and the model that ships with it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

import genzo

QUICK = {"steps": 4, "width": 64, "height": 64, "seed": 5}
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def client(real: str):
    with genzo.Client(real) as found:
        yield found


def test_a_picture_develops(client: genzo.Client) -> None:
    seen = list(client.generate("a red fox", preview_every=1, **QUICK))
    assert isinstance(seen[-1], genzo.Ended)
    assert seen[-1].steps_run == 4
    assert any(isinstance(event, genzo.Preview) for event in seen)
    (image,) = (event for event in seen if isinstance(event, genzo.Image))
    assert image.seed == 5
    assert image.picture.data.startswith(PNG)
    assert (image.picture.width, image.picture.height) == (64, 64)


def test_a_seed_makes_a_picture_again(client: genzo.Client) -> None:
    both = client.generate("a fox", image_count=2, **QUICK).result()
    again = client.generate(
        "a fox", **{**QUICK, "seed": both.images[1].seed}
    ).result()
    assert both.images[1].picture == again.images[0].picture


def test_begins_with_a_picture(client: genzo.Client) -> None:
    start = client.generate("a fox", **QUICK).result().images[0].picture
    result = client.generate(
        "a fox", image=start.data, strength=0.5, format="jpeg", **QUICK
    ).result()
    assert result.images[0].picture.media_type == "image/jpeg"
    assert result.ended is not None
    assert result.ended.steps_run == 2


def test_a_bad_field_is_named(client: genzo.Client) -> None:
    with pytest.raises(genzo.InvalidRequest) as caught:
        client.generate("a fox", width=65, steps=0).result()
    assert {field.field for field in caught.value.fields} == {"width", "steps"}
    assert caught.value.reason == "INVALID_FIELD"
    with pytest.raises(genzo.NotFound) as missing:
        client.generate("a fox", model="nope").result()
    assert missing.value.reason == "MODEL_NOT_FOUND"


def test_lists_models(client: genzo.Client) -> None:
    (model,) = client.models()
    assert model.is_default
    assert "euler" in model.samplers
    assert model.default_sampler in model.samplers
    assert "image_to_image" in model.tasks


def test_a_request_sent_again_is_the_same_job(client: genzo.Client) -> None:
    job = client.generate("a fox", **QUICK)
    first = job.result()
    again = client.send(job.request)
    assert again.result() == first
    assert again.id == job.id


class Cable:
    """A way to the server that can be cut."""

    def __init__(self, target: str) -> None:
        self._host, port = target.split(":")
        self._port = int(port)
        self._writers: list[asyncio.StreamWriter] = []
        self.connections = 0

    @contextlib.asynccontextmanager
    async def laid(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        yield f"127.0.0.1:{port}"
        server.close()
        self.cut()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        there, back = await asyncio.open_connection(self._host, self._port)
        self._writers += [writer, back]
        await asyncio.gather(
            self._copy(reader, back), self._copy(there, writer)
        )

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()


async def test_a_cut_cable_loses_no_event(real: str) -> None:
    cable = Cable(real)
    seen: list[genzo.AnyEvent] = []
    async with cable.laid() as address, genzo.AsyncClient(address) as client:
        job = client.generate(
            "a red fox",
            steps=40,
            image_count=2,
            preview_every=2,
            on_disconnect="continue",
        )
        async for event in job:
            if isinstance(event, genzo.Preview) and cable.connections == 1:
                cable.cut()
            seen.append(event)
    assert cable.connections > 1
    assert {event.job_id for event in seen} == {job.id}
    sequences = [event.sequence for event in seen]
    assert sequences == sorted(set(sequences))
    assert sum(isinstance(event, genzo.Image) for event in seen) == 2
    assert sum(isinstance(event, genzo.Started) for event in seen) == 1


@pytest.fixture
def jobs(client: genzo.Client) -> genzo.Client:
    """A client of a server that has jobs."""
    try:
        client.jobs()
    except genzo.GenzoError as error:
        if error.code != "UNIMPLEMENTED":
            raise
        pytest.skip("this genzo-server has no Jobs service")
    return client


def test_a_job_outlives_its_maker(jobs: genzo.Client) -> None:
    made = jobs.create("a red fox", preview_every=1, **QUICK)
    result = jobs.watch(made.id).result()
    assert result.images[0].picture.data.startswith(PNG)
    assert result.images[0].seed == 5
    done = jobs.job(made.id)
    assert done.state == "succeeded"
    assert done.images_done == 1
    assert done.expires is not None
    assert made.id in [job.id for job in jobs.jobs("succeeded")]
    # From the middle on: nothing that was seen before.
    assert result.ended is not None
    after = result.images[0].sequence
    (last,) = jobs.watch(made.id, after_sequence=after)
    assert last == result.ended


def test_a_job_is_cancelled_from_elsewhere(jobs: genzo.Client) -> None:
    made = jobs.create("a red fox", steps=150, width=512, height=512)
    jobs.cancel(made.id)
    with pytest.raises(genzo.Cancelled):
        jobs.watch(made.id).result()
    assert jobs.job(made.id).state == "cancelled"


def test_an_estimate_makes_no_job(jobs: genzo.Client) -> None:
    before = len(jobs.jobs())
    estimate = jobs.estimate("a red fox", **QUICK)
    assert estimate.id == ""
    assert estimate.cost > 0
    assert estimate.resolved.steps == 4
    assert len(jobs.jobs()) == before


def test_an_unknown_job_is_said_to_be(jobs: genzo.Client) -> None:
    with pytest.raises(genzo.NotFound) as caught:
        jobs.job("0" * 32)
    assert caught.value.reason == "JOB_UNKNOWN"
    with pytest.raises(genzo.NotFound):
        jobs.watch("0" * 32).result()
