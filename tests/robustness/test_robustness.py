"""Servers under load while things happen to them."""

import contextlib
import hashlib
import json
import os
import resource
import signal
import subprocess
import time

import grpc
import pytest

from conftest import BIN, ROOT, Api, Load, figure, tool, wait_for


def ghz(server, *more):
    done = subprocess.run(
        [tool("ghz"), "--insecure", "--call", "genzo.v1.ImageGeneration/Generate",
         "--format", "json",
         "--data", json.dumps({"prompt": "a red fox", "steps": 1, "width": 64, "height": 64}),
         *more, server.address], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_thousand_requests_leave_nothing_behind(start):
    server = start(jobs={"max_jobs": 200})
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


def certificate(folder, name):
    """A self-signed certificate of localhost: (certificate, key)."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", f"/CN={name}",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                   check=True, capture_output=True)
    return (folder / "cert.pem").read_text(), (folder / "key.pem").read_text()


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
        job = api.create(seed=99).id
        assert digest(api, job) == digest(api, job)  # from memory
        assert "would not survive a crash" in server.log.read_text()
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
