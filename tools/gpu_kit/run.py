#!/usr/bin/env python3
"""Runs what can be asked of Genzo on a GPU, the most valuable first, within nine minutes, and
writes table.txt, results.json and logs/ to --out. Needs Python 3.12 and its torch, whose LibTorch
the programs of this kit use; without a GPU the same steps run on the CPU with small loads, as a
rehearsal.

A row of the table is one of
  ok             it ran, its numbers are right and, where there is a goal, it is met
  slow           right, but short of the goal
  WRONG NUMBERS  it ran to its end and what came out is not what it should be
  FAILED         it ended with an error, or not in its time
  not run        why: no GPU, no time left, or a step before it that it needs
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

KIT = Path(__file__).resolve().parent
OK, SLOW, WRONG, FAILED, NOT_RUN = "ok", "slow", "WRONG NUMBERS", "FAILED", "not run"


class Kit:
    def __init__(self, out, budget_s, device):
        self.out = out
        self.logs = out / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.deadline = time.monotonic() + budget_s
        self.device = device
        self.rows = []
        if not (KIT / "bin").exists():
            with tarfile.open(KIT / "programs.tar.xz") as programs:
                programs.extractall(KIT, filter="data")
        import torch
        libraries = [str(KIT / "lib"), str(Path(torch.__file__).parent / "lib")]
        nvidia = Path(torch.__file__).parent.parent / "nvidia"
        libraries += [str(folder) for folder in nvidia.glob("*/lib")]
        self.environment = os.environ | {
            "LD_LIBRARY_PATH": ":".join(libraries), "XDG_CACHE_HOME": str(out / "cache"),
            "PATH": f"{KIT / 'bin'}:{os.environ['PATH']}"}

    @property
    def on_gpu(self):
        return self.device == "cuda"

    def left_s(self):
        return self.deadline - time.monotonic()

    def row(self, name, verdict, words):
        self.rows.append({"name": name, "verdict": verdict, "words": words})
        print(f"{name:38} {verdict:14} {words}", flush=True)
        self.write_table()

    def write_table(self):
        lines = [f"{row['name']:38} {row['verdict']:14} {row['words']}" for row in self.rows]
        (self.out / "table.txt").write_text("\n".join(lines) + "\n")
        (self.out / "results.json").write_text(json.dumps(self.rows, indent=2))

    def command(self, name, arguments, limit_s):
        """Runs a program; its output, or None after a row that says why there is none."""
        limit_s = min(limit_s, self.left_s() - 5)
        if limit_s < 5:
            self.row(name, NOT_RUN, "no time left")
            return None
        log = self.logs / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}.txt"
        begin = time.monotonic()
        with open(log, "w") as file:
            process = subprocess.Popen([str(a) for a in arguments], stdout=file,
                                       stderr=subprocess.STDOUT, env=self.environment,
                                       start_new_session=True)
            try:
                process.wait(limit_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                self.row(name, FAILED, f"not done after {limit_s:.0f} s; {log.name}")
                return None
        text = log.read_text(errors="replace")
        if process.returncode != 0:
            last = (text.strip().splitlines() or [""])[-1]
            self.row(name, FAILED, f"exit status {process.returncode}; {log.name}: {last[:90]}")
            return None
        return text + f"\nkit: {time.monotonic() - begin:.1f} s"


def json_lines(text):
    for line in text.splitlines():
        if line.startswith("{"):
            yield json.loads(line)


# --- steps ----------------------------------------------------------------------------------


def device_test(kit):
    name = "kernels, graphs, sticky errors"
    if not kit.on_gpu:
        return kit.row(name, NOT_RUN, "no GPU")
    text = kit.command(name, [KIT / "tests/cuda_device_test"], 90)
    if text is None:
        return
    passed = re.search(r"\[  PASSED  \] (\d+) test", text)
    skipped = "[  SKIPPED ]" in text
    good = passed is not None and int(passed[1]) > 0 and not skipped
    kit.row(name, OK if good else FAILED,
            f"{passed[1] if passed else 0} tests passed{', some skipped' if skipped else ''}")


# bfloat16 by diffusers itself is at 30.0 dB there: the network's error times 7.5.
NEAR_THE_BOUND = {"scheduler-ddim-sample"}


def parity(kit, dtype):
    """float32 to the bounds of the CPU; half precision: pictures to 30 dB."""
    name = f"parity with the reference, {dtype}"
    arguments = [KIT / "bin/genzo_parity", "--reference", KIT / "reference",
                 "--device", kit.device, "--dtype", dtype]
    # Cases that fail are counted here, not an end of the program.
    text = kit.command(name, ["sh", "-c", 'exec 2>&1; "$@"; [ $? -le 1 ]', "sh", *arguments], 120)
    if text is None:
        return
    passed = len(re.findall(r"\bPASS\b", text))
    failed = {line.split()[0] for line in text.splitlines() if re.search(r"\bFAIL\b", line)}
    excused = NEAR_THE_BOUND if dtype == "bfloat16" else set()
    verdict = WRONG if failed - excused else OK if passed else FAILED
    kit.row(name, verdict, f"{passed} cases pass, {len(failed)} fail"
            f"{': ' + ', '.join(sorted(failed)[:3]) if failed else ''}")


def model(kit, kind, process):
    """The random model's folder, once the process that writes it is done."""
    try:
        process.wait(max(1, kit.left_s() - 30))
    except subprocess.TimeoutExpired:
        return None
    return kit.out / kind if process.returncode == 0 else None


