"""What the output of the kit's programs is worth: a verdict and words for the table. Pure: no
process is started here and no clock is read, so that good, bad and broken output can be tried in
tests/tools/gpu_kit. Silence is never good: what is not shown to be right is FAILED."""

import json
import re
import struct

OK, SLOW, WRONG, FAILED, NOT_RUN = "ok", "slow", "WRONG NUMBERS", "FAILED", "not run"
BAD = (WRONG, FAILED)

# On an H100.
GOAL_PICTURES = 11  # a second, SD1.5 at 512 px, 20 steps
GOAL_OF_BARE = 0.95  # of what the denoiser alone would allow
GOAL_ROW_OF_8 = 0.5  # time of a row among 8 over that of one alone

# Pictures that half precision may spoil further than to 30 dB, and how far in RMS: guidance
# multiplies that network's error by 7.5, and diffusers in bfloat16 is at the bound itself.
NEAR_THE_BOUND = {"scheduler-ddim-sample": 13.0}


# --- tests and parity -----------------------------------------------------------------------


def gtest(text):
    """Of a GoogleTest program: all tests ran, none was skipped."""
    ran = re.search(r"^\[=+\] (\d+) tests? from .* ran", text, re.M)
    failed = sorted(set(re.findall(r"^\[  FAILED  \] (\w+\.\w+)", text, re.M)))
    if failed:
        return FAILED, f"{len(failed)} tests fail: {', '.join(failed)}"
    if ran is None or int(ran[1]) == 0:
        return FAILED, "it did not come to its end"
    passed = re.search(r"^\[  PASSED  \] (\d+) test", text, re.M)
    if passed is None or passed[1] != ran[1]:
        return FAILED, f"{passed[1] if passed else 0} of {ran[1]} tests passed, the others skipped"
    return OK, f"{ran[1]} tests passed"


