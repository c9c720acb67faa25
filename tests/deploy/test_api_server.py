"""A real kube-apiserver with etcd, on this machine alone, takes what the chart makes."""

import json
import os
import socket
import subprocess
import time

import pytest
import yaml

from conftest import VALUES, objects, run, template, tool


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="session")
def kubectl(crds, tmp_path_factory):
    """Calls kubectl with arguments and a text; the namespace pictures wants restricted pods."""
    server, etcd, client = tool("kube-apiserver"), tool("etcd"), tool("kubectl")
    folder = tmp_path_factory.mktemp("cluster")
    store, port = free_port(), free_port()
    run("openssl", "genrsa", "-out", folder / "account.key", "2048")
    (folder / "tokens.csv").write_text("admin-token,admin,1,system:masters\n")
    log = open(folder / "log", "w")
    processes = [subprocess.Popen(list(map(str, command)), stdout=log, stderr=log) for command in (
        [etcd, "--data-dir", folder / "etcd", "--listen-peer-urls", f"http://127.0.0.1:{free_port()}",
         "--listen-client-urls", f"http://127.0.0.1:{store}",
         "--advertise-client-urls", f"http://127.0.0.1:{store}"],
        [server, "--etcd-servers", f"http://127.0.0.1:{store}", "--bind-address", "127.0.0.1",
         "--secure-port", port, "--cert-dir", folder / "certificates",
         "--service-account-key-file", folder / "account.key",
         "--service-account-signing-key-file", folder / "account.key",
         "--service-account-issuer", "https://kubernetes.default.svc",
         "--token-auth-file", folder / "tokens.csv", "--authorization-mode", "RBAC",
         "--service-cluster-ip-range", "10.0.0.0/24",
         "--disable-admission-plugins", "ServiceAccount"])]

    def call(*arguments, text=None, ok=True):
        return run(client, "--server", f"https://127.0.0.1:{port}", "--token", "admin-token",
                   "--insecure-skip-tls-verify", "--cache-dir", folder / "cache", *arguments,
                   input=text, ok=ok, env={**os.environ, "KUBECONFIG": str(folder / "none")})

    try:
        until = time.monotonic() + 120
        while call("get", "--raw", "/readyz", ok=False).stdout != "ok":
            if time.monotonic() > until or any(p.poll() is not None for p in processes):
                pytest.fail((folder / "log").read_text()[-3000:])
            time.sleep(0.3)
        call("apply", "--server-side", "-f", "-", text=yaml.safe_dump_all(crds))
        for crd in crds:
            call("wait", "--for=condition=Established", f"crd/{crd['metadata']['name']}")
        call("apply", "-f", "-", text=yaml.safe_dump({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "pictures", "labels": {
                f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}}}))
        yield call
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()


@pytest.mark.parametrize("name", VALUES)
def test_is_taken(name, kubectl):
    # The server's; a build of one's own does not say more of it.
    version = json.loads(kubectl("get", "--raw", "/version").stdout)
    version = f"{version['major']}.{version['minor']}.0"
    done = kubectl("apply", "--namespace", "pictures", "--dry-run=server", "-f", "-",
                   text=template(VALUES[name], version=version)[0])
    assert "serverside-applied" in done.stdout or "created (server dry run)" in done.stdout
    assert "Warning" not in done.stderr, done.stderr


@pytest.mark.parametrize("name", VALUES)
def test_pods_are_restricted(name, kubectl):
    """Deployments are only warned about; the pod itself is refused or taken."""
    for (kind, _), made in objects(VALUES[name]).items():
        if kind not in ("Deployment", "StatefulSet"):
            continue
        pod = {"apiVersion": "v1", "kind": "Pod", **made["spec"]["template"]}
        pod["metadata"]["name"] = "one"
        # What other objects would bring.
        pod["spec"].pop("serviceAccountName")
        pod["spec"].pop("runtimeClassName", None)
        create = ["create", "--namespace", "pictures", "--dry-run=server", "-f", "-"]
        if kind == "StatefulSet":
            pod["spec"]["volumes"].append({"name": "data", "emptyDir": {}})
        kubectl(*create, text=yaml.safe_dump(pod))
        pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
        refused = kubectl(*create, text=yaml.safe_dump(pod), ok=False)
        assert 'violates PodSecurity "restricted' in refused.stderr


def test_finds_what_schemas_do_not(kubectl):
    text = template(None)[0].replace("port: grpc, protocol: TCP", "port: Grpc_Port, protocol: TCP")
    done = kubectl("apply", "--namespace", "pictures", "--dry-run=server", "-f", "-", text=text, ok=False)
    assert done.returncode and "Invalid value" in done.stderr
