"""The Helm chart: what it makes is valid and safe, and its parts meet."""

import json
import os
import re
import subprocess

import pytest
import yaml

from conftest import (BY_VALUES, CHART, ROOT, VALUES, config, objects, of_bots, run, server,
                      template, tool)

# The oldest that the chart promises, and some since.
VERSIONS = ["1.28.0", "1.29.0", "1.31.0", "1.34.0", "1.36.0"]


@BY_VALUES
def test_lints(name):
    values = ["--values", VALUES[name]] if VALUES[name] else []
    run(tool("helm"), "lint", "--strict", CHART, *values)


@BY_VALUES
@pytest.mark.parametrize("version", VERSIONS)
def test_is_valid_in_kubernetes(name, version, schemas, tmp_path):
    if name == "image-volume" and version < "1.33":
        pytest.skip("no image volumes before 1.33")
    file = tmp_path / "all.yaml"
    file.write_text(template(VALUES[name], version=version)[0])
    location = f"{schemas(version)}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    summary = run(tool("kubeconform"), "-strict", "-summary", "-output", "json",
                  "-schema-location", location, file).stdout
    found = json.loads(summary)["summary"]
    assert found["valid"] >= 5 and not found["skipped"], summary


def test_kubeconform_would_find_a_misspelling(schemas, tmp_path):
    text = template(VALUES["gpu"])[0]
    location = f"{schemas('1.34.0')}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    for right, wrong in [("containerPort", "containrPort"), ("minReplicaCount", "minReplicasCount"),
                         ("  interval: 15s", "  intervall: 15s")]:
        assert right in text
        file = tmp_path / "wrong.yaml"
        file.write_text(text.replace(right, wrong))
        assert run(tool("kubeconform"), "-strict", "-schema-location", location, file,
                   ok=False).returncode


@BY_VALUES
def test_is_drained_in_time(name):
    """The grace period holds the wait, the drain, and what the server may take beyond it."""
    made = objects(VALUES[name])
    pod = server(made)["spec"]["template"]["spec"]
    [container] = pod["containers"]
    wait = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    grace = config(made)["shutdown_grace_seconds"]
    assert pod["terminationGracePeriodSeconds"] >= wait + grace + 25


@BY_VALUES
def test_labels_meet(name):
    """Services, the budget and the policy select the pods; the test pod is none of them."""
    made = objects(VALUES[name])
    labels = server(made)["spec"]["template"]["metadata"]["labels"]
    test = made.get(("Pod", "r-genzo-test"))
    selectors = [server(made)["spec"]["selector"]["matchLabels"]]
    for (kind, which), one in made.items():
        if of_bots(which):
            continue
        if kind == "Service":
            selectors.append(one["spec"]["selector"])
        if kind == "PodDisruptionBudget":
            selectors.append(one["spec"]["selector"]["matchLabels"])
        if kind == "NetworkPolicy" and not which.endswith("-test"):
            selectors.append(one["spec"]["podSelector"]["matchLabels"])
    assert len(selectors) >= 3
    for selector in selectors:
        assert selector.items() <= labels.items()
        assert not test or not selector.items() <= test["metadata"]["labels"].items()
    if monitor := made.get(("ServiceMonitor", "r-genzo")):
        wanted = monitor["spec"]["selector"]["matchLabels"]
        found = [o["metadata"]["name"] for (kind, _), o in made.items()
                 if kind == "Service" and wanted.items() <= o["metadata"]["labels"].items()]
        assert found == ["r-genzo-headless"]


@BY_VALUES
def test_containers_are_restricted(name):
    made = objects(VALUES[name])
    pods = [o["spec"]["template"]["spec"] for (kind, _), o in made.items()
            if kind in ("Deployment", "StatefulSet")]
    pods += [o["spec"] for (kind, _), o in made.items() if kind == "Pod"]
    for pod in pods:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"] + pod.get("initContainers", []):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]


def test_secrets_are_folders():
    """A file mounted by subPath would never change in the pod: keys could not be revoked."""
    for name in ("keys", "tokens", "results"):
        pod = server(objects(VALUES[name]))["spec"]["template"]["spec"]
        secrets = {v["name"] for v in pod["volumes"] if "secret" in v}
        assert secrets
        for container in pod["containers"]:
            assert not [m for m in container["volumeMounts"]
                        if "subPath" in m and m["name"] in secrets]


