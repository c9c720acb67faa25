import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_server import FakeServer

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    """A server that does what the test tells it."""
    server = FakeServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def real() -> Iterator[str]:
    """Address of the genzo-server that GENZO_SERVER_BINARY names."""
    binary = os.environ.get("GENZO_SERVER_BINARY", "")
    if not binary:
        pytest.skip("GENZO_SERVER_BINARY names no genzo-server")
    assert shutil.which(binary), binary
    process = subprocess.Popen(
        [
            binary,
            "--config",
            str(REPOSITORY / "deploy/genzo.yaml"),
            "--listen",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
            "--log-level",
            "error",
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "OMP_WAIT_POLICY": "passive",
            "OMP_NUM_THREADS": "1",
        },
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the server did not start"
    yield line.split()[-1]
    process.terminate()
    process.wait(60)
    process.stdout.close()
