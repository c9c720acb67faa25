"""Real servers, and clients that nobody here wrote: Python stubs, ghz.

GENZO_BIN names the folder of the programs, build/release/bin if absent.
"""

import importlib
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import grpc
import pytest
import yaml

ROOT = pathlib.Path(__file__).parent.parent.parent
BIN = pathlib.Path(os.environ.get("GENZO_BIN") or ROOT / "build" / "release" / "bin")
TINY = ROOT / "tests/data/reference/models/sd1"
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
# LibTorch's threads spin while others want the cores.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"}
WAIT = 120  # of anything that must happen


@pytest.fixture(scope="session", autouse=True)
def stubs(tmp_path_factory):
    """genzo.v1 by grpcio-tools; the modules become attributes of `api`."""
    from grpc_tools import protoc

    out = tmp_path_factory.mktemp("stubs")
    common = pathlib.Path(importlib.util.find_spec("google.rpc").submodule_search_locations[0])
    protos = sorted(str(p) for p in (ROOT / "proto/genzo/v1").glob("*.proto"))
    assert protoc.main(["protoc", f"-I{ROOT}/proto", f"-I{common.parent.parent}",
                        f"-I{pathlib.Path(protoc.__file__).parent}/_proto", f"--python_out={out}",
                        f"--grpc_python_out={out}", *protos]) == 0
    sys.path.insert(0, str(out))


class Server:
    """A genzo-server with the tiny model; `settings` are added to its configuration, `environment`
    to what it finds in its environment."""

    def __init__(self, folder, settings, environment):
        self.folder = folder
        config = {"listen": "127.0.0.1:0", "admin": "127.0.0.1:0",
                  "models": [{"id": "tiny", "path": str(TINY)}],
                  "profile_folder": str(folder / "profiles"), **settings}
        (folder / "genzo.yaml").write_text(yaml.safe_dump(config))
        self.log = folder / "server.log"
        began = time.monotonic()
        self.process = subprocess.Popen(
            [BIN / "genzo-server", "--config", folder / "genzo.yaml"],
            env=ENVIRONMENT | environment,
            stdout=subprocess.PIPE, stderr=open(self.log, "a"), text=True)
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        self.address = line.split()[-1]
        text = self.log.read_text()
        self.admin = text[text.rindex("metrics on http://"):].split("http://")[1].split("/metrics")[0]
        wait_for(lambda: self.page("readyz")[0] == 200)
        self.seconds_to_ready = time.monotonic() - began

    def page(self, name):
        try:
            with urllib.request.urlopen(f"http://{self.admin}/{name}", timeout=WAIT) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name):
        """The sum of a metric over its labels."""
        return sum(float(line.rsplit(" ", 1)[1]) for line in self.page("metrics")[1].splitlines()
                   if line.split("{")[0].split(" ")[0] == name)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def megabytes(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1000

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def ended(self):
        """Its exit status."""
        return self.process.wait(timeout=WAIT)


def wait_for(condition, seconds=WAIT):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def start(tmp_path):
    """Starts servers that do not outlive the test."""
    servers = []

    def begin(environment=None, **settings):
        servers.append(Server(tmp_path, settings, environment or {}))
        return servers[-1]

    yield begin
    for server in servers:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


class Api:
    """Stubs on a channel of its own."""

    def __init__(self, address, credentials=None, metadata=()):
        from genzo.v1 import image_generation_pb2, image_generation_pb2_grpc
        from genzo.v1 import jobs_pb2, jobs_pb2_grpc, types_pb2

        options = [("grpc.max_receive_message_length", 64 << 20),
                   ("grpc.use_local_subchannel_pool", 1)]
        self.channel = (grpc.secure_channel(address, credentials, options) if credentials
                        else grpc.insecure_channel(address, options))
        self.generation = image_generation_pb2_grpc.ImageGenerationStub(self.channel)
        self.jobs = jobs_pb2_grpc.JobsStub(self.channel)
        self.messages, self.job_messages, self.types = image_generation_pb2, jobs_pb2, types_pb2
        self.metadata = metadata

    def request(self, **fields):
        fields = {"prompt": "a red fox", "width": 64, "height": 64, "steps": 4} | fields
        return self.messages.GenerateRequest(**fields)

    def generate(self, timeout=WAIT, **fields):
        return self.generation.Generate(self.request(**fields), metadata=self.metadata,
                                        timeout=timeout)

    def paint(self, **fields):
        """The state in which a request ended, and how many pictures came."""
        pictures, state = 0, None
        for event in self.generate(**fields):
            pictures += event.HasField("image")
            if event.HasField("ended"):
                state = self.types.JobState.Name(event.ended.state)
        return state, pictures

    def create(self, **fields):
        return self.jobs.CreateJob(self.job_messages.CreateJobRequest(
            request=self.request(**fields)), metadata=self.metadata, timeout=WAIT)

    def watch(self, job, after=0):
        return self.jobs.WatchJob(self.job_messages.WatchJobRequest(
            id=job, after_sequence=after), metadata=self.metadata, timeout=WAIT)


class Load:
    """Clients that ask for one picture after another. What they saw is in `ends`: "SUCCEEDED 1" (a
    state and its pictures), or the code of a call that failed."""

    def __init__(self, clients, make, **fields):
        self.ends = queue.Queue()
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.threads = [threading.Thread(target=self.run, args=(make, fields)) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, make, fields):
        api = make()
        while self.goes_on.is_set():
            try:
                state, pictures = api.paint(**fields)
                self.ends.put(f"{state.removeprefix('JOB_STATE_')} {pictures}")
            except grpc.RpcError as error:
                self.ends.put(error.code().name)
                if error.code() == grpc.StatusCode.UNAVAILABLE:
                    return

    def stop(self):
        self.goes_on.clear()
        for thread in self.threads:
            thread.join(WAIT)
        counts = {}
        while not self.ends.empty():
            end = self.ends.get()
            counts[end] = counts.get(end, 0) + 1
        return counts


def certificate(folder, name):
    """A self-signed certificate of localhost: (certificate, key)."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", f"/CN={name}",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                   check=True, capture_output=True)
    return (folder / "cert.pem").read_text(), (folder / "key.pem").read_text()


def tool(name):
    path = ROOT / ".deps" / "deploy" / "bin" / name
    return path if path.exists() else shutil.which(name) or pytest.skip(f"{name} is not there")


def figure(name, value, limit, unit, always=False):
    """Prints a measured figure. A time has to hold only where nobody else wants the cores."""
    busy = not always and os.getloadavg()[0] > 1.5 * len(os.sched_getaffinity(0))
    print(f"{name}: {value:.2f} {unit}, at most {limit}" + (", on a busy machine" if busy else ""))
    if value > limit and busy:
        pytest.skip(f"{name}: {value:.2f} {unit} on a busy machine, at most {limit} elsewhere")
    assert value <= limit