def admits(rule, labels):
    """Whether a rule's peers are also pods with these labels, of this namespace."""
    selectors = [peer["podSelector"] for peer in rule.get("from", [])
                 if "podSelector" in peer and "namespaceSelector" not in peer]
    return any(selector.get("matchLabels", {}).items() <= labels.items()
               and all(labels.get(e["key"]) in e["values"]
                       for e in selector.get("matchExpressions", []))
               for selector in selectors)


@BY_VALUES
def test_the_test_pod_is_let_in_whoever_else_is(name):
    narrow = '[{"ipBlock": {"cidr": "192.0.2.0/24"}}]'
    made = objects(VALUES[name], "--set-json", f"networkPolicy.from={narrow}")
    test = made.get(("Pod", "r-genzo-test"))
    policy = made.get(("NetworkPolicy", "r-genzo"))
    if not test or not policy:
        assert name in ("tokens", "certificates", "image-volume")
        return
    rules = [rule for rule in policy["spec"]["ingress"] if admits(rule, test["metadata"]["labels"])]
    assert [rule["ports"] for rule in rules] == [[{"port": "grpc", "protocol": "TCP"}]]
    stranger = {**test["metadata"]["labels"], "app.kubernetes.io/component": "other"}
    assert not any(admits(rule, stranger) for rule in policy["spec"]["ingress"])


def test_administrators_come_by_a_port_of_their_own():
    """One of server, Service and policy; of the policy, for nobody who is not named."""
    def ports(made):
        [container] = server(made)["spec"]["template"]["spec"]["containers"]
        return {port["name"]: port["containerPort"] for port in container["ports"]}

    plain = objects(None)
    assert "admin_listen" not in config(plain) and "model-admin" not in ports(plain)
    assert ("Service", "r-genzo-model-admin") not in plain
    made = objects(VALUES["keys"])
    port = ports(made)["model-admin"]
    assert config(made)["admin_listen"] == f"0.0.0.0:{port}"
    spec = made["Service", "r-genzo-model-admin"]["spec"]
    assert [(one["port"], one["targetPort"]) for one in spec["ports"]] == [(port, "model-admin")]
    # Each server by itself, also one that has to be mended before it is ready.
    assert spec["clusterIP"] == "None" and spec["publishNotReadyAddresses"] is True

    def rules(made):
        return [rule for rule in made["NetworkPolicy", "r-genzo"]["spec"]["ingress"]
                if {"port": "model-admin", "protocol": "TCP"} in rule["ports"]]

    [rule] = rules(made)
    assert len(rule["ports"]) == 1 and admits(rule, {"app": "model-pipeline"})
    assert not admits(rule, {"app": "other"})
    assert not rules(objects(VALUES["keys"], "--set-json", "networkPolicy.modelAdminFrom=[]"))


def test_callers_need_no_ca_of_a_public_authority():
    """Its Secrets have none, and a pod that mounts what is not there never starts."""
    made = objects(VALUES["bots"], "--set", "tls.publicAddress=genzo.example.org:443")
    bots = [o for (kind, name), o in made.items() if kind == "Deployment" and of_bots(name)]
    pods = [o["spec"]["template"]["spec"] for o in bots] + [made["Pod", "r-genzo-test"]["spec"]]
    assert len(pods) == 5
    for pod in pods:
        [container] = pod["containers"]
        assert "--server=genzo.example.org:443" in container["args"]
        assert not [v for v in pod["volumes"] if "secret" in v]
        trusted = [v["value"] for v in container["env"] if v["name"] == "GENZO_CA_FILE"]
        assert trusted == ["system"] or "--tls" in container["args"] and not trusted
    for name in ("test", "discord"):
        ways = made["NetworkPolicy", f"r-genzo-{name}"]["spec"]["egress"]
        assert {"ports": [{"port": 443, "protocol": "TCP"}]} in ways