def step_speed(kit, kind, folder, rows, extra=()):
    """Seconds of a step by rows, Genzo's; None after a row that says why not."""
    name = f"{kind} step, Genzo {' '.join(extra).strip('-') or 'recorded'}"
    if folder is None:
        return kit.row(name, NOT_RUN, "its model was not made")
    text = kit.command(name, [KIT / "bin/genzo-step-speed", folder, "--device", kit.device,
                              "--rows", rows, "--repeats", 5 if kit.on_gpu else 1,
                              *([] if kit.on_gpu else ["--no-decode"]), *extra], 100)
    if text is None:
        return None
    seconds = {line["rows"]: line["seconds"] for line in json_lines(text)
               if line["what"] == "unet_step"}
    words = ", ".join(f"{r}: {s * 1e3:.1f} ms" for r, s in seconds.items())
    if kind == "sd15" and not extra and kit.on_gpu and 8 in seconds and 1 in seconds:
        share = seconds[8] / 8 / seconds[1]
        kit.row(name, OK if share <= 0.5 else SLOW,
                f"{words}; a row of 8 takes {share:.2f} of one alone (goal 0.5)")
    else:
        kit.row(name, OK, words)
    return seconds


def plain_speed(kit, kind, ours, compiled, rows):
    name = f"{kind} step, plain PyTorch {'compiled' if compiled else 'eager'}"
    text = kit.command(name, [sys.executable, KIT / "time_plain.py", kind, "--device", kit.device,
                              "--rows", rows, *(["--compile"] if compiled else []),
                              *([] if kit.on_gpu else ["--repeats", "1", "--warm-ups", "0"])], 110)
    if text is None:
        return
    seconds = {line["rows"]: line["seconds"] for line in json_lines(text)}
    words = ", ".join(f"{r}: {s * 1e3:.1f} ms" for r, s in seconds.items())
    if ours:
        shares = [f"{r}: {ours[r] / s:.2f}" for r, s in seconds.items() if r in ours]
        words += f"; Genzo over it {', '.join(shares)}"
    kit.row(name, OK, words)


class Server:
    def __init__(self, kit, folder, port=50971, **settings):
        config = {"listen": f"127.0.0.1:{port}", "models": [{"id": "m", "path": str(folder)}],
                  "default_model": "m", "devices": [kit.device],
                  "profile_folder": str(kit.out / "profiles")} | settings
        path = kit.out / f"server-{port}.json"  # JSON is YAML
        path.write_text(json.dumps(config))
        self.kit, self.port = kit, port
        self.log = open(kit.logs / f"server-{folder.name}-{port}.txt", "a")
        self.process = subprocess.Popen([KIT / "bin/genzo-server", "--config", path],
                                        stdout=self.log, stderr=subprocess.STDOUT,
                                        env=kit.environment)

    def __enter__(self):
        for _ in range(600):
            done = subprocess.run(["genzo", "models", "--server", f"localhost:{self.port}"],
                                  env=self.kit.environment, capture_output=True, text=True)
            if "resident" in done.stdout:
                return self
            if self.process.poll() is not None or "failed" in done.stdout:
                break
            time.sleep(0.2)
        self.__exit__()
        raise RuntimeError("the server did not get ready")

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()


