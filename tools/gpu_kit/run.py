#!/usr/bin/env python3
"""Runs what can be asked of Genzo on a GPU, the most valuable first, within nine minutes, and
writes table.txt, results.json and logs/ to --out. Needs Python 3.12 and its torch, whose LibTorch
the programs of this kit use; without a GPU the same steps run on the CPU with small loads, as a
rehearsal.

A row of the table is one of
  ok             it ran, its numbers are right and, where there is a goal, it is met
  slow           right, but short of the goal
  WRONG NUMBERS  it ran to its end and what came out is not what it should be
  FAILED         it ended with an error, or not in its time, or did not show what it is about
  not run        why: no GPU, no time left, or a step before it that it needs
All rows are there from the beginning, as not run. Exit status: 1 if one is wrong or failed.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
from pathlib import Path

import verdicts
from verdicts import BAD, FAILED, NOT_RUN, OK

KIT = Path(__file__).resolve().parent
SCENARIOS = {  # by their words in the table
    "1, 8, 32 clients": ("closed", ["--clients", "1,8,32", "--steps", "20"]),
    "bits alone and in company": ("identical", []),
    "Poisson 0.7": ("poisson", ["--loads", "0.7", "--mix", "mixed"]),
    "previews": ("previews", []), "flood": ("flood", []), "cancel": ("cancel", [])}
END = "still there, ends in order"


class NoAnswer(Exception):
    """Why a row has no answer to judge: its verdict and words."""

    def __init__(self, verdict, words):
        super().__init__(words)
        self.verdict, self.words = verdict, words


def verdict_of(error):
    if isinstance(error, NoAnswer):
        return error.verdict, error.words
    return FAILED, f"the kit: {type(error).__name__}: {error}"[:160]


class Table:
    """Rows in the order of the plan, each not run until it is told otherwise."""

    def __init__(self, out, plan, gpu):
        self.out = out
        self.rows = {name: (NOT_RUN, "no GPU" if needs_gpu and not gpu else "not reached")
                     for name, needs_gpu in plan.items()}
        self.write()

    def set(self, name, verdict, words):
        self.rows[name] = verdict, words
        print(self.line(name), flush=True)
        self.write()

    def line(self, name):
        verdict, words = self.rows[name]
        return f"{name:44} {verdict:14} {words}"

    def write(self):
        (self.out / "table.txt").write_text("".join(f"{self.line(name)}\n" for name in self.rows))
        (self.out / "results.json").write_text(json.dumps(
            [{"name": name, "verdict": verdict, "words": words}
             for name, (verdict, words) in self.rows.items()], indent=2))

    def count(self, *kinds):
        return sum(verdict in kinds for verdict, _ in self.rows.values())


class Kit:
    """The unpacked programs, the table, and what must be gone at the end: processes and models."""

    def __init__(self, out, budget_s, gpu, plan):
        self.out, self.gpu, self.plan = out, gpu, plan
        self.device = "cuda" if gpu else "cpu"
        self.logs, self.work = out / "logs", out / "work"
        for folder in (self.logs, self.work):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        self.deadline = time.monotonic() + budget_s
        self.table = Table(out, plan, gpu)
        self.reference = self.work / "source/tests/data/reference"
        self.tiny = self.reference / "models/sd1"
        self.processes = []
        self.environment = dict(os.environ)

    def unpack(self, torch):
        for archive in ("programs.tar.xz", "source.tar.xz"):
            with tarfile.open(KIT / archive) as packed:
                packed.extractall(self.work, filter="data")
        site = Path(torch.__file__).parent
        libraries = [self.work / "lib", site / "lib", *site.parent.glob("nvidia/*/lib")]
        self.environment |= {
            "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
            "PATH": f"{self.work / 'bin'}:{os.environ['PATH']}",
            "GENZO_SOURCE_DIR": str(self.work / "source"),
            "XDG_CACHE_HOME": str(self.work / "cache")}

    def left_s(self):
        return self.deadline - time.monotonic()

    def need_time(self):
        if self.left_s() < 10:
            raise NoAnswer(NOT_RUN, "no time left")

    def log(self, name):
        return self.logs / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}.txt"

    def attempt(self, name, question):
        """Sets row `name` to what `question` returns, or to why it has no answer, unless it needs
        a GPU and there is none. Whatever goes wrong in one row, the next is tried."""
        if self.plan[name] and not self.gpu:
            return
        try:
            self.need_time()
            verdict = question()
        except Exception as error:
            verdict = verdict_of(error)
        self.table.set(name, *verdict)

    def start(self, arguments, log):
        """A process with children of its own, ended at the end of all at the latest."""
        with open(log, "a") as file:
            process = subprocess.Popen([str(a) for a in arguments], stdout=file, cwd=self.work,
                                       stderr=subprocess.STDOUT, env=self.environment,
                                       start_new_session=True)
        self.processes.append(process)
        return process

    def wait(self, process, limit_s, log):
        """Its output, with an exit status of 0."""
        limit_s = max(0, min(limit_s, self.left_s() - 5))
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            stop(process)
            raise NoAnswer(FAILED, f"not done after {limit_s:.0f} s; {log.name}") from None
        text = log.read_text(errors="replace")
        if process.returncode != 0:
            last = (text.strip().splitlines() or [""])[-1]
            raise NoAnswer(FAILED,
                           f"exit status {process.returncode}; {log.name}: {last[:90]}")
        return text

    def run(self, name, arguments, limit_s):
        log = self.log(name)
        return self.wait(self.start(arguments, log), limit_s, log)

    def clean(self):
        for process in self.processes:
            stop(process)
        shutil.rmtree(self.work, ignore_errors=True)  # gigabytes that nobody wants back


def stop(process):
    """Ends it and its children, unless it has ended: its number may be another's by now."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# --- without a server -----------------------------------------------------------------------