def test_bots_reach_the_server_and_their_services():
    """Each by labels that only its own pod has, through policies that let it."""
    made = objects(VALUES["bots"])
    [_, ours, _] = made["NetworkPolicy", "r-genzo"]["spec"]["ingress"]
    server_labels = server(made)["spec"]["template"]["metadata"]["labels"]
    for service in ("discord", "line", "slack", "telegram"):
        bot = made["Deployment", f"r-genzo-{service}"]["spec"]
        labels = bot["template"]["metadata"]["labels"]
        assert bot["strategy"] == {"type": "Recreate"} and bot["replicas"] == 1
        assert bot["selector"]["matchLabels"].items() <= labels.items()
        assert not bot["selector"]["matchLabels"].items() <= server_labels.items()
        assert admits(ours, labels)
        policy = made["NetworkPolicy", f"r-genzo-{service}"]["spec"]
        assert policy["podSelector"]["matchLabels"] == bot["selector"]["matchLabels"]
        assert ("ingress" in policy) == (service != "telegram")
        assert (("Service", f"r-genzo-{service}") in made) == (service != "telegram")
        [container] = bot["template"]["spec"]["containers"]
        assert container["envFrom"] == [{"secretRef": {"name": f"{service}-bot"}}]
        assert "--server=r-genzo:50051" in container["args"]
    [rule] = made["Ingress", "r-genzo-bots"]["spec"]["rules"]
    assert rule["host"] == "bots.example.org"
    assert [path["path"] for path in rule["http"]["paths"]] == ["/discord", "/line", "/slack"]


def test_the_bots_program_takes_the_charts_arguments():
    """genzo-bots itself reads what the chart and its image call it with."""
    python = ROOT / ".deps/bots/bin/python"
    if not python.exists():
        pytest.skip("the bots are not installed: ./dev check bots")
    image = (ROOT / "client/bots/Dockerfile").read_text()
    [_, *before] = json.loads(re.search(r"^ENTRYPOINT (.*)$", image, re.MULTILINE)[1])
    made = objects(VALUES["bots"])
    for service in ("discord", "line", "slack", "telegram"):
        pod = made["Deployment", f"r-genzo-{service}"]["spec"]["template"]["spec"]
        arguments = before + pod["containers"][0]["args"]
        done = run(python, "-m", "genzo_bots.main", *arguments, ok=False, env={})
        # All that is missing is what the Secret holds.
        assert "not in the environment" in done.stderr, done.stderr
    program = (ROOT / "client/bots/src/genzo_bots/main.py").read_text()
    guarded = objects(VALUES["bots"], "--set", "bots.apiKeySecret.name=key,tls.secretName=tls")
    pod = guarded["Deployment", "r-genzo-discord"]["spec"]["template"]["spec"]
    named = [variable["name"] for variable in pod["containers"][0]["env"]]
    assert "GENZO_API_KEY" in named and "GENZO_CA_FILE" in named
    for name in named:
        assert name == "PYTHONPATH" or f'"{name}"' in program, name
    policy = made["ConfigMap", "r-genzo-bots"]["data"]["policy.py"]
    names = {}
    exec(policy, names)
    assert names["refuse"]


