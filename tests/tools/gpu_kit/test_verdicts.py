"""What the kit makes of its programs' output: real ones, and what went wrong with them."""

import copy
import json
import struct
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2] / "tools/gpu_kit"))
import coarse_weights  # noqa: E402
import verdicts  # noqa: E402

REPORTS = json.loads((HERE / "reports.json").read_text())
OUTCOMES_THAT_NEVER_PASS = ["INTERNAL", "LOST", "HUNG", "SERVER_GONE", "EVALUATION_FAILED"]


@pytest.fixture
def report(request):
    return copy.deepcopy(REPORTS[request.param])


every_scenario = pytest.mark.parametrize(
    ("scenario", "report"), [(name, name) for name in REPORTS], indirect=["report"])


def points(report):
    return report["scenarios"][0]["points"]


def spoil(point, outcome, count=1):
    point["outcomes"]["OK"] -= count
    point["outcomes"][outcome] = point["outcomes"].get(outcome, 0) + count
    point["succeeded"] -= count


# --- tests and parity -----------------------------------------------------------------------


def test_a_test_program_passes_if_all_its_tests_ran():
    end = "[==========] 8 tests from 2 test suites ran. (4 ms total)\n"
    assert verdicts.gtest(end + "[  PASSED  ] 8 tests.\n") == ("ok", "8 tests passed")
    assert verdicts.gtest(end + "[  PASSED  ] 7 tests.\n[  SKIPPED ] 1 test")[0] == "FAILED"
    verdict, words = verdicts.gtest(end + "[  PASSED  ] 7 tests.\n[  FAILED  ] A.B (1 ms)\n")
    assert (verdict, words) == ("FAILED", "1 tests fail: A.B")
    for text in ("", "[ RUN      ] A.B\n", "[==========] 0 tests from 0 test suites ran.\n"):
        assert verdicts.gtest(text)[0] == "FAILED"


def line(name, figures, end):
    return f"{name:44} {figures} {end}\n"


GOOD_LINES = line("sd1-txt2img", "ids 0 unet 7e-07 image 1", "PASS") + line(
    "tokenizer models/sd1/tokenizer", "texts 0", "PASS")
CASES = {"sd1-txt2img"}


def parity(lines, total, status, cases=CASES, excuses=()):
    return verdicts.parity(f"{lines}{total} in x\n", status, cases, excuses)


def test_parity_is_ok_when_every_case_passed_and_was_counted():
    assert parity(GOOD_LINES, "2 passed, 0 failed, 0 unsupported", 0) == ("ok", "2 cases pass")


@pytest.mark.parametrize(("lines", "total", "status"), [
    (GOOD_LINES, "", 1),  # ended early
    (GOOD_LINES, "", -6),
    (GOOD_LINES, "3 passed, 0 failed, 0 unsupported", 0),
    (GOOD_LINES, "2 passed, 0 failed, 0 unsupported", 1),
    ("", "0 passed, 0 failed, 0 unsupported", 2),
    (GOOD_LINES + line("a", "", "FAIL out of memory"), "2 passed, 1 failed, 0 unsupported", 1),
    (GOOD_LINES + line("a", "", "UNSUPPORTED kind x"), "2 passed, 0 failed, 1 unsupported", 0),
])
def test_parity_that_shows_nothing_failed(lines, total, status):
    assert parity(lines, total, status)[0] == "FAILED"


def test_parity_without_one_of_its_cases_failed():
    total = "2 passed, 0 failed, 0 unsupported"
    verdict, words = parity(GOOD_LINES, total, 0, CASES | {"sdxl-txt2img"})
    assert verdict == "FAILED"
    assert "1 of 2 cases are missing" in words
    assert parity(GOOD_LINES, total, 0, set())[0] == "FAILED"


def test_figures_beyond_their_bounds_are_wrong_numbers():
    lines = GOOD_LINES + line("a", "unet 7e-07 image 3(!)", "FAIL ")
    verdict, words = parity(lines, "2 passed, 1 failed, 0 unsupported", 1)
    assert verdict == "WRONG NUMBERS"
    assert "1 beyond their bounds: a" in words


