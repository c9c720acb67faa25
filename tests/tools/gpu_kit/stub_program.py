"""Stands for every program of the kit, by the name it is called by. STUB says how it is: `good`;
`wrong`, whose programs all come to their end with bad answers; `silent`, which end well and say
nothing; `dead`; `hanging`."""

import http.server
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

NAME = Path(sys.argv[0]).stem
ARGUMENTS = sys.argv[1:]
KIND = os.environ["STUB"]
GOOD = KIND == "good"


def option(name):
    return ARGUMENTS[ARGUMENTS.index(name) + 1]


def cuda_device_test():
    result = "[  PASSED  ] 2 tests." if GOOD else "[  PASSED  ] 1 test.\n[  SKIPPED ] 1 test"
    print(f"[==========] 2 tests from 1 test suite ran. (3 ms total)\n{result}")


def genzo_parity():
    names = sorted(path.stem for path in Path(option("--reference"), "goldens").glob("*.json"))
    for name in names if GOOD else names[:1]:
        mark = " PASS" if GOOD else "(!) FAIL "
        print(f"{name:44} ids 0 image 0{mark}")
    if GOOD:
        print(f"{len(names)} passed, 0 failed, 0 unsupported in x")
    return 0 if GOOD else 1


def speeds(what):
    for rows in map(int, option("--rows").split(",") if GOOD else []):
        print(json.dumps({"what": what, "rows": rows, "seconds": 0.01 * rows**0.5}))


def genzo_bench():
    reports = json.loads(Path(os.environ["STUB_REPORTS"]).read_text())
    scenario = ARGUMENTS[-1]
    report = reports[scenario]
    for point in report["scenarios"][0]["points"]:
        if GOOD:
            point["pictures_per_second"] = 14.0
        else:
            point |= {"succeeded": 0, "outcomes": {"INTERNAL": point["calls"]},
                      "pictures_per_second": 0.0}
    path = Path(option("--json"))
    path.write_text(json.dumps(report))
    if GOOD and path.stem == "unload-under-load":  # a load lasts longer than an unloading
        end = time.monotonic() + 60
        while not (path.parent / "unload.txt").read_text() and time.monotonic() < end:
            time.sleep(0.05)


def genzo():
    if ARGUMENTS[:2] == ["models", "unload"]:
        print("m unloaded" if GOOD else "m is unknown")
    else:
        print("m (default)  resident")


class Figures(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f'genzo_device_up{{device="cuda:0"}} {int(GOOD)}\n'
                         f'genzo_out_of_memory_total{{model="m"}} 3\n'.encode())

    def log_message(self, *_):
        pass


def genzo_server():
    config = json.loads(Path(option("--config")).read_text())
    host, port = config["admin"].split(":")
    server = http.server.HTTPServer((host, int(port)), Figures)
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    end.wait()
    return 0 if GOOD else 1


def make_models():
    Path(ARGUMENTS[1]).mkdir()
    Path(ARGUMENTS[1], "model_index.json").write_text("{}")


def take_memory():
    if GOOD:
        print("ready", flush=True)
        time.sleep(300)
    return 1


PROGRAMS = {
    "cuda_device_test": cuda_device_test, "genzo_parity": genzo_parity,
    "genzo-step-speed": lambda: speeds("unet_step"), "genzo-bench": genzo_bench, "genzo": genzo,
    "genzo-server": genzo_server, "make_models": make_models, "take_memory": take_memory,
    "time_plain": lambda: speeds("plain_compiled" if "--compile" in ARGUMENTS else "plain_eager")}

if __name__ == "__main__":
    if KIND in ("silent", "dead"):
        sys.exit(KIND == "dead")
    if KIND == "hanging":
        time.sleep(300)
    sys.exit(PROGRAMS[NAME]())