def test_gpu_has_a_name_and_a_taint():
    pod = server(objects(VALUES["mig"]))["spec"]["template"]["spec"]
    resources = pod["containers"][0]["resources"]
    assert resources["limits"]["nvidia.com/mig-1g.10gb"] == 1
    assert resources["requests"]["nvidia.com/mig-1g.10gb"] == 1
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"
    gpu = server(objects(VALUES["gpu"]))["spec"]
    assert gpu["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert gpu["template"]["spec"]["containers"][0]["image"].endswith("-cuda")


def test_autoscaler_and_replicas_do_not_fight():
    for name in ("gpu", "mig"):
        assert "replicas" not in server(objects(VALUES[name]))["spec"]


def test_busy_servers_are_not_stopped():
    """Neither because nothing waits, nor because nobody answers."""
    scaled = objects(VALUES["gpu"])["ScaledObject", "r-genzo"]["spec"]
    queries = [trigger["metadata"]["query"] for trigger in scaled["triggers"]]
    assert ["genzo_queue_cost_units" in q for q in queries] == [True, False]
    assert ["genzo_device_busy_seconds_total" in q for q in queries] == [False, True]
    assert float(scaled["triggers"][1]["metadata"]["threshold"]) == 1
    assert scaled["fallback"]["behavior"] == "currentReplicasIfHigher"
    for trigger in scaled["triggers"]:
        assert trigger["metricType"] == "AverageValue"  # which alone has a fallback
        assert trigger["metadata"]["ignoreNullValues"] == "false"
    metrics = objects(VALUES["mig"])["HorizontalPodAutoscaler", "r-genzo"]["spec"]["metrics"]
    assert [one["pods"]["metric"]["name"] for one in metrics] == [
        "genzo_queue_cost_units", "genzo_device_busy"]


@pytest.mark.parametrize("name", ["genzo", "g" * 46, "g" * 47, "g" * 48, "g" * 52])
def test_the_scaler_counts_its_own_pods_alone(name):
    made = objects(VALUES["gpu"], "--set", f"fullnameOverride={name}")
    for trigger in made["ScaledObject", name]["spec"]["triggers"]:
        [pattern] = re.findall(r'pod=~"([^"]*)"', trigger["metadata"]["query"])
        assert 'namespace="pictures"' in trigger["metadata"]["query"]
        for template_hash in ("6d4cf56db6", "b7c4d"):
            # As Kubernetes makes a name: 58 characters and 5.
            mine = f"{name}-{template_hash}-"[:58] + "x7k2p"
            assert re.fullmatch(pattern, mine), mine
        for other in (f"{name}-b-6d4cf56db6-x7k2p", f"{name}-b-0", f"a-{name}-6d4cf56db6-x7k2p",
                      f"{name}-telegram-6d4cf56db6-x7k2p"):
            assert not re.fullmatch(pattern, other), other


def copying(values, root):
    """What copies models, with /copy and the image's folder below another root."""
    pod = server(objects(VALUES[values]))["spec"]["template"]["spec"]
    [copies] = [c for c in pod["initContainers"] if c["name"] == "copy-models"]
    environment = {v["name"]: v["value"] for v in copies["env"]}
    [mount] = [m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "models"]
    assert mount["subPath"] == environment["FOLDER"]
    script = copies["args"][0].replace("/copy", f"{root}/copy")

    def start(pod_name, **more):
        return subprocess.Popen(
            [*copies["command"], script],
            env={"PATH": os.environ["PATH"], "HOSTNAME": pod_name, **environment,
                 "MODELS": f"{root}/image", **more})

    return start, root / "copy" / environment["FOLDER"]


def test_pods_that_copy_at_once_do_not_meet(tmp_path):
    start, filled = copying("results", tmp_path)
    for number in range(200):
        file = tmp_path / "image" / f"{number % 7}" / str(number)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("a weight\n" * number)
    (tmp_path / "copy").mkdir()
    # Of a pod that was killed and comes back.
    (tmp_path / "copy/.part-r-genzo-0").mkdir()
    (tmp_path / "copy/.part-r-genzo-0/half").write_text("")
    copies = [start(f"r-genzo-{number}") for number in range(4)]
    assert [one.wait() for one in copies] == [0] * 4
    assert [path.name for path in (tmp_path / "copy").iterdir()] == [filled.name]
    run("diff", "-r", tmp_path / "image", filled)
    assert len(list(filled.rglob("*"))) == len(list((tmp_path / "image").rglob("*")))


def test_a_filled_claim_is_left_as_it_is_and_another_image_beside_it(tmp_path):
    start, filled = copying("results", tmp_path)
    (tmp_path / "copy").mkdir()
    (tmp_path / "image").mkdir()
    (tmp_path / "image/model").write_text("1")
    assert start("r-genzo-0").wait() == 0
    with open(filled / "model") as reader:
        (tmp_path / "image/model").write_text("2")
        assert start("r-genzo-1").wait() == 0
        assert (filled / "model").read_text() == "1"
        assert start("r-genzo-1", FOLDER="another").wait() == 0
        assert reader.read() == "1" and (filled / "model").read_text() == "1"
    assert (tmp_path / "copy/another/model").read_text() == "2"
    # What cannot be copied gets no name.
    assert start("r-genzo-2", FOLDER="third", MODELS=f"{tmp_path}/none").wait()
    assert not (tmp_path / "copy/third").exists()


def test_the_alerts_know_the_targets():
    """Whatever the release is called: by a label that everything that scrapes sets."""
    made = objects(VALUES["gpu"], "--set", "fullnameOverride=paint")
    [endpoint] = made["ServiceMonitor", "paint"]["spec"]["endpoints"]
    assert {"targetLabel": "app", "replacement": "genzo"} in endpoint["relabelings"]
    plain = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yaml").read_text())
    [[targets]] = [job["static_configs"] for job in plain["scrape_configs"]]
    assert targets["labels"] == {"app": "genzo"}
    for group in made["PrometheusRule", "paint"]["spec"]["groups"]:
        for rule in group["rules"]:
            assert "genzo.*" not in rule["expr"]
            for series in re.findall(r"\b(?:up|process_\w+)\b(\{[^}]*\})?", rule["expr"]):
                assert 'app="genzo"' in series, rule["expr"]
            for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", rule["expr"]):
                assert "namespace" in labels.split(", "), rule["expr"]


def test_old_clusters_sleep_by_a_command():
    for version, action in [("1.29.0", "exec"), ("1.30.0", "sleep")]:
        pod = server(objects(None, version=version))["spec"]["template"]["spec"]
        assert list(pod["containers"][0]["lifecycle"]["preStop"]) == [action]


def test_a_changed_setting_starts_new_pods():
    def sum_of(*more):
        pod = server(objects(None, *more))["spec"]["template"]
        return pod["metadata"]["annotations"]["checksum/config"]

    assert sum_of() != sum_of("--set", "config.queue_capacity=65")


@BY_VALUES
def test_keeps_to_the_policies(name, tmp_path):
    """kube-score, but for what its checks get wrong here."""
    ignored = [
        # Images have versions; to pull them always would be to depend on the registry.
        "container-image-pull-policy",
        # emptyDirs have limits; one for the container would have to hold the models, too.
        "container-ephemeral-storage-request-and-limit",
        # Affinity is preferred, not required; one server is a fine number of them.
        "deployment-replicas", "deployment-has-host-podantiaffinity",
        "statefulset-has-host-podantiaffinity",
    ]
    if name == "image-volume":  # switches them off
        ignored += ["pod-networkpolicy", "deployment-has-poddisruptionbudget"]
    if name == "bots":  # one pod each, never two, which can answer as soon as it lives
        ignored += ["pod-probes-identical", "deployment-strategy"]
    file = tmp_path / "all.yaml"
    file.write_text(template(VALUES[name])[0])
    run(tool("kube-score"), "score", "--kubernetes-version", "v1.28", "--output-format", "ci",
        "--ignore-container-cpu-limit",  # it would only slow what shares the node anyway
        *[f"--ignore-test={one}" for one in ignored], file)


def test_rules_and_dashboards_are_those_of_deploy(tmp_path):
    """Also in the packed chart, where the links to them are files."""
    run(tool("helm"), "package", CHART, "--destination", tmp_path)
    [packed] = tmp_path.glob("*.tgz")
    run("tar", "xf", packed, cwd=tmp_path)
    groups = [group for path in sorted((ROOT / "deploy/prometheus").glob("*.yaml"))
              for group in yaml.safe_load(path.read_text()).get("groups", [])]
    boards = {path.name: json.loads(path.read_text())
              for path in (ROOT / "deploy/grafana").glob("*.json")}
    for chart in (CHART, tmp_path / "genzo"):
        made = objects(VALUES["gpu"], chart=chart)
        assert made["PrometheusRule", "r-genzo"]["spec"]["groups"] == groups
        data = made["ConfigMap", "r-genzo-dashboard"].get("data") or {}
        assert {name: json.loads(text) for name, text in data.items()} == boards


def test_version_is_the_projects():
    project = (ROOT / "CMakeLists.txt").read_text()
    version = re.search(r"project\(genzo VERSION ([0-9.]+)", project)[1]
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == version


def test_readme_names_every_value():
    readme = (CHART / "README.md").read_text()
    missing = [key for key in yaml.safe_load((CHART / "values.yaml").read_text())
               if f"`{key}" not in readme]
    assert not missing
