"""What runs on a plain machine: the unit, the image's recipe, the bill of materials."""

import json
import os
import re
import shutil
import subprocess

import pytest

from conftest import HERE, ROOT, program, run, tool

UNIT = ROOT / "deploy" / "systemd" / "genzo-server.service"


def test_unit_is_understood(tmp_path):
    file = tmp_path / UNIT.name
    # The programs are not installed here.
    file.write_text(re.sub(r"/usr/bin/genzo-server|kill(?= -HUP)", "/bin/true", UNIT.read_text()))
    done = run(tool("systemd-analyze"), "verify", "--man=no", file)
    assert UNIT.name not in done.stderr, done.stderr


def test_unit_leaves_a_wrong_configuration_ended():
    """RestartPreventExitStatus knows the main process alone: a check before is tried for ever."""
    text = UNIT.read_text()
    assert "RestartPreventExitStatus=2\n" in text and "\nExecStartPre" not in text
    assert re.findall(r"^ExecReload=(.*)$", text, re.MULTILINE)[0].endswith("--check-config")


def test_server_says_what_is_wrong_with_its_configuration(tmp_path):
    config = tmp_path / "genzo.yaml"
    config.write_text(f"models: [{{id: emaki, path: {ROOT}/models/emaki}}]\nqueue_capcity: 3\n")
    ended = run(program("genzo-server"), "--config", config, ok=False)
    assert ended.returncode == 2 and "queue_capcity" in ended.stderr


def test_unit_waits_longer_than_the_server():
    settings = (ROOT / "deploy" / "genzo.yaml").read_text()
    grace = int(re.search(r"^shutdown_grace_seconds: (\d+)", settings, re.MULTILINE)[1])
    patience = int(re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)[1])
    assert patience >= grace + 25
    pages = (ROOT / "docs" / "deploy.md").read_text()
    assert f"after {patience} s" in pages and f"above {patience - 25}" in pages
    assert f"a grace of {patience - 25}" in UNIT.read_text()


def test_recipe_of_the_container_opens_what_its_arguments_open():
    """Arguments of one's own replace the image's, without which nothing is reached from outside."""
    [command] = re.findall(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    arguments = [one for one in json.loads(command) if one != "--insecure"]
    assert " ".join(arguments) in (ROOT / "docs" / "deploy.md").read_text()


def test_unit_is_confined():
    found = run(tool("systemd-analyze"), "security", "--offline=true", "--threshold=15", UNIT).stdout
    assert "Overall exposure level" in found


def test_server_paints_within_the_units_system_calls(tmp_path):
    if subprocess.run(["/usr/bin/python3", "-c", "import seccomp"], capture_output=True).returncode:
        pytest.skip("Debian's python3-seccomp is not there")
    tool("systemd-analyze")
    config = tmp_path / "genzo.yaml"
    config.write_text(f"listen: 127.0.0.1:0\nprofile_folder: {tmp_path}\n"
                      f"models: [{{id: tiny, path: {ROOT}/tests/data/reference/models/sd1}}]\n")
    server = subprocess.Popen([HERE / "filtered", UNIT, program("genzo-server"), "--config", config],
                              stdout=subprocess.PIPE, text=True)
    try:
        address = server.stdout.readline().split()[-1]
        assert re.search(r"^Seccomp:\s+2$", open(f"/proc/{server.pid}/status").read(), re.MULTILINE)
        run(program("genzo"), "--server", address, "generate", "a red fox", "--steps=2",
            f"--output={tmp_path}")
    finally:
        server.terminate()
    assert server.wait(timeout=60) == 0


def test_drop_in_opens_the_gpu_alone(tmp_path):
    (tmp_path / f"{UNIT.name}.d").mkdir()
    (tmp_path / UNIT.name).write_text(
        re.sub(r"/usr/bin/genzo-server|kill(?= -HUP)", "/bin/true", UNIT.read_text()))
    (tmp_path / f"{UNIT.name}.d" / "cuda.conf").write_text((UNIT.parent / "cuda.conf").read_text())
    run(tool("systemd-analyze"), "verify", "--man=no", tmp_path / UNIT.name)


def test_dockerfile_is_clean():
    # DL3008: Debian 12 has one version of each package, and its fixes are wanted. DL3009: the stage
    # that builds is thrown away.
    run(tool("hadolint"), "--ignore", "DL3008", "--ignore", "DL3009", ROOT / "Dockerfile")


def test_dockerfile_copies_what_cmake_asks_for(tmp_path):
    """Only configures: a folder that was added to the build and not to the image is missed here."""
    torch = ROOT / ".deps" / "libtorch.path"
    if not torch.exists():
        pytest.skip("./dev setup has not run")
    stage = (ROOT / "Dockerfile").read_text().split("FROM scratch AS package")[0]
    for line in re.findall(r"^COPY (?!--)(.+) \S+$", stage, re.MULTILINE):
        for name in line.split():
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    run(tool("cmake"), "-S", tmp_path, "-B", tmp_path / "build", "-G", "Ninja",
        "-DGENZO_BUILD_TESTS=OFF", f"-DGENZO_LIBTORCH={torch.read_text().strip()}",
        f"-DGENZO_GOOGLEAPIS={ROOT}/.deps/googleapis",
        f"-DGENZO_CUDA_CRT={ROOT}/.deps/cuda_crt/nvidia/cu13/include")
    # Every file that is to be installed is there, but for what a build makes.
    script = (tmp_path / "build" / "cmake_install.cmake").read_text()
    wanted = set(re.findall(rf'"({tmp_path}/[^"$]+)"', script))
    assert not [path for path in wanted if "/build/" not in path and not os.path.exists(path)]


def test_what_dev_runs_is_committed():
    """A script that only its author has is missed here."""
    text = re.sub(r"^  build .*$", "", (ROOT / "dev").read_text(), flags=re.MULTILINE)
    named = set(re.findall(r"(?<![\w/$])(?:deploy|gateway|proto|tests|third_party|tools)/[\w./-]+\w", text))
    committed = run("git", "-C", ROOT, "ls-files").stdout.split()
    assert "deploy/make_image" in named
    missing = [path for path in named
               if not any(other == path or other.startswith(path + "/") for other in committed)]
    assert not missing


def test_bill_of_materials_is_valid(tmp_path):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = run(ROOT / "deploy" / "sbom").stdout
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    names = {part["name"] for part in json.loads(text)["components"]}
    assert {"libgrpc++1.51", "torch", "googleapis-common-protos", "preact", "emaki"} <= names
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.replace('"purl"', '"prul"'))
