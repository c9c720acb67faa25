"""What a notebook and a terminal see of a job."""

import base64

import pytest
from grpc import StatusCode
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

import genzo
from genzo.v1 import image_generation_pb2 as pb

from fake_server import (
    FakeServer,
    answer,
    ended,
    event,
    image,
    preview,
    progress,
    refusal,
    started,
    status,
)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """What a notebook was told to display."""
    shell = InteractiveShell.instance()
    publisher = CapturingDisplayPublisher()
    monkeypatch.setattr(shell, "display_pub", publisher)
    return publisher.outputs


def test_a_cell_is_refined_in_place(
    fake: FakeServer, shown: list[dict]
) -> None:
    fake.answers = [
        answer(
            event(1, queued=pb.Queued(position=2)),
            started(2),
            progress(3),
            preview(4),
            image(5),
            ended(6),
        )
    ]
    with genzo.Client(fake.address) as client:
        result = client.generate("a fox").show()
    assert result.images[0].picture.data == b"fine"
    first, *updates = shown
    assert all(
        u["transient"] == first["transient"] and u["update"] for u in updates
    )
    texts = [u["data"]["text/html"] for u in shown]
    assert "behind 2" in texts[1]
    assert base64.b64encode(b"rough").decode() in texts[-2]
    assert "Step 1 of 2" in texts[-2]
    assert base64.b64encode(b"fine").decode() in texts[-1]
    assert "Seed 7" in texts[-1]


def test_a_cell_says_why_nothing_came(
    fake: FakeServer, shown: list[dict]
) -> None:
    lost = status(StatusCode.INTERNAL, "JOB_LOST", "<lost>")
    fake.answers = [refusal(lost, started(1), ended(2, error=lost))]
    with (
        genzo.Client(fake.address) as client,
        pytest.raises(genzo.GenzoError),
    ):
        client.generate("a fox").show()
    assert "&lt;lost&gt; [JOB_LOST]" in shown[-1]["data"]["text/html"]


def test_a_bar_counts_the_moves_of_all_images(
    fake: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answers = [
        answer(
            started(1, image_count=2),
            progress(2, step=2),
            image(3),
            ended(4),
        )
    ]
    with genzo.Client(fake.address) as client:
        client.generate("a fox").result(progress=True)
    assert "2/4" in capsys.readouterr().err