def test_a_case_near_its_bound_is_excused_to_its_own():
    def verdict(figure):
        lines = GOOD_LINES + line("a", f"latents 0.2 rms {figure}(!)", "FAIL ")
        total = "2 passed, 1 failed, 0 unsupported"
        return parity(lines, total, 1, excuses={"a": 13.0})[0]

    assert verdict(8.7) == "ok"
    assert verdict(14) == "WRONG NUMBERS"
    assert verdict("nan") == "WRONG NUMBERS"


def test_expected_cases_are_the_goldens_of_half_precision_those_with_pictures(tmp_path):
    goldens = tmp_path / "goldens"
    goldens.mkdir()
    for name, tensors in (("a", ["image_uint8"]), ("b", ["latents"]), ("tokenizers", None)):
        (goldens / f"{name}.json").write_text("{}")
        if tensors is not None:
            header = json.dumps(dict.fromkeys(tensors, {})).encode()
            (goldens / f"{name}.safetensors").write_bytes(
                struct.pack("<Q", len(header)) + header)
    assert verdicts.expected_cases(tmp_path, half=False) == {"a", "b"}
    assert verdicts.expected_cases(tmp_path, half=True) == {"a"}


# --- times ----------------------------------------------------------------------------------

STEPS = ('{"cpu_seconds":0.014,"rows":1,"seconds":0.02,"what":"unet_step"}\n'
         '{"cpu_seconds":0.021,"rows":8,"seconds":0.08,"what":"unet_step"}\n'
         '{"cpu_seconds":0.006,"rows":1,"seconds":0.011,"what":"vae_decode"}\n')


def test_times_are_of_all_rows_that_were_asked_for():
    seconds = verdicts.seconds_by_rows(STEPS, "unet_step")
    assert seconds == {1: 0.02, 8: 0.08}
    assert verdicts.times(seconds, [1, 8], {"Genzo": {1: 0.01}}) == (
        "ok", "1: 20.0 ms, 8: 80.0 ms; over Genzo 1: 2.00")
    assert verdicts.times(seconds, [1, 2, 8]) == ("FAILED", "no time of 2 rows")
    assert verdicts.times({1: 0.0}, [1])[0] == "FAILED"
    assert verdicts.times({}, [1, 8])[0] == "FAILED"
    assert verdicts.times({}, [])[0] == "FAILED"


def test_a_broken_line_is_no_time():
    assert verdicts.seconds_by_rows('{"what": "unet_step", "rows": 1, "sec', "unet_step") == {}
    assert verdicts.seconds_by_rows('{"what": "unet_step", "rows": 1, "seconds": null}\n',
                                    "unet_step") == {}


def test_a_row_of_8_has_a_goal():
    def verdict(eight):
        seconds = {1: 0.02, 8: eight}
        return verdicts.with_goal_of_8(verdicts.times(seconds, [1, 8]), seconds)[0]

    assert verdict(0.08) == "ok"
    assert verdict(0.081) == "slow"
    assert verdicts.with_goal_of_8(verdicts.times({}, [1, 8]), {})[0] == "FAILED"


# --- a server under load --------------------------------------------------------------------


@every_scenario
def test_real_reports_are_ok(scenario, report):
    verdict, words = verdicts.judge(report, scenario)
    assert verdict == "ok"
    assert words


@every_scenario
@pytest.mark.parametrize("outcome", OUTCOMES_THAT_NEVER_PASS)
def test_one_bad_answer_fails_any_scenario(scenario, report, outcome):
    for i in range(len(points(report))):
        bad = copy.deepcopy(report)
        spoil(points(bad)[i], outcome)
        verdict, words = verdicts.judge(bad, scenario)
        assert verdict == "FAILED"
        assert outcome in words


@every_scenario
def test_reports_of_nothing_fail(scenario, report):
    def judged(change):
        bad = copy.deepcopy(report)
        change(bad, points(bad)[-1])
        return verdicts.judge(bad, scenario)[0]

    def no_calls(_, point):
        point |= {"calls": 0, "succeeded": 0, "outcomes": {}, "pictures_per_second": 0.0}

    assert judged(no_calls) == "FAILED"
    assert judged(lambda all, _: all.update(aborted="the server went away")) == "FAILED"
    assert judged(lambda all, _: all.update(scenarios=[])) == "FAILED"
    assert judged(lambda all, _: points(all).clear()) == "FAILED"
    assert judged(lambda _, point: point.update(lost=1)) == "FAILED"
    assert judged(lambda _, point: point.update(unsent=1)) == "FAILED"
    assert judged(lambda _, point: point.update(calls=point["calls"] + 1)) == "FAILED"
    other = "flood" if scenario != "flood" else "closed"
    assert verdicts.judge(report, other)[0] == "FAILED"


