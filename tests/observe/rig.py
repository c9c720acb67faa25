"""A server at work, a Prometheus that scrapes it and a collector of spans."""

import http.server
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).parents[2]
BIN = pathlib.Path(os.environ.get("GENZO_BIN", ROOT / "build/release/bin"))
TOOLS = pathlib.Path(os.environ.get("PROMETHEUS_BIN", "/nowhere"))
LOAD_SECONDS = int(os.environ.get("GENZO_LOAD_SECONDS", 25))
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SECRET_PROMPT = "a prompt that no log may hold"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(url, timeout=10):
    return urllib.request.urlopen(url, timeout=timeout).read().decode()


def await_true(claim, what, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if claim():
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"in {seconds} s: {what}")


class Collector:
    """Takes OTLP/HTTP."""

    def __init__(self):
        self.bodies = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.bodies.append((self.path, self.headers["content-type"], body))
                self.send_response(200)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Rig:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.collector = Collector()
        self.grpc, self.admin, self.http, self.prom = (
            f"127.0.0.1:{free_port()}" for _ in range(4)
        )
        (self.folder / "models").mkdir()
        self.make_certificate()
        (self.folder / "genzo.yaml").write_text(
            f"""models: [{{id: emaki, path: {ROOT}/models/emaki}}]
models_folder: {self.folder}/models
listen: {self.grpc}
admin: {self.admin}
http: {{listen: {self.http}, certificate: cert.pem, key: key.pem}}
log_format: json
tracing: {{endpoint: {self.collector.url}, sample_ratio: 1}}
"""
        )
        self.processes = []
        self.log = self.folder / "server.log"

    def make_certificate(self):
        certificate = self.folder / "cert.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            + ["-nodes", "-days", "30", "-subj", "/CN=rig"]
            + ["-addext", "subjectAltName=IP:127.0.0.1"]
            + ["-keyout", self.folder / "key.pem", "-out", certificate],
            check=True,
            capture_output=True,
        )
        self.tls = ssl.create_default_context(cafile=certificate)

    def start(self, command, log):
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.DEVNULL,
            stderr=open(log, "w"),
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def __enter__(self):
        self.server = self.start(
            [BIN / "genzo-server", "--config", self.folder / "genzo.yaml"], self.log
        )
        await_true(lambda: get(f"http://{self.admin}/readyz"), "the server is ready", 120)
        if self.has_prometheus:
            self.start_prometheus()
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()

    @property
    def has_prometheus(self):
        return (TOOLS / "prometheus").exists()

    def start_prometheus(self):
        (self.folder / "prometheus.yaml").write_text(
            f"""global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{ROOT}/deploy/prometheus/genzo.rules.yaml]
scrape_configs:
  - job_name: paint
    static_configs: [{{targets: ["{self.admin}"], labels: {{app: genzo}}}}]
"""
        )
        self.start(
            [
                TOOLS / "prometheus",
                f"--config.file={self.folder}/prometheus.yaml",
                f"--storage.tsdb.path={self.folder}/tsdb",
                f"--web.listen-address={self.prom}",
                "--web.console.libraries=",
                "--web.console.templates=",
            ],
            self.folder / "prometheus.log",
        )
        await_true(lambda: get(f"http://{self.prom}/-/ready"), "Prometheus is ready")

    def query(self, expression, path="query", **more):
        parameters = urllib.parse.urlencode({"query": expression, **more})
        answer = json.loads(get(f"http://{self.prom}/api/v1/{path}?{parameters}"))
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    def genzo(self, *arguments, check=True):
        return subprocess.run(
            [BIN / "genzo", "--server", self.grpc, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=check,
            timeout=120,
        )

    def post(self, path, body, headers=None):
        request = urllib.request.Request(
            f"https://{self.http}{path}",
            data=json.dumps(body).encode(),
            headers={"content-type": "application/json", **(headers or {})},
        )
        with urllib.request.urlopen(request, timeout=120, context=self.tls) as answer:
            return answer.headers, answer.read()

    def load(self, seconds=LOAD_SECONDS):
        """What clients do: many at once, at every door; some leave."""
        end = time.monotonic() + seconds
        texts = ["a fox in the snow", "a ship", "paradise cosmic beach"]

        def client(number):
            turn = 0
            while time.monotonic() < end:
                turn += 1
                self.post(
                    "/v1/images/generations",
                    {
                        "prompt": f"{texts[turn % 3]} {turn if turn % 2 else ''}",
                        "size": "256x256" if turn % 3 else "192x192",
                        "num_inference_steps": 6 + number,
                        # A row an image, so that some share whatever the cap.
                        "guidance_scale": 1 if number < 4 else 4,
                        "stream": bool(number % 2),
                        "partial_images": 2 if number % 2 else 0,
                    },
                )

        threads = [threading.Thread(target=client, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        while time.monotonic() < end:
            self.genzo("generate", "a pirate", "--steps", 8, "--preview-every", 2,
                       "--output", self.folder)
            self.genzo("generate", "a pirate", "--steps", 140, "--timeout", "0.4",
                       "--output", self.folder, check=False)
            self.genzo("generate", "x", "--model", "none", check=False)
        for thread in threads:
            thread.join()
        time.sleep(2)  # for the last scrape
        self.load_ended = time.time()

    def traced(self):
        """One request of a caller who traces, at the HTTP door."""
        return self.post(
            "/v1/images/generations",
            {"prompt": SECRET_PROMPT, "num_inference_steps": 5},
            {"traceparent": f"00-{TRACE}-{PARENT}-01"},
        )