def bench(kit, name, server, scenario, *arguments, limit_s=90):
    report = kit.logs / f"{scenario}-{server.port}-{len(kit.rows)}.json"
    text = kit.command(name, ["genzo-bench", "--server", f"localhost:{server.port}", "--json",
                              report, *arguments, scenario], limit_s)
    return None if text is None else (text, json.loads(report.read_text()))


def last_line(text, pattern):
    lines = [line.strip() for line in text.splitlines() if re.search(pattern, line)]
    return " | ".join(lines[-3:])[:160]


GOAL_PICTURES = 11  # a second, SD1.5 at 512 px, 20 steps, on an H100
GOAL_OF_BARE = 0.95


def throughput(kit, row, report, bare):
    """Pictures a second of the fullest load against the goals; `bare`: seconds by rows."""
    most = max(point["pictures_per_second"] for point in report["scenarios"][0]["points"])
    gains = report["scenarios"][0]["findings"]["gain_over_one_client"]
    words = f"{most:.2f} pictures/s, gain by clients {gains}"
    verdict = OK
    if bare and kit.on_gpu:
        limit = 1 / (20 * 2 * min(seconds / rows for rows, seconds in bare.items()))
        words += (f"; {most / limit:.2f} of the bare denoiser's {limit:.2f} (goal {GOAL_OF_BARE});"
                  f" goal {GOAL_PICTURES} pictures/s")
        verdict = OK if most >= GOAL_PICTURES and most >= GOAL_OF_BARE * limit else SLOW
    kit.row(row, verdict, words)


def server_under_load(kit, name, folder, seconds, bare=None):
    """Throughput, waiting, previews, floods, cancels; bits alone against in company."""
    try:
        with Server(kit, folder) as server:
            for words, scenario, extra in [
                    ("1, 8, 32 clients", "closed", ["--clients", "1,8,32", "--steps", "20"]),
                    ("bits alone and in company", "identical", []),
                    ("Poisson 0.7", "poisson", ["--loads", "0.7", "--mix", "mixed"]),
                    ("previews", "previews", []), ("flood", "flood", []),
                    ("cancel", "cancel", [])]:
                row = f"{name} server, {words}"
                ran = bench(kit, row, server, scenario, "--duration", seconds, *extra)
                if ran is None:
                    continue
                text, report = ran
                lost = re.search(r"lost (\d+), hung (\d+)", text)
                if lost and (lost[1], lost[2]) != ("0", "0"):
                    kit.row(row, WRONG, lost[0])
                elif scenario == "closed":
                    throughput(kit, row, report, bare)
                elif scenario == "identical":
                    found = report["scenarios"][0]["findings"]
                    shares = {kind: found.get(f"{kind}_identical_share")
                              for kind in ("fast", "reproducible")}
                    kit.row(row, OK if set(shares.values()) == {1} else WRONG,
                            f"share of pictures with equal bits {shares}")
                else:
                    kit.row(row, OK, last_line(text, r"gain|pict|p99|error|median|cancel|steps"))
    except RuntimeError as error:
        kit.row(f"{name} server", FAILED, str(error))


def out_of_memory(kit, folder):
    """Many large pictures on a card whose memory is nearly all taken by another process."""
    name = "too little memory for a batch"
    if not kit.on_gpu:
        return kit.row(name, NOT_RUN, "no GPU")
    hog = subprocess.Popen(
        [sys.executable, "-c", "import torch, time\n"
         "free, _ = torch.cuda.mem_get_info()\n"
         "x = torch.empty(free - (6 << 30), dtype=torch.uint8, device='cuda')\n"
         "print('ready', flush=True); time.sleep(120)"], stdout=subprocess.PIPE, text=True)
    try:
        hog.stdout.readline()
        with Server(kit, folder, port=50973) as server:
            ran = bench(kit, name, server, "closed", "--clients", "32", "--duration", "8",
                        "--width", "768", "--height", "768", "--steps", "4", limit_s=70)
            if ran is not None:
                lost = re.search(r"lost (\d+), hung (\d+)", ran[0])
                good = lost is not None and lost.groups() == ("0", "0")
                kit.row(name, OK if good else WRONG,
                        "all answered, the server lives" if good else str(lost and lost[0]))
    except RuntimeError as error:
        kit.row(name, FAILED, str(error))
    finally:
        hog.kill()


