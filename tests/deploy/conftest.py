"""What the tests of deploy/ share. A tool that cannot be had skips its tests, and they say so."""

import json
import pathlib
import shutil
import subprocess

import pytest
import yaml

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
FOLDER = ROOT / ".deps" / "deploy"
CHART = ROOT / "deploy" / "helm" / "genzo"
VALUES = {"default": None} | {
    path.name.removesuffix("-values.yaml"): path for path in sorted(CHART.glob("ci/*-values.yaml"))
}
BY_VALUES = pytest.mark.parametrize("name", VALUES)
# Modules with the definitions of what the chart asks other programs for.
CRDS = {
    "github.com/prometheus-operator/prometheus-operator@v0.85.0":
        "example/prometheus-operator-crd/*_{servicemonitors,prometheusrules}.yaml",
    "github.com/kedacore/keda/v2@v2.21.0": "config/crd/bases/keda.sh_{scaledobjects}.yaml",
    "sigs.k8s.io/gateway-api@v1.4.0": "config/crd/standard/*_{grpcroutes,httproutes}.yaml",
}


def run(*command, ok=True, **more):
    """Runs a command; fails the test, with what it printed, unless it ends well."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **more)
    if ok and done.returncode:
        pytest.fail(f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}", pytrace=False)
    return done


def tool(name):
    """The path of a program: one of ours, of the environment, or of Debian."""
    path = FOLDER / "bin" / name
    if path.exists():
        return str(path)
    found = shutil.which(name) or shutil.which(name, path=str(FOLDER / "venv" / "bin"))
    return found or pytest.skip(f"{name} is not there")


def program(name):
    """One of Genzo's own."""
    path = ROOT / "build" / "release" / "bin" / name
    return path if path.exists() else pytest.skip(f"{name} is not built")


def template(values, *more, version="1.34.0", ok=True, chart=CHART):
    """What `helm template` makes of a set of values: (text, error)."""
    done = run(tool("helm"), "template", "r", chart, "--namespace", "pictures", "--kube-version", version,
               *(["--values", values] if values else []), *more, ok=ok)
    return done.stdout, done.stderr


def objects(values, *more, **options):
    """The same as a dictionary: (kind, name) -> manifest."""
    found = [o for o in yaml.safe_load_all(template(values, *more, **options)[0]) if o]
    return {(o["kind"], o["metadata"]["name"]): o for o in found}


def server(made):
    [found] = [o for (kind, name), o in made.items()
               if kind in ("Deployment", "StatefulSet") and name == "r-genzo"]
    return found


def of_bots(name):
    return name.removeprefix("r-genzo-") in ("discord", "line", "slack", "telegram")


def config(made):
    return yaml.safe_load(made["ConfigMap", "r-genzo"]["data"]["genzo.yaml"])


def module_folder(module):
    """Where Go has a module's files."""
    if not shutil.which("go"):
        pytest.skip("go is not there, which fetches definitions")
    done = subprocess.run(["go", "mod", "download", "-json", module], capture_output=True,
                          text=True, cwd="/")
    if done.returncode:
        pytest.skip(f"{module} cannot be had")
    return pathlib.Path(json.loads(done.stdout)["Dir"])


@pytest.fixture(scope="session")
def crds():
    """Custom resource definitions."""
    found = []
    for module, pattern in CRDS.items():
        folder = module_folder(module)
        before, rest = pattern.split("{")
        names, after = rest.split("}")
        for name in names.split(","):
            [path] = folder.glob(before + name + after)
            found.append(yaml.safe_load(path.read_text()))
    return found


@pytest.fixture(scope="session")
def schemas(crds, tmp_path_factory):
    """A folder of schemas for kubeconform, by version."""
    import kubernetes_validate

    source = pathlib.Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
    target = tmp_path_factory.mktemp("schemas")

    def of(version):
        folder = target / version
        if folder.exists():
            return folder
        folder.mkdir()
        for path in (source / f"v{version}-local-strict").glob("*.json"):
            schema = json.loads(path.read_text())
            schema.pop("$id", None)
            text = json.dumps(schema).replace("/api/_definitions.json", "_definitions.json")
            (folder / path.name).write_text(text)
        for crd in crds:
            for served in crd["spec"]["versions"]:
                name = f"{crd['spec']['names']['kind']}-{crd['spec']['group'].split('.')[0]}"
                (folder / f"{name}-{served['name']}.json".lower()).write_text(
                    json.dumps(strict(served["schema"]["openAPIV3Schema"])))
        return folder

    return of


def strict(schema):
    """The schema, but nothing that it does not name may be there."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    if isinstance(made.get("properties"), dict) and made.get("type") == "object":
        if not made.get("x-kubernetes-preserve-unknown-fields"):
            made.setdefault("additionalProperties", False)
    return made
