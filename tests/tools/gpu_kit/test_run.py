"""The kit's run.py as a whole, with stubs in place of programs, models and torch."""

import json
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TOOLS = HERE.parents[2] / "tools/gpu_kit"
PROGRAMS = ["cuda_device_test", "genzo", "genzo-bench", "genzo-server", "genzo-step-speed",
            "genzo_parity"]
TORCH = """
__version__ = "0"
class cuda:
    is_available = staticmethod(lambda: True)
    get_device_name = staticmethod(lambda: "a card")
"""


def write_program(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable} -SE\n{(HERE / 'stub_program.py').read_text()}")
    path.chmod(0o755)


def write_reference(folder):
    goldens = folder / "goldens"
    goldens.mkdir(parents=True)
    header = json.dumps({"image_uint8": {}}).encode()
    for name in ("sd1-txt2img", "sdxl-txt2img"):
        (goldens / f"{name}.json").write_text("{}")
        (goldens / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)


@pytest.fixture
def kit(tmp_path):
    """A packed kit of stubs."""
    folder = tmp_path / "kit"
    folder.mkdir()
    for name in PROGRAMS:
        write_program(tmp_path / "bin" / name)
    write_reference(tmp_path / "source/tests/data/reference")
    for archive, name in (("programs", "bin"), ("source", "source")):
        with tarfile.open(folder / f"{archive}.tar.xz", "w:xz") as packed:
            packed.add(tmp_path / name, name)
    for name in ("run.py", "verdicts.py"):
        shutil.copy(TOOLS / name, folder)
    for name in ("make_models.py", "take_memory.py", "time_plain.py"):
        write_program(folder / name)
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/__init__.py").write_text(TORCH)
    return folder


def run(kit, stub, *arguments):
    """(exit status, {row: (verdict, words)})"""
    out = kit.parent / "out"
    environment = os.environ | {"STUB": stub, "PYTHONPATH": str(kit.parent),
                                "STUB_REPORTS": str(HERE / "reports.json")}
    done = subprocess.run([sys.executable, kit / "run.py", "--out", out, *arguments],
                          env=environment, capture_output=True, text=True, timeout=300)
    assert (out / "results.json").exists(), done.stderr
    assert not (out / "work").exists()
    rows = json.loads((out / "results.json").read_text())
    for row in rows:
        assert row["name"] in (out / "table.txt").read_text()
    return done.returncode, {row["name"]: (row["verdict"], row["words"]) for row in rows}


def verdicts_of(rows):
    return {verdict for verdict, _ in rows.values()}


def test_good_programs_are_ok_in_every_row(kit):
    status, rows = run(kit, "good")
    assert verdicts_of(rows) == {"ok"}, rows
    assert status == 0, rows


def test_on_a_cpu_what_needs_a_gpu_is_not_run_and_says_so(kit):
    status, rows = run(kit, "good", "--cpu")
    assert status == 0, rows
    not_run = {name for name, verdict in rows.items() if verdict == ("not run", "no GPU")}
    assert len(not_run) == 14
    assert "kernels, graphs, sticky errors" in not_run
    assert {verdict for name, (verdict, _) in rows.items() if name not in not_run} == {"ok"}


@pytest.mark.parametrize("stub", ["wrong", "silent", "dead"])
def test_no_row_of_bad_programs_is_good(kit, stub):
    status, rows = run(kit, stub)
    assert rows.pop("machine")[0] == "ok"  # it names the card alone
    if stub == "wrong":  # that a folder is there is all that is asked of these
        for kind in ("sd15", "sdxl"):
            assert rows.pop(f"{kind} model written")[0] == "ok"
    assert verdicts_of(rows) <= {"WRONG NUMBERS", "FAILED", "not run"}, rows
    assert len([row for row in rows.values() if row[0] != "not run"]) > 15
    assert status == 1


def test_wrong_numbers_are_told_from_failures(kit):
    _, rows = run(kit, "wrong")
    assert rows["parity with the reference, float32"][0] == "WRONG NUMBERS"
    assert rows["tiny server, flood"][0] == "FAILED"
    assert "INTERNAL" in rows["tiny server, flood"][1]


def test_a_model_that_cannot_be_made_costs_its_own_rows_alone(kit):
    (kit / "make_models.py").write_text("raise MemoryError('no room')")
    status, rows = run(kit, "good")
    assert status == 1
    assert rows["sd15 model written"][0] == "FAILED"
    assert "no room" in rows["sd15 model written"][1]
    not_made = ("not run", "its model was not made")
    assert rows["sd15 step, Genzo recorded"] == not_made
    assert rows["sd15 server, flood"] == not_made
    assert rows["tiny server, flood"][0] == "ok"
    assert rows["unload under load"][0] == "ok"


def test_programs_that_hang_are_left_when_time_is_up(kit):
    begin = time.monotonic()
    status, rows = run(kit, "hanging", "--budget-s", "12")
    assert time.monotonic() - begin < 60
    assert status == 1
    assert rows["kernels, graphs, sticky errors"][0] == "FAILED"
    assert rows["tiny server, flood"] == ("not run", "no time left")


def test_a_kit_that_cannot_be_unpacked_fails(kit):
    (kit / "programs.tar.xz").write_bytes(b"no archive")
    status, rows = run(kit, "good")
    assert status == 1
    assert rows.pop("machine")[0] == "FAILED"
    assert verdicts_of(rows) == {"not run"}