def device_test(kit):
    # Its own words are better than its status.
    return verdicts.gtest(kit.run("device test", ["sh", "-c", '"$0" || [ $? = 1 ]',
                                                  kit.work / "bin/cuda_device_test"], 90))


def parity(kit, dtype):
    """float32 to the bounds of the CPU; half precision: pictures to 30 dB."""
    text = kit.run(f"parity {dtype}", [
        "sh", "-c", '"$@"; s=$?; echo "status $s"; [ $s -le 1 ]', "sh", "genzo_parity",
        "--reference", kit.reference, "--device", kit.device, "--dtype", dtype], 120)
    half = dtype != "float32"
    return verdicts.parity(text, int(re.findall(r"^status (\d+)$", text, re.M)[-1]),
                           verdicts.expected_cases(kit.reference, half),
                           verdicts.NEAR_THE_BOUND if half else ())


class Models:
    """Full-size models with random weights, written while other things are asked."""

    def __init__(self, kit, kinds):
        self.kit, self.done = kit, {}
        self.making = {kind: kit.start(
            [sys.executable, KIT / "make_models.py", kind, kit.work / kind,
             "--tokenizer", kit.tiny / "tokenizer"], kit.log(f"make {kind}")) for kind in kinds}

    def finish(self, kind):
        begin = time.monotonic()
        self.kit.wait(self.making[kind], 180, self.kit.log(f"make {kind}"))
        folder = self.kit.work / kind
        if not (folder / "model_index.json").exists():
            return FAILED, "it ended well and wrote nothing"
        self.done[kind] = folder
        return OK, f"waited {time.monotonic() - begin:.0f} s for it"

    def folder(self, kind):
        if kind not in self.done:
            raise NoAnswer(NOT_RUN, "its model was not made")
        return self.done[kind]