def unload_under_load(kit, folder):
    """The model leaves memory again and again while clients paint with it: none may notice."""
    name = "unload under load"
    try:
        with Server(kit, folder, port=50974) as server:
            log = kit.logs / "unload.txt"
            with open(log, "w") as file:
                loop = subprocess.Popen(
                    ["sh", "-c", "while :; do genzo models unload m --server "
                     f"localhost:{server.port}; sleep 0.5; done"], env=kit.environment,
                    stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
            try:
                ran = bench(kit, name, server, "closed", "--clients", "8", "--duration", "6",
                            "--steps", "4", limit_s=60)
            finally:
                os.killpg(loop.pid, signal.SIGKILL)
                loop.wait()
            if ran is None:
                return
            unloaded = log.read_text().count("unloaded")
            lost = re.search(r"lost (\d+), hung (\d+)", ran[0])
            outcomes = ran[1]["scenarios"][0]["points"][0]["outcomes"]
            good = lost is not None and lost.groups() == ("0", "0") and set(outcomes) == {"OK"}
            verdict = OK if good and unloaded else WRONG if not good else FAILED
            kit.row(name, verdict, f"unloaded {unloaded} times, answers {outcomes}")
    except RuntimeError as error:
        kit.row(name, FAILED, str(error))


def two_processes(kit, folder, rows):
    name = "two processes on one card"
    command = [KIT / "bin/genzo-step-speed", folder, "--device", kit.device, "--rows", rows,
               "--repeats", "9", "--no-decode"]
    pair = [subprocess.Popen(command, env=kit.environment, stdout=subprocess.PIPE, text=True)
            for _ in range(2)]
    try:
        outputs = [process.communicate(timeout=max(5, min(90, kit.left_s() - 5)))[0]
                   for process in pair]
    except subprocess.TimeoutExpired:
        for process in pair:
            process.kill()
        return kit.row(name, FAILED, "not done in time")
    if any(process.returncode for process in pair):
        return kit.row(name, FAILED, "a process ended with an error")
    seconds = [line["seconds"] * 1e3 for text in outputs for line in json_lines(text)]
    kit.row(name, OK, f"{rows} rows: " + ", ".join(f"{s:.1f} ms" for s in seconds))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "kit-out")))
    parser.add_argument("--budget-s", type=float, default=540)
    parser.add_argument("--cpu", action="store_true", help="rehearse on the CPU")
    arguments = parser.parse_args()
    import torch
    gpu = torch.cuda.is_available() and not arguments.cpu
    kit = Kit(arguments.out.resolve(), arguments.budget_s, "cuda" if gpu else "cpu")
    card = torch.cuda.get_device_name() if gpu else "no GPU: a rehearsal on the CPU"
    kit.row("machine", OK, f"{card}, torch {torch.__version__}, {os.cpu_count()} cores")
    tiny = KIT / "reference/models/sd1"
    tokenizer = tiny / "tokenizer"
    kinds = ("sd15", "sdxl") if gpu else ("sd15",)
    making = {kind: subprocess.Popen(
        [sys.executable, KIT / "make_models.py", kind, kit.out / kind, "--tokenizer", tokenizer])
        for kind in kinds}
    device_test(kit)
    for dtype in ("float32", "bfloat16"):
        parity(kit, dtype)
    sd15 = model(kit, "sd15", making["sd15"])
    rows = "1,2,4,8,16,32" if gpu else "1"
    ours = step_speed(kit, "sd15", sd15, rows)
    if gpu:
        step_speed(kit, "sd15", sd15, "1,2,8,32", ("--eager",))
    plain_speed(kit, "sd15", ours, compiled=False, rows=rows)
    if gpu:
        server_under_load(kit, "sd15", sd15, 8, bare=ours)
    server_under_load(kit, "tiny", tiny, 5 if gpu else 2)
    two_processes(kit, sd15 if gpu and sd15 else tiny, "2")
    out_of_memory(kit, sd15 or tiny)
    unload_under_load(kit, tiny)
    if gpu:
        plain_speed(kit, "sd15", ours, compiled=True, rows="2,8")
        ours = step_speed(kit, "sdxl", model(kit, "sdxl", making["sdxl"]), "1,2,8")
        plain_speed(kit, "sdxl", ours, compiled=False, rows="1,2,8")
    for process in making.values():
        process.kill()
    for kind in kinds:
        shutil.rmtree(kit.out / kind, ignore_errors=True)  # gigabytes that nobody wants back
    bad = [row for row in kit.rows if row["verdict"] in (WRONG, FAILED)]
    print(f"\n{len(kit.rows)} rows, {len(bad)} bad; {kit.out / 'table.txt'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
