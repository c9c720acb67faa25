"""What runs on a plain machine: the unit, the image's recipe, the bill of materials."""

import json
import re

from conftest import ROOT, run, tool

UNIT = ROOT / "deploy" / "systemd" / "genzo-server.service"


def test_unit_is_understood(tmp_path):
    file = tmp_path / UNIT.name
    # The programs are not installed here.
    file.write_text(re.sub(r"/usr/bin/genzo-server|kill(?= -HUP)", "/bin/true", UNIT.read_text()))
    done = run(tool("systemd-analyze"), "verify", "--man=no", file)
    assert UNIT.name not in done.stderr, done.stderr


def test_unit_is_confined():
    found = run(tool("systemd-analyze"), "security", "--offline=true", "--threshold=15", UNIT).stdout
    assert "Overall exposure level" in found


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


def test_bill_of_materials_is_valid(tmp_path):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = run(ROOT / "deploy" / "sbom").stdout
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    names = {part["name"] for part in json.loads(text)["components"]}
    assert {"libgrpc++1.51", "torch", "googleapis-common-protos", "preact", "emaki"} <= names
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.replace('"purl"', '"prul"'))