class Steps:
    """Seconds of a step by rows, kept for what comes later: {(kind, side): {rows: seconds}}."""

    def __init__(self, kit, models):
        self.kit, self.models, self.seconds = kit, models, {}

    def genzo(self, kind, rows, eager=False):
        side = "eager" if eager else "recorded"
        text = self.kit.run(f"{kind} step {side}", [
            "genzo-step-speed", self.models.folder(kind), "--device", self.kit.device,
            "--rows", ",".join(map(str, rows)), "--repeats", 5 if self.kit.gpu else 1,
            *([] if self.kit.gpu else ["--no-decode"]), *(["--eager"] if eager else [])], 100)
        found = self.seconds[kind, side] = verdicts.seconds_by_rows(text, "unet_step")
        over = {"recorded": self.seconds.get((kind, "recorded"), {})} if eager else {}
        verdict = verdicts.times(found, rows, over)
        goal = self.kit.gpu and kind == "sd15" and not eager
        return verdicts.with_goal_of_8(verdict, found) if goal else verdict

    def plain(self, kind, rows, compiled=False):
        """The same U-Net in plain PyTorch, and how it compares."""
        side = "compiled" if compiled else "eager"
        text = self.kit.run(f"{kind} plain {side}", [
            sys.executable, KIT / "time_plain.py", kind, "--device", self.kit.device,
            "--rows", ",".join(map(str, rows)), *(["--compile"] if compiled else []),
            *([] if self.kit.gpu else ["--repeats", 1, "--warm-ups", 0])], 110)
        found = verdicts.seconds_by_rows(text, f"plain_{side}")
        return verdicts.times(found, rows, {"Genzo": self.seconds.get((kind, "recorded"), {})})

    def two_processes(self, rows=2):
        kind = "sd15" if self.kit.gpu and "sd15" in self.models.done else "tiny"
        folder = self.models.done.get(kind, self.kit.tiny)
        logs = [self.kit.log(f"two processes {i}") for i in (1, 2)]
        pair = [self.kit.start(["genzo-step-speed", folder, "--device", self.kit.device, "--rows",
                                rows, "--repeats", 9, "--no-decode"], log) for log in logs]
        alone = self.seconds.get((kind, "recorded"))
        over = {"alone": alone} if alone else {}
        answers = [verdicts.times(verdicts.seconds_by_rows(self.kit.wait(process, 90, log),
                                                           "unet_step"), [rows], over)
                   for process, log in zip(pair, logs)]
        return (OK if {verdict for verdict, _ in answers} == {OK} else FAILED,
                f"{kind} model, rows {'; rows '.join(words for _, words in answers)}")


# --- with a server --------------------------------------------------------------------------


class Server:
    """A server of one model, ready once entered; else NoAnswer."""

    def __init__(self, kit, name, folder):
        kit.need_time()
        self.kit = kit
        self.address, self.admin = (f"127.0.0.1:{free_port()}" for _ in range(2))
        config = {"listen": self.address, "admin": self.admin, "default_model": "m",
                  "models": [{"id": "m", "path": str(folder)}], "devices": [kit.device],
                  "profile_folder": str(kit.work / "profiles")}
        path = kit.work / f"server-{len(kit.processes)}.json"  # JSON is YAML
        path.write_text(json.dumps(config))
        self.log = kit.log(f"server {name}")
        self.process = kit.start(["genzo-server", "--config", path], self.log)

    def __enter__(self):
        end = time.monotonic() + min(120, self.kit.left_s() - 10)
        while time.monotonic() < end and self.process.poll() is None:
            state = self.genzo("models")
            if "resident" in state:
                return self
            if "failed" in state:
                break
            time.sleep(0.2)
        stop(self.process)
        raise NoAnswer(FAILED, f"the server did not get ready; {self.log.name}")

    def __exit__(self, *_):
        stop(self.process)

    def genzo(self, *arguments):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return subprocess.run(["genzo", *arguments, "--server", self.address], text=True,
                                  env=self.kit.environment, capture_output=True, timeout=10).stdout
        return ""

    def page(self):
        with urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=10) as answer:
            return answer.read().decode()

    def bench(self, name, scenario, *arguments, limit_s=90):
        """genzo-bench's report. It ends with status 1 if calls were lost or hung."""
        report = self.kit.log(name).with_suffix(".json")
        self.kit.run(name, ["genzo-bench", "--server", self.address, "--admin", self.admin,
                            "--json", report, *arguments, scenario], limit_s)
        return json.loads(report.read_text())

    def fault(self):
        """What is wrong with it now, in words; empty: nothing."""
        if self.process.poll() is not None:
            return f"the server ended with status {self.process.returncode}"
        try:
            return verdicts.devices_fault(self.page())
        except OSError as error:
            return f"the server's figures cannot be read: {error}"

    def end(self):
        """Whether it lives until it is told to end, and then ends as it should."""
        fault = self.fault()
        if fault:
            return FAILED, fault
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(max(1, min(35, self.kit.left_s())))
        status = self.process.poll()
        return (OK, "exit status 0") if status == 0 else (FAILED, f"exit status {status}")


