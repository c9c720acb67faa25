"""Servers on a machine whose date is set forward and back a day; time itself goes on."""

import http.server
import json
import ssl
import struct
import subprocess
import threading

import grpc
import pytest

from conftest import BIN, ROOT, Api, certificate, wait_for

DAY = 86400
# Both ways from where it was, and home again.
STEPS = (DAY, -DAY, 0)


@pytest.fixture
def date(tmp_path):
    """Sets the date of a server that was started with `date.environment` off by some seconds."""

    class Date:
        file = tmp_path / "date_off"
        shim = tmp_path / "clock_steps.so"
        environment = {"LD_PRELOAD": str(shim), "GENZO_DATE_OFF": str(file)}

        def set(self, seconds):
            with open(self.file, "r+b") as file:
                file.write(struct.pack("q", seconds))

    date = Date()
    date.file.write_bytes(bytes(8))
    source = ROOT / "tests/robustness/clock_steps.c"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", date.shim, source], check=True)
    return date


def code_of(call, *arguments):
    try:
        call(*arguments)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_jobs_and_results(start, date, tmp_path):
    server = start(date.environment, jobs={"results_folder": str(tmp_path / "results")})
    api = Api(server.address)
    kept = api.create().id
    assert ends(api, kept) == 1
    for step in STEPS:
        running = api.generate(steps=50, time_limit={"seconds": 3600})
        next(running)
        date.set(step)
        assert [event.ended.state for event in running if event.HasField("ended")] == \
            [api.types.JOB_STATE_SUCCEEDED], step
        # Kept for a day of time, not of dates.
        assert ends(api, kept) == 1, step
        assert api.paint() == ("JOB_STATE_SUCCEEDED", 1)


def test_results_are_not_kept_for_ever(start, date):
    server = start(date.environment, delivery={"results_kept_seconds": 3})
    api = Api(server.address)
    for step in STEPS:
        job = api.create().id
        assert ends(api, job) == 1
        date.set(step)
        wait_for(lambda: code_of(ends, api, job) == grpc.StatusCode.NOT_FOUND, seconds=30)


def ends(api, job):
    """How many pictures a job has once it has ended."""
    return sum(event.HasField("image") for event in api.watch(job))


def test_quotas_and_keys(start, date, tmp_path):
    def new_key(*words):
        done = subprocess.run([BIN / "genzo-tool", "key", "new", "--file", tmp_path / "keys.json",
                               "--tenant", "t", "--scopes", "generate", *words],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()[-1]

    # A job costs 2 rows of 4 steps of 64x64 pixels, 0.03 units: one every six seconds.
    key = new_key("--cost-per-minute", "0.3", "--burst-cost", "0.03")
    server = start(date.environment, auth={"keys_file": str(tmp_path / "keys.json")})

    def api(key):
        return Api(server.address, metadata=(("authorization", f"Bearer {key}"),))

    for step in STEPS:
        wait_for(lambda: code_of(api(key).paint) == grpc.StatusCode.OK, seconds=30)
        date.set(step)
        # It owes what it owed, no more and no less.
        assert code_of(api(key).paint) == grpc.StatusCode.RESOURCE_EXHAUSTED, step
        wait_for(lambda: code_of(api(key).paint) == grpc.StatusCode.OK, seconds=30)
        # The file of keys is looked at all the same.
        another = new_key()
        wait_for(lambda: code_of(api(another).paint) == grpc.StatusCode.OK, seconds=30)


def test_webhooks(start, date, tmp_path):
    certificate(tmp_path, "localhost")
    asked, answers = [], [500, 500, 200]

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(answers[min(len(asked), len(answers)) - 1])
            self.end_headers()

        def log_message(self, *_):
            pass

    door = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    door.socket = tls.wrap_socket(door.socket, server_side=True)
    threading.Thread(target=door.serve_forever, daemon=True).start()
    host = f"localhost:{door.server_port}"
    (tmp_path / "secret").write_text("sixteen bytes and more")
    date.set(DAY)  # within the certificate's days, and so is a day less
    server = start(date.environment, webhooks={
        "hosts": [host], "private_hosts": [host], "secret_file": str(tmp_path / "secret"),
        "ca_file": str(tmp_path / "cert.pem")})
    api = Api(server.address)
    job = api.jobs.CreateJob(api.job_messages.CreateJobRequest(
        request=api.request(), webhook={"url": f"https://{host}/"}), timeout=30).id
    for step, tries in ((0, 2), (DAY, 3)):
        wait_for(lambda: len(asked) == tries - 1)
        date.set(step)
        # A second later, and five more: whatever date it is then.
        wait_for(lambda: len(asked) == tries, seconds=30)
    assert {told["id"] for told in asked} == {job}
    door.shutdown()