@pytest.mark.parametrize("report", ["flood"], indirect=True)
def test_the_flooder_alone_may_be_refused(report):
    spoil(points(report)[2], "QUEUE_FULL")
    verdict, words = verdicts.judge(report, "flood")
    assert verdict == "ok"
    assert "1 of the flooder's refused" in words
    spoil(points(report)[1], "QUEUE_FULL")
    assert verdicts.judge(report, "flood")[0] == "FAILED"


@pytest.mark.parametrize("report", ["cancel"], indirect=True)
def test_some_are_cancelled_and_not_all(report):
    none, most, unmeasured = (copy.deepcopy(report) for _ in range(3))
    cancelled = points(none)[0]["outcomes"].pop("CANCELLED")
    points(none)[0]["outcomes"]["OK"] += cancelled
    points(none)[0]["succeeded"] += cancelled
    spoil(points(most)[0], "CANCELLED", points(most)[0]["outcomes"]["OK"] - 1)
    unmeasured["scenarios"][0]["findings"]["cancel_to_slot_free_seconds"] = None
    for bad in (none, most, unmeasured):
        assert verdicts.judge(bad, "cancel")[0] == "FAILED"


@pytest.mark.parametrize("report", ["previews"], indirect=True)
def test_previews_must_come(report):
    points(report)[2]["first_preview_seconds"] = None
    assert verdicts.judge(report, "previews") == ("FAILED", "no preview came")


@pytest.mark.parametrize("report", ["identical"], indirect=True)
def test_other_bits_in_company_are_wrong_numbers(report):
    findings = report["scenarios"][0]["findings"]
    findings["fast_identical_share"] = 0.875
    assert verdicts.judge(report, "identical")[0] == "WRONG NUMBERS"
    findings["fast_compared"] = 0
    assert verdicts.judge(report, "identical")[0] == "FAILED"


@pytest.mark.parametrize("report", ["closed"], indirect=True)
def test_goals_are_for_pictures_and_for_the_share_of_the_bare_denoiser(report):
    def verdict(pictures, bare):
        points(report)[1]["pictures_per_second"] = pictures
        return verdicts.judge(report, "closed", goals=True, bare=bare)[0]

    bare = {1: 0.004, 8: 0.016}  # a row in 2 ms: 12.5 pictures/s
    assert verdict(12.0, bare) == "ok"
    assert verdict(11.5, bare) == "slow"  # 0.92 of the bare one's
    assert verdict(10.9, {8: 0.018}) == "slow"
    assert verdict(10.9, None) == "slow"
    assert verdict(12.0, None) == "FAILED"


# --- a server's own figures -----------------------------------------------------------------

PAGE = """# HELP genzo_out_of_memory_total Evaluations cut for want of memory.
genzo_out_of_memory_total{model="m"} 3
genzo_out_of_memory_total{model="n"} 1
genzo_device_up{device="cuda:0"} 1
"""


def test_metrics_are_summed_and_absent_ones_are_told():
    assert verdicts.metric(PAGE, "genzo_out_of_memory_total") == 4
    assert verdicts.metric(PAGE, "genzo_out_of_memory") is None


def test_a_device_that_was_taken_out_is_a_fault():
    assert verdicts.devices_fault(PAGE) == ""
    assert verdicts.devices_fault(PAGE + 'genzo_device_up{device="cuda:1"} 0\n') != ""
    assert verdicts.devices_fault("") != ""


# --- weights of the kit's model -------------------------------------------------------------


def test_coarse_weights_are_the_nearest_with_three_bits(tmp_path):
    values = [0.0, -0.0, 1.0, 1.0625, -1.07, 1.99, 6e-8, 0.1, -300.0]
    header = b'{"a":{}}'
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<9e", *values))
    coarse_weights.round_file(path)
    data = path.read_bytes()
    assert data[8:16] == header
    assert struct.unpack("<9e", data[16:]) == (
        0.0, -0.0, 1.0, 1.125, -1.125, 2.0, 0.0, 0.1015625, -288.0)