def server_rows(name):
    return [f"{name} server, {words}" for words in (*SCENARIOS, END)]


def server_under_load(kit, name, folder, seconds, bare=None):
    """Throughput, waiting, previews, floods, cancels; bits alone against in company. `folder`
    gives the model's; `bare`: of a model that has goals, the denoiser's seconds by rows."""
    goals = {"goals": True, "bare": bare} if kit.gpu and name == "sd15" else {}
    try:
        with Server(kit, name, folder()) as server:
            for words, (scenario, extra) in SCENARIOS.items():
                row = f"{name} server, {words}"
                kit.attempt(row, lambda: verdicts.judge(
                    server.bench(row, scenario, "--duration", seconds, *extra), scenario,
                    **(goals if scenario == "closed" else {})))
            kit.attempt(f"{name} server, {END}", server.end)
    except Exception as error:  # before the first row
        for row in server_rows(name):
            kit.table.set(row, *verdict_of(error))


def out_of_memory(kit, folder, name="too little memory for a batch"):
    """Many large pictures on a card whose memory another process takes once the model is there:
    all are painted, in smaller batches."""
    with Server(kit, "memory", folder) as server:
        log = kit.log("take memory")
        hog = kit.start([sys.executable, KIT / "take_memory.py", 3], log)
        try:
            end = time.monotonic() + min(30, kit.left_s() - 10)
            while "ready" not in log.read_text():
                if hog.poll() is not None or time.monotonic() > end:
                    return FAILED, f"nothing took the memory; {log.name}"
                time.sleep(0.1)
            report = server.bench(name, "closed", "--clients", "32,1", "--duration", 8, "--width",
                                  768, "--height", 768, "--steps", 4, limit_s=70)
            if hog.poll() is not None:
                return FAILED, f"the memory was given back early; {log.name}"
        finally:
            stop(hog)
        verdict, words = verdicts.judge(report, "closed")
        fault = server.fault()
        if verdict != OK or fault:
            return FAILED, "; ".join(filter(None, [fault, words]))
        cut = verdicts.metric(server.page(), "genzo_out_of_memory_total")
        if not cut:
            return FAILED, "memory never ran out: nothing is shown"
        return OK, f"{cut:.0f} evaluations cut, all pictures painted, the server lives"


def unload_under_load(kit, name="unload under load"):
    """The model leaves memory again and again while clients paint with it: none may notice."""
    with Server(kit, "unload", kit.tiny) as server:
        log = kit.log("unload")
        loop = kit.start(["sh", "-c", "while :; do genzo models unload m --server "
                          f"{server.address}; sleep 0.5; done"], log)
        try:
            report = server.bench(name, "closed", "--clients", 8, "--duration", 6, "--steps", 4,
                                  limit_s=60)
        finally:
            stop(loop)
        verdict, words = verdicts.judge(report, "closed")
        fault = server.fault()
        unloaded = log.read_text().count("unloaded")
        if verdict != OK or fault:
            return FAILED, "; ".join(filter(None, [fault, words]))
        return (OK if unloaded else FAILED), f"unloaded {unloaded} times, all pictures painted"


# --- the plan -------------------------------------------------------------------------------