def expected_cases(reference, half):
    """Names that genzo_parity must come to in a reference folder; of half precision, pictures."""
    names = set()
    for manifest in (reference / "goldens").glob("*.json"):
        if manifest.stem in ("environment", "tokenizers"):
            continue
        with open(manifest.with_suffix(".safetensors"), "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        if not half or "image_uint8" in header:
            names.add(manifest.stem)
    return names


def _cases(text):
    """(name, figures, PASS or FAIL or UNSUPPORTED, the reason behind it) of genzo_parity."""
    for line in text.splitlines():
        found = re.match(r"(.*?) (PASS|FAIL|UNSUPPORTED)\b ?(.*)$", line)
        if found:
            yield line[:44].strip(), found[1][44:], found[2], found[3].strip()


def _excused(name, figures, excuses):
    beyond = re.findall(r"(\S+) (\S+)\(!\)", figures)
    return name in excuses and all(what == "rms" and float(value) <= excuses[name]
                                   for what, value in beyond)


def parity(text, status, expected, excuses=()):
    """A figure beyond its bound, which is marked (!), is a wrong number. A case that ended with an
    error, was left out or never came to its verdict shows nothing: FAILED."""
    counts = {"PASS": 0, "FAIL": 0, "UNSUPPORTED": 0}
    seen, wrong, near, broken = set(), [], [], []
    for name, figures, outcome, reason in _cases(text):
        counts[outcome] += 1
        seen.add(name)
        if outcome == "UNSUPPORTED":
            broken.append(f"{name} unsupported")
        elif outcome == "FAIL" and (reason or "(!)" not in figures):
            broken.append(f"{name}: {reason[:50]}")
        elif outcome == "FAIL" and _excused(name, figures, excuses):
            near.append(name)
        if outcome == "FAIL" and "(!)" in figures and name not in near:
            wrong.append(name)
    words = f"{counts['PASS']} cases pass"
    if near:
        words += f", near the bound as expected: {', '.join(near)}"
    if wrong:
        words += f", {len(wrong)} beyond their bounds: {', '.join(wrong[:3])}"
    total = re.search(r"^(\d+) passed, (\d+) failed, (\d+) unsupported", text, re.M)
    if total is None:
        broken.append(f"ended early, status {status}")
    elif [int(count) for count in total.groups()] != list(counts.values()):
        broken.append(f"its total is another: {total[0]}")
    elif status != (1 if counts["FAIL"] else 0):
        broken.append(f"status {status}")
    missing = sorted(set(expected) - seen)
    if missing or not expected:
        broken.append(f"{len(missing)} of {len(expected)} cases are missing")
    if broken:
        words += f"; {len(broken)} errors: {'; '.join(broken[:3])}"
    return WRONG if wrong else FAILED if broken else OK, words


# --- times ----------------------------------------------------------------------------------


def json_lines(text):
    for line in text.splitlines():
        try:
            value = json.loads(line) if line.startswith("{") else None
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value


def seconds_by_rows(text, what):
    """Of JSON lines, those of `what`."""
    return {line["rows"]: line["seconds"] for line in json_lines(text)
            if line.get("what") == what and "rows" in line
            and isinstance(line.get("seconds"), (int, float))}


def times(seconds, rows, over=None):
    """Seconds by rows, of all `rows`; `over`: {name: seconds of another side}, whose ratio to it
    is told."""
    missing = [row for row in rows if not seconds.get(row, 0) > 0]
    if missing or not rows:
        return FAILED, f"no time of {', '.join(map(str, missing)) or 'any'} rows"
    words = ", ".join(f"{row}: {seconds[row] * 1e3:.1f} ms" for row in rows)
    for name, others in (over or {}).items():
        shares = [f"{row}: {seconds[row] / others[row]:.2f}" for row in rows if others.get(row)]
        words += f"; over {name} {', '.join(shares) or 'unknown'}"
    return OK, words


def with_goal_of_8(verdict, seconds):
    """`verdict` of times() held to the goal for 8 rows."""
    if verdict[0] != OK:
        return verdict
    share = seconds[8] / 8 / seconds[1]
    return (OK if share <= GOAL_ROW_OF_8 else SLOW,
            f"{verdict[1]}; a row of 8 takes {share:.2f} of one alone (goal {GOAL_ROW_OF_8})")


# --- a server under load: genzo-bench's report ----------------------------------------------

# What calls may come to beside pictures: by scenario, by the point's label.
ALLOWED = {"flood": {"flooder": {"QUEUE_FULL", "QUOTA_EXCEEDED"}},
           "cancel": {"15 % cancelled": {"CANCELLED"}}}
MOST_CANCELLED = 0.4  # of 15 % planned, in a few calls


def _point_faults(point, allowed):
    outcomes, calls = point["outcomes"], point["calls"]
    pictures = outcomes.get("OK", 0)
    faults = []
    if calls <= 0 or pictures <= 0 or not point["pictures_per_second"] > 0:
        faults.append(f"{pictures} pictures of {calls} calls")
    others = {what: count for what, count in outcomes.items() if what not in {"OK"} | allowed}
    if others:
        faults.append(str(others))
    if sum(outcomes.values()) != calls or point["succeeded"] != pictures:
        faults.append(f"{calls} calls and {point['succeeded']} pictures of {outcomes}")
    faults += [f"{count} {what}" for what in ("lost", "hung", "unsent")
               if (count := point[what]) > 0]
    return [f"{point['label']}: {fault}" for fault in faults]


def faults(report, scenario):
    """What must not be in any scenario's report, in words; empty: nothing."""
    if report.get("aborted"):
        return [report["aborted"]]
    scenarios = report["scenarios"]
    if [one["name"] for one in scenarios] != [scenario] or not scenarios[0]["points"]:
        return [f"nothing of {scenario} was measured"]
    allowed = ALLOWED.get(scenario, {})
    return [fault for point in scenarios[0]["points"]
            for fault in _point_faults(point, allowed.get(point["label"], set()))]


def judge(report, scenario, **more):
    """A report of one scenario. `more` is of closed alone: see _closed."""
    found = faults(report, scenario)
    if found:
        return FAILED, "; ".join(found)[:200]
    only = report["scenarios"][0]
    return _JUDGES[scenario](only["points"], only["findings"], **more)


def _closed(points, findings, bare=None, goals=False):
    """`bare`: the denoiser's own seconds by rows; `goals`: an H100's are to be met."""
    most = max(point["pictures_per_second"] for point in points)
    words = f"{most:.2f} pictures/s, gain by clients {findings.get('gain_over_one_client')}"
    if not goals:
        return OK, words
    words += f" (goal {GOAL_PICTURES} pictures/s)"
    verdict = OK if most >= GOAL_PICTURES else SLOW
    if not bare:
        words += "; the bare denoiser's speed is unknown"
        return (FAILED if verdict == OK else verdict), words
    # Two rows a picture and step; the decode is to be hidden.
    limit = 1 / (20 * 2 * min(seconds / rows for rows, seconds in bare.items()))
    words += f"; {most / limit:.2f} of the bare denoiser's {limit:.2f} (goal {GOAL_OF_BARE})"
    return (verdict if most >= GOAL_OF_BARE * limit else SLOW), words


def _identical(points, findings):
    shares = {}
    for mode in ("fast", "reproducible"):
        if not findings.get(f"{mode}_compared"):
            return FAILED, f"no {mode} pictures were compared"
        shares[mode] = findings.get(f"{mode}_identical_share")
    return OK if set(shares.values()) == {1} else WRONG, f"share with equal bits {shares}"


def _poisson(points, findings):
    words = [f"{point['calls']} pictures, first step after {point['first_step_seconds']['p50']:.3f}"
             f" s, p99 {point['first_step_seconds']['p99']:.3f}" for point in points]
    return OK, "; ".join(words)


def _previews(points, findings):
    every_step = [point for point in points if point["label"] == "previews every step"]
    if not every_step or not every_step[0]["first_preview_seconds"]:
        return FAILED, "no preview came"
    return OK, (f"cost {findings['cost_every_5_percent']:.1f} % every 5 steps, "
                f"{findings['cost_every_step_percent']:.1f} % every step")


def _flood(points, findings):
    slowed = findings.get("light_p99_over_alone")
    refused = sum(point["calls"] - point["succeeded"] for point in points)
    if not slowed or len(points) != 3:
        return FAILED, "light tenants were not measured alone and beside the flood"
    return OK, f"light tenants' p99 {slowed:.2f} of alone, {refused} of the flooder's refused"


def _cancel(points, findings):
    calls = sum(point["calls"] for point in points)
    cancelled = sum(point["outcomes"].get("CANCELLED", 0) for point in points)
    words = f"{cancelled} of {calls} cancelled"
    free = findings.get("cancel_to_slot_free_seconds")
    if not 0 < cancelled <= MOST_CANCELLED * calls:
        return FAILED, words
    if not free:
        return FAILED, f"{words}; {findings.get('cancel_to_slot_free_error', 'slots unmeasured')}"
    return OK, f"{words}, slot free after {free['p50']:.3f} s, p99 {free['p99']:.3f}"


_JUDGES = {"closed": _closed, "identical": _identical, "poisson": _poisson,
           "previews": _previews, "flood": _flood, "cancel": _cancel}


# --- a server's own figures -----------------------------------------------------------------


def metric(page, name):
    """The sum of a metric over its labels on a page of Prometheus's; None if it is not there."""
    values = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", page, re.M)
    return sum(map(float, values)) if values else None


def devices_fault(page):
    """Why its devices are not all in use, in words; empty: they are."""
    up = re.findall(r"^genzo_device_up(?:{[^}]*})? (\S+)$", page, re.M)
    if not up:
        return "its devices' health is unknown"
    return "" if all(float(value) == 1 for value in up) else "its device was taken out"
