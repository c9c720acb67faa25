"""deploy/compose: the files are what Compose takes, and go together."""

import json
import os
import re
import shutil
import sys

import pytest
import yaml

from conftest import FOLDER, ROOT, module_folder, program, run, tool

COMPOSE = ROOT / "deploy" / "compose"
MODULE = "github.com/compose-spec/compose-go/v2@v2.16.2"
FILES = pytest.mark.parametrize("files", [["compose.yaml"], ["compose.yaml", "cuda.yaml"]])


@FILES
def test_fits_the_schema(files):
    schema = module_folder(MODULE) / "schema" / "compose-spec.json"
    run(sys.executable, "-m", "check_jsonschema", "--schemafile", schema,
        *[COMPOSE / name for name in files])


@pytest.fixture(scope="session")
def loader(tmp_path_factory):
    """Compose's own reader, as a program."""
    program = FOLDER / "bin" / "compose-spec"
    if not program.exists():
        module_folder(MODULE)
        run("go", "install", f"{MODULE.replace('@', '/cmd@')}",
            env={**os.environ, "GOBIN": str(program.parent)})
        shutil.move(program.parent / "cmd", program)
    return program


@FILES
def test_is_read_by_compose(files, loader):
    found = json.loads(run(loader, "--format", "json", *[COMPOSE / name for name in files],
                           cwd=COMPOSE).stdout)
    assert set(found["services"]) == {"genzo", "prometheus", "grafana"}
    for service in found["services"].values():
        assert service["read_only"] and service["cap_drop"] == ["ALL"]
        for port in service["ports"]:
            assert port["host_ip"] == "127.0.0.1"
    for service in found["services"].values():
        for volume in service["volumes"]:
            if volume["type"] == "bind" and not volume["source"].endswith("grafana/genzo.json"):
                assert os.path.exists(volume["source"]), volume
    if "cuda.yaml" in files:
        assert found["services"]["genzo"]["image"].endswith("-cuda")


def test_server_takes_the_configuration(tmp_path):
    text = (COMPOSE / "genzo.yaml").read_text()
    for inside, outside in [("/usr/share/genzo/models", f"{ROOT}/models"),
                            ("/usr/share/genzo/page", f"{ROOT}/gateway/page/dist"),
                            ("/var/lib/genzo", str(tmp_path)), (" /models", f" {tmp_path}")]:
        assert inside in text
        text = text.replace(inside, outside)
    file = tmp_path / "genzo.yaml"
    file.write_text(text)
    run(program("genzo-server"), "--config", file, "--check-config")


def test_is_stopped_no_sooner_than_drained():
    grace = yaml.safe_load((ROOT / "deploy" / "genzo.yaml").read_text())["shutdown_grace_seconds"]
    service = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]["genzo"]
    assert int(service["stop_grace_period"].removesuffix("s")) >= grace + 25


def test_prometheus_takes_its_files(tmp_path):
    folder = ROOT / "deploy" / "prometheus"
    text = (folder / "prometheus.yaml").read_text()
    file = tmp_path / "prometheus.yaml"
    file.write_text(text.replace("/etc/prometheus", str(folder)))
    run(tool("promtool"), "check", "config", file)


def test_image_is_the_projects_version():
    version = re.search(r"VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text()[30:])[1]
    assert f"genzo:{version}}}" in (COMPOSE / "compose.yaml").read_text()
