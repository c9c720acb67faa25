"""What can be seen of a real server: figures, rules, dashboard, spans, logs."""

import base64
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess

import promql_parser
import pytest
import yaml
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

import figures
import rig as rigs

ROOT = rigs.ROOT
RULES = ROOT / "deploy/prometheus/genzo.rules.yaml"
DASHBOARD = ROOT / "deploy/grafana/genzo.json"
RUNBOOK = ROOT / "docs/operations.md"
# Of one family; more would be a label that clients fill.
MOST_SERIES = 60


@pytest.fixture(scope="session")
def rig(tmp_path_factory):
    with rigs.Rig(tmp_path_factory.mktemp("observe")) as made:
        made.answer_headers, _ = made.traced()
        made.load()
        made.page = rigs.get(f"http://{made.admin}/metrics")
        yield made


@pytest.fixture
def prometheus(rig):
    if not rig.has_prometheus:
        pytest.skip("there is no Prometheus here")
    return rig


# --- figures -------------------------------------------------------------------


def test_the_table_of_figures_is_what_the_server_has(rig):
    assert not figures.differences(rig.page)


def test_a_model_that_is_gone_is_told_of_no_more(rig):
    model = rig.folder / "models/passing"
    shutil.copytree(ROOT / "models/emaki", rig.folder / "passing")
    os.rename(rig.folder / "passing", model)

    def rows():
        top = rig.genzo("top", "--admin", rig.admin, "--json", "--interval", 0.1).stdout
        return [row["model"] for row in json.loads(top)["models"]]

    rigs.await_true(lambda: "passing" in rows(), "the model comes")
    assert 'model="passing"' in rigs.get(f"http://{rig.admin}/metrics")
    shutil.rmtree(model)
    rigs.await_true(lambda: "passing" not in rows(), "its row goes")
    assert 'model="passing"' not in rigs.get(f"http://{rig.admin}/metrics")
    assert rows() == ["emaki"]


def test_nobody_can_fill_a_label(rig):
    many = {n: count for n, (_, _, count) in figures.families(rig.page).items() if count > MOST_SERIES}
    assert not many


# --- rules and dashboard ---------------------------------------------------------


def rules():
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard_queries():
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", []):
            text = target["expr"].replace("$__rate_interval", "30s")
            yield panel["title"], re.sub(r"\$(namespace|job|instance|model)", ".*", text)