GPU, ANY = True, False
PLAN = {  # rows, and whether they need a GPU
    "machine": ANY, "kernels, graphs, sticky errors": GPU,
    "parity with the reference, float32": ANY, "parity with the reference, bfloat16": ANY,
    "sd15 model written": ANY, "sd15 step, Genzo recorded": ANY, "sd15 step, Genzo eager": GPU,
    "sd15 step, plain PyTorch eager": ANY, **dict.fromkeys(server_rows("sd15"), GPU),
    **dict.fromkeys(server_rows("tiny"), ANY), "two processes on one card": ANY,
    "too little memory for a batch": GPU, "unload under load": ANY,
    "sd15 step, plain PyTorch compiled": GPU, "sdxl model written": GPU,
    "sdxl step, Genzo recorded": GPU, "sdxl step, plain PyTorch eager": GPU}


def ask(kit, models):
    """Every row but the first, in the order of PLAN."""
    steps = Steps(kit, models)
    rows = [1, 2, 4, 8, 16, 32] if kit.gpu else [1]
    kit.attempt("kernels, graphs, sticky errors", lambda: device_test(kit))
    for dtype in ("float32", "bfloat16"):
        kit.attempt(f"parity with the reference, {dtype}", lambda: parity(kit, dtype))
    kit.attempt("sd15 model written", lambda: models.finish("sd15"))
    kit.attempt("sd15 step, Genzo recorded", lambda: steps.genzo("sd15", rows))
    kit.attempt("sd15 step, Genzo eager", lambda: steps.genzo("sd15", [1, 2, 8, 32], eager=True))
    kit.attempt("sd15 step, plain PyTorch eager", lambda: steps.plain("sd15", rows))
    if kit.gpu:
        server_under_load(kit, "sd15", lambda: models.folder("sd15"), 8,
                          bare=steps.seconds.get(("sd15", "recorded")))
    server_under_load(kit, "tiny", lambda: kit.tiny, 5 if kit.gpu else 2)
    kit.attempt("two processes on one card", steps.two_processes)
    kit.attempt("too little memory for a batch",
                lambda: out_of_memory(kit, models.done.get("sd15", kit.tiny)))
    kit.attempt("unload under load", lambda: unload_under_load(kit))
    kit.attempt("sd15 step, plain PyTorch compiled",
                lambda: steps.plain("sd15", [2, 8], compiled=True))
    kit.attempt("sdxl model written", lambda: models.finish("sdxl"))
    kit.attempt("sdxl step, Genzo recorded", lambda: steps.genzo("sdxl", [1, 2, 8]))
    kit.attempt("sdxl step, plain PyTorch eager", lambda: steps.plain("sdxl", [1, 2, 8]))


def machine(kit, torch):
    kit.unpack(torch)
    card = torch.cuda.get_device_name() if kit.gpu else "no GPU: a rehearsal on the CPU"
    return OK, f"{card}, torch {torch.__version__}, {len(os.sched_getaffinity(0))} cores"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "kit-out")))
    parser.add_argument("--budget-s", type=float, default=540)
    parser.add_argument("--cpu", action="store_true", help="rehearse on the CPU")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # by way of clean()
    import torch
    gpu = torch.cuda.is_available() and not arguments.cpu
    kit = Kit(arguments.out.resolve(), arguments.budget_s, gpu, PLAN)
    try:
        kit.attempt("machine", lambda: machine(kit, torch))
        if kit.table.rows["machine"][0] == OK:
            ask(kit, Models(kit, ("sd15", "sdxl") if gpu else ("sd15",)))
    finally:
        kit.table.write()
        kit.clean()
    print(f"\n{len(PLAN)} rows: {kit.table.count(OK)} ok, {kit.table.count(verdicts.SLOW)} slow, "
          f"{kit.table.count(*BAD)} bad, {kit.table.count(NOT_RUN)} not run; "
          f"{kit.out / 'table.txt'}")
    return 1 if kit.table.count(*BAD) else 0


if __name__ == "__main__":
    sys.exit(main())
