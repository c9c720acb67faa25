#!/usr/bin/env python3
"""What the HTTP door costs, and what 64 browsers do to the steps.

    tools/http_load.py build/release/bin [--seconds 15] [--rounds 3] [--streams 64]
                                         [--steps-only]

1. genzo-gateway as a process of its own: its processor time by request
   (POST and GET of jobs, connections kept) and by event of a stream.
2. genzo-server with its own door: the mean time of a step while eight jobs with
   previews are painted, with nobody looking and with 64 streams being read, in
   turns. Readers are in this process, on the same machine, at a lower priority.
   It takes two rounds of `--seconds` for each of `--rounds`, and half a one.

Each stream of the second part must have the end of its job. The limits are 2 ms a
request, 0.3 ms an event and 5 %. Nothing else should run.
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import re
import selectors
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
STREAMS, JOBS, REQUESTS = 64, 8, 500
TICK = os.sysconf("SC_CLK_TCK")
WISH = {"prompt": "a red fox in the snow", "steps": 60, "width": 128, "height": 128,
        "preview": {"every": 3, "format": "IMAGE_FORMAT_WEBP", "longest_side": 512}}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def started(*command):
    """A program, once it has said that it is ready."""
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "OMP_WAIT_POLICY": "passive"})
    line = process.stdout.readline()
    assert line, f"{command[0]} did not start"
    try:
        yield process, line.split()[-1]
    finally:
        process.terminate()
        process.wait()


def processor_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Door:
    """One kept connection to a door."""

    def __init__(self, port):
        self.port = port
        self.connection = http.client.HTTPConnection("127.0.0.1", port)

    def ask(self, method, path, body=None):
        self.connection.request(method, path, body and json.dumps(body),
                                {"content-type": "application/json"} if body else {})
        answer = self.connection.getresponse()
        data = answer.read()
        assert answer.status < 300, data
        return json.loads(data)

    def create(self, seed, **changes):
        request = {**WISH, "seed": str(seed), **changes}
        return self.ask("POST", "/v1/jobs", {"request": request})["id"]


class Readers:
    """Reads streams of events and counts what comes."""

    def __init__(self, port):
        self.port, self.events, self.bytes, self.open = port, 0, 0, 0
        self.ends = 0
        self.selector = selectors.DefaultSelector()

    def watch(self, job):
        stream = socket.create_connection(("127.0.0.1", self.port))
        stream.sendall(f"GET /v1/jobs/{job}/events HTTP/1.1\r\nhost: localhost\r\n"
                       "accept: text/event-stream\r\nconnection: close\r\n\r\n".encode())
        stream.setblocking(False)
        self.selector.register(stream, selectors.EVENT_READ)
        self.open += 1

    def read(self):
        """Until all have ended."""
        while self.open:
            for key, _ in self.selector.select():
                data = key.fileobj.recv(1 << 20)
                self.events += data.count(b"\nid: ")
                self.ends += data.count(b"event: ended\n")
                self.bytes += len(data)
                if not data:
                    self.selector.unregister(key.fileobj)
                    key.fileobj.close()
                    self.open -= 1


def read_all(port, jobs, streams):
    readers = Readers(port)
    for number in range(streams):
        readers.watch(jobs[number % len(jobs)])
    readers.read()
    assert readers.ends == streams, f"{readers.ends} of {streams} streams had their job's end"
    return readers


def wait_for(door, jobs):
    for job in jobs:
        while door.ask("GET", f"/v1/jobs/{job}")["state"] in ("JOB_STATE_QUEUED",
                                                             "JOB_STATE_RUNNING"):
            time.sleep(0.2)


def costs_of_the_gateway(folder, server_address, gateway_program):
    config = folder / "gateway.yaml"
    config.write_text(f"server: {server_address}\nlog_level: error\n")
    port = free_port()
    with started(gateway_program, "--config", config, "--listen",
                 f"127.0.0.1:{port}") as (gateway, _):
        door = Door(port)
        job = door.create(1, steps=1)
        wait_for(door, [job])
        before = processor_seconds(gateway)
        for number in range(REQUESTS // 2):
            # The request's id makes one job of them all.
            door.create(2, steps=1, request_id="6b3c5b0e-3d0f-4f5a-9f0d-1f4f7a2b9c11")
            door.ask("GET", f"/v1/jobs/{job}")
        request = (processor_seconds(gateway) - before) / REQUESTS
        print(f"a request: {request * 1e3:.2f} ms of the gateway's processor time, limit 2")
        jobs = [door.create(10 + n) for n in range(JOBS)]
        before = processor_seconds(gateway)
        readers = read_all(port, jobs, STREAMS)
        spent = processor_seconds(gateway) - before - STREAMS * request
        print(f"an event: {spent / readers.events * 1e3:.3f} ms, limit 0.3"
              f" ({readers.events} events, {readers.bytes / readers.events / 1e3:.1f} kB each)")


def figure(admin, name):
    with urllib.request.urlopen(f"http://{admin}/metrics") as answer:
        text = answer.read().decode()
    return sum(map(float, re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)))


def step_seconds(admin, door, streams, seconds, seed):
    """The mean step of jobs that are painted for so long, and previews made."""
    name = "genzo_step_duration_seconds"
    before = [figure(admin, n) for n in (f"{name}_sum", f"{name}_count", "genzo_previews_total")]
    began, read = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        jobs = [door.create(seed + n) for n in range(JOBS)]
        seed += JOBS
        read += read_all(door.port, jobs, streams).events if streams else 0
        wait_for(door, jobs)
    after = [figure(admin, n) for n in (f"{name}_sum", f"{name}_count", "genzo_previews_total")]
    spent, steps, previews = (b - a for a, b in zip(before, after))
    return spent / steps, previews / steps, read


def growth_of_steps(admin, door, seconds, rounds, streams):
    quiet, watched = [], []
    step_seconds(admin, door, 0, seconds / 2, 1000)  # warm
    for number in range(rounds):
        for open_ones, kept in ((0, quiet), (streams, watched)):
            mean, previews, read = step_seconds(admin, door, open_ones, seconds,
                                                10_000 * (number + 1))
            kept.append(mean)
            print(f"  {open_ones:2} streams: a step {mean * 1e3:.2f} ms,"
                  f" {previews:.2f} previews a step, {read} events read")
    growth = statistics.median(watched) / statistics.median(quiet) - 1
    pairs = ", ".join(f"{w / q - 1:+.1%}" for q, w in zip(quiet, watched))
    print(f"steps with {streams} streams: {growth:+.1%} ({pairs}), limit +5 % of 64")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=pathlib.Path, help="folder of genzo-server")
    parser.add_argument("--gateway", type=pathlib.Path, help="genzo-gateway, if elsewhere")
    parser.add_argument("--seconds", type=float, default=15, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--streams", type=int, default=STREAMS, help="of the second part")
    parser.add_argument("--steps-only", action="store_true", help="the second part alone")
    options = parser.parse_args()
    port, admin = free_port(), f"127.0.0.1:{free_port()}"
    with (tempfile.TemporaryDirectory() as folder,
          started(options.programs / "genzo-server", "--config", ROOT / "deploy/genzo.yaml",
                  "--listen", "127.0.0.1:0", "--http", f"127.0.0.1:{port}", "--admin", admin,
                  "--log-level", "error") as (_, address)):
        os.nice(5)
        gateway = options.gateway or options.programs / "genzo-gateway"
        if not options.steps_only:
            costs_of_the_gateway(pathlib.Path(folder), address, gateway)
        growth_of_steps(admin, Door(port), options.seconds, options.rounds, options.streams)


if __name__ == "__main__":
    main()
