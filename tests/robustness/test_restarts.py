"""The genzo program, whose server ends under it and comes back on the same port."""

import re
import signal
import subprocess

import pytest

from conftest import BIN, ENVIRONMENT, WAIT, Api, wait_for

# More than a server walks before it is told to end, and no more than its successor has time for.
STEPS = 200


class Program:
    """`genzo WORDS`, which writes into a folder of its own."""

    def __init__(self, folder, server, words):
        folder.mkdir()
        self.folder, self.log = folder, folder / "log"
        self.process = subprocess.Popen(
            [BIN / "genzo", *words, "--server", server.address, "-o", folder], env=ENVIRONMENT,
            stdout=open(self.log, "w"), stderr=subprocess.STDOUT)

    def says(self):
        return self.log.read_text()

    def ended(self):
        """Its exit status."""
        return self.process.wait(timeout=WAIT)

    def pictures(self):
        """Finished ones: previews have their step in their name."""
        return sum("-step" not in path.name for path in self.folder.glob("*.png"))


@pytest.fixture
def genzo(tmp_path):
    """Starts `genzo WORDS` for a server; what is still there at the end is killed."""
    programs = []

    def run(server, *words):
        programs.append(Program(tmp_path / f"genzo{len(programs)}", server, words))
        return programs[-1]

    yield run
    for program in programs:
        program.process.kill()
        program.process.wait()


@pytest.fixture
def settings(tmp_path):
    """Of a server whose jobs are not done when it must end."""
    return {"limits": {"max_steps": 1000}, "shutdown_grace_seconds": 0,
            "jobs": {"results_folder": str(tmp_path / "results")}}


def paints(server, jobs):
    wait_for(lambda: server.metric("genzo_jobs_running") >= jobs)


def succeed(server, start, settings):
    """Ends `server`; its successor."""
    server.signal()
    assert server.ended() == 0
    return start(listen=server.address, **settings)


def test_clients_go_on_with_the_next_server(start, genzo, settings):
    server = start(**settings)
    watched = Api(server.address).create(steps=STEPS).id
    watcher = genzo(server, "watch", watched)
    painter = genzo(server, "generate", "a fox", "--steps", str(STEPS))
    paints(server, 2)
    wait_for(lambda: "queued" in painter.says() and "queued" in watcher.says())
    succeed(server, start, settings)
    assert watcher.ended() == 0, watcher.says()
    assert "asking again until the job has ended" in watcher.says()
    assert painter.ended() == 0, painter.says()
    assert "sending the request again" in painter.says()
    assert (watcher.pictures(), painter.pictures()) == (1, 1)


def test_a_job_that_was_left_is_there_again(start, genzo, settings):
    server = start(**settings)
    painter = genzo(server, "generate", "a fox", "--steps", str(STEPS), "--continue")
    paints(server, 1)
    wait_for(lambda: "queued" in painter.says())
    painter.process.send_signal(signal.SIGINT)
    assert painter.ended() == 130
    job = re.search(r"the job goes on: genzo watch (\w+)", painter.says())[1]
    server = succeed(server, start, settings)
    watcher = genzo(server, "watch", job)
    assert watcher.ended() == 0, watcher.says()
    assert watcher.pictures() == 1
