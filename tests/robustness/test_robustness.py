"""Servers under load while things happen to them."""

import contextlib
import hashlib
import json
import os
import random
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import time

import grpc
import pytest

from conftest import BIN, ENVIRONMENT, ROOT, Api, Load, certificate, figure, tool, wait_for

sys.path.insert(0, str(ROOT / "tests" / "server"))
import h2  # noqa: E402


def ghz(server, *more):
    done = subprocess.run(
        [tool("ghz"), "--insecure", "--call", "genzo.v1.ImageGeneration/Generate",
         "--format", "json",
         "--data", json.dumps({"prompt": "a red fox", "steps": 1, "width": 64, "height": 64}),
         *more, server.address], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_thousand_requests_leave_nothing_behind(start):
    # Left alone, the server's allocator keeps what was freed, up to as much as is in use, which comes
    # and goes with the load and hides what leaks. So it keeps it for a second.
    server = start({"MALLOC_CONF": "dirty_decay_ms:1000"}, jobs={"max_jobs": 200})
    load = ["--concurrency", "64", "--connections", "8", "--timeout", "120s"]
    # Threads and pools have grown, and as many jobs are known as may be.
    ghz(server, "--total", "2000", *load)
    wait_for(lambda: server.metric("genzo_streams") == 0)
    descriptors, cpu, grown = server.descriptors(), cpu_seconds(server), []
    for _ in range(3):
        megabytes = server.megabytes()
        report = ghz(server, "--total", "1000", *load)
        assert report["statusCodeDistribution"] == {"OK": 1000}
        wait_for(lambda: server.metric("genzo_streams") == 0)
        grown.append(server.megabytes() - megabytes)
    wait_for(lambda: server.metric("genzo_queue_depth") == 0)
    wait_for(lambda: server.descriptors() <= descriptors)
    assert server.metric("genzo_undelivered_bytes") == 0
    # Allocators give and take; what leaks does so every time.
    figure("memory after 1,000 more requests, the least of 3", min(grown), 8, "MB more",
           always=True)
    figure("processor time of a request of one step, painting included",
           (cpu_seconds(server) - cpu) / 3, 60, "ms")


def cpu_seconds(server):
    fields = open(f"/proc/{server.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- clients that misbehave -----------------------------------------------------------------------


@pytest.fixture
def others_are_served(start):
    """A server, while others paint on it: all they ask for comes, and nothing stays behind."""
    server = start(limits={"max_steps": 1000, "max_image_count": 16})
    Api(server.address).paint()
    descriptors = server.descriptors()
    load = Load(4, lambda: Api(server.address))
    wait_for(lambda: load.ends.qsize() >= 4)
    yield server
    count = load.ends.qsize()
    wait_for(lambda: load.ends.qsize() >= count + 8)
    ends = load.stop()
    assert set(ends) == {"SUCCEEDED 1"}, ends
    wait_for(lambda: server.metric("genzo_streams") == 0)
    wait_for(lambda: server.metric("genzo_jobs_running") + server.metric("genzo_queue_depth") == 0)
    assert server.metric("genzo_undelivered_bytes") == 0
    wait_for(lambda: server.descriptors() <= descriptors)
    server.signal()
    assert server.ended() == 0


GENERATE = "/genzo.v1.ImageGeneration/Generate"


def begin(server, extra=(), **fields):
    """A connection by hand on which a request was sent."""
    request = Api(server.address).request(**fields).SerializeToString()
    connection = h2.connect(server.address)
    h2.call(connection, 1, GENERATE, h2.message(request, compressed=0), extra)
    return connection


def vanish(connection):
    """As a machine that is switched off and comes back: no word, then a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_clients_that_vanish(others_are_served):
    server = others_are_served
    saved = server.metric("genzo_steps_saved_total")
    for turn in range(40):
        connection = begin(server, steps=1000)
        if turn % 2:
            connection.recv(100)
        vanish(connection)
    # Their work was given up, not painted.
    wait_for(lambda: server.metric("genzo_steps_saved_total") > saved + 1000)


def test_clients_that_read_a_byte_a_second_or_never(others_are_served):
    server = others_are_served
    large = {"steps": 2, "image_count": 16, "width": 512, "height": 512}
    slow, silent = begin(server, **large), begin(server, **large)
    megabytes = server.megabytes()
    for _ in range(8):
        assert len(slow.recv(1)) == 1
        time.sleep(1)
    # More than the window is not sent, and of progress the latest is kept.
    assert server.megabytes() < megabytes + 200
    vanish(slow)
    vanish(silent)


def garbage(random_bytes):
    """What no HTTP/2 client sends, each on a connection of its own."""
    settings = h2.PREFACE + h2.frame(h2.SETTINGS, 0, 0)
    yield b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00" + random_bytes(512)  # a TLS hello of sorts
    yield random_bytes(4096)
    for _ in range(20):
        yield settings + random_bytes(4096)
    yield settings + h2.frame(h2.HEADERS, h2.END_HEADERS, 1, random_bytes(300))
    yield settings + h2.frame(h2.DATA, 0, 0, b"for no stream")
    yield settings + h2.frame(h2.DATA, 0, 7, b"for a stream that there is not")
    yield settings + b"\xff\xff\xff" + bytes(6)  # 16 MB are to come
    yield settings + h2.frame(h2.SETTINGS, 0, 0, b"\x00\x04\xff\xff\xff\xff")
    yield settings + h2.frame(8, 0, 0, b"\x7f\xff\xff\xff") * 3  # windows beyond all bounds
    yield settings + h2.frame(9, 0, 1, bytes(100)) * 1000  # headers go on that never began
    yield settings + h2.frame(h2.PING, 0, 0, bytes(8)) * 10_000
    body = bytes([0]) + b"\xff\xff\xff\xff"  # a message of 4 GB
    with_call = socket_bytes(lambda to: h2.call(to, 1, GENERATE, body))
    yield settings + with_call
    yield settings + socket_bytes(
        lambda to: h2.call(to, 1, GENERATE, h2.message(random_bytes(500), compressed=0)))


class Collector:
    def __init__(self):
        self.bytes = b""

    def sendall(self, more):
        self.bytes += more


def socket_bytes(send):
    collector = Collector()
    send(collector)
    return collector.bytes


def test_garbage(others_are_served):
    server = others_are_served
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    host, port = server.address.rsplit(":", 1)
    connections = []
    for what in garbage(random.Random(seed).randbytes):
        connection = socket.create_connection((host, int(port)), timeout=30)
        with contextlib.suppress(ConnectionError):
            connection.sendall(what)
        connections.append(connection)
    assert Api(server.address).paint() == ("JOB_STATE_SUCCEEDED", 1)
    for connection in connections:
        connection.close()


def test_oversize_metadata(others_are_served):
    server = others_are_served
    api = Api(server.address)
    for metadata in [("x-large", "x" * 20_000)], [(f"x-{n}", "x" * 100) for n in range(500)]:
        api.metadata = metadata
        with pytest.raises(grpc.RpcError) as refused:
            api.paint()
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    # What a token of many groups needs is taken.
    api.metadata = [("x-large", "x" * 12_000)]
    assert api.paint() == ("JOB_STATE_SUCCEEDED", 1)


def test_cancelling_at_every_step(others_are_served):
    api = Api(others_are_served.address)
    for step in range(1, 21):
        stream = api.generate(steps=50)
        for event in stream:
            if event.HasField("progress") and event.progress.step >= step:
                break
        stream.cancel()


# --- things that happen to servers ----------------------------------------------------------------


def test_a_drain_under_load_loses_nothing(start):
    server = start()
    load = Load(24, lambda: Api(server.address), steps=20)
    wait_for(lambda: load.ends.qsize() >= 24)
    server.signal()
    wait_for(lambda: server.process.poll() is not None or server.page("readyz")[0] == 503)
    assert server.ended() == 0
    ends = load.stop()
    # Every call was answered whole, or refused before it was taken.
    assert set(ends) <= {"SUCCEEDED 1", "UNAVAILABLE"}, ends
    assert ends["SUCCEEDED 1"] >= 24


def test_a_second_signal_ends_at_once(start):
    server = start(limits={"max_steps": 1000})
    stream = Api(server.address).generate(timeout=3600, steps=1000, image_count=8)
    next(stream)
    server.signal()
    wait_for(lambda: "shutting down" in server.log.read_text())
    # What comes within a tenth of a second is the same wish: `timeout` tells a process and its
    # group.
    time.sleep(0.2)
    server.signal()
    assert server.ended() == 4


def replace(folder, name, text):
    """As Kubernetes changes a mounted Secret: NAME -> ..data/NAME, and ..data is renamed."""
    version = folder / f"..{time.monotonic_ns()}"
    version.mkdir()
    (version / name).write_text(text)
    link = folder / "..data_tmp"
    link.symlink_to(version.name)
    os.rename(link, folder / "..data")
    if not (folder / name).is_symlink():
        (folder / name).symlink_to(f"..data/{name}")


def new_key(folder, tenant):
    file = folder / "all.json"
    done = subprocess.run([BIN / "genzo-tool", "key", "new", "--file", file, "--tenant", tenant,
                           "--scopes", "generate"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1], file.read_text()


def test_keys_change_under_load(start, tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    first, one_key = new_key(tmp_path, "a")
    replace(secret, "keys.json", one_key)
    server = start(auth={"keys_file": str(secret / "keys.json")})

    def api(key):
        return Api(server.address, metadata=(("authorization", f"Bearer {key}"),))

    load = Load(8, lambda: api(first))
    wait_for(lambda: load.ends.qsize() >= 8)
    second, both_keys = new_key(tmp_path, "b")
    with pytest.raises(grpc.RpcError) as unknown:
        api(second).paint()
    assert unknown.value.code() == grpc.StatusCode.UNAUTHENTICATED
    replace(secret, "keys.json", both_keys)

    def works(key):
        try:
            return api(key).paint() == ("JOB_STATE_SUCCEEDED", 1)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAUTHENTICATED
            return False

    wait_for(lambda: works(second))
    replace(secret, "keys.json", "{damaged")
    time.sleep(1.5)  # longer than between two looks at it
    assert works(first), "a damaged file changes nothing"
    ends = load.stop()
    assert set(ends) == {"SUCCEEDED 1"}, ends
    only_second = json.loads(both_keys)
    only_second["keys"] = only_second["keys"][1:]
    replace(secret, "keys.json", json.dumps(only_second))
    wait_for(lambda: not works(first))
    assert works(second)


def test_certificates_change_under_load(start, tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    old, old_key = certificate(made, "old")
    files = {"cert_file": tmp_path / "tls.crt", "key_file": tmp_path / "tls.key"}

    def put(cert, key):
        for path, text in ((files["cert_file"], cert), (files["key_file"], key)):
            path.with_suffix(".new").write_text(text)
            os.rename(path.with_suffix(".new"), path)

    put(old, old_key)
    server = start(tls={name: str(path) for name, path in files.items()})

    def api(trusted):
        return Api(server.address, grpc.ssl_channel_credentials(trusted.encode()))

    load = Load(8, lambda: api(old))
    wait_for(lambda: load.ends.qsize() >= 8)
    new, new_key_text = certificate(made, "new")
    put(new, new_key_text)

    def serves_new():
        try:
            return api(new).paint() == ("JOB_STATE_SUCCEEDED", 1)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            return False

    wait_for(serves_new)
    # Connections that were there go on.
    count = load.ends.qsize()
    wait_for(lambda: load.ends.qsize() >= count + 8)
    ends = load.stop()
    assert set(ends) == {"SUCCEEDED 1"}, ends


def test_results_outlive_a_killed_server(start, tmp_path):
    results = {"results_folder": str(tmp_path / "results")}
    server = start(jobs=results)
    api = Api(server.address)
    done = [api.create(seed=seed).id for seed in range(4)]
    pictures = {job: digest(api, job) for job in done}
    waiting = [api.create(seed=seed, steps=20, image_count=2).id for seed in range(4)]
    server.signal(signal.SIGKILL)
    server.ended()
    server = start(jobs=results)
    api = Api(server.address)
    assert {job: digest(api, job) for job in done} == pictures
    for job in waiting:
        assert [e for e in api.watch(job) if e.HasField("ended")][0].ended.state == \
            api.types.JOB_STATE_SUCCEEDED


def digest(api, job):
    """Of the pictures of a job, once it has ended."""
    found = hashlib.sha256()
    for event in api.watch(job):
        if event.HasField("image"):
            found.update(event.image.picture.data)
        if event.HasField("chunk"):
            found.update(event.chunk.data)
    return found.hexdigest()


def test_a_full_disk_costs_only_what_is_kept(start, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk],
                             capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        server = start(jobs={"results_folder": str(disk / "results")})
        api = Api(server.address)
        fill(disk)
        for seed in range(8):
            assert api.paint(seed=seed) == ("JOB_STATE_SUCCEEDED", 1)
        # What outlives the server is promised to nobody.
        with pytest.raises(grpc.RpcError) as refused:
            api.create(seed=99)
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "results folder cannot be written" in refused.value.details()
        (disk / "junk").unlink()
        kept = api.create(seed=100).id
        picture = digest(api, kept)
        server.signal()
        assert server.ended() == 0
        server = start(jobs={"results_folder": str(disk / "results")})
        assert digest(Api(server.address), kept) == picture
        server.signal()
        assert server.ended() == 0
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk):
    """Until nothing more can be written."""
    with open(disk / "junk", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"0" * 4096)


# --- figures --------------------------------------------------------------------------------------


def test_ready_and_gone(start):
    server = start(models=[{"id": "emaki", "path": str(ROOT / "models" / "emaki")}])
    server.signal()
    began = time.monotonic()
    assert server.ended() == 0
    ended = time.monotonic() - began
    # The second start has measured profiles, as a restart has.
    server = start(models=[{"id": "emaki", "path": str(ROOT / "models" / "emaki")}])
    ready = server.seconds_to_ready
    server.signal()
    server.ended()
    print(f"SIGTERM to exit {ended:.2f} s, start to ready {ready:.2f} s")
    figure("SIGTERM to exit with nothing running", ended, 2, "s")
    figure("start to ready with the model in the box", ready, 3, "s")


def soak(*arguments):
    """What tests/soak prints."""
    done = subprocess.run([BIN.parent / "tests" / "soak", *map(str, arguments)], text=True,
                          env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    print(done.stdout)
    assert done.returncode == 0, "something failed or grew"
    return done.stdout


def test_the_front_ends_own_cost():
    told = soak("cost")
    request, event = re.findall(r"([0-9.]+) ms of processor time", told)
    figure("a request with a worker that takes no time", float(request), 1, "ms")
    figure("a streamed event, 64 streams", float(event), 0.2, "ms")


def test_many_jobs_leave_nothing_behind():
    """GENZO_SOAK_JOBS=100000 is a day's."""
    soak("jobs", os.environ.get("GENZO_SOAK_JOBS", 30_000))


def test_two_thousand_watchers(start):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    server = start(limits={"max_steps": 1000, "max_image_count": 64}, max_live_runs=1,
                   delivery={"max_streams": 4096})
    api = Api(server.address)
    # What is watched waits behind this.
    api.create(steps=1000, image_count=64, width=512, height=512)
    watched = api.create().id
    before = server.megabytes()
    channels = [Api(server.address) for _ in range(40)]
    streams = [channels[number % 40].watch(watched) for number in range(2000)]
    for stream in streams:
        assert next(stream).HasField("queued")
    grown = server.megabytes() - before
    assert server.metric("genzo_streams") >= 2000
    for stream in streams:
        stream.cancel()
    wait_for(lambda: server.metric("genzo_streams") == 0)
    figure("2,000 idle watchers", grown, 200, "MB", always=True)