def selectors(node):
    """Every vector selector in a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
        return
    for name in ("expr", "lhs", "rhs", "param", "vector_selector", "args"):
        child = getattr(node, name, None)
        for part in child if isinstance(child, list) else [child]:
            if part is not None and not isinstance(part, (str, float, int)):
                yield from selectors(part)


def test_the_dashboard_is_what_its_table_makes():
    path = ROOT / "deploy/grafana/make_dashboard.py"
    spec = importlib.util.spec_from_file_location("make_dashboard", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert json.loads(DASHBOARD.read_text()) == module.dashboard()
    panels = [p for p in module.dashboard()["panels"] if p["type"] != "row"]
    for panel in panels:
        assert panel["title"] and panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("title, query", list(dashboard_queries()))
def test_every_query_of_the_dashboard_is_of_the_installation_that_is_chosen(title, query):
    found = list(selectors(promql_parser.parse(query)))
    assert found
    for selector in found:
        named = {m.name for m in selector.matchers.matchers}
        assert {"namespace", "job", "instance"} <= named, f"{title}: {selector.name}"


def test_the_dashboards_variables_narrow_each_other():
    variables = {
        v["name"]: v["query"] for v in json.loads(DASHBOARD.read_text())["templating"]["list"]
    }
    chosen = ["namespace", "job", "instance", "model"]
    assert list(variables) == ["datasource", *chosen]
    for i, name in enumerate(chosen):
        assert variables[name].endswith(f", {name})")
        for before in chosen[:i]:
            assert f'{before}=~"${before}"' in variables[name]


@pytest.mark.parametrize("title, query", list(dashboard_queries()))
def test_every_query_of_the_dashboard_returns_data(prometheus, title, query):
    assert prometheus.query(query), f"{title}: {query}"


@pytest.mark.parametrize("rule", [r for r in rules() if "record" in r], ids=lambda r: r["record"])
def test_every_recording_rule_records(prometheus, rule):
    assert prometheus.query(rule["record"]), rule["expr"]


@pytest.mark.parametrize("rule", [r for r in rules() if "alert" in r], ids=lambda r: r["alert"])
def test_every_alert_looks_at_series_that_are_there(prometheus, rule):
    found = list(selectors(promql_parser.parse(rule["expr"])))
    assert found
    for selector in found:
        # A code or result that did not come yet is fine, a wrong label is not.
        optional = {"code", "result", "reason", "outcome"}
        matchers = [str(m) for m in selector.matchers.matchers if m.name not in optional]
        named = [f'{m.name}!=""' for m in selector.matchers.matchers if m.name in optional]
        query = f"{selector.name}{{{', '.join(matchers + named)}}}"
        assert prometheus.query(f"count({query})"), query


def test_the_rules_do_what_their_tests_say():
    promtool = rigs.TOOLS / "promtool"
    if not promtool.exists():
        pytest.skip("there is no promtool here")
    subprocess.run([promtool, "check", "rules", RULES], check=True)
    tests = ROOT / "tests/observe/rules_test.yaml"
    subprocess.run([promtool, "test", "rules", tests.name], check=True, cwd=tests.parent)


# --- runbook -----------------------------------------------------------------------


def test_the_runbook_has_every_alert():
    titles = re.findall(r"^### (\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert sorted(titles) == sorted(r["alert"] for r in rules() if "alert" in r)
    for rule in rules():
        if "alert" in rule:
            anchor = rule["annotations"]["runbook"].split("#")[1]
            assert anchor == rule["alert"].lower()


def commands(path):
    """Indented lines of a page that begin like a command."""
    for line in path.read_text().splitlines():
        if re.match(r"    (genzo|curl|kill|grpcurl|journalctl) ", line):
            yield line.strip()


@pytest.mark.parametrize("command", list(dict.fromkeys(commands(RUNBOOK))))
def test_every_command_of_the_runbook_works(rig, command):
    if command.startswith("grpcurl") and shutil.which("grpcurl") is None:
        pytest.skip("there is no grpcurl here")
    unit = re.match(r"journalctl -u (\S+)( --since \S+)? ", command)
    job = ""
    if unit or "JOB" in command:
        job = rig.genzo("generate", "a fox", "--detach").stdout.strip()
    command = (
        command.replace("127.0.0.1:9464", rig.admin)
        .replace("127.0.0.1:50051", rig.grpc)
        .replace("JOB", job)
        .replace("$(pidof genzo-server)", str(rig.server.pid))
    )
    # What journald has of the unit, the rig has in a file.
    if unit:
        assert (ROOT / f"deploy/systemd/{unit[1]}.service").exists(), command
        command = f"set -o pipefail; cat {rig.log} " + command[unit.end():]
        rig.genzo("cancel", job)  # for an end that is no good one
    environment = {
        **os.environ,
        "PATH": f"{rigs.BIN}:{os.environ['PATH']}",
        "GENZO_SERVER": rig.grpc,
        "GENZO_ADMIN": rig.admin,
    }

    def works():
        done = subprocess.run(["bash", "-c", command], env=environment, timeout=60,
                              cwd=rig.folder, stdout=subprocess.PIPE)
        return done.returncode == 0

    if unit:  # a job that is cancelled ends a step later
        rigs.await_true(works, command)
    else:
        assert works()


# --- spans ------------------------------------------------------------------------


@pytest.fixture(scope="session")
def spans(rig):
    """All that came, read by opentelemetry-proto."""
    whole = {"http", "job", "deliver"}
    rigs.await_true(lambda: whole <= names_of_the_callers_spans(rig), "the traced job's spans come")
    read = []
    for path, media_type, body in rig.collector.bodies:
        assert path == "/v1/traces" and media_type == "application/json"
        request = json_format.ParseDict(with_base64(json.loads(body)), ExportTraceServiceRequest())
        for resource in request.resource_spans:
            attributes = {a.key: a.value.string_value for a in resource.resource.attributes}
            assert attributes["service.name"] == "genzo"
            for scope in resource.scope_spans:
                read += scope.spans
    return read


def names_of_the_callers_spans(rig):
    return {
        span["name"]
        for _, _, body in rig.collector.bodies
        for resource in json.loads(body)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
        if span["traceId"] == rigs.TRACE
    }


def with_base64(node):
    """Ids in hex, as OTLP's JSON has them, in base64, as protobuf's has bytes."""
    if isinstance(node, dict):
        return {
            key: base64.b64encode(bytes.fromhex(value)).decode()
            if key in ("traceId", "spanId", "parentSpanId")
            else with_base64(value)
            for key, value in node.items()
        }
    return [with_base64(part) for part in node] if isinstance(node, list) else node


def test_a_callers_trace_goes_through_to_the_last_byte(rig, spans):
    mine = [s for s in spans if s.trace_id.hex() == rigs.TRACE]
    by_name = {s.name: s for s in mine}
    parts = ["admit", "queue", "encode", "denoise", "decode", "deliver"]
    assert sorted(by_name) == sorted(["http", "job", *parts])
    assert by_name["http"].parent_span_id.hex() == rigs.PARENT
    assert by_name["job"].parent_span_id == by_name["http"].span_id
    for name in parts:
        assert by_name[name].parent_span_id == by_name["job"].span_id
        assert by_name[name].start_time_unix_nano <= by_name[name].end_time_unix_nano
    begins = [by_name[name].start_time_unix_nano for name in parts]
    assert begins == sorted(begins)
    told = rig.answer_headers["traceparent"]
    assert told == f"00-{rigs.TRACE}-{by_name['http'].span_id.hex()}-01"


def test_a_step_is_one_span_that_links_to_its_jobs(spans):
    jobs = {(s.trace_id, s.span_id) for s in spans if s.name == "job"}
    steps = [s for s in spans if s.name == "step"]
    assert steps
    linked = {(link.trace_id, link.span_id) for s in steps for link in s.links}
    assert jobs & linked
    assert max(len(s.links) for s in steps) > 1
    for step in steps:
        assert step.links and not step.parent_span_id


def test_nobody_can_read_a_prompt_in_a_span(rig):
    assert all(rigs.SECRET_PROMPT.encode() not in body for _, _, body in rig.collector.bodies)


# --- logs -------------------------------------------------------------------------


def test_every_line_of_the_log_is_an_object(rig):
    lines = [json.loads(line) for line in rig.log.read_text().splitlines()]
    assert all({"ts", "level", "msg"} <= set(line) for line in lines)
    accepted = [line for line in lines if line["msg"] == "job accepted"]
    mine = [line for line in accepted if line.get("trace") == rigs.TRACE]
    assert len(mine) == 1
    assert mine[0]["model"] == "emaki" and mine[0]["job"]
    ended = [line for line in lines if line["msg"] == "job ended"]
    assert [e["state"] for e in ended if e["job"] == mine[0]["job"]] == ["JOB_STATE_SUCCEEDED"]
    refused = [line for line in lines if line["msg"] == "refused"]
    assert "MODEL_NOT_FOUND" in {line["reason"] for line in refused}
    assert rigs.SECRET_PROMPT not in rig.log.read_text()


# --- genzo --------------------------------------------------------------------------


def test_top_says_what_the_page_says(rig):
    shown = json.loads(rig.genzo("top", "--admin", rig.admin, "--json", "--interval", 0.2).stdout)
    assert shown["ready"] is True
    assert shown["devices"][0]["device"] == "cpu:0"
    assert shown["models"][0]["model"] == "emaki"
    shown = rig.genzo("top", "--admin", rig.admin, "--count", 1, "--interval", 0.2).stdout
    assert "emaki" in shown and "MODEL" in shown


def test_a_model_is_drained_and_comes_back(rig):
    drained = json.loads(rig.genzo("models", "drain", "emaki", "--json").stdout)
    assert drained["state"] == "STATE_DRAINED"
    refused = rig.genzo("generate", "a fox", check=False)
    assert refused.returncode == 4 and "out of use" in refused.stderr
    assert "drained" in rig.genzo("models").stdout
    loaded = json.loads(rig.genzo("models", "load", "emaki", "--json").stdout)
    assert loaded["state"] == "STATE_RESIDENT"
    rig.genzo("generate", "a fox", "--steps", 2, "--output", rig.folder)


SHELLS = {
    "bash": 'eval "$(genzo completion bash)"; COMP_WORDS=(genzo models l); COMP_CWORD=2;'
    ' COMP_LINE="genzo models l"; COMP_POINT=${#COMP_LINE}; _genzo genzo l models;'
    ' echo "${COMPREPLY[@]}"',
    "fish": "genzo completion fish | source; complete -C'genzo models l'",
    "zsh": 'compdef() { :; }; compadd() { echo "${(@P)2}"; }; eval "$(genzo completion zsh)";'
    " words=(genzo models l); CURRENT=3; _genzo",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_shells_complete(shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    environment = {**os.environ, "PATH": f"{rigs.BIN}:{os.environ['PATH']}"}
    # Where no file is offered beside.
    answer = subprocess.run([shell, "-c", SHELLS[shell]], env=environment, check=True,
                            capture_output=True, text=True, cwd=tmp_path)
    assert shlex.split(answer.stdout) == ["load"]


# --- a picture ----------------------------------------------------------------------


def test_the_dashboard_can_be_drawn(prometheus, tmp_path):
    import picture

    path = os.environ.get("GENZO_DASHBOARD_PICTURE", tmp_path / "dashboard.png")
    picture.draw(prometheus, DASHBOARD, path, rigs.LOAD_SECONDS)
    assert os.path.getsize(path) > 20_000
